//! The candidates of a call: the available credentials, or one that cools by a guess, as a trial.

use std::collections::BTreeSet;

use super::availability::{HealthReader, Layer};
use super::entry::Live;
use super::gate::{SITE_TRIALS, trial_interval};
use super::index_entry::IndexEntry;
use super::name_index::{CandidateFilter, Exclusions, NameIndex};
use super::{CandidateQuery, Candidates, CoolingCause, Members, Pool, Reasons, Slot, Unavailable};
use crate::evidence::Others;
use crate::{Availability, CoolingClass, Requester, Timestamp, Window};

impl Pool {
    /// Returns the credentials that are available for a model, without the tried ones: those of
    /// the highest priority that has any, ordered by id. If there are none, but one that cools by a
    /// guess may be tried, it returns that one as a trial.
    ///
    /// Credentials that are slow, of a site that another attempt is finding out about, or of a
    /// provider that failed this call twice, are only second choice, whatever their priority.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub fn candidates(
        &mut self,
        query: &CandidateQuery<'_>,
        now: Timestamp,
    ) -> Result<Candidates, Unavailable> {
        let now = self.advance(now);
        let index = self
            .name_index_of(query.name)
            .ok_or(Unavailable::UnknownModel)?;
        let health = HealthReader {
            slots: &self.slots,
            sites: &self.sites,
            now,
        };
        let Some(name_index) = self.name_indexes.get_mut(index as usize) else {
            return Err(Unavailable::UnknownModel);
        };
        name_index.refresh(query.endpoint, &health);
        if let Some(slot) = query.only {
            return self.only_candidate(index, slot, query, now);
        }
        let has_second_choice = query.failed.len() >= SITE_FAILURES_MAX
            || !self.slow.is_empty()
            || self.sites.has_finders(now);
        let Some(name_index) = self.name_indexes.get(index as usize) else {
            return Err(Unavailable::UnknownModel);
        };
        let filter = self.filter(query);
        let leaves_out = !query.tried.is_empty() || name_index.is_affected_by(&filter);
        let found = if leaves_out || has_second_choice {
            self.candidates_left(name_index, index, query, has_second_choice)
        } else {
            name_index.candidates(query.endpoint)
        };
        match found {
            Some(candidates) => Ok(candidates),
            None => self.trial_candidate(index, query, now),
        }
    }

    /// Returns the candidates without what the query leaves out, and if there are others, without
    /// those that are second choice.
    fn candidates_left(
        &self,
        name_index: &NameIndex,
        index: u32,
        query: &CandidateQuery<'_>,
        has_second_choice: bool,
    ) -> Option<Candidates> {
        let exclusions = self.exclusions(index, query);
        let failed_providers = self.failed_twice(query);
        let is_second = |entry: &IndexEntry| self.is_second_choice(entry, query, &failed_providers);
        let first = has_second_choice
            .then(|| name_index.candidates_without(query.endpoint, &exclusions, Some(&is_second)))
            .flatten();
        first.or_else(|| name_index.candidates_without(query.endpoint, &exclusions, None))
    }

    fn filter(&self, query: &CandidateQuery<'_>) -> CandidateFilter<'_> {
        CandidateFilter {
            full: self.providers.full(),
            round: query.round,
            rounds: query.rounds,
        }
    }

    /// Returns what the query leaves out.
    fn exclusions(&self, index: u32, query: &CandidateQuery<'_>) -> Exclusions<'_> {
        let filter = self.filter(query);
        let name_index = self.name_indexes.get(index as usize);
        let affected = name_index.is_some_and(|name_index| name_index.is_affected_by(&filter));
        let tried = query.tried.iter();
        let tried = tried.filter_map(|&slot| {
            let live = self.slots.live(slot)?;
            let listing = live.listing(index)?;
            live.is_tried(listing.group, slot, query.tried)
                .then_some(listing)
        });
        Exclusions {
            tried: tried.map(|listing| listing.position).collect(),
            filter: affected.then_some(filter),
        }
    }

    /// Returns the only credential that the call may use.
    fn only_candidate(
        &self,
        index: u32,
        slot: Slot,
        query: &CandidateQuery<'_>,
        now: Timestamp,
    ) -> Result<Candidates, Unavailable> {
        let unavailable = |reasons| Err(Unavailable::NoneAvailable(reasons));
        let name_index = self.name_indexes.get(index as usize);
        let listing = self.slots.listing(slot, index);
        let entry = name_index.zip(listing);
        let entry = entry.and_then(|(name_index, listing)| {
            Some((name_index, name_index.entry(listing.position)?))
        });
        let (Some((name_index, entry)), Some(live)) = (entry, self.slots.live(slot)) else {
            return Err(Unavailable::UnknownModel);
        };
        let one = |count: &dyn Fn(&mut Reasons) -> &mut u32| {
            let mut reasons = Reasons::default();
            *count(&mut reasons) = 1;
            reasons
        };
        if !live.credential.enabled {
            return unavailable(one(&|reasons| &mut reasons.disabled));
        }
        if live.is_tried(entry.group, slot, query.tried) {
            return unavailable(one(&|reasons| &mut reasons.tried));
        }
        if live.account.availability(now) == Availability::Barred {
            return unavailable(one(&|reasons| &mut reasons.barred));
        }
        if live.is_busy() || self.providers.is_full(live.provider) {
            return unavailable(one(&|reasons| &mut reasons.busy));
        }
        let members = Members::new(&[entry.member]);
        Ok(name_index.to_candidates(members.into()))
    }

    /// Returns the numbers of the providers with two failed credentials or attempts in this call.
    fn failed_twice(&self, query: &CandidateQuery<'_>) -> BTreeSet<u32> {
        let (mut once, mut twice) = (BTreeSet::new(), BTreeSet::new());
        for failure in query.failed {
            let live = self.slots.live(failure.slot);
            if let Some(provider) = live.map(|live| live.provider)
                && !once.insert(provider)
            {
                twice.insert(provider);
            }
        }
        twice
    }

    fn is_second_choice(
        &self,
        entry: &IndexEntry,
        query: &CandidateQuery<'_>,
        failed_providers: &BTreeSet<u32>,
    ) -> bool {
        if failed_providers.contains(&entry.provider) || self.slow.contains(&entry.member.slot) {
            return true;
        }
        let live = self.slots.live(entry.member.slot);
        let key = live.and_then(|live| Some((live, live.model_key(entry.member.model)?)));
        key.is_some_and(|(live, key)| self.sites.is_being_found(live.route, key, query.endpoint))
    }
}

/// Trials.
impl Pool {
    /// Returns a cooling credential that may be tried, or why there is none.
    fn trial_candidate(
        &mut self,
        index: u32,
        query: &CandidateQuery<'_>,
        now: Timestamp,
    ) -> Result<Candidates, Unavailable> {
        let health = HealthReader {
            slots: &self.slots,
            sites: &self.sites,
            now,
        };
        let Some(name_index) = self.name_indexes.get(index as usize) else {
            return Err(Unavailable::UnknownModel);
        };
        let exclusions = self.exclusions(index, query);
        // The first one that becomes available, with when it does, and the gates in its way.
        let mut first: Option<(Timestamp, &IndexEntry)> = None;
        let mut gated = Vec::new();
        let mut next: Option<((bool, Option<Timestamp>), &IndexEntry)> = None;
        let cooling = name_index.cooling(query.endpoint, &exclusions);
        for (until, entry) in cooling.take(TRIAL_SCAN_MAX) {
            let mut at = until;
            if let Some(trial) = self.trial_of(entry, query, &health) {
                if trial.at > now {
                    at = at.min(trial.at);
                } else if self.has_capacity(entry) {
                    let rank = self.trial_rank(entry, query, &health);
                    if next.is_none_or(|(least, _)| rank < least) {
                        next = Some((rank, entry));
                    }
                } else {
                    // Never now: a call that may not begin now would come back at once, again and again.
                    at = at.min(now + SITE_TRIALS);
                }
                if trial.gated {
                    gated.push(entry.member.slot);
                }
            }
            if first.is_none_or(|(first, _)| at < first) {
                first = Some((at, entry));
            }
        }
        if let Some((_, entry)) = next {
            return Ok(name_index.to_trial(entry));
        }
        let mut reasons = name_index.reasons(query.endpoint, &exclusions);
        reasons.retry_at = first.map(|(at, _)| at);
        reasons.first = first.and_then(|(_, entry)| {
            let live = self.slots.live(entry.member.slot)?;
            let window = health.last_window(live, entry.member.model, Some(query.endpoint));
            let window = window?.window()?;
            Some(CoolingCause {
                class: window.class,
                cause: window.cause.clone(),
            })
        });
        self.note_waiting(index, &gated, query, now);
        Err(Unavailable::NoneAvailable(reasons))
    }

    /// Records that a client could have had a trial at these credentials, if it were its turn.
    fn note_waiting(
        &mut self,
        index: u32,
        gated: &[Slot],
        query: &CandidateQuery<'_>,
        now: Timestamp,
    ) {
        for &slot in gated {
            let live = self.slots.live(slot);
            let listing = live.and_then(|live| Some((live, live.listing(index)?)));
            let Some((live, listing)) = listing else {
                continue;
            };
            let Some(key) = live.model_key(listing.model) else {
                continue;
            };
            let lane = self.sites.lane_mut(live.route, key, query.endpoint);
            if let Some(lane) = lane {
                lane.gate.note_waiting(query.requester.client, now);
            }
        }
    }

    fn has_capacity(&self, entry: &IndexEntry) -> bool {
        let live = self.slots.live(entry.member.slot);
        live.is_some_and(|live| !live.is_busy() && !self.providers.is_full(live.provider))
    }

    /// Ranks a credential among those that may be tried: first come those that cool only for others of
    /// their site, and then those whose last failure is the oldest, so that one that fails for long does not
    /// use up the trials of the others.
    fn trial_rank(
        &self,
        entry: &IndexEntry,
        query: &CandidateQuery<'_>,
        health: &HealthReader<'_>,
    ) -> (bool, Option<Timestamp>) {
        let Some(live) = self.slots.live(entry.member.slot) else {
            return (true, None);
        };
        let model = live.models.get(entry.member.model as usize);
        let lane = model.and_then(|model| model.lane(query.endpoint));
        let healths = [
            Some(&live.account),
            model.map(|model| &model.health),
            lane.map(|lane| lane.health()),
        ];
        let mut healths = healths.into_iter().flatten();
        let cools = healths.any(|own| own.open_window(health.now).is_some());
        (cools, live.last_failure.as_ref().map(|failure| failure.at))
    }

    fn trial_of(
        &self,
        entry: &IndexEntry,
        query: &CandidateQuery<'_>,
        health: &HealthReader<'_>,
    ) -> Option<TrialTime> {
        let live = self.slots.live(entry.member.slot)?;
        trial_time(live, entry.member.model, query, health)
    }
}

/// When a call may try a cooling credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TrialTime {
    pub(super) at: Timestamp,
    /// True if only other trials are in the way.
    pub(super) gated: bool,
    /// False if the attempt only goes on with a call that has opened the window itself.
    pub(super) counts: bool,
}

impl TrialTime {
    /// The attempt of a call that goes on.
    fn going_on(now: Timestamp) -> Self {
        Self {
            at: now,
            gated: false,
            counts: false,
        }
    }
}

/// Returns when a call may try a cooling credential; `None` before the end of its window.
///
/// Windows that are hints are obeyed. A request that opened or prolonged a window is never its
/// trial, and its client tries again only after the interval. While all failures behind the windows
/// are one other client's, and no limit, nothing is known against this call: it does not wait for
/// other trials. Otherwise the trials of a site are a second apart, and clients that wait take turns.
/// Once many have failed, a window of a longer interval is tried when as long has passed since it was
/// opened or prolonged, for a client that was served by one that was, and an undecided trial holds up the
/// next one. The window of a site at which the call itself has failed twice is not for this call.
pub(super) fn trial_time(
    live: &Live,
    model: u32,
    query: &CandidateQuery<'_>,
    health: &HealthReader<'_>,
) -> Option<TrialTime> {
    let now = health.now;
    let key = live.model_key(model)?;
    let site_lane = health.sites.lane(live.route, key, query.endpoint);
    let is_exempt = has_failed_at_site(live, query, health);
    let exempt = site_lane.filter(|_| is_exempt).map(|lane| &lane.health);
    let is_meant = |layer: &Layer<'_>| !exempt.is_some_and(|site| std::ptr::eq(site, layer.health));
    let layers = health.layers(live, model, Some(query.endpoint));
    let layers: Vec<Layer<'_>> = layers.filter(is_meant).collect();
    let is_available = |layer: &Layer<'_>| layer.health.availability(now).is_available();
    if is_exempt && layers.iter().all(is_available) {
        return Some(TrialTime::going_on(now));
    }
    let Requester { client, .. } = query.requester;
    let is_served = |client| site_lane.is_some_and(|lane| lane.regulars.contain(client, now));
    if !query.requester.is_known() {
        return None;
    }
    let (mut own, mut gate) = (now, Timestamp::default());
    let mut interval = SITE_TRIALS;
    let mut others = Others::One;
    for layer in layers {
        if layer.health.availability(now) == Availability::Barred {
            return None;
        }
        let Some(window) = layer.health.open_window(now) else {
            continue;
        };
        // What failed later neither opened the window nor prolonged it.
        let (failing, class, since) = (layer.failing, window.class, window.since);
        if window.hint || failing.contains_of(query.requester, class, since) {
            return None;
        }
        let pause = trial_interval(class);
        if let Some(failed) = failing.last_of_any(class, since, |one| one == client) {
            own = own.max(failed + pause);
        }
        let of_layer = others_of(&layer, window.class, client);
        others = others.max(of_layer);
        if of_layer == Others::Many && pause > SITE_TRIALS {
            interval = interval.max(pause);
            let last = last_trial(&layer, window, client, is_served);
            // A stored window begins in the future if the clock was set back. It must not lock trials out.
            let last = last.filter(|last| *last <= now);
            gate = last.map_or(gate, |last| gate.max(last + pause));
        }
    }
    if others > Others::One {
        if let Some(last) = health.sites.last_trial(live.route) {
            gate = gate.max(last + SITE_TRIALS);
        }
        if let Some(lane) = site_lane {
            let undecided = lane.gate.undecided_until();
            let undecided = undecided.filter(|_| others == Others::Many);
            gate = undecided.map_or(gate, |until| gate.max(until));
            gate = lane.gate.turn_of(client, interval, gate, now, is_served);
        }
    }
    Some(TrialTime {
        at: own.max(gate),
        gated: own <= now && gate > now,
        counts: true,
    })
}

/// Returns how many other clients' requests failed. A limit does not depend on whose request met it.
fn others_of(layer: &Layer<'_>, class: CoolingClass, client: u64) -> Others {
    match class {
        CoolingClass::Limit => Others::Many,
        class => layer.failing.others(client, class),
    }
}

/// Returns when a client such as this one opened or prolonged a window last: a request that no provider accepts does
/// not use up the trials of those that were served.
fn last_trial(
    layer: &Layer<'_>,
    window: &Window,
    client: u64,
    is_served: impl Fn(u64) -> bool,
) -> Option<Timestamp> {
    // A limit is of many requests, and those that came after it may have displaced the one that met it first.
    match is_served(client) && window.class != CoolingClass::Limit {
        true => (layer.failing).last_of_any(window.class, window.since, is_served),
        false => Some(window.since),
    }
}

/// True if this call has failed at two credentials of the site, so that the site's lane cools by its
/// doing: that window is not for this call.
fn has_failed_at_site(live: &Live, query: &CandidateQuery<'_>, health: &HealthReader<'_>) -> bool {
    if query.failed.len() < SITE_FAILURES_MAX {
        return false;
    }
    let slots = query.failed.iter().map(|failure| failure.slot);
    let at_site = slots.filter(|&slot| {
        let other = health.slots.live(slot);
        other.is_some_and(|other| other.route.site == live.route.site)
    });
    at_site.collect::<BTreeSet<Slot>>().len() >= SITE_FAILURES_MAX
}

/// Unattributed failures of one call at a provider or site, after which others come first.
const SITE_FAILURES_MAX: usize = 2;

/// Cooling credentials that are looked at for a trial, those whose windows end first: so a call
/// costs no more in a pool of thousands that cool.
const TRIAL_SCAN_MAX: usize = 64;
