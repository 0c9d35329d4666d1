//! A new configuration: it takes effect at one moment. Credentials that stay keep their state; new
//! ones start with what the store has, as after a restart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jackfield_credential::{
    Credential, CredentialId, HealthRecord, PoolError, PoolOptions, Timestamp,
};
use tokio::sync::MutexGuard;

use crate::events::EventKind;
use crate::manager::AuthManager;
use crate::persistence;
use crate::port::{StoreError, StoredCredential};
use crate::registration::Registration;
use crate::state::State;

/// The credentials of a whole new configuration.
#[derive(Debug)]
pub struct Reconfiguration {
    /// All credentials, from every source. Others are removed; their records stay in the store.
    pub registrations: Vec<Registration>,
    /// The pool's options.
    pub options: PoolOptions,
    /// The stored state of all credentials, for those that are new.
    pub persisted: PersistedState,
}

/// The stored state of all credentials, including what is not saved yet.
#[derive(Clone, Debug, Default)]
pub struct PersistedState {
    records: BTreeMap<CredentialId, StoredCredential>,
    health: BTreeMap<CredentialId, Vec<HealthRecord>>,
}

impl PersistedState {
    /// Returns the records of credentials created through the admin API, including those that a
    /// restart would restore.
    pub fn admin_created(&self) -> impl Iterator<Item = &StoredCredential> {
        let records = self.records.values();
        records.filter(|record| record.definition.is_some())
    }
}

/// Numbers of credentials that a new configuration added, changed and removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReconfigureSummary {
    /// Credentials in total.
    pub total: usize,
    /// Credentials that are new.
    pub added: usize,
    /// Credentials whose definition changed.
    pub changed: usize,
    /// Credentials that were removed.
    pub removed: usize,
}

impl AuthManager {
    /// Locks the set of credentials. Hold the guard from when registrations are built from a
    /// configuration until they are applied, and while credentials are removed, so that two
    /// changes cannot overwrite each other.
    pub async fn lock_registrations(&self) -> MutexGuard<'_, ()> {
        self.inner.registration_lock.lock().await
    }

    /// Returns the stored state of all credentials, for a [`Reconfiguration`]. Call it under
    /// [`AuthManager::lock_registrations`].
    ///
    /// # Errors
    /// The store's.
    pub async fn persisted_state(&self) -> Result<PersistedState, StoreError> {
        let mut persisted = PersistedState::default();
        if let Some(store) = &self.inner.store {
            // The flush is repeated later in any case.
            if let Err(error) = self.flush().await {
                tracing::warn!(%error, "some changes are not saved yet");
            }
            let records = store.list().await?.into_iter();
            persisted.records = records.map(|record| (record.id.clone(), record)).collect();
            for record in store.list_health().await? {
                let of = persisted.health.entry(record.credential.clone());
                of.or_default().push(record);
            }
        }
        let now = self.inner.now();
        let state = self.inner.lock();
        for (id, account) in &state.accounts {
            if account.record.definition.is_some() {
                let record = persistence::build_record(id, account, None, now);
                persisted.records.insert(id.clone(), record);
            }
        }
        Ok(persisted)
    }

    /// Replaces the configuration. Credentials whose id stays keep their health, attempts in
    /// flight and the operator's override, and their refreshed tokens if the source's secrets are
    /// the same as before. Attempts with removed credentials end normally.
    ///
    /// `publish` receives the configuration's number, which all leases carry from the same moment
    /// on. It runs under the lock, so it should do no more than store the rest of the
    /// configuration.
    ///
    /// # Errors
    /// The credentials are not valid together. Nothing changed.
    pub fn reconfigure(
        &self,
        new: Reconfiguration,
        publish: impl FnOnce(u64),
    ) -> Result<ReconfigureSummary, PoolError> {
        let Reconfiguration {
            registrations,
            options,
            mut persisted,
        } = new;
        let now = self.inner.now();
        let mut state = self.inner.lock();
        let credentials = pool_credentials(&state, &persisted, &registrations);
        let before = state.definitions(state.accounts.keys());
        state.pool.reconfigure(credentials, options)?;
        // Nothing fails from here on, so pool, accounts and `publish` change together.
        state.configuration += 1;
        publish(state.configuration);

        let stay = registrations.iter().map(|one| &one.credential.id);
        let removed = removed_ids(&state, &stay.collect());
        // Before `remove`, which would drop accounts whose refresh or save is pending.
        for id in &removed {
            state.retire(id);
        }
        state.remove(&removed);
        let mut events: Vec<_> = removed
            .into_iter()
            .map(|id| (id, EventKind::Removed))
            .collect();
        let mut summary = ReconfigureSummary {
            total: registrations.len(),
            removed: events.len(),
            ..ReconfigureSummary::default()
        };
        for registration in &registrations {
            let id = &registration.credential.id;
            let Some(before) = before.get(id) else {
                self.add(&mut state, registration, &mut persisted, now);
                summary.added += 1;
                events.push((id.clone(), EventKind::Registered));
                continue;
            };
            if self.redefine(&mut state, registration, before, now) {
                summary.changed += 1;
                events.push((id.clone(), EventKind::Updated));
            }
        }
        // The executors may have changed, and their leads with them.
        for registration in &registrations {
            self.inner.schedule(&mut state, &registration.credential.id);
        }
        state.capacity_freed = true;
        state.cooldown_changed = true;
        self.inner.finish(state);
        self.inner.background.wake();
        for (id, kind) in events {
            self.inner.emit(&id, now, kind);
        }
        Ok(summary)
    }

    /// Adds the account of a credential that the pool has already, with its stored state.
    fn add(
        &self,
        state: &mut State,
        registration: &Registration,
        persisted: &mut PersistedState,
        now: Timestamp,
    ) {
        let id = &registration.credential.id;
        let mut renewal = None;
        if let Some(account) = state.revive(id) {
            // Its former definition is gone; the metadata show whether it is the same account.
            renewal = account.redefine(&registration.credential, registration, now);
        } else {
            state.add_account(registration, now);
            let stored = persisted.records.remove(id);
            if let (Some(stored), Some(account)) = (stored, state.accounts.get_mut(id)) {
                account.apply_stored(stored);
            }
        }
        let health = persisted.health.remove(id).unwrap_or_default();
        self.inner.restore_health(state, health);
        if let Some(renewal) = renewal {
            self.inner.renew(state, id, renewal);
        }
    }

    /// Updates an account from its source. Returns true if anything changed.
    fn redefine(
        &self,
        state: &mut State,
        registration: &Registration,
        before: &Arc<Credential>,
        now: Timestamp,
    ) -> bool {
        let id = &registration.credential.id;
        let slot = state.pool.slot(id.as_str());
        let same = slot.and_then(|slot| state.pool.credential(slot)) == Some(before);
        let Some(account) = state.accounts.get_mut(id) else {
            return false;
        };
        if same && !account.differs_from(registration) {
            return false;
        }
        let renewal = account.redefine(before, registration, now);
        self.inner.renew_redefined(state, id, before, renewal);
        true
    }
}

/// Returns the credentials for the pool, with the operator's overrides of `enabled`, and with the names
/// of refreshed secrets that stay in use.
fn pool_credentials(
    state: &State,
    persisted: &PersistedState,
    registrations: &[Registration],
) -> Vec<Credential> {
    let credentials = registrations.iter().map(|registration| {
        let mut credential = registration.pool_credential();
        let account = state.find_account(&credential.id);
        let stored = persisted.records.get(&credential.id);
        let enabled = match account {
            Some(account) => account.record.enabled,
            None => stored.and_then(|stored| stored.enabled),
        };
        credential.enabled = enabled.unwrap_or(credential.enabled);
        let refreshed = match account {
            Some(account) => account.refreshed_secrets(registration),
            None => stored
                .and_then(|stored| stored.tokens.as_ref())
                .filter(|tokens| tokens.source_digest == registration.digest())
                .map(|tokens| &tokens.secrets),
        };
        if let Some(secrets) = refreshed {
            credential.secret_fields = secrets.keys().cloned().collect();
        }
        credential
    });
    credentials.collect()
}

fn removed_ids(state: &State, stay: &BTreeSet<&CredentialId>) -> Vec<CredentialId> {
    let known = state.accounts.keys();
    let mut removed: Vec<_> = known.filter(|id| !stay.contains(id)).cloned().collect();
    // Events are emitted in the order of ids.
    removed.sort_unstable();
    removed
}
