//! A new configuration: it takes effect at one moment. Credentials that stay keep their state; new
//! ones start with what the store has, as after a restart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jackfield_credential::{
    Credential, CredentialId, HealthRecord, PoolError, PoolOptions, Renewal, Timestamp,
};
use tokio::sync::MutexGuard;

use crate::events::EventKind;
use crate::manager::AuthManager;
use crate::operations::renewal;
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
        let credentials = registrations
            .iter()
            .map(Registration::pool_credential)
            .collect();
        let now = self.inner.now();
        let mut state = self.inner.lock();
        let credentials = apply_overrides(&state, &persisted, credentials);
        let before = defined_credentials(&state);
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
            if self.redefine(&mut state, registration, before) {
                summary.changed += 1;
                events.push((id.clone(), EventKind::Updated));
            }
        }
        // The executors may have changed, and their leads with them.
        for registration in &registrations {
            self.inner.schedule(&mut state, &registration.credential.id);
        }
        state.capacity_freed = true;
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
        if let Some(account) = state.revive(id) {
            account.redefine(registration);
        } else {
            state.add_account(registration, now);
            let stored = persisted.records.remove(id);
            if let (Some(stored), Some(account)) = (stored, state.accounts.get_mut(id)) {
                account.apply_stored(stored);
            }
        }
        state
            .pool
            .restore(persisted.health.remove(id).unwrap_or_default());
        // Whether it has the secret of then, the store does not tell.
        self.renew(state, id, Renewal::NewAccount);
    }

    /// Updates an account from its source. Returns true if anything changed.
    fn redefine(
        &self,
        state: &mut State,
        registration: &Registration,
        before: &Arc<Credential>,
    ) -> bool {
        let id = &registration.credential.id;
        let slot = state.pool.slot(id.as_str());
        let credential = slot.and_then(|slot| state.pool.credential(slot));
        let same = credential == Some(before);
        let enabled = credential.is_some_and(|credential| credential.enabled);
        let Some(account) = state.accounts.get_mut(id) else {
            return false;
        };
        if same && !account.differs_from(registration) {
            return false;
        }
        let renewal = renewal(account, registration);
        if account.redefine(registration) {
            self.renew(state, id, renewal);
        }
        if enabled && !before.enabled {
            self.renew(state, id, Renewal::Enabled);
        }
        true
    }
}

/// Returns the credentials with the operator's overrides of `enabled` applied.
fn apply_overrides(
    state: &State,
    persisted: &PersistedState,
    mut credentials: Vec<Credential>,
) -> Vec<Credential> {
    for credential in &mut credentials {
        let enabled = match state.find_account(&credential.id) {
            Some(account) => account.record.enabled,
            None => persisted
                .records
                .get(&credential.id)
                .and_then(|stored| stored.enabled),
        };
        credential.enabled = enabled.unwrap_or(credential.enabled);
    }
    credentials
}

/// Returns the credentials in the pool, by id.
fn defined_credentials(state: &State) -> BTreeMap<CredentialId, Arc<Credential>> {
    let known = state.accounts.keys().filter_map(|id| {
        let slot = state.pool.slot(id.as_str())?;
        let credential = state.pool.credential(slot)?;
        Some((id.clone(), Arc::clone(credential)))
    });
    known.collect()
}

fn removed_ids(state: &State, stay: &BTreeSet<&CredentialId>) -> Vec<CredentialId> {
    let known = state.accounts.keys();
    let mut removed: Vec<_> = known.filter(|id| !stay.contains(id)).cloned().collect();
    // Events are emitted in the order of ids.
    removed.sort_unstable();
    removed
}
