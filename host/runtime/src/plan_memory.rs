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
    targets: HashMap<K, Target<P>>,
    /// For each client its plans, the oldest first: the target and the number of the variant.
    owners: HashMap<ClientDigest, VecDeque<(K, u64)>>,
    next_number: u64,
    plans: usize,
    bytes: usize,
}

/// The plans for one target.
#[derive(Debug)]
struct Target<P> {
    /// The plan of every client.
    shared: Option<Variant<P>>,
    /// The plans of single clients: at most [`PLAN_VARIANTS_MAX`] each, and never none. Shared, so that they
    /// are compared with a call while nothing is locked.
    own: HashMap<ClientDigest, Arc<Vec<Variant<P>>>>,
}

/// A plan, and what it was made from.
#[derive(Debug)]
pub(crate) struct Variant<P> {
    /// Later ones have higher numbers.
    number: u64,
    owner: ClientDigest,
    reads: Arc<[ReadDigest]>,
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

/// What is remembered for a target and a client.
#[derive(Debug)]
pub(crate) enum Found<P> {
    /// The plan of every client.
    Shared(Arc<P>),
    /// Plans of this client, of which one may be for the values of the call.
    Variants(Arc<Vec<Variant<P>>>),
}

impl<P> Found<P> {
    /// Returns the plan for a call. Calls `digest` at most once for each read; it may take long, as a value
    /// may be at the end of a large body.
    pub(crate) fn plan(&self, digest: impl FnMut(&Read) -> ValueDigest) -> Option<Arc<P>> {
        let variants = match self {
            Self::Shared(plan) => return Some(Arc::clone(plan)),
            Self::Variants(variants) => variants,
        };
        let mut values = Values {
            known: Vec::new(),
            digest,
        };
        for variant in variants.iter() {
            let mut reads = variant.reads.iter();
            if reads.all(|(read, value)| values.of(read) == *value) {
                return Some(Arc::clone(&variant.plan));
            }
        }
        None
    }
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
    /// Finds what is remembered for a target and a client.
    pub(crate) fn find(&self, target: &K, owner: ClientDigest) -> Option<Found<P>> {
        let target = self.targets.get(target)?;
        if let Some(shared) = &target.shared {
            return Some(Found::Shared(Arc::clone(&shared.plan)));
        }
        let own = target.own.get(&owner)?;
        Some(Found::Variants(Arc::clone(own)))
    }

    /// Remembers a plan, in place of one for the same values.
    pub(crate) fn insert(&mut self, target: &K, new: NewPlan<P>) {
        let reads: Arc<[ReadDigest]> = new.reads.into();
        self.remove(target, new.owner, |variant| variant.reads == reads);
        if !reads.is_empty() {
            self.make_place(target, new.owner);
        }
        self.next_number += 1;
        self.plans += 1;
        self.bytes += new.bytes;
        let variant = Variant {
            number: self.next_number,
            owner: new.owner,
            reads,
            plan: new.plan,
            bytes: new.bytes,
        };
        let plans = self.owners.entry(new.owner).or_default();
        plans.push_back((target.clone(), variant.number));
        let target = self.targets.entry(target.clone()).or_default();
        if variant.reads.is_empty() {
            target.shared = Some(variant);
        } else {
            Arc::make_mut(target.own.entry(new.owner).or_default()).push(variant);
        }
        while self.plans > PLANS_MAX || self.bytes > PLANS_BYTES_MAX {
            self.evict_oldest(new.owner);
        }
    }

    /// Forgets a plan of a target and a client.
    pub(crate) fn forget(&mut self, target: &K, owner: ClientDigest, plan: &Arc<P>) {
        self.remove(target, owner, |variant| Arc::ptr_eq(&variant.plan, plan));
    }

    /// Forgets all plans.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The number of plans.
    pub(crate) fn len(&self) -> usize {
        self.plans
    }

    /// Forgets the oldest variant of a client for a target, if it has [`PLAN_VARIANTS_MAX`].
    fn make_place(&mut self, target: &K, owner: ClientDigest) {
        let own = self.targets.get(target).and_then(|t| t.own.get(&owner));
        let full = own.filter(|own| own.len() >= PLAN_VARIANTS_MAX);
        let oldest = full.and_then(|own| own.iter().map(|variant| variant.number).min());
        if let Some(oldest) = oldest {
            self.remove(target, owner, |variant| variant.number == oldest);
        }
    }

    /// Forgets the oldest plan of the client with the most plans; of two, of the one that needs the space.
    fn evict_oldest(&mut self, requesting: ClientDigest) {
        let owners = self.owners.iter();
        let most = owners.max_by_key(|(owner, plans)| (plans.len(), **owner == requesting));
        let oldest = most.and_then(|(owner, plans)| Some((*owner, plans.front().cloned()?)));
        let Some((owner, (target, number))) = oldest else {
            return;
        };
        self.remove(&target, owner, |variant| variant.number == number);
    }

    /// Forgets the plans that serve a client for a target and fulfil a condition.
    fn remove(&mut self, key: &K, owner: ClientDigest, mut goes: impl FnMut(&Variant<P>) -> bool) {
        let Some(target) = self.targets.get_mut(key) else {
            return;
        };
        let mut removed: Vec<Variant<P>> = target.shared.take_if(|v| goes(v)).into_iter().collect();
        if let Some(own) = target.own.get_mut(&owner) {
            let own = Arc::make_mut(own);
            removed.extend(own.extract_if(.., |variant| goes(variant)));
            if own.is_empty() {
                target.own.remove(&owner);
            }
        }
        if target.shared.is_none() && target.own.is_empty() {
            self.targets.remove(key);
        }
        for variant in removed {
            self.uncount(&variant);
        }
    }

    /// Takes a removed plan out of the counts.
    fn uncount(&mut self, variant: &Variant<P>) {
        self.plans -= 1;
        self.bytes -= variant.bytes;
        let Some(plans) = self.owners.get_mut(&variant.owner) else {
            return;
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

impl<P> Default for Target<P> {
    fn default() -> Self {
        Self {
            shared: None,
            own: HashMap::new(),
        }
    }
}

// Not derived: that would ask the same of `P`.
impl<P> Clone for Variant<P> {
    fn clone(&self) -> Self {
        Self {
            number: self.number,
            owner: self.owner,
            reads: Arc::clone(&self.reads),
            plan: Arc::clone(&self.plan),
            bytes: self.bytes,
        }
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
