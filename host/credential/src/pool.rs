//! The pool: every credential with its health, and which of them are available now.
//!
//! Health is stored once, with its credential. The index per name ([`name_index`]) is derived from
//! it. It is updated on use, and only where something changed. So without changes
//! [`Pool::candidates`] costs a lookup by name and a shared reference, whatever the pool's size.

mod attempt;
mod columns;
mod entry;
mod health;
mod index;
mod name_index;
mod names;
mod providers;
mod replace;
mod sorted_list;
mod status;
mod unavailable;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::{
    Availability, CooldownPolicy, Credential, CredentialId, Observation, Outcome, ProviderName,
    Timestamp, split_suffix,
};
pub use attempt::{Attempt, Effects, HealthChange, HealthRecord};
pub use entry::Quota;
use entry::{Listing, Live, Slots, Touched};
use name_index::{CandidateFilter, NameIndex};
pub use names::NameMatch;
use providers::Providers;
pub use replace::{PoolError, Problem};
pub use sorted_list::Members;
pub use status::{
    Aggregate, CredentialStatus, HealthStatus, LastFailure, ModelStatus, QuotaState, ServedName,
    Status,
};
pub use unavailable::{LeaseError, Reasons, Unavailable};

/// Every credential with its health.
///
/// Time never goes back here: a `now` earlier than one seen before counts as the later one. So
/// callers may read the clock before they take a lock. A clock that jumps ahead and back would
/// stop the pool's time for as long, so do not pass a wall clock.
#[derive(Debug)]
pub struct Pool {
    options: PoolOptions,
    slots: Slots,
    by_id: BTreeMap<CredentialId, Slot>,
    by_name: BTreeMap<Arc<str>, u32>,
    name_indexes: Vec<NameIndex>,
    /// Indexes of names that no credential serves any more, for reuse.
    vacant: Vec<u32>,
    providers: Providers,
    /// The rounds that credentials define for themselves, with the number of credentials.
    rounds: BTreeMap<u32, u32>,
    /// The number of probes so far.
    probes: u64,
    /// The state of the random number generator for jitter.
    rng_state: u64,
    latest: Timestamp,
}

/// The options of a pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolOptions {
    /// The cooldown policy.
    pub policy: CooldownPolicy,
    /// Maximum number of attempts in flight per provider; no limit for those not listed.
    pub provider_in_flight_max: BTreeMap<ProviderName, NonZeroU32>,
    /// The seed of the jitter. The same seed and events give the same pool.
    pub seed: u64,
}

/// A call's query for candidates.
#[derive(Clone, Copy, Debug)]
pub struct CandidateQuery<'a> {
    /// The model's name, as the client sent it. A suffix such as `(high)` is ignored, unless a
    /// credential serves exactly this name.
    pub name: &'a str,
    /// The credentials that were tried already.
    pub tried: &'a [Slot],
    /// The round, from 1.
    pub round: u32,
    /// The number of rounds for credentials that define none.
    pub rounds: u32,
}

impl<'a> CandidateQuery<'a> {
    /// Creates the query of a call's first attempt.
    pub fn first_round(name: &'a str) -> Self {
        Self {
            name,
            tried: &[],
            round: 1,
            rounds: 1,
        }
    }
}

impl Pool {
    /// Creates a pool of these credentials, all ready.
    ///
    /// # Errors
    ///
    /// Lists every invalid credential, with the reason.
    pub fn new(credentials: Vec<Credential>, options: PoolOptions) -> Result<Self, PoolError> {
        let mut pool = Self {
            rng_state: options.seed,
            options,
            slots: Slots::default(),
            by_id: BTreeMap::new(),
            by_name: BTreeMap::new(),
            name_indexes: Vec::new(),
            vacant: Vec::new(),
            providers: Providers::default(),
            rounds: BTreeMap::new(),
            probes: 0,
            latest: Timestamp::default(),
        };
        pool.replace(credentials)?;
        Ok(pool)
    }

    /// Replaces the options. Open windows stay as they are. The seed is used only by
    /// [`Pool::new`].
    pub fn set_options(&mut self, options: PoolOptions) {
        self.options = options;
        self.rebuild_index();
    }

    /// Returns the credentials that are available for a model, without the tried ones: those of
    /// the highest priority that has any, ordered by id.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub fn candidates(
        &mut self,
        query: &CandidateQuery<'_>,
        now: Timestamp,
    ) -> Result<Candidates, Unavailable> {
        let now = self.advance(now);
        let index = self
            .name_index_of(query.name)
            .ok_or(Unavailable::UnknownModel)?;
        let Some(name_index) = self.name_indexes.get_mut(index as usize) else {
            return Err(Unavailable::UnknownModel);
        };
        name_index.refresh(&self.slots, now);
        let filter = CandidateFilter {
            full: self.providers.full(),
            round: query.round,
            rounds: query.rounds,
        };
        let filter = name_index.is_affected_by(&filter).then_some(filter);
        if query.tried.is_empty() && filter.is_none() {
            return name_index.candidates();
        }
        let listings = query
            .tried
            .iter()
            .filter_map(|&slot| self.slots.listing(slot, index));
        let tried = listings.map(|listing| listing.position).collect();
        name_index.candidates_without(&tried, filter.as_ref())
    }

    /// Begins an attempt with a credential, for a model by the name that clients use. If a probe
    /// is due, the attempt is the probe.
    ///
    /// # Errors
    ///
    /// Why the credential is not available, or no longer.
    pub fn begin(&mut self, slot: Slot, name: &str, now: Timestamp) -> Result<Attempt, LeaseError> {
        let now = self.advance(now);
        let name_index = self.name_index_of(name);
        let live = self.slots.live_mut(slot).ok_or(LeaseError::NotInPool)?;
        let listing = name_index.and_then(|index| live.listing(index));
        let Listing { model, served, .. } = listing.ok_or(LeaseError::ModelNotServed)?;
        if !live.credential.enabled {
            return Err(LeaseError::Disabled);
        }
        match live.availability(model, now) {
            Availability::Ready | Availability::Probe => {}
            Availability::Cooling { until } | Availability::Probing { until } => {
                return Err(LeaseError::Cooling { until });
            }
            Availability::Barred => return Err(LeaseError::Barred),
        }
        if live.is_busy() || self.providers.is_full(live.provider) {
            return Err(LeaseError::Busy);
        }
        let key = live
            .model_key(model)
            .ok_or(LeaseError::ModelNotServed)?
            .clone();
        let served = live
            .credential
            .serves
            .get(served as usize)
            .ok_or(LeaseError::ModelNotServed)?;
        // An indexed name with a suffix has its own upstream name, to which nothing is appended.
        let suffix = match split_suffix(name) {
            (_, Some(_)) if self.by_name.contains_key(name) => None,
            (_, suffix) => suffix,
        };
        let upstream = served.upstream_with(suffix);
        let next_probe = self.probes + 1;
        let first = self.options.policy.probe_first;
        let mut touched = live.begin_probe(model, next_probe, first, now);
        let probe = (touched != Touched::Nothing).then_some(next_probe);
        live.in_flight = live.in_flight.saturating_add(1);
        live.last_used = now;
        if live.is_busy() {
            // The limit covers all models, so the credential is busy under every name.
            touched = Touched::Account;
        }
        self.providers.begin(live.provider);
        self.probes = probe.unwrap_or(self.probes);
        touch(&mut self.name_indexes, live, touched);
        Ok(Attempt {
            slot,
            model,
            key,
            upstream,
            began: now,
            probe,
        })
    }

    /// Ends an attempt with its outcome. `first_byte` is the time to the first byte of the
    /// response, if there was one.
    ///
    /// It has no effect if the credential has left the pool.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an attempt is consumed, so that it is settled once"
    )]
    pub fn settle(
        &mut self,
        attempt: Attempt,
        outcome: &Outcome,
        first_byte: Option<Duration>,
        now: Timestamp,
    ) -> Effects {
        let now = self.advance(now);
        let jitter = self.next_random();
        let Some(live) = self.slots.live_mut(attempt.slot) else {
            return Effects::default();
        };
        let observation = Observation {
            began: attempt.began,
            now,
            probe: attempt.probe,
            jitter,
        };
        let policy = &self.options.policy;
        let (mut effects, touched) =
            live.settle(&attempt, outcome, first_byte, observation, policy);
        effects.capacity_freed |= self.providers.end(live.provider);
        touch(&mut self.name_indexes, live, touched);
        effects
    }

    /// Records the quota that a provider reported during an attempt. Values that it did not report
    /// stay as they were.
    pub fn note_quota(&mut self, attempt: &Attempt, reported: Quota) {
        let Some(live) = self.slots.live_mut(attempt.slot) else {
            return;
        };
        let position = live.model_position(attempt);
        if let Some(model) = position.and_then(|index| live.models.get_mut(index)) {
            let known = &mut model.quota;
            known.left_permille = reported.left_permille.or(known.left_permille);
            known.resets_at = reported.resets_at.or(known.resets_at);
        }
    }

    /// Returns the largest number of rounds that a credential defines.
    pub fn rounds_max(&self) -> Option<u32> {
        self.rounds.last_key_value().map(|(&rounds, _)| rounds)
    }

    /// Returns the index of a name, or else of the name without its suffix.
    fn name_index_of(&self, name: &str) -> Option<u32> {
        let exact = self.by_name.get(name);
        let name_index = exact.or_else(|| self.by_name.get(split_suffix(name).0));
        name_index.copied()
    }

    /// Returns the next number of SplitMix64, the usual generator with one word of state: jitter needs
    /// no more, and the crate stays free of a source of randomness.
    fn next_random(&mut self) -> u64 {
        self.rng_state = self.rng_state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.rng_state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns the credential in a slot, if it is still in the pool.
    pub fn credential(&self, slot: Slot) -> Option<&Arc<Credential>> {
        self.slots.live(slot).map(|live| &live.credential)
    }

    /// Returns the slot of a credential, if it is in the pool.
    pub fn slot(&self, id: &str) -> Option<Slot> {
        self.by_id.get(id).copied()
    }

    fn advance(&mut self, now: Timestamp) -> Timestamp {
        self.latest = self.latest.max(now);
        self.latest
    }
}

/// Marks the index entries of a credential as changed, in all its names that are affected.
fn touch(name_indexes: &mut [NameIndex], live: &Live, touched: Touched) {
    let listings = live.listings.iter();
    for listing in listings.filter(|listing| touched.includes(listing.model)) {
        if let Some(name_index) = name_indexes.get_mut(listing.name_index as usize) {
            name_index.touch(listing.position);
        }
    }
}

/// A credential's place in the pool. It stays the same while the credential stays, and is never
/// reused for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    index: u32,
    generation: u32,
}

/// A credential that is available for a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    slot: Slot,
    /// Index of the model in the credential's entry.
    model: u32,
    /// Its position in the name's index.
    position: u32,
    /// The order of its id in the pool: higher means later.
    rank: u32,
    /// Its weight under the name.
    weight: u32,
}

impl Member {
    /// Returns the credential's slot in the pool.
    pub fn slot(&self) -> Slot {
        self.slot
    }
}

/// The credentials that were available for a model when they were requested.
#[derive(Clone, Debug)]
pub struct Candidates {
    /// The name in the index: without the requested suffix.
    pub name: Arc<str>,
    /// At least one, ordered by id, all of the same priority.
    pub members: Arc<Members>,
}

#[cfg(test)]
mod tests;
