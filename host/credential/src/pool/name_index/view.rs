//! The entries of a name by availability, for one endpoint or for those without lanes that cool.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::count;
use crate::pool::index_entry::{CountsFor, EntryState, IndexEntry, LaneNumber, OwnGuess};
use crate::pool::{CoolingCounts, Member, Members};
use crate::{CoolingClass, Timestamp};

/// The entries of a name by availability.
///
/// An entry is in `ready`, or in `due_ready` and `due`, or in `waiting` and `ends`, or only counted (disabled, barred, busy).
/// This is as of the last [`View::refresh`]: later changes are in `dirty`, and entries whose window
/// has ended since are at the front of `waiting`.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// The state of each entry, by its position.
    states: States,
    /// The ready entries by priority, highest first; no list is empty. Shared with running
    /// selections, and copied on change only if they still hold it.
    pub(super) ready: BTreeMap<Reverse<i32>, Arc<Members>>,
    /// The same of the available entries whose windows have just ended: see [`EntryState::Due`].
    pub(super) due_ready: BTreeMap<Reverse<i32>, Arc<Members>>,
    /// Cooling entries by when they change: a probe is due, or the window ends.
    pub(super) waiting: BTreeSet<(Timestamp, u32)>,
    /// The positions of those in `due_ready`, with the ends of their own windows. No set is empty.
    pub(super) due: BTreeMap<DueGroup, BTreeSet<(Timestamp, u32)>>,
    /// Cooling entries by the end of their window.
    pub(super) ends: BTreeSet<(Timestamp, u32)>,
    /// Positions whose health changed, some of them several times: at most [`DIRTY_TIMES_MAX`] for each
    /// entry on average.
    pub(super) dirty: Vec<u32>,
    /// Numbers of entries that are not ready.
    pub(super) counts: Counts,
    /// The version of the sites that it shows.
    pub(super) sites_version: u64,
}

/// Entries whose calls take turns alike, but for the ends of their own windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::pool) struct DueGroup {
    pub(in crate::pool) lane: LaneNumber,
    pub(in crate::pool) counts_for: CountsFor,
    pub(in crate::pool) class: Option<CoolingClass>,
}

impl DueGroup {
    pub(super) fn of(entry: &IndexEntry, guess: OwnGuess) -> Self {
        Self {
            lane: entry.lane,
            counts_for: guess.counts_for,
            class: guess.class,
        }
    }
}

/// Numbers of entries that are not ready, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) disabled: u32,
    pub(super) barred: u32,
    pub(super) busy: u32,
    pub(super) probing: u32,
    pub(super) classes: CoolingCounts,
}

impl View {
    /// Creates the view of these entries with their states.
    pub(super) fn of(entries: &[Option<IndexEntry>], states: &[EntryState]) -> Self {
        let mut view = Self {
            states: States::of(states),
            ..Self::default()
        };
        for entry in entries.iter().flatten() {
            view.list(entry, view.state(entry.member.position), false);
        }
        view.rebuild_ready(entries);
        view
    }

    pub(super) fn state(&self, position: u32) -> EntryState {
        self.states.get(position as usize)
    }

    /// Marks an entry as changed.
    pub(super) fn touch(&mut self, position: u32) {
        if self.dirty.last() == Some(&position) {
            return;
        }
        if self.dirty.len() >= self.states.len() * DIRTY_TIMES_MAX {
            self.dirty.sort_unstable();
            self.dirty.dedup();
        }
        self.dirty.push(position);
    }

    /// Adds an entry with its state.
    pub(super) fn add(&mut self, entry: &IndexEntry, state: EntryState) {
        self.states.set(entry.member.position as usize, state);
        self.list(entry, state, true);
    }

    /// Removes an entry.
    pub(super) fn remove(&mut self, entry: &IndexEntry) {
        let position = entry.member.position;
        self.unlist(entry, self.state(position), true);
        self.states.set(position as usize, EntryState::Disabled);
    }

    /// Updates the entries that changed or whose time has come, all of them with `all`.
    pub(super) fn refresh(
        &mut self,
        entries: &[Option<IndexEntry>],
        all: bool,
        now: Timestamp,
        state: impl Fn(&IndexEntry) -> EntryState,
    ) {
        let due = self.waiting.first().is_some_and(|&(until, _)| until <= now);
        if self.dirty.is_empty() && !due && !all {
            return;
        }
        let mut changed = std::mem::take(&mut self.dirty);
        if all {
            changed.clear();
            changed.extend(0..count(entries.len()));
        } else {
            let due = self.waiting.range(..=(now, u32::MAX));
            changed.extend(due.map(|&(_, position)| position));
        }
        let few = ONE_BY_ONE_MAX.max(entries.len() / ONE_BY_ONE_OF);
        let mut changes = changed.iter().filter_map(|&position| {
            let entry = entries.get(position as usize)?.as_ref()?;
            Some((entry, state(entry)))
        });
        if changed.len() <= few {
            for (entry, state) in changes {
                self.update(entry, state, true);
            }
        } else {
            // Most entries of a site do not change with its version.
            let is_new = |(entry, state): &(&IndexEntry, EntryState)| {
                *state != self.state(entry.member.position)
            };
            let changes: Vec<_> = changes.by_ref().filter(is_new).collect();
            let one_by_one = changes.len() <= few;
            for (entry, state) in changes {
                self.update(entry, state, one_by_one);
            }
            if !one_by_one {
                self.rebuild_ready(entries);
            }
        }
        // For the next changes.
        changed.clear();
        changed.shrink_to(ONE_BY_ONE_MAX);
        self.dirty = changed;
    }

    /// Updates the state of an entry and where it is listed; with `lists`, also in `ready`. A change
    /// copies a list that a selection still holds, so an equal state must not cause one.
    fn update(&mut self, entry: &IndexEntry, state: EntryState, lists: bool) {
        let position = entry.member.position;
        let before = self.state(position);
        if state == before {
            return;
        }
        self.unlist(entry, before, lists);
        self.list(entry, state, lists);
        self.states.set(position as usize, state);
    }

    fn list(&mut self, entry: &IndexEntry, state: EntryState, lists: bool) {
        let position = entry.member.position;
        self.counts.add(state);
        if let EntryState::Due(guess) = state {
            let group = self.due.entry(DueGroup::of(entry, guess)).or_default();
            group.insert((guess.until, position));
        }
        match state {
            EntryState::Ready | EntryState::Due(_) if lists => {
                let ready = self.lists_of(state).entry(Reverse(entry.priority));
                Arc::make_mut(ready.or_default()).insert(entry.member);
            }
            EntryState::Waiting { wake, until, .. } => {
                self.waiting.insert((wake, position));
                self.ends.insert((until, position));
            }
            EntryState::Ready
            | EntryState::Due(_)
            | EntryState::Disabled
            | EntryState::Barred
            | EntryState::Busy => {}
        }
    }

    fn unlist(&mut self, entry: &IndexEntry, state: EntryState, lists: bool) {
        let position = entry.member.position;
        self.counts.remove(state);
        if let EntryState::Due(guess) = state {
            let group = DueGroup::of(entry, guess);
            if let Some(entries) = self.due.get_mut(&group) {
                entries.remove(&(guess.until, position));
                if entries.is_empty() {
                    self.due.remove(&group);
                }
            }
        }
        match state {
            EntryState::Ready | EntryState::Due(_) if lists => {
                let priority = Reverse(entry.priority);
                let lists = self.lists_of(state);
                let Some(ready) = lists.get_mut(&priority) else {
                    return;
                };
                Arc::make_mut(ready).remove(entry.member.rank);
                if ready.is_empty() {
                    lists.remove(&priority);
                }
            }
            EntryState::Waiting { wake, until, .. } => {
                self.waiting.remove(&(wake, position));
                self.ends.remove(&(until, position));
            }
            EntryState::Ready
            | EntryState::Due(_)
            | EntryState::Disabled
            | EntryState::Barred
            | EntryState::Busy => {}
        }
    }

    /// Rebuilds all of `ready` and `due_ready`.
    fn rebuild_ready(&mut self, entries: &[Option<IndexEntry>]) {
        let mut ready: BTreeMap<Reverse<i32>, Vec<_>> = BTreeMap::new();
        let mut due = ready.clone();
        for entry in entries.iter().flatten() {
            let lists = match self.state(entry.member.position) {
                EntryState::Ready => &mut ready,
                EntryState::Due(_) => &mut due,
                _ => continue,
            };
            let list = lists.entry(Reverse(entry.priority)).or_default();
            list.push(entry.member);
        }
        let sorted = |lists: BTreeMap<Reverse<i32>, Vec<Member>>| {
            let lists = lists.into_iter().map(|(priority, mut list)| {
                // Sorted already, except for entries added since the pool was built.
                list.sort_by_key(|member| member.rank);
                (priority, Arc::new(Members::new(&list)))
            });
            lists.collect()
        };
        self.ready = sorted(ready);
        self.due_ready = sorted(due);
    }

    /// Returns the lists of this state, which is an available one.
    fn lists_of(&mut self, state: EntryState) -> &mut BTreeMap<Reverse<i32>, Arc<Members>> {
        match state {
            EntryState::Due(_) => &mut self.due_ready,
            _ => &mut self.ready,
        }
    }

    /// Returns the available entries of the highest priority that has any.
    pub(super) fn first_available(&self) -> Option<Arc<Members>> {
        if self.due_ready.is_empty() {
            // As in nearly all calls.
            let first = self.ready.first_key_value();
            return first.map(|(_, list)| Arc::clone(list));
        }
        self.available(false).next().map(|(list, _)| list)
    }

    /// Returns the available entries by priority, highest first. With `leaves_due` they are without those whose
    /// windows have just ended, and with the number of these.
    pub(super) fn available(
        &self,
        leaves_due: bool,
    ) -> impl Iterator<Item = (Arc<Members>, u32)> + '_ {
        let priorities = self.ready.keys().chain(self.due_ready.keys());
        let priorities: BTreeSet<Reverse<i32>> = priorities.copied().collect();
        priorities.into_iter().map(move |priority| {
            let (ready, due) = (self.ready.get(&priority), self.due_ready.get(&priority));
            let left_out = due.filter(|_| leaves_due).map_or(0, |due| due.len());
            let list = match (ready, due.filter(|_| !leaves_due)) {
                (Some(ready), Some(due)) => Arc::new(ready.merged(due)),
                (Some(list), None) | (None, Some(list)) => Arc::clone(list),
                (None, None) => Arc::default(),
            };
            (list, count(left_out))
        })
    }
}

impl Counts {
    pub(super) fn add(&mut self, state: EntryState) {
        if let Some(count) = self.of(state) {
            *count += 1;
        }
        if let EntryState::Waiting { class, .. } = state {
            *self.classes.of_mut(class) += 1;
        }
    }

    pub(super) fn remove(&mut self, state: EntryState) {
        if let Some(count) = self.of(state) {
            *count = count.saturating_sub(1);
        }
        if let EntryState::Waiting { class, .. } = state {
            let count = self.classes.of_mut(class);
            *count = count.saturating_sub(1);
        }
    }

    fn of(&mut self, state: EntryState) -> Option<&mut u32> {
        match state {
            EntryState::Disabled => Some(&mut self.disabled),
            EntryState::Barred => Some(&mut self.barred),
            EntryState::Busy => Some(&mut self.busy),
            EntryState::Waiting { probing: true, .. } => Some(&mut self.probing),
            EntryState::Waiting { .. } | EntryState::Ready | EntryState::Due(_) => None,
        }
    }
}

/// The states of entries, by position. Clones share all runs that neither has changed: an endpoint's
/// view begins as a clone of the base, whenever its first lane cools.
#[derive(Clone, Debug, Default)]
struct States {
    /// All but the last one have [`STATES_RUN`] states.
    runs: Vec<Arc<Vec<EntryState>>>,
    len: usize,
}

impl States {
    fn of(states: &[EntryState]) -> Self {
        let runs = states.chunks(STATES_RUN);
        Self {
            runs: runs.map(|run| Arc::new(run.to_vec())).collect(),
            len: states.len(),
        }
    }

    fn len(&self) -> usize {
        self.len
    }

    fn get(&self, position: usize) -> EntryState {
        let run = self.runs.get(position / STATES_RUN);
        let state = run.and_then(|run| run.get(position % STATES_RUN));
        state.copied().unwrap_or_default()
    }

    /// Sets a state. Positions up to it that are new are disabled.
    fn set(&mut self, position: usize, state: EntryState) {
        while self.len <= position {
            if self.len.is_multiple_of(STATES_RUN) {
                self.runs.push(Arc::default());
            }
            if let Some(last) = self.runs.last_mut() {
                Arc::make_mut(last).push(EntryState::Disabled);
            }
            self.len += 1;
        }
        let run = self.runs.get_mut(position / STATES_RUN).map(Arc::make_mut);
        if let Some(known) = run.and_then(|run| run.get_mut(position % STATES_RUN)) {
            *known = state;
        }
    }
}

/// The states of a run: a change of one that is shared copies 3 KiB.
const STATES_RUN: usize = 128;

/// Changes that are listed for an entry between two refreshes, before those that are listed twice are
/// found. As many changes are listed in the meantime, so a change costs little.
const DIRTY_TIMES_MAX: usize = 2;

/// Up to this number of changes, or one entry in this many, each change updates its list. Above,
/// as when an outage ends, all lists are rebuilt in one pass over the entries.
const ONE_BY_ONE_MAX: usize = 32;

/// One change costs about as much as a pass over thirty entries.
const ONE_BY_ONE_OF: usize = 32;
