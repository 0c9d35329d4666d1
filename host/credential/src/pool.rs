//! The pool: every credential with its health, and who is fit to be chosen right now.
//!
//! Health is stored once, with its credential. The index over it ([`shard`]) is derived, brought up
//! to date only when it is asked, and only where something changed: with nothing changed,
//! [`Pool::candidates`] costs a lookup by name and a shared reference, whatever the pool's size.

mod attempt;
mod columns;
mod entry;
mod replace;
mod shard;
mod status;
mod unfit;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::{Availability, CooldownPolicy, Credential, CredentialId, Outcome, Timestamp};
pub use attempt::{Attempt, Effects, HealthChange};
use entry::{Entries, Route};
pub use replace::{PoolError, Problem};
use shard::Shard;
pub use status::{CredentialStatus, LastFailure, ModelStatus, ServedName, Standing};
pub use unfit::{NotFit, Unfit};

/// Every credential with its health, and who is fit to be chosen right now.
///
/// Time never goes back in here: a `now` earlier than one that the pool has seen counts as that
/// one. Callers that read the clock before they take a lock need no care; a clock that jumps ahead
/// and back would stop the pool's time for as long, so do not hand in a wall clock as it is.
#[derive(Debug)]
pub struct Pool {
    policy: CooldownPolicy,
    entries: Entries,
    by_id: BTreeMap<CredentialId, Slot>,
    by_name: BTreeMap<Arc<str>, u32>,
    shards: Vec<Shard>,
    latest: Timestamp,
}

impl Pool {
    /// A pool of these credentials, all of them ready.
    ///
    /// # Errors
    ///
    /// Names every credential that cannot stand in a pool, and why.
    pub fn new(credentials: Vec<Credential>, policy: CooldownPolicy) -> Result<Self, PoolError> {
        let mut pool = Self {
            policy,
            entries: Entries::default(),
            by_id: BTreeMap::new(),
            by_name: BTreeMap::new(),
            shards: Vec::new(),
            latest: Timestamp::default(),
        };
        pool.replace(credentials)?;
        Ok(pool)
    }

    /// The credentials that are fit for a model, by the name that clients use, without those in
    /// `tried`: of the highest priority that has any, ordered by id.
    ///
    /// # Errors
    ///
    /// Says why there is none.
    pub fn candidates(
        &mut self,
        name: &str,
        tried: &[Slot],
        now: Timestamp,
    ) -> Result<Candidates, Unfit> {
        let now = self.advance(now);
        let Some(&index) = self.by_name.get(name) else {
            return Err(Unfit::UnknownModel);
        };
        let Some(shard) = self.shards.get_mut(index as usize) else {
            return Err(Unfit::UnknownModel);
        };
        shard.refresh(&self.entries, now);
        if tried.is_empty() {
            return shard.candidates();
        }
        let seats = tried
            .iter()
            .filter_map(|&slot| self.entries.route(slot, index));
        shard.candidates_without(&seats.map(|route| route.seat).collect())
    }

    /// Begins an attempt with a credential, for a model by the name that clients use.
    ///
    /// # Errors
    ///
    /// Says why the credential is not, or no longer, fit for it.
    pub fn begin(&mut self, slot: Slot, name: &str, now: Timestamp) -> Result<Attempt, NotFit> {
        let now = self.advance(now);
        let live = self.entries.live_mut(slot).ok_or(NotFit::Gone)?;
        let route = self.by_name.get(name).and_then(|&shard| live.route(shard));
        let Some(Route { model, .. }) = route else {
            return Err(NotFit::Unserved);
        };
        if !live.credential.enabled {
            return Err(NotFit::Disabled);
        }
        if let Availability::Cooling { until } = live.availability(model, now) {
            return Err(NotFit::Cooling { until });
        }
        let key = live.model_key(model).ok_or(NotFit::Unserved)?.clone();
        live.in_flight = live.in_flight.saturating_add(1);
        live.last_used = now;
        Ok(Attempt {
            slot,
            model,
            key,
            began: now,
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
        let Some(live) = self.entries.live_mut(attempt.slot) else {
            return Effects::default();
        };
        let (effects, touched) = live.settle(&attempt, outcome, first_byte, now, &self.policy);
        let routes = live.routes.iter();
        for route in routes.filter(|route| touched.holds(route.model)) {
            if let Some(shard) = self.shards.get_mut(route.shard as usize) {
                shard.touch(route.seat);
            }
        }
        effects
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
    /// Its place among all that serve the name, ordered by id.
    seat: u32,
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
    pub members: Arc<Vec<Member>>,
}

#[cfg(test)]
mod tests;
