//! What handles, leases and the background share: one short lock around the pool and the accounts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jackfield_credential::{
    Attempt, Availability, Credential, CredentialId, DueQueue, Effects, Health, HealthChange,
    HealthRecord, ModelKey, Outcome, Pool, ProviderName, Timestamp,
};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, Semaphore};

use crate::account::{Account, Due, Running};
use crate::events::{AttemptEvent, Event, EventKind, Hooks};
use crate::refresh::Refresher;
use crate::wait_queue::WaitQueue;
use crate::{Clock, LeaseCounts, Registration, Store};

pub(crate) struct Inner {
    pub(crate) state: Mutex<State>,
    pub(crate) clock: Clock,
    pub(crate) hooks: Hooks,
    pub(crate) wait_queue: WaitQueue,
    pub(crate) store: Option<Arc<dyn Store>>,
    pub(crate) background: Background,
    /// Held while a record is being saved, so that no two savings of one overtake each other.
    pub(crate) save_lock: tokio::sync::Mutex<()>,
    /// Held by whoever changes which credentials there are; see [`AuthManager::changing`].
    ///
    /// [`AuthManager::changing`]: crate::AuthManager::changing
    pub(crate) registration_lock: tokio::sync::Mutex<()>,
}

pub(crate) struct State {
    pub(crate) pool: Pool,
    pub(crate) accounts: HashMap<CredentialId, Account>,
    /// Accounts that a new configuration has no place for, until the refresh that they are in has
    /// ended and their record is saved: its tokens are kept, since the old ones may be void, and so is
    /// the operator's word. Nobody is here and in `accounts`.
    retiring: HashMap<CredentialId, Account>,
    pub(crate) leases: LeaseCounts,
    pub(crate) refresher: Option<Arc<dyn Refresher>>,
    /// Whose tokens are to be renewed when.
    pub(crate) queue: DueQueue,
    /// Whose executor is to be asked when whether to renew.
    pub(crate) policy_checks: DueQueue,
    /// How many refreshes may be under way with each provider.
    refresh_permits: HashMap<ProviderName, Arc<Semaphore>>,
    /// Health that the store does not have yet: at most one for each account and model.
    pub(crate) dirty: BTreeMap<(CredentialId, Option<ModelKey>), Health>,
    /// Whose record could not be saved: it is tried again with the health.
    pub(crate) unsaved: BTreeSet<CredentialId>,
    /// Changes that nobody was told yet.
    pending_events: Vec<HealthChange>,
    /// Whether there is room where there was none.
    capacity_freed: bool,
    rng_state: u64,
    /// Accounts so far.
    last_incarnation: u64,
    /// The configurations so far, but the first.
    pub(crate) configuration: u64,
}

/// What the background is told.
#[derive(Default)]
pub(crate) struct Background {
    /// Refreshes that it is to drive: at most one for each credential.
    started: Mutex<Vec<Running>>,
    pub(crate) refreshes: Notify,
    pub(crate) writes: Notify,
}

impl Background {
    pub(crate) fn push_started(&self, running: Running) {
        self.started.lock().push(running);
        self.refreshes.notify_one();
    }

    pub(crate) fn take_started(&self) -> Vec<Running> {
        std::mem::take(&mut self.started.lock())
    }

    pub(crate) fn wake(&self) {
        self.refreshes.notify_one();
    }
}

impl State {
    pub(crate) fn new(pool: Pool, seed: u64) -> Self {
        Self {
            pool,
            accounts: HashMap::new(),
            retiring: HashMap::new(),
            leases: LeaseCounts::default(),
            refresher: None,
            queue: DueQueue::default(),
            policy_checks: DueQueue::default(),
            refresh_permits: HashMap::new(),
            dirty: BTreeMap::new(),
            unsaved: BTreeSet::new(),
            pending_events: Vec::new(),
            capacity_freed: false,
            rng_state: seed,
            last_incarnation: 0,
            configuration: 0,
        }
    }

    /// Adds what is known of a new credential beside the pool.
    pub(crate) fn add_account(&mut self, registration: &Registration, now: Timestamp) {
        self.last_incarnation += 1;
        let account = Account::new(registration, now, self.last_incarnation);
        let id = registration.credential.id.clone();
        self.retiring.remove(&id);
        self.accounts.insert(id, account);
    }

    /// Leaves an account aside while a refresh is under way with it, or its record is to be saved.
    pub(crate) fn retire(&mut self, id: &CredentialId) {
        if let Some(account) = self.accounts.remove(id)
            && (account.refresh.running.is_some() || self.unsaved.contains(id))
        {
            self.retiring.insert(id.clone(), account);
        }
    }

    /// The account of this id, also one that was left aside.
    pub(crate) fn find_account(&self, id: &CredentialId) -> Option<&Account> {
        let account = self.accounts.get(id);
        account.or_else(|| self.retiring.get(id))
    }

    /// Takes an account back that was left aside; answers it, if it was.
    pub(crate) fn revive(&mut self, id: &CredentialId) -> Option<&mut Account> {
        let account = self.retiring.remove(id)?;
        Some(self.accounts.entry(id.clone()).or_insert(account))
    }

    /// Forgets an account that was left aside, if there is nothing more to wait for.
    pub(crate) fn finish_retiring(&mut self, id: &CredentialId) {
        let account = self.retiring.get(id);
        let ended = account.is_some_and(|account| account.refresh.running.is_none());
        if ended && !self.unsaved.contains(id) {
            self.retiring.remove(id);
        }
    }

    /// Forgets what is known of credentials beside the pool.
    pub(crate) fn remove(&mut self, ids: &[CredentialId]) {
        for id in ids {
            self.accounts.remove(id);
            self.queue.set(id, None);
            self.policy_checks.set(id, None);
            if !self.retiring.contains_key(id) {
                self.unsaved.remove(id);
            }
            let from = (id.clone(), None);
            let dirty = self.dirty.range(from..).map(|(key, _)| key);
            let of_it: Vec<_> = dirty.take_while(|(of, _)| of == id).cloned().collect();
            for key in of_it {
                self.dirty.remove(&key);
            }
        }
    }

    /// The account of this id, if it is still the same one.
    pub(crate) fn account(&mut self, id: &CredentialId, incarnation: u64) -> Option<&mut Account> {
        let account = self.accounts.get_mut(id);
        let account = account.or_else(|| self.retiring.get_mut(id));
        account.filter(|account| account.incarnation == incarnation)
    }

    /// A credential, and what is known of it beside the pool.
    pub(crate) fn of(&mut self, id: &CredentialId) -> Option<(Arc<Credential>, &mut Account)> {
        let slot = self.pool.slot(id.as_str())?;
        let credential = Arc::clone(self.pool.credential(slot)?);
        Some((credential, self.accounts.get_mut(id)?))
    }

    pub(crate) fn refresh_permits(&mut self, provider: &ProviderName) -> Arc<Semaphore> {
        let permits = self.refresh_permits.entry(provider.clone());
        let permits =
            permits.or_insert_with(|| Arc::new(Semaphore::new(REFRESHES_PER_PROVIDER_MAX)));
        Arc::clone(permits)
    }

    /// Any number, for jitter.
    pub(crate) fn next_random(&mut self) -> u64 {
        self.rng_state = self
            .rng_state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.rng_state >> 16
    }
}

/// How many refreshes may be under way with one provider: token endpoints have limits that are
/// lower than those of the API.
pub const REFRESHES_PER_PROVIDER_MAX: usize = 4;

impl Inner {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Takes note of what changed: for the store, and for whoever is told by [`Inner::finish`].
    pub(crate) fn take_effects(&self, state: &mut State, effects: Effects) {
        if self.store.is_some() {
            for change in &effects.changes {
                let key = (change.credential.clone(), change.model.clone());
                state.dirty.insert(key, change.to.clone());
            }
        }
        state.pending_events.extend(effects.changes);
        state.capacity_freed |= effects.capacity_freed;
    }

    /// Ends the lock, and then tells everybody what changed under it.
    pub(crate) fn finish(&self, mut state: MutexGuard<'_, State>) {
        let changes = std::mem::take(&mut state.pending_events);
        let capacity_freed = std::mem::take(&mut state.capacity_freed);
        let dirty = !state.dirty.is_empty();
        drop(state);
        if dirty {
            self.background.writes.notify_one();
        }
        if capacity_freed {
            self.wait_queue.wake_next(self);
        }
        if changes.is_empty() {
            return;
        }
        let now = self.now();
        for change in changes {
            log(&change, now);
            let id = change.credential.clone();
            self.emit(&id, now, EventKind::Health(Box::new(change)));
        }
    }

    pub(crate) fn emit(&self, id: &CredentialId, at: Timestamp, kind: EventKind) {
        if self.hooks.has_subscribers() {
            self.hooks.emit(Event {
                at,
                credential: id.clone(),
                kind,
            });
        }
    }

    pub(crate) fn settle(
        &self,
        attempt: Attempt,
        credential: &Credential,
        outcome: &Outcome,
        first_byte: Option<Duration>,
        now: Timestamp,
    ) {
        let subscribed_model = self
            .hooks
            .has_subscribers()
            .then(|| attempt.model().clone());
        let mut state = self.lock();
        state.leases.settle(outcome);
        let effects = state.pool.settle(attempt, outcome, first_byte, now);
        self.take_effects(&mut state, effects);
        self.finish(state);
        if let Some(model) = subscribed_model {
            let note = AttemptEvent {
                provider: credential.provider.clone(),
                model,
                outcome: outcome.clone(),
            };
            self.emit(&credential.id, now, EventKind::Attempt(note));
        }
    }

    /// Puts a credential where it belongs in the queues of refreshes and questions.
    pub(crate) fn schedule(&self, state: &mut State, id: &CredentialId) {
        let refresher = state.refresher.clone();
        let due = match (state.of(id), refresher) {
            (Some((credential, account)), Some(refresher)) => account.due(&credential, &*refresher),
            _ => Due::default(),
        };
        state.queue.set(id, due.refresh);
        state.policy_checks.set(id, due.policy_check);
    }

    /// Whether there is anything that the store does not have.
    pub(crate) fn is_dirty(&self) -> bool {
        let state = self.lock();
        !state.dirty.is_empty() || !state.unsaved.is_empty()
    }

    /// Whose record could not be saved.
    pub(crate) fn unsaved(&self) -> Vec<CredentialId> {
        self.lock().unsaved.iter().cloned().collect()
    }

    /// Notes whether the store has a credential's record as it is now.
    pub(crate) fn note_saved(&self, id: &CredentialId, saved: bool) {
        let mut state = self.lock();
        if saved {
            state.unsaved.remove(id);
            state.finish_retiring(id);
            return;
        }
        // Of those that are gone there is nothing to save.
        if state.find_account(id).is_some() {
            state.unsaved.insert(id.clone());
        }
        drop(state);
        self.background.writes.notify_one();
    }

    /// Takes the health that the store does not have yet.
    pub(crate) fn take_dirty(&self) -> Vec<HealthRecord> {
        let dirty = std::mem::take(&mut self.lock().dirty);
        let record = |((credential, model), health)| HealthRecord {
            credential,
            model,
            health,
        };
        dirty.into_iter().map(record).collect()
    }

    /// Gives back what could not be saved; what changed since counts more.
    pub(crate) fn restore_dirty(&self, records: Vec<HealthRecord>) {
        let mut state = self.lock();
        for record in records {
            // Of those that are gone there is nothing to save.
            if state.accounts.contains_key(&record.credential) {
                let key = (record.credential, record.model);
                state.dirty.entry(key).or_insert(record.health);
            }
        }
    }
}

fn log(change: &HealthChange, now: Timestamp) {
    let credential = change.credential.as_str();
    let model = change.model.as_ref().map(ModelKey::as_str);
    match (change.to.availability(now), change.to.cause()) {
        (Availability::Cooling { until }, Some(cause)) => tracing::info!(
            credential,
            model,
            cause = &*cause.kind,
            status = cause.status,
            message = &*cause.message,
            until_ms = until.as_millis(),
            strikes = change.to.strikes(),
            "credential cools"
        ),
        (Availability::Probing { .. }, _) => {
            tracing::info!(credential, model, "credential is probed")
        }
        (Availability::Barred, _) => tracing::warn!(credential, model, "credential is barred"),
        _ => tracing::info!(credential, model, "credential is ready again"),
    }
}
