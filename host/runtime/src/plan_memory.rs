//! Plans by what they were made from: a pure data structure. A plan is found again for the same target, and
//! for the same client with the same values of what the guest read. If a guest read nothing of the client, the
//! plan is every client's.
//!
//! Each plan belongs to the client for whom it was made. Where there is no room, the oldest plan of the client
//! with the most plans makes place, so that a client who makes the guest plan ever new things loses its own.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use jackfield_dispatch::ClientDigest;

use crate::limits::{PLAN_VARIANTS_MAX, PLANS_BYTES_MAX, PLANS_MAX};
use crate::reads::{Read, ReadDigest, ValueDigest};

/// The plans of one generation.
#[derive(Debug)]
pub(crate) struct PlanMemory<K, P> {
    targets: HashMap<K, Vec<Variant<P>>>,
    /// For each client its plans, the oldest first: the target and the number of the variant.
    owners: HashMap<ClientDigest, VecDeque<(K, u64)>>,
    next_number: u64,
    plans: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Variant<P> {
    /// Later ones have higher numbers.
    number: u64,
    owner: ClientDigest,
    reads: Vec<ReadDigest>,
    plan: Arc<P>,
    bytes: usize,
}

/// A plan to remember.
#[derive(Debug)]
pub(crate) struct NewPlan<P> {
    /// The client for whom it was made.
    pub(crate) owner: ClientDigest,
    /// What the guest read of it; nothing for a plan of every client.
    pub(crate) reads: Vec<ReadDigest>,
    /// The plan.
    pub(crate) plan: Arc<P>,
    /// Its size.
    pub(crate) bytes: usize,
}

impl<K, P> Default for PlanMemory<K, P> {
    fn default() -> Self {
        Self {
            targets: HashMap::new(),
            owners: HashMap::new(),
            next_number: 0,
            plans: 0,
            bytes: 0,
        }
    }
}

impl<K: Clone + Eq + Hash, P> PlanMemory<K, P> {
    /// Finds a plan that is the same for this call. Calls `digest` at most once for each read.
    pub(crate) fn find(
        &self,
        target: &K,
        owner: ClientDigest,
        digest: impl FnMut(&Read) -> ValueDigest,
    ) -> Option<Arc<P>> {
        let variants = self.targets.get(target)?;
        let mut values = Values {
            known: Vec::new(),
            digest,
        };
        for variant in variants {
            let mut reads = variant.reads.iter();
            if variant.serves(owner) && reads.all(|(read, value)| values.of(read) == *value) {
                return Some(Arc::clone(&variant.plan));
            }
        }
        None
    }

    /// Remembers a plan, in place of one for the same values.
    pub(crate) fn insert(&mut self, target: &K, new: NewPlan<P>) {
        self.remove(target, |variant| {
            variant.serves(new.owner) && variant.reads == new.reads
        });
        let variants = self.targets.get(target).map_or(&[][..], Vec::as_slice);
        let own = variants.iter().filter(|variant| variant.owner == new.owner);
        if own.clone().count() >= PLAN_VARIANTS_MAX {
            let oldest = own.map(|variant| variant.number).min();
            self.remove(target, |variant| Some(variant.number) == oldest);
        }
        self.next_number += 1;
        let number = self.next_number;
        self.plans += 1;
        self.bytes += new.bytes;
        let plans = self.owners.entry(new.owner).or_default();
        plans.push_back((target.clone(), number));
        let variants = self.targets.entry(target.clone()).or_default();
        variants.push(Variant {
            number,
            owner: new.owner,
            reads: new.reads,
            plan: new.plan,
            bytes: new.bytes,
        });
        while self.plans > PLANS_MAX || self.bytes > PLANS_BYTES_MAX {
            self.evict_oldest(new.owner);
        }
    }

    /// Forgets a plan of a target.
    pub(crate) fn forget(&mut self, target: &K, plan: &Arc<P>) {
        self.remove(target, |variant| Arc::ptr_eq(&variant.plan, plan));
    }

    /// Forgets all plans.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The number of plans.
    pub(crate) fn len(&self) -> usize {
        self.plans
    }

    /// Forgets the oldest plan of the client with the most plans; of two, of the one that needs the space.
    fn evict_oldest(&mut self, requesting: ClientDigest) {
        let owners = self.owners.iter();
        let most = owners.max_by_key(|(owner, plans)| (plans.len(), **owner == requesting));
        let oldest = most.and_then(|(_, plans)| plans.front()).cloned();
        let Some((target, number)) = oldest else {
            return;
        };
        self.remove(&target, |variant| variant.number == number);
    }

    /// Forgets the plans of a target that fulfil a condition.
    fn remove(&mut self, target: &K, mut goes: impl FnMut(&Variant<P>) -> bool) {
        let Some(variants) = self.targets.get_mut(target) else {
            return;
        };
        let removed: Vec<Variant<P>> = variants.extract_if(.., |variant| goes(variant)).collect();
        if variants.is_empty() {
            self.targets.remove(target);
        }
        for variant in removed {
            self.plans -= 1;
            self.bytes -= variant.bytes;
            let Some(plans) = self.owners.get_mut(&variant.owner) else {
                continue;
            };
            // Nearly always the first, because the oldest go first.
            let position = plans
                .iter()
                .position(|(_, number)| *number == variant.number);
            if let Some(position) = position {
                plans.remove(position);
            }
            if plans.is_empty() {
                self.owners.remove(&variant.owner);
            }
        }
    }
}

impl<P> Variant<P> {
    fn serves(&self, owner: ClientDigest) -> bool {
        self.reads.is_empty() || self.owner == owner
    }
}

/// The values of reads in one call, each hashed once.
struct Values<'a, D> {
    known: Vec<(&'a Read, ValueDigest)>,
    digest: D,
}

impl<'a, D: FnMut(&Read) -> ValueDigest> Values<'a, D> {
    fn of(&mut self, read: &'a Read) -> ValueDigest {
        if let Some((_, value)) = self.known.iter().find(|(known, _)| *known == read) {
            return *value;
        }
        let value = (self.digest)(read);
        self.known.push((read, value));
        value
    }
}

#[cfg(test)]
mod tests;
