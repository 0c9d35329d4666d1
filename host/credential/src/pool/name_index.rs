//! The credentials that serve one name, by availability: an index derived from health.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::entry::{Live, Slots};
use super::{Candidates, Member, Members, Reasons, Unavailable};
use crate::{Availability, Credential, ProviderName, Timestamp};

/// The credentials that serve one name.
///
/// An entry keeps its position until its credential is redefined. It is in `ready`, or in
/// `waiting` and `ends`, or only counted (disabled, barred, busy). This is as of the last
/// [`NameIndex::refresh`]: later changes are in `dirty`, and entries whose window has ended since
/// are at the front of `waiting`.
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
    /// The available entries by priority, highest first; no list is empty. Shared with running
    /// selections, and copied on change only if they still hold it.
    ready: BTreeMap<Reverse<i32>, Arc<Members>>,
    /// Cooling entries by when they change: a probe is due, or the window ends.
    waiting: BTreeSet<(Timestamp, u32)>,
    /// Cooling entries by the end of their window.
    ends: BTreeSet<(Timestamp, u32)>,
    /// Slots whose health changed. Each is in it once at most, so it is bounded.
    dirty: BTreeSet<u32>,
    /// Numbers of entries that are not ready.
    counts: Counts,
    /// The number of entries with their own number of rounds.
    own_rounds: u32,
}

/// Numbers of entries that are not ready, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    disabled: u32,
    barred: u32,
    busy: u32,
    probing: u32,
}

/// One credential in the index of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IndexEntry {
    pub(super) member: Member,
    pub(super) priority: i32,
    pub(super) state: EntryState,
    /// The number of its provider.
    pub(super) provider: u32,
    /// The credential's own number of rounds.
    pub(super) rounds: Option<u32>,
}

/// The state of an entry, which decides where it is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryState {
    Disabled,
    Barred,
    Ready,
    Waiting {
        /// When its availability changes.
        wake: Timestamp,
        /// The end of the window.
        until: Timestamp,
        /// True if a probe is in flight.
        probing: bool,
    },
    /// Healthy, but at the limit of attempts in flight.
    Busy,
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
            ready: BTreeMap::new(),
            waiting: BTreeSet::new(),
            ends: BTreeSet::new(),
            dirty: BTreeSet::new(),
            counts: Counts::default(),
            own_rounds: 0,
        }
    }

    /// Creates the index of a name. Each entry's position is its index.
    pub(super) fn of(
        name: Arc<str>,
        entries: Vec<IndexEntry>,
        enabled: BTreeMap<ProviderName, u32>,
    ) -> Self {
        let mut name_index = Self {
            providers: enabled.keys().cloned().collect(),
            enabled,
            own_rounds: count(
                entries
                    .iter()
                    .filter(|entry| entry.rounds.is_some())
                    .count(),
            ),
            ..Self::new(name)
        };
        for entry in &entries {
            name_index.list(entry, false);
        }
        name_index.entries = entries.into_iter().map(Some).collect();
        name_index.rebuild_ready();
        name_index
    }

    /// Adds an entry, and returns its position.
    pub(super) fn add(&mut self, mut entry: IndexEntry, credential: &Credential) -> u32 {
        let number = self
            .vacant
            .pop()
            .unwrap_or_else(|| count(self.entries.len()));
        entry.member.position = number;
        self.list(&entry, true);
        self.own_rounds += u32::from(entry.rounds.is_some());
        match self.entries.get_mut(number as usize) {
            Some(free) => *free = Some(entry),
            None => self.entries.push(Some(entry)),
        }
        if credential.enabled {
            let serves = self.enabled.entry(credential.provider.clone()).or_default();
            *serves += 1;
            if *serves == 1 {
                self.providers = self.enabled.keys().cloned().collect();
            }
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
        self.dirty.remove(&number);
        self.unlist(&entry, true);
        self.own_rounds -= u32::from(entry.rounds.is_some());
        if !credential.enabled {
            return;
        }
        if let Some(serves) = self.enabled.get_mut(&credential.provider) {
            *serves -= 1;
            if *serves == 0 {
                self.enabled.remove(&credential.provider);
                self.providers = self.enabled.keys().cloned().collect();
            }
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

    /// Marks an entry's health as changed.
    pub(super) fn touch(&mut self, position: u32) {
        self.dirty.insert(position);
    }

    /// Updates the entries that changed or whose time has come.
    pub(super) fn refresh(&mut self, slots: &Slots, now: Timestamp) {
        let due = self.waiting.first().is_some_and(|&(until, _)| until <= now);
        if self.dirty.is_empty() && !due {
            return;
        }
        let mut changed = std::mem::take(&mut self.dirty);
        changed.extend(
            self.waiting
                .range(..=(now, u32::MAX))
                .map(|&(_, position)| position),
        );
        let few = self.entries.len() / ONE_BY_ONE_OF;
        let one_by_one = changed.len() <= few.max(ONE_BY_ONE_MAX);
        for index in changed {
            self.update_entry(index, slots, now, one_by_one);
        }
        if !one_by_one {
            self.rebuild_ready();
        }
    }

    /// True if the filter could exclude an entry.
    pub(super) fn is_affected_by(&self, filter: &CandidateFilter<'_>) -> bool {
        filter.round > filter.rounds || self.own_rounds > 0 || !filter.full.is_empty()
    }

    /// Returns the available entries of the highest priority that has any.
    pub(super) fn candidates(&self) -> Result<Candidates, Unavailable> {
        match self.ready.first_key_value() {
            Some((_, ready)) => Ok(self.to_candidates(Arc::clone(ready))),
            None => Err(self.unavailable(&BTreeSet::new(), None)),
        }
    }

    /// The same without the tried entries. A list is copied only if it contains one of them, which
    /// is rare: after a failure they are usually cooling. With a filter it is always copied;
    /// providers are seldom at their limit.
    pub(super) fn candidates_without(
        &self,
        tried: &BTreeSet<u32>,
        filter: Option<&CandidateFilter<'_>>,
    ) -> Result<Candidates, Unavailable> {
        for all in self.ready.values() {
            let mut ready = Arc::clone(all);
            for entry in tried.iter().filter_map(|&number| self.entry(number)) {
                if all.contains(entry.member.rank) {
                    Arc::make_mut(&mut ready).remove(entry.member.rank);
                }
            }
            if let Some(filter) = filter {
                let passes =
                    |member: &Member| self.check_member(filter, member) == FilterResult::Passed;
                ready = Arc::new(ready.filtered(passes));
            }
            if !ready.is_empty() {
                return Ok(self.to_candidates(ready));
            }
        }
        Err(self.unavailable(tried, filter))
    }

    fn check_member(&self, filter: &CandidateFilter<'_>, member: &Member) -> FilterResult {
        let entry = self.entry(member.position);
        entry.map_or(FilterResult::Passed, |entry| filter.check(entry))
    }

    fn entry(&self, number: u32) -> Option<&IndexEntry> {
        self.entries.get(number as usize)?.as_ref()
    }

    fn to_candidates(&self, members: Arc<Members>) -> Candidates {
        Candidates {
            name: Arc::clone(&self.name),
            members,
            trial: false,
        }
    }

    fn unavailable(
        &self,
        tried: &BTreeSet<u32>,
        filter: Option<&CandidateFilter<'_>>,
    ) -> Unavailable {
        let mut counts = self.counts;
        let mut reasons = Reasons {
            cooling: count(self.ends.len()),
            ..Reasons::default()
        };
        for entry in tried.iter().filter_map(|&number| self.entry(number)) {
            if entry.state == EntryState::Disabled {
                continue;
            }
            reasons.tried += 1;
            reasons.cooling -= u32::from(matches!(entry.state, EntryState::Waiting { .. }));
            counts.remove(entry.state);
        }
        if let Some(filter) = filter {
            let ready = self.ready.values().flat_map(|ready| ready.iter());
            for member in ready.filter(|member| !tried.contains(&member.position)) {
                match self.check_member(filter, member) {
                    FilterResult::Busy => reasons.busy += 1,
                    FilterResult::RoundsExhausted => reasons.rounds_exhausted += 1,
                    FilterResult::Passed => {}
                }
            }
        }
        let first = self
            .ends
            .iter()
            .find(|(_, position)| !tried.contains(position));
        Unavailable::NoneAvailable(Reasons {
            disabled: counts.disabled,
            barred: counts.barred,
            busy: reasons.busy + counts.busy,
            probing: counts.probing,
            retry_at: first.map(|&(until, _)| until),
            ..reasons
        })
    }

    /// Updates the state of an entry and where it is listed; with `lists`, also in `ready`.
    fn update_entry(&mut self, number: u32, slots: &Slots, now: Timestamp, lists: bool) {
        let Some(&before) = self.entry(number) else {
            return;
        };
        let state = before.current_state(slots, now);
        // A change copies a list that a selection still holds, so an equal state must not cause one.
        if state == before.state {
            return;
        }
        let after = IndexEntry { state, ..before };
        self.unlist(&before, lists);
        self.list(&after, lists);
        if let Some(entry) = self.entries.get_mut(number as usize) {
            *entry = Some(after);
        }
    }

    fn list(&mut self, entry: &IndexEntry, lists: bool) {
        let Member {
            position: number, ..
        } = entry.member;
        self.counts.add(entry.state);
        match entry.state {
            EntryState::Ready if lists => {
                let ready = self.ready.entry(Reverse(entry.priority)).or_default();
                Arc::make_mut(ready).insert(entry.member);
            }
            EntryState::Waiting { wake, until, .. } => {
                self.waiting.insert((wake, number));
                self.ends.insert((until, number));
            }
            EntryState::Ready | EntryState::Disabled | EntryState::Barred | EntryState::Busy => {}
        }
    }

    fn unlist(&mut self, entry: &IndexEntry, lists: bool) {
        let Member {
            position: number,
            rank,
            ..
        } = entry.member;
        self.counts.remove(entry.state);
        match entry.state {
            EntryState::Ready if lists => {
                let priority = Reverse(entry.priority);
                let Some(ready) = self.ready.get_mut(&priority) else {
                    return;
                };
                Arc::make_mut(ready).remove(rank);
                if ready.is_empty() {
                    self.ready.remove(&priority);
                }
            }
            EntryState::Waiting { wake, until, .. } => {
                self.waiting.remove(&(wake, number));
                self.ends.remove(&(until, number));
            }
            EntryState::Ready | EntryState::Disabled | EntryState::Barred | EntryState::Busy => {}
        }
    }

    /// Rebuilds all of `ready`.
    fn rebuild_ready(&mut self) {
        let mut lists: BTreeMap<Reverse<i32>, Vec<Member>> = BTreeMap::new();
        let entries = self.entries.iter().flatten();
        for entry in entries.filter(|entry| entry.state == EntryState::Ready) {
            let list = lists.entry(Reverse(entry.priority)).or_default();
            list.push(entry.member);
        }
        let lists = lists.into_iter().map(|(priority, mut list)| {
            // Sorted already, except for entries added since the pool was built.
            list.sort_by_key(|member| member.rank);
            (priority, Arc::new(Members::new(&list)))
        });
        self.ready = lists.collect();
    }
}

impl IndexEntry {
    fn current_state(&self, slots: &Slots, now: Timestamp) -> EntryState {
        let live = slots.live(self.member.slot);
        live.map_or(EntryState::Disabled, |live| {
            entry_state(live, self.member.model, now)
        })
    }
}

/// Returns the state of a credential with one of its models.
pub(super) fn entry_state(live: &Live, model: u32, now: Timestamp) -> EntryState {
    if !live.credential.enabled {
        return EntryState::Disabled;
    }
    let availability = live.availability(model, now);
    match availability {
        Availability::Barred => EntryState::Barred,
        Availability::Cooling { until } | Availability::Probing { until } => EntryState::Waiting {
            wake: live.wakes_at(model, now).unwrap_or(until),
            until,
            probing: matches!(availability, Availability::Probing { .. }),
        },
        Availability::Ready | Availability::Probe if live.is_busy() => EntryState::Busy,
        Availability::Ready | Availability::Probe => EntryState::Ready,
    }
}

impl Counts {
    fn add(&mut self, state: EntryState) {
        if let Some(count) = self.of(state) {
            *count += 1;
        }
    }

    fn remove(&mut self, state: EntryState) {
        if let Some(count) = self.of(state) {
            *count = count.saturating_sub(1);
        }
    }

    fn of(&mut self, state: EntryState) -> Option<&mut u32> {
        match state {
            EntryState::Disabled => Some(&mut self.disabled),
            EntryState::Barred => Some(&mut self.barred),
            EntryState::Busy => Some(&mut self.busy),
            EntryState::Waiting { probing: true, .. } => Some(&mut self.probing),
            EntryState::Waiting { .. } | EntryState::Ready => None,
        }
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Up to this number of changes, or one entry in this many, each change updates its list. Above,
/// as when an outage ends, all lists are rebuilt in one pass over the entries.
const ONE_BY_ONE_MAX: usize = 32;

/// One change costs about as much as a pass over thirty entries.
const ONE_BY_ONE_OF: usize = 32;

#[cfg(test)]
mod audit;
