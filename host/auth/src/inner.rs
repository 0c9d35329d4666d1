//! What handles, leases and the background share: the state behind one short lock, and what follows
//! from a change of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jackfield_credential::{
    Attempt, Availability, Credential, CredentialId, Effects, Endpoint, HealthChange, HealthPlace,
    HealthRecord, ModelKey, Outcome, Renewal, Timestamp,
};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use crate::account::{Account, Running};
use crate::events::{AttemptEvent, Event, EventKind, Hooks};
use crate::port::{Clock, Store};
use crate::state::State;
use crate::wait_queue::WaitQueue;

pub(crate) struct Inner {
    pub(crate) state: Mutex<State>,
    pub(crate) clock: Clock,
    pub(crate) hooks: Hooks,
    pub(crate) wait_queue: WaitQueue,
    /// Wakes the calls that wait for a cooldown, since they may go on sooner than they were informed.
    pub(crate) cooldowns: Notify,
    pub(crate) store: Option<Arc<dyn Store>>,
    pub(crate) background: Background,
    /// Held during every save and delete, so that two of them cannot overtake each other.
    pub(crate) save_lock: tokio::sync::Mutex<()>,
    /// Held while the set of credentials changes; see [`AuthManager::lock_registrations`].
    ///
    /// [`AuthManager::lock_registrations`]: crate::AuthManager::lock_registrations
    pub(crate) registration_lock: tokio::sync::Mutex<()>,
}

/// Signals to the background tasks.
#[derive(Default)]
pub(crate) struct Background {
    /// Refreshes to drive: at most one per credential.
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

impl Inner {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Queues the changes for the store, and for the events that [`Inner::finish`] emits.
    pub(crate) fn take_effects(&self, state: &mut State, effects: Effects) {
        // Without a store, no flush would ever empty `dirty`.
        if self.store.is_some() {
            let stored = effects.changes.iter();
            for change in stored.filter(|change| change.place.is_stored()) {
                let key = (change.credential.clone(), change.model.clone());
                state.dirty.insert(key, change.to.clone());
            }
        }
        if state.pending_events.is_empty() {
            state.pending_events = effects.changes;
        } else {
            state.pending_events.extend(effects.changes);
        }
        state.capacity_freed |= effects.capacity_freed;
        state.cooldown_changed |= effects.cooldown_changed;
    }

    /// Releases the lock, then wakes the background, waiting calls and subscribers. No code of
    /// others runs under the lock.
    pub(crate) fn finish(&self, mut state: MutexGuard<'_, State>) {
        let changes = std::mem::take(&mut state.pending_events);
        let capacity_freed = std::mem::take(&mut state.capacity_freed);
        let cooldown_changed = std::mem::take(&mut state.cooldown_changed);
        let dirty = !state.dirty.is_empty();
        drop(state);
        if dirty {
            self.background.writes.notify_one();
        }
        if capacity_freed {
            self.wake_first_waiter();
        }
        if cooldown_changed {
            self.cooldowns.notify_waiters();
        }
        if changes.is_empty() {
            return;
        }
        let now = self.now();
        let subscribed = self.hooks.has_subscribers();
        for change in changes {
            log(&change, now);
            if !subscribed {
                continue;
            }
            let id = change.credential.clone();
            self.emit(&id, now, EventKind::Health(Box::new(change)));
        }
    }

    /// Wakes the first call in the wait queue that can be served now.
    pub(crate) fn wake_first_waiter(&self) {
        // The order of locks is the wait queue's, then the state's. The state's is taken for one
        // look at a time, since calls wait for it.
        self.wait_queue.wake_first(|query| {
            let now = self.now();
            self.lock().pool.candidates(query, now).is_ok()
        });
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
    ) -> Vec<HealthPlace> {
        let subscribed = self.hooks.has_subscribers();
        let used = subscribed.then(|| (attempt.model().clone(), attempt.endpoint()));
        let began = attempt.began();
        let mut state = self.lock();
        state.leases.settle(outcome);
        let effects = state.pool.settle(attempt, outcome, first_byte, now);
        let cooled = effects.changes.iter();
        let cooled = cooled.filter(|change| change.to.availability(now).until().is_some());
        let cooled = cooled.map(|change| change.place).collect();
        self.take_effects(&mut state, effects);
        self.finish(state);
        if let Some((model, endpoint)) = used {
            let note = AttemptEvent {
                provider: credential.provider.clone(),
                model,
                endpoint,
                began,
                outcome: outcome.clone(),
            };
            self.emit(&credential.id, now, EventKind::Attempt(note));
        }
        cooled
    }

    /// Drops what a credential's health says about secrets or an account that it no longer has.
    pub(crate) fn renew(&self, state: &mut State, id: &CredentialId, renewal: Renewal) {
        let effects = state.pool.renew(id.as_str(), renewal, self.now());
        self.take_effects(state, effects.unwrap_or_default());
    }

    /// The same after a redefinition, which may also have enabled the credential. `before` is its
    /// definition before.
    pub(crate) fn renew_redefined(
        &self,
        state: &mut State,
        id: &CredentialId,
        before: &Credential,
        renewal: Option<Renewal>,
    ) {
        let slot = state.pool.slot(id.as_str());
        let credential = slot.and_then(|slot| state.pool.credential(slot));
        let enabled = credential.is_some_and(|credential| credential.enabled && !before.enabled);
        for renewal in renewal
            .into_iter()
            .chain(enabled.then_some(Renewal::Enabled))
        {
            self.renew(state, id, renewal);
        }
    }

    /// Restores health from the store. What belongs to secrets that a credential no longer has is dropped
    /// as after a change of secrets.
    pub(crate) fn restore_health(&self, state: &mut State, records: Vec<HealthRecord>) {
        let outdated = records.iter().filter(|record| {
            let account = state.accounts.get(&record.credential);
            let digest = account.map(Account::secrets_digest);
            record.secrets_digest.is_some() && record.secrets_digest != digest
        });
        let outdated: BTreeSet<CredentialId> =
            outdated.map(|record| record.credential.clone()).collect();
        state.pool.restore(records);
        for id in outdated {
            // The former definition is not stored, so nothing shows whose secrets they were.
            self.renew(state, &id, Renewal::NewAccount);
        }
    }

    /// Updates when the credential's next refresh and policy check are due.
    pub(crate) fn schedule(&self, state: &mut State, id: &CredentialId) {
        let refresher = state.refresher.clone();
        let due = refresher.and_then(|refresher| {
            let (credential, account) = state.of(id)?;
            Some(account.due(&credential, &*refresher))
        });
        let due = due.unwrap_or_default();
        state.queue.set(id, due.refresh);
        state.policy_checks.set(id, due.policy_check);
    }

    /// True if something is not saved yet.
    pub(crate) fn is_dirty(&self) -> bool {
        let state = self.lock();
        !state.dirty.is_empty() || !state.unsaved.is_empty()
    }

    /// Returns the credentials whose last save failed.
    pub(crate) fn unsaved(&self) -> Vec<CredentialId> {
        self.lock().unsaved.iter().cloned().collect()
    }

    /// Records whether the last save of a credential's record succeeded.
    pub(crate) fn note_saved(&self, id: &CredentialId, saved: bool) {
        let mut state = self.lock();
        if saved {
            state.unsaved.remove(id);
            state.finish_retiring(id);
            return;
        }
        // A credential that was removed meanwhile has nothing to save.
        if state.find_account(id).is_some() {
            state.unsaved.insert(id.clone());
        }
        drop(state);
        self.background.writes.notify_one();
    }

    /// Takes the changed health that is not saved yet.
    pub(crate) fn take_dirty(&self) -> Vec<HealthRecord> {
        let mut state = self.lock();
        let dirty = std::mem::take(&mut state.dirty);
        let record = |((credential, model), health)| HealthRecord {
            secrets_digest: state.find_account(&credential).map(Account::secrets_digest),
            credential,
            model,
            health,
        };
        dirty.into_iter().map(record).collect()
    }

    /// Marks health as changed again after a failed save. A newer change of the same health wins.
    pub(crate) fn restore_dirty(&self, records: Vec<HealthRecord>) {
        let mut state = self.lock();
        for record in records {
            // A credential that was removed meanwhile has nothing to save.
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
    let what = change.place.label();
    let endpoint = change.place.endpoint().map(Endpoint::label);
    match (change.to.availability(now), change.to.cause()) {
        (Availability::Cooling { until }, Some(cause)) => tracing::info!(
            credential,
            model,
            what,
            endpoint,
            cause = &*cause.kind,
            status = cause.status,
            message = &*cause.message,
            until_ms = until.as_millis(),
            strikes = change.to.strikes(),
            "credential is cooling"
        ),
        (Availability::Probing { .. }, _) => {
            tracing::info!(
                credential,
                model,
                what,
                endpoint,
                "credential is being probed"
            )
        }
        (Availability::Barred, _) => tracing::warn!(credential, model, "credential is barred"),
        _ => tracing::info!(
            credential,
            model,
            what,
            endpoint,
            "credential is ready again"
        ),
    }
}
