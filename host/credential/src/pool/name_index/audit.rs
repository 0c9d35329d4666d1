//! Compares a name's index with one computed from health alone, for tests.

use super::*;

impl NameIndex {
    /// Panics unless the index equals what health says at `now`. It must be fresh: see
    /// [`NameIndex::refresh`].
    pub(in crate::pool) fn audit(&self, slots: &Slots, now: Timestamp) {
        assert!(self.dirty.is_empty(), "a refresh leaves nothing stale");
        let mut ready: BTreeMap<Reverse<i32>, Vec<Member>> = BTreeMap::new();
        let (mut waiting, mut ends) = (BTreeSet::new(), BTreeSet::new());
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
            let state = entry.current_state(slots, now);
            counts.add(state);
            match state {
                EntryState::Ready => ready
                    .entry(Reverse(entry.priority))
                    .or_default()
                    .push(entry.member),
                EntryState::Waiting { wake, until, .. } => {
                    assert!(wake > now, "it would be updated for ever");
                    waiting.insert((wake, number));
                    ends.insert((until, number));
                }
                EntryState::Disabled | EntryState::Barred | EntryState::Busy => {}
            }
        }
        for list in ready.values_mut() {
            list.sort_by_key(|member| member.rank);
        }
        assert_eq!(self.waiting, waiting, "waiting, under `{}`", self.name);
        assert_eq!(self.ends, ends, "ends of windows, under `{}`", self.name);
        assert_eq!(self.counts, counts, "not ready, under `{}`", self.name);
        let indexed: BTreeMap<Reverse<i32>, Vec<Member>> = self
            .ready
            .iter()
            .map(|(&priority, ready)| (priority, ready.iter().copied().collect()))
            .collect();
        assert_eq!(indexed, ready, "ready by tier, under `{}`", self.name);
    }

    pub(in crate::pool) fn audit_entry(&self, number: u32) -> &IndexEntry {
        self.entry(number).expect("the position has an entry")
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
