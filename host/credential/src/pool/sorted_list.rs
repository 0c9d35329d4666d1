//! A sorted list of members that is cheap to change while others read it: kept in runs, of which a
//! change copies one.

use std::sync::Arc;

use super::Member;

/// Members sorted by rank. A clone shares everything until one of the two is changed.
#[derive(Clone, Debug, Default)]
pub struct Members {
    /// None is empty, and none is longer than [`RUN_MAX`].
    runs: Vec<Arc<Vec<Member>>>,
    len: usize,
}

impl Members {
    /// Of members sorted by rank.
    pub(super) fn new(sorted: &[Member]) -> Self {
        Self {
            runs: sorted
                .chunks(RUN_MAX / 2)
                .map(|run| Arc::new(run.to_vec()))
                .collect(),
            len: sorted.len(),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The member at `rebuild_index`; none beyond the end.
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

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.runs.iter().flat_map(|run| run.iter())
    }

    /// Whether this rank is in it.
    pub(super) fn contains(&self, rank: u32) -> bool {
        let run = self.runs.get(self.run_of(rank));
        run.is_some_and(|run| find(run, rank).is_ok())
    }

    /// Adds a member, if its rank is not there.
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

    /// Takes a rank out, if it is there.
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

    /// Only those that are wanted.
    pub(super) fn filtered(&self, wanted: impl Fn(&Member) -> bool) -> Self {
        let sorted: Vec<Member> = self
            .iter()
            .filter(|member| wanted(member))
            .copied()
            .collect();
        Self::new(&sorted)
    }

    /// The run that holds a rank, or would: the last that begins at it or before, or the first.
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

/// How long a run may become. Of 10,000 members a change then copies 6 KiB at most, and a reader steps
/// over some hundred runs.
const RUN_MAX: usize = 256;

#[cfg(test)]
impl Members {
    /// How many members are in runs that are not shared with an earlier list.
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
            prop_assert_eq!(ranks(&before), begin.into_iter().collect::<Vec<_>>(), "a clone stays");
            let bounded = members.runs.iter().all(|run| (1..=RUN_MAX).contains(&run.len()));
            prop_assert!(bounded);
        }
    }
}
