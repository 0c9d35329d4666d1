//! The manager, as calls use it. What operators use is in `operations.rs` and `reconfigure.rs`.

use std::fmt;
use std::sync::Arc;

use jackfield_credential::{
    CandidateQuery, CredentialId, CredentialKind, CredentialStatus, LeaseError, NameMatch, Pool,
    PoolError, PoolOptions, ProviderName, ServedName, Slot, Timestamp, Unavailable,
};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

use crate::account::Trigger;
use crate::candidate_set::CandidateSet;
use crate::events::{Events, Hook, Hooks};
use crate::inner::{Background, Inner};
use crate::lease::{Access, Lease, Refreshability};
use crate::lease_counts::LeaseCounts;
use crate::port::{Clock, RefreshError, Store, StoreError};
use crate::queue_slot::{self, QueueSlot};
use crate::registration::Registration;
use crate::state::State;
use crate::wait_queue::{QueueError, WaitQueue, WaitingQuery};
use crate::{persistence, refresh};

/// The credentials with their secrets and health. A handle: clones are the same manager.
#[derive(Clone)]
pub struct AuthManager {
    pub(crate) inner: Arc<Inner>,
}

/// The parts of a manager.
pub struct AuthParts {
    /// The credentials defined by the configuration and by files.
    pub registrations: Vec<Registration>,
    /// The pool's options.
    pub options: PoolOptions,
    /// The clock.
    pub clock: Clock,
    /// Persists tokens and health; without a store a restart loses them.
    pub store: Option<Arc<dyn Store>>,
    /// The hooks, which receive every event.
    pub hooks: Vec<Arc<dyn Hook>>,
}

impl AuthParts {
    /// Returns parts with default options, without a store and without hooks.
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
    /// Creates a manager with all credentials ready. [`AuthManager::load`] restores what the store
    /// has.
    ///
    /// # Errors
    ///
    /// Lists every credential that cannot be registered, with the reason.
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
            cooldowns: Notify::default(),
            store,
            background: Background::default(),
            save_lock: tokio::sync::Mutex::default(),
            registration_lock: tokio::sync::Mutex::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Returns the credentials that are available for a model, by the name that clients use,
    /// without those that the query says were tried: at least one, of the highest priority that
    /// has any, ordered by id.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub fn candidates(
        &self,
        query: &CandidateQuery<'_>,
        now: Timestamp,
    ) -> Result<CandidateSet, Unavailable> {
        let candidates = self.inner.lock().pool.candidates(query, now)?;
        Ok(CandidateSet::new(
            Arc::clone(&self.inner),
            candidates,
            query,
        ))
    }

    /// Takes a lease on the candidate at `index`.
    ///
    /// # Errors
    ///
    /// Why it is no longer available: other calls choose at the same time. Get the candidates
    /// again then. For an index beyond the end, [`LeaseError::NotInPool`].
    pub fn lease(
        &self,
        candidates: &CandidateSet,
        index: usize,
        now: Timestamp,
    ) -> Result<Lease, LeaseError> {
        let slot = candidates.slot(index).ok_or(LeaseError::NotInPool)?;
        self.lease_slot(slot, &candidates.query(), candidates.is_trial(), now)
    }

    /// Takes another lease on a credential whose tokens were refreshed since the call's last
    /// attempt.
    ///
    /// # Errors
    ///
    /// Why it is not available.
    pub fn lease_again(
        &self,
        slot: Slot,
        query: &CandidateQuery<'_>,
        now: Timestamp,
    ) -> Result<Lease, LeaseError> {
        self.lease_slot(slot, query, false, now)
    }

    fn lease_slot(
        &self,
        slot: Slot,
        query: &CandidateQuery<'_>,
        trial: bool,
        now: Timestamp,
    ) -> Result<Lease, LeaseError> {
        let mut state = self.inner.lock();
        let credential = Arc::clone(state.pool.credential(slot).ok_or(LeaseError::NotInPool)?);
        let can_refresh = state.refresher.is_some() && credential.kind == CredentialKind::Oauth;
        let account = state
            .accounts
            .get(&credential.id)
            .ok_or(LeaseError::NotInPool)?;
        let awaits_refresh = can_refresh && account.awaits_refresh(now) && {
            let refresher = state.refresher.as_ref();
            refresher.is_some_and(|refresher| refresher.can_refresh(&credential.provider))
        };
        let access = Access::new(credential, account);
        // The last step that can fail, since an attempt without a lease would stay in flight for ever.
        let attempt = state.pool.begin(slot, query, trial, now)?;
        state.leases.open += 1;
        let configuration = state.configuration;
        drop(state);
        let inner = Arc::clone(&self.inner);
        Ok(Lease::new(
            inner,
            attempt,
            access,
            Refreshability {
                refreshable: can_refresh,
                awaits_refresh,
            },
            configuration,
        ))
    }

    /// Returns the slot of a credential, if there is one with this id.
    pub fn slot(&self, id: &CredentialId) -> Option<Slot> {
        self.inner.lock().pool.slot(id.as_str())
    }

    /// Returns when the health of a credential allows an attempt with the queried model: `now`, or the
    /// end of its cooldown. `None` if waiting does not help.
    pub fn available_at(
        &self,
        slot: Slot,
        query: &CandidateQuery<'_>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        self.inner.lock().pool.available_at(slot, query, now)
    }

    /// Resolves when a call that waits for a cooldown may go on sooner than [`Unavailable::retry_at`] said: a window
    /// was closed, or a trial decided, since this was called.
    pub fn cooldown_changed(&self) -> Notified<'_> {
        self.inner.cooldowns.notified()
    }

    /// Returns the credential of this id with its secrets, whatever its state, for a request that is
    /// not an attempt. `None` if there is none.
    pub fn access(&self, id: &CredentialId) -> Option<Access> {
        let mut state = self.inner.lock();
        let (credential, account) = state.of(id)?;
        Some(Access::new(credential, account))
    }

    /// The same, after the refresh of an expired token. If that fails, with the present secrets.
    pub async fn refreshed_access(&self, id: &CredentialId) -> Option<Access> {
        let access = self.access(id)?;
        let expired = {
            let now = self.inner.now();
            let mut state = self.inner.lock();
            state
                .of(id)
                .is_some_and(|(_, account)| account.awaits_refresh(now))
        };
        if expired && let Err(error) = self.refresh_expired(id, access.token_version()).await {
            tracing::debug!(credential = %id, %error, "expired token not refreshed");
        }
        self.access(id)
    }

    /// True if calls are queued for this model; a new call should queue behind them.
    pub fn has_queue(&self, name: &str) -> bool {
        self.inner.wait_queue.has_queue(name)
    }

    /// Waits, in order of arrival, until a credential that the query allows has capacity. `previous` is
    /// the slot of an earlier turn that the caller could not use; it keeps its place. Hold the
    /// slot until the lease is taken.
    ///
    /// # Errors
    ///
    /// The queue is full, or `until` has passed.
    pub async fn wait_for_capacity(
        &self,
        query: &CandidateQuery<'_>,
        previous: Option<QueueSlot>,
        until: Instant,
    ) -> Result<QueueSlot, QueueError> {
        let query = WaitingQuery::new(query);
        queue_slot::wait(&self.inner, query, previous, until).await
    }

    /// Refreshes a credential's tokens, unless they are newer than `seen_version`, the version
    /// that the caller has used. Concurrent callers share one refresh, which continues if they
    /// leave.
    ///
    /// # Errors
    ///
    /// Why there are no new tokens.
    pub async fn refresh(&self, id: &CredentialId, seen_version: u64) -> Result<(), RefreshError> {
        self.begin_refresh(id, seen_version, Trigger::Due).await
    }

    /// Refreshes tokens that the provider rejected in a call, as [`AuthManager::refresh`] does. These
    /// refreshes are limited; see [`OnDemandLimit`](jackfield_credential::OnDemandLimit).
    ///
    /// # Errors
    ///
    /// Why there are no new tokens; [`RefreshError::Postponed`] if it is too early for new ones.
    pub async fn refresh_rejected(
        &self,
        id: &CredentialId,
        seen_version: u64,
    ) -> Result<(), RefreshError> {
        self.begin_refresh(id, seen_version, Trigger::TokenRejected)
            .await
    }

    /// Waits for the refresh of tokens that have expired, or of a credential that has no access token
    /// yet; see [`Lease::awaits_refresh`]. Begins it if none is running.
    ///
    /// # Errors
    ///
    /// Why there are no new tokens; [`RefreshError::Postponed`] during the backoff after a failure.
    pub async fn refresh_expired(
        &self,
        id: &CredentialId,
        seen_version: u64,
    ) -> Result<(), RefreshError> {
        self.begin_refresh(id, seen_version, Trigger::TokenExpired)
            .await
    }

    /// Returns when the next refresh of a credential is due, if one is planned.
    pub fn refresh_due_at(&self, id: &CredentialId) -> Option<Timestamp> {
        self.inner.lock().queue.due_at(id)
    }

    async fn begin_refresh(
        &self,
        id: &CredentialId,
        seen_version: u64,
        trigger: Trigger,
    ) -> Result<(), RefreshError> {
        match refresh::begin(&self.inner, id, seen_version, trigger)? {
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

    /// Saves what the store does not have yet, and leaves the store to another process. What changes later is lost.
    ///
    /// # Errors
    /// The store's: something was not saved. The store is closed all the same.
    pub async fn close_store(&self) -> Result<(), StoreError> {
        let Some(store) = &self.inner.store else {
            return Ok(());
        };
        let flushed = persistence::flush(&self.inner).await;
        // After a save that is under way.
        let _saving = self.inner.save_lock.lock().await;
        store.close().await;
        flushed
    }

    /// Returns the numbers of open leases and of settled ones since the start.
    pub fn lease_counts(&self) -> LeaseCounts {
        self.inner.lock().leases
    }

    /// Returns the status of every credential, ordered by id. It contains no secret.
    pub fn status(&self, now: Timestamp) -> Vec<CredentialStatus> {
        self.inner.lock().pool.status(now)
    }

    /// Returns the largest number of rounds that a credential defines for itself.
    pub fn rounds_max(&self) -> Option<u32> {
        self.inner.lock().pool.rounds_max()
    }

    /// Adds a hook, which receives every event from now on.
    pub fn add_hook(&self, hook: Arc<dyn Hook>) {
        self.inner.hooks.add(hook);
    }

    /// Subscribes to the events from now on.
    pub fn subscribe(&self) -> Events {
        self.inner.hooks.subscribe()
    }

    /// Replaces the pool's options.
    pub fn set_options(&self, options: PoolOptions) {
        self.inner.lock().pool.set_options(options);
    }

    /// Returns the model names that clients may use, sorted, without those that only disabled
    /// credentials serve.
    pub fn names(&self) -> Vec<ServedName> {
        self.inner.lock().pool.names().collect()
    }

    /// Returns which name a client's name is; see [`Pool::match_name`](jackfield_credential::Pool::match_name).
    pub fn match_name(&self, name: &str, base: &str) -> NameMatch {
        self.inner.lock().pool.match_name(name, base)
    }

    /// Returns the provider of a model name, if exactly one serves it.
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
