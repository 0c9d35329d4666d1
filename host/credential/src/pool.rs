//! The pool: every credential with its health, and which of them are available now.
//!
//! Health is stored once, with its credential. The index per name ([`name_index`]) is derived from
//! it. It is updated on use, and only where something changed. So without changes
//! [`Pool::candidates`] costs a lookup by name and a shared reference, whatever the pool's size.

mod attempt;
mod availability;
mod booking;
mod candidates;
mod columns;
mod cooling;
mod entry;
mod gate;
mod gated;
mod gated_entry;
mod health;
mod index;
mod index_entry;
mod lane;
mod model_group;
mod name_index;
mod names;
mod providers;
mod query;
mod replace;
mod sites;
mod sorted_list;
mod status;
mod texts;
mod trial_time;
mod unavailable;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;

use crate::{
    Availability, CooldownPolicy, Credential, CredentialId, ProviderName, Timestamp, split_suffix,
};
pub use attempt::{Attempt, Effects, HealthChange, HealthPlace, HealthRecord};
use availability::HealthReader;

pub use entry::Quota;
use entry::{Listing, Live, Slots, Touched};
pub use health::Renewal;
use model_group::ServedWith;
use name_index::NameIndex;
pub use names::NameMatch;
use providers::Providers;
pub use query::{CandidateQuery, PriorFailure, Requester};
pub use replace::{PoolError, Problem};
use sites::Sites;
pub use sorted_list::Members;
pub use status::{
    Aggregate, CredentialStatus, HealthStatus, LaneStatus, LastFailure, ModelStatus, QuotaState,
    ServedName, Status,
};
use trial_time::{trial_time, turn_after_windows};
pub use unavailable::{
    CoolingCause, CoolingClass, CoolingCounts, CoolingTimes, LeaseError, Reasons, Unavailable,
};

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
    sites: Sites,
    /// Credentials with an attempt that waits unusually long for its response head.
    slow: BTreeSet<Slot>,
    /// The rounds that credentials define for themselves, with the number of credentials.
    rounds: BTreeMap<u32, u32>,
    /// The number of attempts so far.
    attempts: u64,
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
            sites: Sites::default(),
            slow: BTreeSet::new(),
            rounds: BTreeMap::new(),
            attempts: 0,
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

    /// Begins an attempt with a credential, for the model of the query by the name that clients
    /// use. If a probe is due, the attempt is the probe. `trial` is that of the candidates.
    ///
    /// # Errors
    ///
    /// Why the credential is not available, or no longer.
    pub fn begin(
        &mut self,
        slot: Slot,
        query: &CandidateQuery<'_>,
        trial: bool,
        now: Timestamp,
    ) -> Result<Attempt, LeaseError> {
        let now = self.advance(now);
        let name_index = self.name_index_of(query.name);
        let live = self.slots.live(slot).ok_or(LeaseError::NotInPool)?;
        let listing = name_index.and_then(|index| live.listing(index));
        let listing = listing.ok_or(LeaseError::ModelNotServed)?;
        if !live.credential.enabled {
            return Err(LeaseError::Disabled);
        }
        let (listing, entry) = self.choose_model(live, slot, listing, query, trial, now)?;
        if live.is_busy() || self.providers.is_full(live.provider) {
            return Err(LeaseError::Busy);
        }
        let key = live.model_key(listing.model);
        let key = key.ok_or(LeaseError::ModelNotServed)?.clone();
        let upstream = self.upstream_model(live, listing, query.name)?;
        let mut attempt = Attempt {
            slot,
            model: listing.model,
            key,
            upstream,
            began: now,
            number: self.attempts + 1,
            probe: None,
            trial: matches!(
                entry,
                Entry::Due | Entry::Trial | Entry::GoesOn | Entry::Pinned
            ),
            prolongs: matches!(entry, Entry::Due | Entry::Trial),
            served: false,
            endpoint: query.endpoint,
            requester: query.requester,
            failed: query.failed.into(),
            place: live.place,
        };
        self.attempts = attempt.number;
        if attempt.prolongs || !self.sites.are_ready() {
            self.begin_shared(&mut attempt);
        }
        let first = self.options.policy.probe_first;
        let Some(live) = self.slots.live_mut(slot) else {
            return Err(LeaseError::NotInPool);
        };
        let mut touched = Touched::Nothing;
        if entry != Entry::Ready {
            let lane = (attempt.model, attempt.endpoint);
            touched = live.begin_probe(lane, attempt.number, first, now);
        }
        if touched != Touched::Nothing {
            attempt.probe = Some(attempt.number);
        }
        live.in_flight = live.in_flight.saturating_add(1);
        live.last_used = now;
        if live.is_busy() {
            // The limit covers all models, so the credential is busy under every name.
            touched = Touched::Account;
        }
        self.providers.begin(live.provider);
        touch(&mut self.name_indexes, live, touched);
        if attempt.probe.is_some() {
            self.touch_lane(slot, attempt.model, attempt.endpoint, now);
        }
        Ok(attempt)
    }

    /// Returns the model that an attempt uses: of several under the name, the first one that is
    /// available.
    fn choose_model(
        &self,
        live: &Live,
        slot: Slot,
        listing: Listing,
        query: &CandidateQuery<'_>,
        trial: bool,
        now: Timestamp,
    ) -> Result<(Listing, Entry), LeaseError> {
        if listing.group.is_some() {
            return self.choose_of_group(live, slot, listing, query, trial, now);
        }
        let entry = self.check_entry(live, listing.model, query, trial, now)?;
        Ok((listing, entry))
    }

    /// The same, if there are several.
    fn choose_of_group(
        &self,
        live: &Live,
        slot: Slot,
        listing: Listing,
        query: &CandidateQuery<'_>,
        trial: bool,
        now: Timestamp,
    ) -> Result<(Listing, Entry), LeaseError> {
        let seed = if query.requester.is_known() {
            query.requester.digest
        } else {
            self.attempts
        };
        let single = ServedWith {
            served: listing.served,
            model: listing.model,
        };
        let mut best: Result<(Listing, Entry), LeaseError> = Err(LeaseError::ModelNotServed);
        for with in live.models_in_order(listing.group, single, query, slot, seed) {
            let listing = Listing {
                served: with.served,
                model: with.model,
                ..listing
            };
            match (self.check_entry(live, with.model, query, trial, now), &best) {
                (Ok(entry @ (Entry::Ready | Entry::Due | Entry::Probe)), _) => {
                    return Ok((listing, entry));
                }
                (Ok(entry), Err(_)) => best = Ok((listing, entry)),
                (Err(error), Err(LeaseError::ModelNotServed)) => best = Err(error),
                (Ok(_) | Err(_), _) => {}
            }
        }
        best
    }

    /// Returns how an attempt may begin with a credential, as far as health allows it.
    fn check_entry(
        &self,
        live: &Live,
        model: u32,
        query: &CandidateQuery<'_>,
        trial: bool,
        now: Timestamp,
    ) -> Result<Entry, LeaseError> {
        let health = HealthReader {
            slots: &self.slots,
            sites: &self.sites,
            now,
        };
        let until = match health.availability(live, model, Some(query.endpoint)) {
            Availability::Ready => {
                return match turn_after_windows(live, model, query, &health) {
                    Some(until) if until > now => Err(LeaseError::Cooling { until }),
                    Some(_) => Ok(Entry::Due),
                    None => Ok(Entry::Ready),
                };
            }
            Availability::Probe => return Ok(Entry::Probe),
            Availability::Cooling { until } | Availability::Probing { until } => until,
            Availability::Barred => return Err(LeaseError::Barred),
        };
        if query.only.is_some() {
            return Ok(Entry::Pinned);
        }
        let time = trial.then(|| trial_time(live, model, query, &health));
        match time.flatten().filter(|time| time.at <= now) {
            Some(time) if time.counts => Ok(Entry::Trial),
            Some(_) => Ok(Entry::GoesOn),
            None => Err(LeaseError::Cooling { until }),
        }
    }

    /// Returns the provider's name of the model that the client requested.
    fn upstream_model(
        &self,
        live: &Live,
        listing: Listing,
        name: &str,
    ) -> Result<Arc<str>, LeaseError> {
        let served = live.credential.serves.get(listing.served as usize);
        let served = served.ok_or(LeaseError::ModelNotServed)?;
        // An indexed name with a suffix has its own upstream name, to which nothing is appended.
        let suffix = match split_suffix(name) {
            (_, Some(_)) if self.by_name.contains_key(name) => None,
            (_, suffix) => suffix,
        };
        Ok(served.upstream_with(suffix))
    }

    /// Records that an attempt with a credential waits unusually long for its response head: calls
    /// prefer other credentials until it answers.
    pub fn note_slow(&mut self, slot: Slot, now: Timestamp) {
        self.advance(now);
        if self.slots.live(slot).is_some_and(|live| live.in_flight > 0) {
            self.slow.insert(slot);
        }
    }

    /// Records the quota that a provider reported during an attempt: of its model, or of all models of the credential.
    /// Values that it did not report stay as they were.
    pub fn note_quota(&mut self, attempt: &Attempt, reported: Quota, of_credential: bool) {
        let Some(live) = self.slots.live_mut(attempt.slot) else {
            return;
        };
        let position = live.model_position(attempt);
        let models = live.models.iter_mut().enumerate();
        for (_, model) in models.filter(|(index, _)| of_credential || Some(*index) == position) {
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
    if touched == Touched::Nothing {
        return;
    }
    let listings = live.listings.iter();
    let is_touched = |listing: &&Listing| {
        let mut models = live.grouped_models(listing.group, listing.model);
        models.any(|model| touched.includes(model))
    };
    for listing in listings.filter(is_touched) {
        if let Some(name_index) = name_indexes.get_mut(listing.name_index as usize) {
            name_index.touch(listing.position);
        }
    }
}

/// How health lets an attempt begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    /// The credential is ready.
    Ready,
    /// Its windows have just ended, and the attempt finds out whether they are over.
    Due,
    /// A probe is due.
    Probe,
    /// It cools, and is tried.
    Trial,
    /// The site cools because of the same call, which goes on.
    GoesOn,
    /// It cools, but the call may use no other one.
    Pinned,
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
    /// True if the only member cools, and one attempt may find out whether it still has to.
    pub trial: bool,
    /// Available credentials of this or a higher priority that are left out, since it is the turn of others there,
    /// or since they are second choice: slow, or their site or provider fails this call or is being found out about.
    pub passed_over: u32,
}

#[cfg(test)]
mod tests;
