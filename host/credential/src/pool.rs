//! The pool: every credential with its health, and who is fit to be chosen right now.
//!
//! Health is stored once, with its credential. The index over it ([`shard`]) is derived, brought up
//! to date only when it is asked, and only where something changed: with nothing changed,
//! [`Pool::candidates`] costs a lookup by name and a shared reference, whatever the pool's size.

mod attempt;
mod columns;
mod entry;
mod health;
mod index;
mod name_index;
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
use entry::{Entries, Listing, Live, Touched};
use name_index::{CandidateFilter, NameIndex};
use providers::Providers;
pub use replace::{PoolError, Problem};
pub use sorted_list::Members;
pub use status::{
    Aggregate, CredentialStatus, HealthStatus, LastFailure, ModelStatus, QuotaState, ServedName,
    Status,
};
pub use unavailable::{LeaseError, Reasons, Unavailable};

/// Every credential with its health, and who is fit to be chosen right now.
///
/// Time never goes back in here: a `now` earlier than one that the pool has seen counts as that
/// one. Callers that read the clock before they take a lock need no care; a clock that jumps ahead
/// and back would stop the pool's time for as long, so do not hand in a wall clock as it is.
#[derive(Debug)]
pub struct Pool {
    options: PoolOptions,
    entries: Entries,
    by_id: BTreeMap<CredentialId, Slot>,
    by_name: BTreeMap<Arc<str>, u32>,
    name_indexes: Vec<NameIndex>,
    /// Shards of names that nobody serves any more.
    vacant: Vec<u32>,
    providers: Providers,
    /// The rounds that credentials have of their own, and how many have so many.
    rounds: BTreeMap<u32, u32>,
    /// The probes so far.
    probes: u64,
    /// The state of the generator for jitter.
    rng_state: u64,
    latest: Timestamp,
}

/// What a pool goes by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolOptions {
    /// How long failures cool.
    pub policy: CooldownPolicy,
    /// How many attempts may be under way at once with one provider; no limit for those not named.
    pub provider_in_flight_max: BTreeMap<ProviderName, NonZeroU32>,
    /// Where the pool's jitter begins. The same seed and the same events give the same pool.
    pub seed: u64,
}

/// What a call asks the pool for.
#[derive(Clone, Copy, Debug)]
pub struct CandidateQuery<'a> {
    /// The model, by the name that the client uses. A suffix such as `(high)` is not part of what
    /// is looked up, unless a credential serves the very name.
    pub name: &'a str,
    /// Who was tried.
    pub tried: &'a [Slot],
    /// The round, from 1.
    pub round: u32,
    /// How many rounds there are for credentials without a number of their own.
    pub rounds: u32,
}

impl<'a> CandidateQuery<'a> {
    /// The first round's question.
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
    /// A pool of these credentials, all of them ready.
    ///
    /// # Errors
    ///
    /// Names every credential that cannot stand in a pool, and why.
    pub fn new(credentials: Vec<Credential>, options: PoolOptions) -> Result<Self, PoolError> {
        let mut pool = Self {
            rng_state: options.seed,
            options,
            entries: Entries::default(),
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

    /// Goes by other options from now on; windows that are open stay as they are. The seed counts
    /// only when a pool is made.
    pub fn set_options(&mut self, options: PoolOptions) {
        self.options = options;
        self.rebuild_index();
    }

    /// The credentials that are fit for a model, by the name that clients use, without those that
    /// were tried: of the highest priority that has any, ordered by id.
    ///
    /// # Errors
    ///
    /// Says why there is none.
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
        name_index.refresh(&self.entries, now);
        let filter = CandidateFilter {
            full: self.providers.full(),
            round: query.round,
            rounds: query.rounds,
        };
        let filter = Some(filter).filter(|filter| name_index.is_affected_by(filter));
        if query.tried.is_empty() && filter.is_none() {
            return name_index.candidates();
        }
        let listings = query
            .tried
            .iter()
            .filter_map(|&slot| self.entries.listing(slot, index));
        let tried = listings.map(|listing| listing.position).collect();
        name_index.candidates_without(&tried, filter.as_ref())
    }

    /// Begins an attempt with a credential, for a model by the name that clients use. Where a probe
    /// is due, this attempt is it.
    ///
    /// # Errors
    ///
    /// Says why the credential is not, or no longer, fit for it.
    pub fn begin(&mut self, slot: Slot, name: &str, now: Timestamp) -> Result<Attempt, LeaseError> {
        let now = self.advance(now);
        let name_index = self.name_index_of(name);
        let live = self.entries.live_mut(slot).ok_or(LeaseError::NotInPool)?;
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
        let served = live.credential.serves.get(served as usize);
        let served = served.ok_or(LeaseError::ModelNotServed)?;
        let suffix = match split_suffix(name) {
            (_, Some(_)) if self.by_name.contains_key(name) => None,
            (_, suffix) => suffix,
        };
        let upstream = served.upstream_with(suffix);
        let probe = self.probes + 1;
        let mut touched = live.begin_probe(model, probe, self.options.policy.probe_first, now);
        let probe = (touched != Touched::Nothing).then_some(probe);
        live.in_flight = live.in_flight.saturating_add(1);
        live.last_used = now;
        if live.is_busy() {
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

    /// Ends an attempt with its outcome. `first_byte`: how long the answer's first byte took, where
    /// there was one.
    ///
    /// An attempt whose credential has left the pool meanwhile has no effect.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "taken, so that it is settled once"
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
        let Some(live) = self.entries.live_mut(attempt.slot) else {
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

    /// Takes note of what a provider told of a quota during an attempt. What it did not tell stays
    /// as it was.
    pub fn note_quota(&mut self, attempt: &Attempt, reported: Quota) {
        let Some(live) = self.entries.live_mut(attempt.slot) else {
            return;
        };
        let position = live.model_position(attempt);
        if let Some(model) = position.and_then(|index| live.models.get_mut(index)) {
            let known = &mut model.quota;
            known.left_permille = reported.left_permille.or(known.left_permille);
            known.resets_at = reported.resets_at.or(known.resets_at);
        }
    }

    /// The most rounds that any credential has of its own.
    pub fn rounds_max(&self) -> Option<u32> {
        self.rounds.last_key_value().map(|(&rounds, _)| rounds)
    }

    /// The shard of a name as it is, or else without its suffix.
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

    /// The credential in a slot, if it is still there.
    pub fn credential(&self, slot: Slot) -> Option<&Arc<Credential>> {
        self.entries.live(slot).map(|live| &live.credential)
    }

    /// The slot of a credential, if it is in the pool.
    pub fn slot(&self, id: &str) -> Option<Slot> {
        self.by_id.get(id).copied()
    }

    fn advance(&mut self, now: Timestamp) -> Timestamp {
        self.latest = self.latest.max(now);
        self.latest
    }
}

/// Tells the shards whose seats stand elsewhere now.
fn touch(name_indexes: &mut [NameIndex], live: &Live, touched: Touched) {
    let listings = live.listings.iter();
    for listing in listings.filter(|route| touched.includes(route.model)) {
        if let Some(name_index) = name_indexes.get_mut(listing.name_index as usize) {
            name_index.touch(listing.position);
        }
    }
}

/// Where a credential stands in the pool. It stays the same as long as the credential stays, and is
/// never given to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    index: u32,
    generation: u32,
}

/// A credential that is fit for a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    slot: Slot,
    /// Which of the credential's models, as an index into its entry.
    model: u32,
    /// Its number among all that serve the name.
    position: u32,
    /// Where its id stands among all in the pool: the higher, the later.
    rank: u32,
    /// Its weight under the name.
    weight: u32,
}

impl Member {
    /// Where the credential stands in the pool.
    pub fn slot(&self) -> Slot {
        self.slot
    }
}

/// The credentials that are fit for a model, as they were when they were asked for.
#[derive(Clone, Debug)]
pub struct Candidates {
    /// The name that was asked for.
    pub name: Arc<str>,
    /// At least one, ordered by id, all of the same priority.
    pub members: Arc<Members>,
}

#[cfg(test)]
mod tests;
