//! The credentials that serve one name, by availability: an index derived from health.

mod lanes;
mod view;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::availability::HealthReader;
use super::gated_entry::{Gated, GatedEntry};
use super::index_entry::{EntryState, IndexEntry, LaneNumber};
use super::sites::SiteWay;
use super::{Candidates, Members, Reasons};
use crate::{Credential, Endpoint, ModelKey, ProviderName, Timestamp};
pub(super) use lanes::Lanes;
pub(super) use view::DueGroup;
use view::View;

/// The credentials that serve one name. An entry keeps its position until its credential is
/// redefined.
#[derive(Debug)]
pub(super) struct NameIndex {
    name: Arc<str>,
    /// The providers with an enabled credential for this name, sorted.
    providers: Arc<[ProviderName]>,
    /// The number of enabled credentials per provider.
    enabled: BTreeMap<ProviderName, u32>,
    entries: Vec<Option<IndexEntry>>,
    /// Free positions.
    vacant: Vec<u32>,
    /// The number of entries with their own number of rounds.
    own_rounds: u32,
    /// The number of entries with several models.
    grouped: u32,
    lanes: Lanes,
    /// The entries by the health of accounts and models.
    base: View,
    /// The same by lanes, sites and ways too, for endpoints with one that cools. There are as many
    /// as endpoints at most.
    by_endpoint: Vec<(Endpoint, View)>,
}

/// Excludes entries that are ready: their provider is at its limit, or the round is too late for
/// them.
pub(super) struct CandidateFilter<'a> {
    /// Numbers of the providers at their limit.
    pub(super) full: &'a BTreeSet<u32>,
    /// The round, from 1.
    pub(super) round: u32,
    /// The number of rounds for credentials that define none.
    pub(super) rounds: u32,
}

/// The filter's decision on an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FilterResult {
    Busy,
    Passed,
    RoundsExhausted,
}

/// What a query leaves out of the available entries.
pub(super) struct Exclusions<'a> {
    /// Positions of the credentials that were tried.
    pub(super) tried: BTreeSet<u32>,
    pub(super) filter: Option<CandidateFilter<'a>>,
    /// Entries whose windows have just ended, and at which it is not the turn of the call.
    pub(super) gated: Gated,
}

impl Exclusions<'_> {
    /// True if the call may not use an entry in this round, even once it has cooled.
    fn exclude(&self, entry: &IndexEntry) -> bool {
        let filter = self.filter.as_ref();
        self.tried.contains(&entry.member.position)
            || filter.is_some_and(|filter| filter.check(entry) == FilterResult::RoundsExhausted)
    }
}

impl CandidateFilter<'_> {
    fn check(&self, entry: &IndexEntry) -> FilterResult {
        if entry.rounds.unwrap_or(self.rounds) < self.round {
            FilterResult::RoundsExhausted
        } else if self.full.contains(&entry.provider) {
            FilterResult::Busy
        } else {
            FilterResult::Passed
        }
    }
}

impl NameIndex {
    /// Creates the index of a name without credentials.
    pub(super) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            providers: Arc::default(),
            enabled: BTreeMap::new(),
            entries: Vec::new(),
            vacant: Vec::new(),
            own_rounds: 0,
            grouped: 0,
            lanes: Lanes::default(),
            base: View::default(),
            by_endpoint: Vec::new(),
        }
    }

    /// Creates the index of a name. Each entry's position is its index.
    pub(super) fn of(
        name: Arc<str>,
        entries: Vec<IndexEntry>,
        states: &[EntryState],
        enabled: BTreeMap<ProviderName, u32>,
        lanes: Lanes,
    ) -> Self {
        let own_rounds = entries.iter().filter(|entry| entry.rounds.is_some());
        let own_rounds = count(own_rounds.count());
        let grouped = entries.iter().filter(|entry| entry.group.is_some());
        let grouped = count(grouped.count());
        let entries: Vec<_> = entries.into_iter().map(Some).collect();
        Self {
            providers: enabled.keys().cloned().collect(),
            enabled,
            own_rounds,
            grouped,
            lanes,
            base: View::of(&entries, states),
            entries,
            ..Self::new(name)
        }
    }

    /// Adds an entry, and returns its position.
    pub(super) fn add(
        &mut self,
        mut entry: IndexEntry,
        credential: &Credential,
        health: &HealthReader<'_>,
    ) -> u32 {
        let number = self
            .vacant
            .pop()
            .unwrap_or_else(|| count(self.entries.len()));
        entry.member.position = number;
        let live = health.slots.live(entry.member.slot);
        let lane = live.and_then(|live| Some((live.route, live.model_key(entry.member.model)?)));
        if let Some((route, model)) = lane {
            entry.lane = self.lanes.number(route, model);
        }
        self.base.add(&entry, health.entry_state(&entry, None));
        for (endpoint, view) in &mut self.by_endpoint {
            view.add(&entry, health.entry_state(&entry, Some(*endpoint)));
        }
        self.own_rounds += u32::from(entry.rounds.is_some());
        self.grouped += u32::from(entry.group.is_some());
        match self.entries.get_mut(number as usize) {
            Some(free) => *free = Some(entry),
            None => self.entries.push(Some(entry)),
        }
        if credential.enabled {
            self.count_enabled(&credential.provider, true);
        }
        number
    }

    /// Removes an entry. `credential` must be the same as when it was added.
    pub(super) fn remove(&mut self, number: u32, credential: &Credential) {
        let slot = self.entries.get_mut(number as usize);
        let Some(entry) = slot.and_then(Option::take) else {
            return;
        };
        self.vacant.push(number);
        self.base.remove(&entry);
        for (_, view) in &mut self.by_endpoint {
            view.remove(&entry);
        }
        self.own_rounds -= u32::from(entry.rounds.is_some());
        self.grouped -= u32::from(entry.group.is_some());
        if credential.enabled {
            self.count_enabled(&credential.provider, false);
        }
    }

    /// True if no credential serves the name.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.len() == self.vacant.len()
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn providers(&self) -> &Arc<[ProviderName]> {
        &self.providers
    }

    /// Marks the health of an entry's account or model as changed.
    pub(super) fn touch(&mut self, position: u32) {
        self.base.touch(position);
        for (_, view) in &mut self.by_endpoint {
            view.touch(position);
        }
    }

    /// Records that the credential of an entry was enabled or disabled.
    pub(super) fn set_enabled(&mut self, position: u32, provider: &ProviderName, enabled: bool) {
        self.touch(position);
        self.count_enabled(provider, enabled);
    }

    /// Adds or subtracts an enabled credential of a provider.
    fn count_enabled(&mut self, provider: &ProviderName, adds: bool) {
        let known = self.enabled.get_mut(provider);
        match (known, adds) {
            (Some(serves), true) => *serves += 1,
            (Some(serves), false) if *serves > 1 => *serves -= 1,
            (known, adds) => {
                match known {
                    Some(_) => self.enabled.remove(provider),
                    None if adds => self.enabled.insert(provider.clone(), 1),
                    None => return,
                };
                self.providers = self.enabled.keys().cloned().collect();
            }
        }
    }

    /// Marks the health of an entry's lane as changed. `needs_view` is true if the lane may not be used, or only
    /// in turns: then the endpoint needs its own view.
    pub(super) fn touch_lane(
        &mut self,
        position: u32,
        endpoint: Endpoint,
        needs_view: bool,
        health: &HealthReader<'_>,
    ) {
        let known = self.by_endpoint.iter_mut().find(|(of, _)| *of == endpoint);
        match known {
            Some((_, view)) => view.touch(position),
            None if needs_view => self.add_view(endpoint, health).touch(position),
            None => {}
        }
    }

    /// Adds the view of an endpoint of which no lane cools yet: it is the base so far.
    fn add_view(&mut self, endpoint: Endpoint, health: &HealthReader<'_>) -> &mut View {
        let mut view = self.base.clone();
        // Sites are compared by the next refresh, unless none of them can cool.
        view.sites_version = match health.sites.may_be_closed(health.now) {
            true => u64::MAX,
            false => health.sites.version(),
        };
        self.by_endpoint.push((endpoint, view));
        let last = self.by_endpoint.last_mut();
        last.map_or(&mut self.base, |(_, view)| view)
    }

    /// Updates what changed, or whose time has come, for an endpoint.
    pub(super) fn refresh(&mut self, endpoint: Endpoint, health: &HealthReader<'_>) {
        let now = health.now;
        let known = self.by_endpoint.iter().position(|(of, _)| *of == endpoint);
        let added = known.is_none() && health.sites.may_be_closed(now);
        let known = if added {
            self.add_view(endpoint, health);
            Some(self.by_endpoint.len() - 1)
        } else {
            known
        };
        let Some(index) = known else {
            let state = |entry: &IndexEntry| health.entry_state(entry, None);
            self.base.refresh(&self.entries, false, now, state);
            return;
        };
        let Some((_, view)) = self.by_endpoint.get_mut(index) else {
            return;
        };
        let all = view.sites_version != health.sites.version();
        view.sites_version = health.sites.version();
        view.refresh(&self.entries, all, now, |entry| {
            health.entry_state(entry, Some(endpoint))
        });
        // With several models, an entry can be ready although one of its lanes cools.
        // A busy one may be due after it.
        let is_calm = view.waiting.is_empty() && view.due.is_empty() && view.counts.busy == 0;
        if self.grouped == 0 && is_calm && !health.sites.may_be_closed(now) {
            // Nothing cools, so the base says the same.
            self.by_endpoint.swap_remove(index);
            let state = |entry: &IndexEntry| health.entry_state(entry, None);
            self.base.refresh(&self.entries, false, now, state);
        }
    }

    fn view(&self, endpoint: Endpoint) -> &View {
        let own = self.by_endpoint.iter().find(|(of, _)| *of == endpoint);
        own.map_or(&self.base, |(_, view)| view)
    }

    /// True if the filter could exclude an entry.
    pub(super) fn is_affected_by(&self, filter: &CandidateFilter<'_>) -> bool {
        filter.round > filter.rounds || self.own_rounds > 0 || !filter.full.is_empty()
    }

    /// Returns the available entries of the highest priority that has any.
    pub(super) fn candidates(&self, endpoint: Endpoint) -> Option<Candidates> {
        let ready = self.view(endpoint).first_available();
        ready.map(|ready| self.to_candidates(ready))
    }

    /// The same without the excluded entries, and without those that are only second choice. A list
    /// is copied only if it contains a tried one, which is rare: after a failure they are usually
    /// cooling. With a filter it is always copied; providers are seldom at their limit.
    pub(super) fn candidates_without(
        &self,
        endpoint: Endpoint,
        exclusions: &Exclusions<'_>,
        second_choice: Option<&dyn Fn(&IndexEntry) -> bool>,
    ) -> Option<Candidates> {
        let passed_over = Cell::new(0);
        let leaves_due = matches!(exclusions.gated, Gated::All(_));
        for (all, left_out) in self.view(endpoint).available(leaves_due) {
            passed_over.update(|count| count + left_out);
            let mut ready = Arc::clone(&all);
            let tried = exclusions.tried.iter();
            for entry in tried.filter_map(|&number| self.entry(number)) {
                if all.contains(entry.member.rank) {
                    Arc::make_mut(&mut ready).remove(entry.member.rank);
                }
            }
            let gated = match &exclusions.gated {
                Gated::Some(gated) => Some(gated),
                Gated::None | Gated::All(_) => None,
            };
            if exclusions.filter.is_some() || second_choice.is_some() || gated.is_some() {
                let passes = |entry: &IndexEntry| {
                    let filter = exclusions.filter.as_ref();
                    if !filter.is_none_or(|filter| filter.check(entry) == FilterResult::Passed) {
                        return false;
                    }
                    let is_passed_over = gated
                        .is_some_and(|gated| gated.contains_key(&entry.member.position))
                        || second_choice.is_some_and(|is_second| is_second(entry));
                    passed_over.update(|count| count + u32::from(is_passed_over));
                    !is_passed_over
                };
                ready = Arc::new(
                    ready.filtered(|member| self.entry(member.position).is_none_or(passes)),
                );
            }
            if !ready.is_empty() {
                return Some(Candidates {
                    passed_over: passed_over.get(),
                    ..self.to_candidates(ready)
                });
            }
        }
        None
    }

    /// Returns the entries whose windows have just ended, by what decides when a call has its turn.
    pub(super) fn due(
        &self,
        endpoint: Endpoint,
    ) -> &BTreeMap<DueGroup, BTreeSet<(Timestamp, u32)>> {
        &self.view(endpoint).due
    }

    pub(super) fn lane(&self, number: LaneNumber) -> Option<(SiteWay, &ModelKey)> {
        self.lanes.get(number)
    }

    /// Returns those that the call might use if it were its turn, with when it is: of those with the same turn
    /// one for all.
    pub(super) fn gated<'a>(
        &'a self,
        exclusions: &'a Exclusions<'_>,
    ) -> impl Iterator<Item = (GatedEntry, &'a IndexEntry)> {
        let gated = match &exclusions.gated {
            Gated::None => None,
            Gated::All(gated) | Gated::Some(gated) => Some(gated),
        };
        let gated = gated.into_iter().flatten();
        let entries = gated.filter_map(|(&number, gated)| Some((*gated, self.entry(number)?)));
        entries.filter(|(_, entry)| {
            let filter = exclusions.filter.as_ref();
            let passes = filter.is_none_or(|filter| filter.check(entry) == FilterResult::Passed);
            passes && !exclusions.exclude(entry)
        })
    }

    pub(super) fn entry(&self, number: u32) -> Option<&IndexEntry> {
        self.entries.get(number as usize)?.as_ref()
    }

    /// Returns the cooling entries that are not excluded, with the ends of their windows, the first
    /// one first.
    pub(super) fn cooling<'a>(
        &'a self,
        endpoint: Endpoint,
        exclusions: &'a Exclusions<'_>,
    ) -> impl Iterator<Item = (Timestamp, &'a IndexEntry)> {
        let ends = self.view(endpoint).ends.iter();
        let entries = ends.filter_map(|&(until, position)| Some((until, self.entry(position)?)));
        entries.filter(|(_, entry)| !exclusions.exclude(entry))
    }

    pub(super) fn to_candidates(&self, members: Arc<Members>) -> Candidates {
        Candidates {
            name: Arc::clone(&self.name),
            members,
            trial: false,
            passed_over: 0,
        }
    }

    /// Returns a cooling entry as a trial.
    pub(super) fn to_trial(&self, entry: &IndexEntry) -> Candidates {
        let members = Members::new(&[entry.member]);
        Candidates {
            trial: true,
            ..self.to_candidates(Arc::new(members))
        }
    }

    /// Counts the entries by the reason why they are unavailable.
    pub(super) fn reasons(&self, endpoint: Endpoint, exclusions: &Exclusions<'_>) -> Reasons {
        let view = self.view(endpoint);
        let mut counts = view.counts;
        let mut reasons = Reasons {
            cooling: count(view.ends.len()),
            ..Reasons::default()
        };
        let tried = exclusions.tried.iter();
        for entry in tried.filter_map(|&number| self.entry(number)) {
            let state = view.state(entry.member.position);
            if state == EntryState::Disabled {
                continue;
            }
            reasons.tried += 1;
            reasons.cooling -= u32::from(matches!(state, EntryState::Waiting { .. }));
            counts.remove(state);
        }
        if let Some(filter) = &exclusions.filter {
            let ready = view.ready.values().chain(view.due_ready.values());
            let ready = ready.flat_map(|ready| ready.iter());
            let untried = ready.filter(|member| !exclusions.tried.contains(&member.position));
            for entry in untried.filter_map(|member| self.entry(member.position)) {
                match filter.check(entry) {
                    FilterResult::Busy => reasons.busy += 1,
                    FilterResult::RoundsExhausted => reasons.rounds_exhausted += 1,
                    FilterResult::Passed => {}
                }
            }
        }
        Reasons {
            disabled: counts.disabled,
            barred: counts.barred,
            busy: reasons.busy + counts.busy,
            probing: counts.probing,
            classes: counts.classes,
            ..reasons
        }
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod audit;
