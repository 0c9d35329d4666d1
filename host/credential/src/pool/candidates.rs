//! The candidates of a call: the available credentials, or one that cools by a guess, as a trial.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::availability::HealthReader;
use super::gate::SITE_TRIALS;
use super::gated_entry::{Gated, GatedEntry};
use super::index_entry::IndexEntry;
use super::name_index::{CandidateFilter, Exclusions, NameIndex};
use super::trial_time::{SITE_FAILURES_MAX, TrialTime, trial_time};
use super::{
    CandidateQuery, Candidates, CoolingCause, CoolingTimes, Members, Pool, Reasons, Slot,
    Unavailable,
};
use crate::{Availability, CoolingClass, Timestamp};

impl Pool {
    /// Returns the credentials that are available for a model, without the tried ones: those of
    /// the highest priority that has any, ordered by id. If there are none, but one that cools by a
    /// guess may be tried, it returns that one as a trial. Of those whose window has just ended, it returns the
    /// ones at which it is the turn of the call.
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
        let is_affected = name_index.is_affected_by(&self.filter(query));
        let gated = self.gated(name_index, query, is_affected, now);
        let leaves_out = !query.tried.is_empty() || gated != Gated::None || is_affected;
        let found = if leaves_out || has_second_choice {
            let exclusions = self.exclusions(index, query, gated.clone());
            self.candidates_left(name_index, &exclusions, query, has_second_choice)
        } else {
            name_index.candidates(query.endpoint)
        };
        match found {
            Some(candidates) => Ok(candidates),
            None => self.trial_candidate(index, query, gated, now),
        }
    }

    /// Returns the candidates without what the query leaves out, and if there are others, without
    /// those that are second choice.
    fn candidates_left(
        &self,
        name_index: &NameIndex,
        exclusions: &Exclusions<'_>,
        query: &CandidateQuery<'_>,
        has_second_choice: bool,
    ) -> Option<Candidates> {
        let failed_providers = self.failed_twice(query);
        let is_second = |entry: &IndexEntry| self.is_second_choice(entry, query, &failed_providers);
        let first = has_second_choice
            .then(|| name_index.candidates_without(query.endpoint, exclusions, Some(&is_second)))
            .flatten();
        first.or_else(|| name_index.candidates_without(query.endpoint, exclusions, None))
    }

    fn filter(&self, query: &CandidateQuery<'_>) -> CandidateFilter<'_> {
        CandidateFilter {
            full: self.providers.full(),
            round: query.round,
            rounds: query.rounds,
        }
    }

    /// Returns what the query leaves out.
    fn exclusions(&self, index: u32, query: &CandidateQuery<'_>, gated: Gated) -> Exclusions<'_> {
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
            gated,
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

/// Which of the cooling credentials becomes available first.
#[derive(Default)]
struct FirstAvailable<'a> {
    /// When, and with which model.
    entry: Option<(Timestamp, &'a IndexEntry, u32)>,
    times: CoolingTimes,
}

impl<'a> FirstAvailable<'a> {
    fn note(&mut self, at: Timestamp, entry: &'a IndexEntry, model: u32, class: CoolingClass) {
        self.times.note(class, at);
        if self.entry.is_none_or(|(first, ..)| at < first) {
            self.entry = Some((at, entry, model));
        }
    }

    fn note_trial(&mut self, undecided_until: Option<Timestamp>) {
        self.times.trial_until = self.times.trial_until.max(undecided_until);
    }
}

/// Trials.
impl Pool {
    /// Returns a cooling credential that may be tried, or why there is none.
    fn trial_candidate(
        &mut self,
        index: u32,
        query: &CandidateQuery<'_>,
        gated_entries: Gated,
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
        let exclusions = self.exclusions(index, query, gated_entries);
        // The first one that becomes available, and the gates in its way.
        let (mut first, mut gated) = (FirstAvailable::default(), Vec::new());
        let mut next: Option<((bool, Option<Timestamp>), &IndexEntry)> = None;
        let cooling = name_index.cooling(query.endpoint, &exclusions);
        for (until, entry) in cooling.take(TRIAL_SCAN_MAX) {
            let (mut at, mut of_model) = (until, self.first_model(entry, query, &health));
            if let Some((model, trial)) = self.trial_of(entry, query, &health) {
                // Never now: a call that may not begin now would come back at once, again and again.
                let due = match trial.at > now {
                    true => trial.at,
                    false => now + SITE_TRIALS,
                };
                if trial.at <= now && self.has_capacity(entry) {
                    let rank = self.trial_rank(entry, model, query, &health);
                    if next.is_none_or(|(least, _)| rank < least) {
                        next = Some((rank, entry));
                    }
                } else if due < at {
                    (at, of_model) = (due, model);
                }
                if trial.gated {
                    gated.push((entry.member.slot, model, trial.at));
                }
                first.note_trial(trial.undecided_until);
            }
            let class = self.cooling_class(entry, of_model, query, &health);
            first.note(at, entry, of_model, class);
        }
        if let Some((_, entry)) = next {
            return Ok(name_index.to_trial(entry));
        }
        let mut reasons = name_index.reasons(query.endpoint, &exclusions);
        // One whose window has just ended cools as long as it is the turn of others.
        reasons.turns = u32::try_from(gated.len()).unwrap_or(u32::MAX);
        for (of_call, entry) in name_index.gated(&exclusions) {
            let GatedEntry { model, at, .. } = of_call;
            gated.push((entry.member.slot, model, at));
            reasons.turns = reasons.turns.saturating_add(of_call.count);
            reasons.cooling += of_call.count;
            let class = of_call.class;
            let class = class.unwrap_or_else(|| self.cooling_class(entry, model, query, &health));
            first.note(at, entry, model, class);
            *reasons.classes.of_mut(class) += of_call.count;
        }
        reasons.retry_at = first.entry.map(|(at, ..)| at);
        let cause = |(_, entry, model)| self.cooling_cause(entry, model, query, &health);
        reasons.first = first.entry.and_then(cause);
        reasons.times = Box::new(first.times);
        self.note_waiting(&gated, query, now);
        Err(Unavailable::NoneAvailable(reasons))
    }

    /// Returns why a credential cools, or which window of it has just ended.
    fn cooling_cause(
        &self,
        entry: &IndexEntry,
        model: u32,
        query: &CandidateQuery<'_>,
        health: &HealthReader<'_>,
    ) -> Option<CoolingCause> {
        let live = self.slots.live(entry.member.slot)?;
        let (place, window) = health.last_or_ended(live, model, Some(query.endpoint))?;
        Some(CoolingCause {
            place,
            class: window.class,
            cause: Arc::clone(&window.cause),
        })
    }

    fn cooling_class(
        &self,
        entry: &IndexEntry,
        model: u32,
        query: &CandidateQuery<'_>,
        health: &HealthReader<'_>,
    ) -> CoolingClass {
        let live = self.slots.live(entry.member.slot);
        let last = live.and_then(|live| health.last_or_ended(live, model, Some(query.endpoint)));
        last.map_or(CoolingClass::Outage, |(_, window)| window.class)
    }

    /// Records that a client could have had a trial at these models of credentials, if it were its turn, and
    /// when it is expected again.
    fn note_waiting(
        &mut self,
        gated: &[(Slot, u32, Timestamp)],
        query: &CandidateQuery<'_>,
        now: Timestamp,
    ) {
        for &(slot, model, expected_at) in gated {
            let live = self.slots.live(slot);
            let key = live.and_then(|live| Some((live.route, live.model_key(model)?)));
            if let Some((route, key)) = key {
                let lane = (route, key, query.endpoint);
                (self.sites).note_waiting(lane, query.requester.client, expected_at, now);
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
        model: u32,
        query: &CandidateQuery<'_>,
        health: &HealthReader<'_>,
    ) -> (bool, Option<Timestamp>) {
        let Some(live) = self.slots.live(entry.member.slot) else {
            return (true, None);
        };
        let model = live.models.get(model as usize);
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

    /// Returns the model of a credential that cools, of several under the name the one whose window ends first.
    fn first_model(
        &self,
        entry: &IndexEntry,
        query: &CandidateQuery<'_>,
        health: &HealthReader<'_>,
    ) -> u32 {
        let live = self.slots.live(entry.member.slot);
        let models = live.map(|live| {
            let models = live.grouped_models(entry.group, entry.member.model);
            let ends = models.filter_map(|model| {
                let availability = health.availability(live, model, Some(query.endpoint));
                Some((availability.until()?, model))
            });
            ends.min_by_key(|(until, _)| *until)
        });
        models
            .flatten()
            .map_or(entry.member.model, |(_, model)| model)
    }

    /// Returns the first trial of a credential, with its model: of several under the name, that of the one
    /// that may be tried first.
    fn trial_of(
        &self,
        entry: &IndexEntry,
        query: &CandidateQuery<'_>,
        health: &HealthReader<'_>,
    ) -> Option<(u32, TrialTime)> {
        let live = self.slots.live(entry.member.slot)?;
        let models = live.grouped_models(entry.group, entry.member.model);
        let trials = models.filter_map(|model| {
            let trial = trial_time(live, model, query, health)?;
            Some((model, trial))
        });
        trials.min_by_key(|(_, trial)| trial.at)
    }
}

/// Cooling credentials that are looked at for a trial, those whose windows end first: so a call
/// costs no more in a pool of thousands that cool.
const TRIAL_SCAN_MAX: usize = 64;
