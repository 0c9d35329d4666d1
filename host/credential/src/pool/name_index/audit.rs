//! Compares a name's index with one computed from health alone, for tests.

use std::cmp::Reverse;

use super::view::{Counts, DueGroup};
use super::*;
use crate::pool::Member;

impl NameIndex {
    /// Updates all views, and panics unless they equal what health says.
    pub(in crate::pool) fn audit(&mut self, health: &HealthReader<'_>) {
        let endpoints: Vec<Endpoint> = self.by_endpoint.iter().map(|(of, _)| *of).collect();
        for endpoint in endpoints {
            self.refresh(endpoint, health);
        }
        let state = |entry: &IndexEntry| health.entry_state(entry, None);
        self.base.refresh(&self.entries, false, health.now, state);
        self.audit_view(&self.base, None, health);
        for (endpoint, view) in &self.by_endpoint {
            self.audit_view(view, Some(*endpoint), health);
        }
        for position in &self.vacant {
            assert!(self.entry(*position).is_none(), "it is in use");
        }
    }

    fn audit_view(&self, view: &View, endpoint: Option<Endpoint>, health: &HealthReader<'_>) {
        assert!(view.dirty.is_empty(), "a refresh leaves nothing stale");
        let mut ready: BTreeMap<Reverse<i32>, Vec<Member>> = BTreeMap::new();
        let (mut waiting, mut ends) = (BTreeSet::new(), BTreeSet::new());
        let mut due_ready: BTreeMap<Reverse<i32>, Vec<Member>> = BTreeMap::new();
        let mut due: BTreeMap<DueGroup, BTreeSet<_>> = BTreeMap::new();
        let mut counts = Counts::default();
        for (number, entry) in (0..).zip(&self.entries) {
            let Some(entry) = entry else {
                assert!(
                    self.vacant.contains(&number),
                    "a free position is listed as vacant"
                );
                continue;
            };
            assert_eq!(entry.member.position, number, "it is found by its number");
            let state = health.entry_state(entry, endpoint);
            assert_eq!(view.state(number), state, "under `{}`", self.name);
            counts.add(state);
            if let EntryState::Due(guess) = state {
                let group = due.entry(DueGroup::of(entry, guess)).or_default();
                group.insert((guess.until, number));
            }
            match state {
                EntryState::Ready => ready
                    .entry(Reverse(entry.priority))
                    .or_default()
                    .push(entry.member),
                EntryState::Due(_) => due_ready
                    .entry(Reverse(entry.priority))
                    .or_default()
                    .push(entry.member),
                EntryState::Waiting { wake, until, .. } => {
                    assert!(wake > health.now, "it would be updated for ever");
                    waiting.insert((wake, number));
                    ends.insert((until, number));
                }
                EntryState::Disabled | EntryState::Barred | EntryState::Busy => {}
            }
        }
        for list in ready.values_mut().chain(due_ready.values_mut()) {
            list.sort_by_key(|member| member.rank);
        }
        assert_eq!(view.due, due, "due, under `{}`", self.name);
        assert_eq!(view.waiting, waiting, "waiting, under `{}`", self.name);
        assert_eq!(view.ends, ends, "ends of windows, under `{}`", self.name);
        assert_eq!(view.counts, counts, "not ready, under `{}`", self.name);
        for (indexed, expected) in [(&view.ready, ready), (&view.due_ready, due_ready)] {
            let indexed = indexed.iter();
            let indexed: BTreeMap<Reverse<i32>, Vec<Member>> = indexed
                .map(|(&priority, ready)| (priority, ready.iter().copied().collect()))
                .collect();
            assert_eq!(indexed, expected, "ready by tier, under `{}`", self.name);
        }
    }

    pub(in crate::pool) fn audit_entry(&self, position: u32) -> &IndexEntry {
        self.entry(position).expect("the position has an entry")
    }

    /// Panics unless this many entries are in use, and these providers serve the name with this
    /// many enabled credentials.
    pub(in crate::pool) fn audit_providers(
        &self,
        entries: usize,
        enabled: &BTreeMap<ProviderName, u32>,
    ) {
        assert_eq!(self.entries.iter().flatten().count(), entries);
        assert_eq!(self.enabled, *enabled, "under `{}`", self.name);
        assert!(self.providers.iter().eq(enabled.keys()));
        let own_rounds = self.entries.iter().flatten();
        let own_rounds = own_rounds.filter(|entry| entry.rounds.is_some()).count();
        assert_eq!(self.own_rounds as usize, own_rounds);
    }
}
