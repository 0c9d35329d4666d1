//! A sorted list of members that is cheap to change while others read it. It consists of runs; a
//! change copies one of them.

use std::sync::Arc;

use super::Member;

/// Members sorted by rank. Clones share all runs that neither has changed.
#[derive(Clone, Debug, Default)]
pub struct Members {
    /// No run is empty or longer than [`RUN_MAX`].
    runs: Vec<Arc<Vec<Member>>>,
    len: usize,
}

impl Members {
    /// Creates a list of members that are sorted by rank.
    pub(super) fn new(sorted: &[Member]) -> Self {
        Self {
            runs: sorted
                .chunks(RUN_MAX / 2)
                .map(|run| Arc::new(run.to_vec()))
                .collect(),
            len: sorted.len(),
        }
    }

    /// Returns the number of members.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if there are no members.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the member at `index`; `None` beyond the end.
    pub fn get(&self, index: usize) -> Option<&Member> {
        let mut index = index;
        for run in &self.runs {
            match run.get(index) {
                Some(member) => return Some(member),
                None => index -= run.len(),
            }
        }
        None
    }

    /// Returns all members in order.
    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.runs.iter().flat_map(|run| run.iter())
    }

    /// True if this rank is in the list.
    pub(super) fn contains(&self, rank: u32) -> bool {
        let run = self.runs.get(self.run_of(rank));
        run.is_some_and(|run| find(run, rank).is_ok())
    }

    /// Adds a member, unless its rank is in the list.
    pub(super) fn insert(&mut self, member: Member) {
        let run_index = self.run_of(member.rank);
        let Some(run) = self.runs.get_mut(run_index) else {
            self.runs.push(Arc::new(vec![member]));
            self.len += 1;
            return;
        };
        let Err(index) = find(run, member.rank) else {
            return;
        };
        let run = Arc::make_mut(run);
        run.insert(index, member);
        self.len += 1;
        if run.len() > RUN_MAX {
            let rest = run.split_off(run.len() / 2);
            self.runs.insert(run_index + 1, Arc::new(rest));
        }
    }

    /// Removes a rank, if it is in the list.
    pub(super) fn remove(&mut self, rank: u32) {
        let run_index = self.run_of(rank);
        let Some(run) = self.runs.get_mut(run_index) else {
            return;
        };
        let Ok(index) = find(run, rank) else {
            return;
        };
        let run = Arc::make_mut(run);
        run.remove(index);
        self.len -= 1;
        if run.is_empty() {
            self.runs.remove(run_index);
        }
    }

    /// Returns a list of the members that satisfy the condition.
    pub(super) fn filtered(&self, wanted: impl Fn(&Member) -> bool) -> Self {
        let sorted: Vec<Member> = self
            .iter()
            .filter(|member| wanted(member))
            .copied()
            .collect();
        Self::new(&sorted)
    }

    /// Returns the members of both lists, which have none in common.
    pub(super) fn merged(&self, other: &Self) -> Self {
        let mut all: Vec<Member> = self.iter().chain(other.iter()).copied().collect();
        // Two sorted runs: one pass.
        all.sort_by_key(|member| member.rank);
        Self::new(&all)
    }

    /// Returns the run for a rank: the last one that begins at or before it, or the first.
    fn run_of(&self, rank: u32) -> usize {
        let after = self.runs.partition_point(|run| {
            let first = run.first();
            first.is_some_and(|first| first.rank <= rank)
        });
        after.saturating_sub(1)
    }
}

fn find(run: &[Member], rank: u32) -> Result<usize, usize> {
    run.binary_search_by_key(&rank, |member| member.rank)
}

/// The longest run. With 10,000 members a change copies at most 6 KiB, and a reader passes about a
/// hundred runs.
const RUN_MAX: usize = 256;

#[cfg(test)]
impl Members {
    /// Returns the number of members in runs that are not shared with an earlier list.
    pub(super) fn copied_since(&self, earlier: &Self) -> usize {
        let shared = |run: &&Arc<Vec<Member>>| earlier.runs.iter().any(|old| Arc::ptr_eq(old, run));
        let copied = self.runs.iter().filter(|run| !shared(run));
        copied.map(|run| run.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::pool::Slot;

    fn member(rank: u32) -> Member {
        Member {
            slot: Slot {
                index: 0,
                generation: 0,
            },
            model: 0,
            position: 0,
            rank,
            weight: 1,
        }
    }

    fn ranks(members: &Members) -> Vec<u32> {
        members.iter().map(|member| member.rank).collect()
    }

    proptest! {
        #[test]
        fn it_is_a_sorted_set(
            begin in prop::collection::btree_set(0_u32..3000, 0..1500),
            changes in prop::collection::vec((any::<bool>(), 0_u32..3000), 0..1500),
        ) {
            let sorted: Vec<Member> = begin.iter().copied().map(member).collect();
            let mut members = Members::new(&sorted);
            let mut naive: BTreeMap<u32, ()> = begin.iter().map(|&rank| (rank, ())).collect();
            let before = members.clone();
            for (adds, rank) in changes {
                if adds {
                    members.insert(member(rank));
                    naive.insert(rank, ());
                } else {
                    members.remove(rank);
                    naive.remove(&rank);
                }
                prop_assert_eq!(members.contains(rank), adds);
            }
            let expected: Vec<u32> = naive.into_keys().collect();
            prop_assert_eq!(members.len(), expected.len());
            prop_assert_eq!(members.is_empty(), expected.is_empty());
            let indexed = (0..=expected.len()).map(|index| members.get(index));
            let indexed: Vec<u32> = indexed.flatten().map(|member| member.rank).collect();
            prop_assert_eq!(&indexed, &expected);
            prop_assert_eq!(ranks(&members), expected);
            let (odd, even) = (members.filtered(|one| one.rank % 2 == 1), members.filtered(|one| one.rank % 2 == 0));
            prop_assert_eq!(ranks(&odd.merged(&even)), ranks(&members));
            prop_assert_eq!(ranks(&before), begin.into_iter().collect::<Vec<_>>(), "a clone stays");
            let bounded = members.runs.iter().all(|run| (1..=RUN_MAX).contains(&run.len()));
            prop_assert!(bounded);
        }
    }
}
