//! The manager: what callers ask of it while they serve. `operations.rs` has what operators ask,
//! `background.rs` what goes on by itself.

use std::fmt;
use std::sync::Arc;

use jackfield_credential::{
    CandidateQuery, CredentialId, CredentialKind, CredentialStatus, LeaseError, Pool, PoolError,
    PoolOptions, ProviderName, ServedName, Slot, Timestamp, Unavailable,
};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::candidate_set::CandidateSet;
use crate::events::{Events, Hook, Hooks};
use crate::inner::{Background, Inner};
use crate::lease::{Access, Lease};
use crate::lease_counts::LeaseCounts;
use crate::port::{Clock, RefreshError, Store, StoreError};
use crate::queue_slot::{self, QueueSlot};
use crate::registration::Registration;
use crate::state::State;
use crate::wait_queue::{QueueError, WaitQueue};
use crate::{persistence, refresh};

/// The credentials with their secrets, and who is fit. A handle: clones are the same manager.
#[derive(Clone)]
pub struct AuthManager {
    pub(crate) inner: Arc<Inner>,
}

/// What a manager is made of.
pub struct AuthParts {
    /// The credentials that the configuration and the files define.
    pub registrations: Vec<Registration>,
    /// What the pool goes by.
    pub options: PoolOptions,
    /// Tells the time.
    pub clock: Clock,
    /// Keeps tokens and health over a restart; without one they are lost.
    pub store: Option<Arc<dyn Store>>,
    /// Who hears of everything that happens.
    pub hooks: Vec<Arc<dyn Hook>>,
}

impl AuthParts {
    /// Parts of a manager with default options, without a store and hooks.
    pub fn new(registrations: Vec<Registration>, clock: Clock) -> Self {
        Self {
            registrations,
            options: PoolOptions::default(),
            clock,
            store: None,
            hooks: Vec::new(),
        }
    }
}

impl AuthManager {
    /// A manager of these parts, all credentials ready. [`AuthManager::load`] brings back what was
    /// known of them before a restart.
    ///
    /// # Errors
    ///
    /// Names every credential that cannot be registered, and why.
    pub fn new(parts: AuthParts) -> Result<Self, PoolError> {
        let AuthParts {
            registrations,
            options,
            clock,
            store,
            hooks,
        } = parts;
        let seed = options.seed;
        let now = clock();
        let credentials = registrations
            .iter()
            .map(Registration::pool_credential)
            .collect();
        let mut state = State::new(Pool::new(credentials, options)?, seed);
        for registration in &registrations {
            state.add_account(registration, now);
        }
        let inner = Inner {
            state: Mutex::new(state),
            clock,
            hooks: Hooks::new(hooks),
            wait_queue: WaitQueue::default(),
            store,
            background: Background::default(),
            save_lock: tokio::sync::Mutex::default(),
            registration_lock: tokio::sync::Mutex::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The credentials that are fit for a model, by the name that clients use, without those that
    /// were tried: of the highest priority that has any, ordered by id. At least one.
    ///
    /// # Errors
    ///
    /// Says why there is none.
    pub fn candidates(
        &self,
        query: &CandidateQuery<'_>,
        now: Timestamp,
    ) -> Result<CandidateSet, Unavailable> {
        let candidates = self.inner.lock().pool.candidates(query, now)?;
        Ok(CandidateSet::new(
            Arc::clone(&self.inner),
            candidates,
            query.name,
        ))
    }

    /// Takes a lease on the candidate at `index`.
    ///
    /// # Errors
    ///
    /// Says why it is no longer fit, since others choose at the same time: then ask for candidates
    /// again. An index beyond the set's end is [`LeaseError::NotFound`].
    pub fn lease(
        &self,
        candidates: &CandidateSet,
        index: usize,
        now: Timestamp,
    ) -> Result<Lease, LeaseError> {
        let slot = candidates.slot(index).ok_or(LeaseError::NotInPool)?;
        self.lease_slot(slot, candidates.requested_name(), now)
    }

    /// Takes a lease on a credential that the call had before, whose tokens were renewed since.
    ///
    /// # Errors
    ///
    /// Says why it is not fit.
    pub fn lease_again(&self, slot: Slot, name: &str, now: Timestamp) -> Result<Lease, LeaseError> {
        self.lease_slot(slot, name, now)
    }

    fn lease_slot(&self, slot: Slot, name: &str, now: Timestamp) -> Result<Lease, LeaseError> {
        let mut state = self.inner.lock();
        let credential = state.pool.credential(slot).ok_or(LeaseError::NotInPool)?;
        let credential = Arc::clone(credential);
        let can_refresh = state.refresher.is_some() && credential.kind == CredentialKind::Oauth;
        let account = state.accounts.get(&credential.id);
        let account = account.ok_or(LeaseError::NotInPool)?;
        let refreshable = can_refresh && account.refresh.rejected.is_none();
        let access = Access::new(credential, account);
        let attempt = state.pool.begin(slot, name, now)?;
        state.leases.open += 1;
        let configuration = state.configuration;
        drop(state);
        let inner = Arc::clone(&self.inner);
        Ok(Lease::new(
            inner,
            attempt,
            access,
            refreshable,
            configuration,
        ))
    }

    /// Returns the credential of this id with its secrets, whatever its state, for a request that is
    /// not an attempt. `None` if there is none.
    pub fn access(&self, id: &CredentialId) -> Option<Access> {
        let mut state = self.inner.lock();
        let (credential, account) = state.of(id)?;
        Some(Access::new(credential, account))
    }

    /// Whether calls wait for room for this model: whoever comes now should wait behind them.
    pub fn has_queue(&self, name: &str) -> bool {
        self.inner.wait_queue.has_queue(name)
    }

    /// Waits, in the order of arrival, until a credential for this model has room. `previous`: the one
    /// that the caller had and could not use. Hold the answer until there is a lease.
    ///
    /// # Errors
    ///
    /// Too many wait, or the time is over.
    pub async fn wait_for_capacity(
        &self,
        name: &Arc<str>,
        previous: Option<QueueSlot>,
        until: Instant,
    ) -> Result<QueueSlot, QueueError> {
        queue_slot::wait(&self.inner, name, previous, until).await
    }

    /// Renews a credential's tokens, unless they are newer than the version that the caller has
    /// seen. Whoever asks while a refresh is under way waits for that one; it goes on if they leave.
    ///
    /// # Errors
    ///
    /// Why there are no new tokens.
    pub async fn refresh(&self, id: &CredentialId, seen_version: u64) -> Result<(), RefreshError> {
        match refresh::begin(&self.inner, id, seen_version)? {
            Some(running) => running.await,
            None => Ok(()),
        }
    }

    /// Runs the background work: begins refreshes that are due, drives those that calls have started,
    /// and saves health. Never returns; drop the future to stop, then [`flush`](Self::flush).
    pub async fn run(&self) {
        tokio::join!(
            refresh::run_scheduled(&self.inner),
            persistence::flush_when_changed(&self.inner)
        );
    }

    /// Saves what the store does not have yet: health, and records whose last save failed.
    ///
    /// # Errors
    /// The store's. Nothing is lost; call it again.
    pub async fn flush(&self) -> Result<(), StoreError> {
        persistence::flush(&self.inner).await
    }

    /// How many leases are open. None are when no call is under way.
    pub fn leases_open(&self) -> u64 {
        self.lease_counts().open
    }

    /// How many leases are open, and how the others were settled since the start.
    pub fn lease_counts(&self) -> LeaseCounts {
        self.inner.lock().leases
    }

    /// How every credential stands in the pool, ordered by id. Nothing in it is secret.
    pub fn status(&self, now: Timestamp) -> Vec<CredentialStatus> {
        self.inner.lock().pool.status(now)
    }

    /// The most rounds that any credential has of its own.
    pub fn rounds_max(&self) -> Option<u32> {
        self.inner.lock().pool.rounds_max()
    }

    /// Has everything that happens from now on told to a hook.
    pub fn add_hook(&self, hook: Arc<dyn Hook>) {
        self.inner.hooks.add(hook);
    }

    /// Everything that happens from now on, for a reader that keeps up.
    pub fn subscribe(&self) -> Events {
        self.inner.hooks.subscribe()
    }

    /// Goes by other options from now on.
    pub fn set_options(&self, options: PoolOptions) {
        self.inner.lock().pool.set_options(options);
    }

    /// The names that clients may ask for, sorted, without those that only disabled credentials
    /// serve.
    pub fn names(&self) -> Vec<ServedName> {
        self.inner.lock().pool.names().collect()
    }

    /// The provider that serves a name, if there is just one.
    pub fn only_provider(&self, name: &str) -> Option<ProviderName> {
        self.inner.lock().pool.only_provider(name)
    }
}

impl fmt::Debug for AuthManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthManager").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
