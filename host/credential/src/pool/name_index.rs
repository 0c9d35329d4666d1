//! Who serves one name, and who of them is fit right now: an index, derived from health.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::entry::{Entries, Live};
use super::{Candidates, Member, Members, Reasons, Unavailable};
use crate::{Availability, Credential, ProviderName, Timestamp};

/// Who serves one name.
///
/// A seat keeps its number as long as its credential is not redefined. It is in `ready`, or in
/// `waiting` and `ends`, or only counted: disabled, barred, busy. That is as of the last
/// [`NameIndex::refresh`]: what changed since is in `dirty`, and whose window has ended meanwhile stands
/// at the front of `waiting`.
#[derive(Debug)]
pub(super) struct NameIndex {
    name: Arc<str>,
    /// Who of the providers serves it with a credential that is enabled; sorted.
    providers: Arc<[ProviderName]>,
    /// With how many credentials each of them does.
    enabled: BTreeMap<ProviderName, u32>,
    entries: Vec<Option<IndexEntry>>,
    /// Seats that a credential has left.
    vacant: Vec<u32>,
    /// The fit ones by priority, the highest first; none is empty. Shared with whoever is choosing:
    /// changed in place where nobody is.
    ready: BTreeMap<Reverse<i32>, Arc<Members>>,
    /// Cooling seats by when they are to be looked at again: a probe is due, or the window ends.
    waiting: BTreeSet<(Timestamp, u32)>,
    /// Cooling seats by the end of their window.
    ends: BTreeSet<(Timestamp, u32)>,
    /// Seats whose health changed. At most one each, so it is bounded.
    dirty: BTreeSet<u32>,
    /// How many seats stand where.
    counts: Counts,
    /// How many seats have their own number of rounds.
    own_rounds: u32,
}

/// How many seats are not ready, by the reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    disabled: u32,
    barred: u32,
    busy: u32,
    probing: u32,
}

/// One credential, as far as this name is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IndexEntry {
    pub(super) member: Member,
    pub(super) priority: i32,
    pub(super) state: EntryState,
    /// Its provider, as an index into the pool's.
    pub(super) provider: u32,
    /// The credential's own number of rounds.
    pub(super) rounds: Option<u32>,
}

/// Where a seat is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryState {
    Disabled,
    Barred,
    Ready,
    Waiting {
        /// When to look again.
        wake: Timestamp,
        /// The end of the window.
        until: Timestamp,
        /// Whether a probe is under way.
        probing: bool,
    },
    /// Healthy, with as many attempts under way as the credential may have.
    Busy,
}

/// What leaves out seats that are ready: a provider without room, or a late round.
pub(super) struct CandidateFilter<'a> {
    /// Providers, by index, that have as many attempts under way as they may.
    pub(super) full: &'a BTreeSet<u32>,
    /// The round, from 1.
    pub(super) round: u32,
    /// How many rounds there are for credentials without a number of their own.
    pub(super) rounds: u32,
}

/// What a sieve says of a seat.
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
    /// A name that nobody serves yet.
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

    /// A name with all who serve it. Each seat's number is its index.
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

    /// Gives a credential a seat, and answers its number.
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

    /// Takes a seat away. The credential is what it was when the seat was given.
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

    /// Whether nobody serves it.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.len() == self.vacant.len()
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn providers(&self) -> &Arc<[ProviderName]> {
        &self.providers
    }

    /// Notes that a seat's health changed.
    pub(super) fn touch(&mut self, position: u32) {
        self.dirty.insert(position);
    }

    /// Brings the index up to date.
    pub(super) fn refresh(&mut self, entries: &Entries, now: Timestamp) {
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
            self.update_entry(index, entries, now, one_by_one);
        }
        if !one_by_one {
            self.rebuild_ready();
        }
    }

    /// Whether a sieve could leave somebody out.
    pub(super) fn is_affected_by(&self, filter: &CandidateFilter<'_>) -> bool {
        filter.round > filter.rounds || self.own_rounds > 0 || !filter.full.is_empty()
    }

    /// The fit ones of the highest priority that has any.
    pub(super) fn candidates(&self) -> Result<Candidates, Unavailable> {
        match self.ready.first_key_value() {
            Some((_, ready)) => Ok(self.to_candidates(Arc::clone(ready))),
            None => Err(self.unavailable(&BTreeSet::new(), None)),
        }
    }

    /// The same without some seats. A list is copied only if one of them is in it; as a rule they
    /// cool and are not. With a sieve it is always copied: providers are seldom full.
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

    /// Finds out where a seat stands, and has it listed there; `lists`: in `ready` as well.
    fn update_entry(&mut self, number: u32, entries: &Entries, now: Timestamp, lists: bool) {
        let Some(&before) = self.entry(number) else {
            return;
        };
        let state = before.current_state(entries, now);
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

    /// Makes all of `ready` anew.
    fn rebuild_ready(&mut self) {
        let mut lists: BTreeMap<Reverse<i32>, Vec<Member>> = BTreeMap::new();
        let entries = self.entries.iter().flatten();
        for entry in entries.filter(|entry| entry.state == EntryState::Ready) {
            let list = lists.entry(Reverse(entry.priority)).or_default();
            list.push(entry.member);
        }
        let lists = lists.into_iter().map(|(priority, mut list)| {
            // In order already, but for who came since the pool was made.
            list.sort_by_key(|member| member.rank);
            (priority, Arc::new(Members::new(&list)))
        });
        self.ready = lists.collect();
    }
}

impl IndexEntry {
    fn current_state(&self, entries: &Entries, now: Timestamp) -> EntryState {
        let live = entries.live(self.member.slot);
        live.map_or(EntryState::Disabled, |live| {
            entry_state(live, self.member.model, now)
        })
    }
}

/// Where a credential stands with one of its models.
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

/// Up to here, or up to one seat of so many, each change is made in its tier's list; beyond, as when
/// an outage ends, all lists are made anew, which costs one pass over the seats.
const ONE_BY_ONE_MAX: usize = 32;

/// A change costs about as much as to pass some thirty seats.
const ONE_BY_ONE_OF: usize = 32;

#[cfg(test)]
mod audit;
