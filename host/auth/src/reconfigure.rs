//! A new configuration: all that it says takes effect at one moment, and whoever stays keeps what was
//! learnt of it. To those who are new it is as if there had been a restart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jackfield_credential::{
    Credential, CredentialId, Effects, HealthRecord, PoolError, PoolOptions, Timestamp,
};
use tokio::sync::MutexGuard;

use crate::events::EventKind;
use crate::manager::AuthManager;
use crate::persistence;
use crate::port::{StoreError, StoredCredential};
use crate::registration::Registration;
use crate::state::State;

/// A whole new configuration, as far as credentials go.
#[derive(Debug)]
pub struct Reconfiguration {
    /// All credentials, whoever defines them. Others go; what is kept of those stays in the store.
    pub registrations: Vec<Registration>,
    /// What the pool goes by.
    pub options: PoolOptions,
    /// What is known from before of those that are new.
    pub persisted: PersistedState,
}

/// What is kept of all credentials, in the store or on the way there.
#[derive(Clone, Debug, Default)]
pub struct PersistedState {
    records: BTreeMap<CredentialId, StoredCredential>,
    health: BTreeMap<CredentialId, Vec<HealthRecord>>,
}

impl PersistedState {
    /// Credentials that the admin API made: those that are there, and those that a restart would
    /// bring back.
    pub fn admin_created(&self) -> impl Iterator<Item = &StoredCredential> {
        let records = self.records.values();
        records.filter(|record| record.definition.is_some())
    }
}

/// What a new configuration made of the credentials, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReconfigureSummary {
    /// That are there now.
    pub total: usize,
    /// That were not there before.
    pub added: usize,
    /// Of which something else is said than before.
    pub changed: usize,
    /// That are gone.
    pub removed: usize,
}

impl AuthManager {
    /// Held by whoever makes registrations out of a configuration, or removes credentials, until that
    /// is done: so no configuration takes the place of the other meanwhile.
    pub async fn lock_registrations(&self) -> MutexGuard<'_, ()> {
        self.inner.registration_lock.lock().await
    }

    /// What is kept of all credentials: for a [`Reconfiguration`], under [`AuthManager::changing`].
    ///
    /// # Errors
    /// The store's.
    pub async fn persisted_state(&self) -> Result<PersistedState, StoreError> {
        let mut persisted = PersistedState::default();
        if let Some(store) = &self.inner.store {
            // What cannot be saved now is tried again anyhow.
            if let Err(error) = self.flush().await {
                tracing::warn!(%error, "not everything is saved yet");
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

    /// Takes a new configuration in place of the present one. Whose id stays keeps health, attempts
    /// in flight, the operator's word, and renewed tokens if the source's secrets are the same as
    /// before; attempts under way with those that go end as they are.
    ///
    /// `publish` is told the configuration's number, which leases carry from the same moment on. It
    /// runs under the lock, so it stores whatever else is of this configuration, and no more.
    ///
    /// # Errors
    /// The credentials cannot stand in a pool together. Nothing changed then.
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
        state.configuration += 1;
        publish(state.configuration);

        let stay = registrations.iter().map(|one| &one.credential.id);
        let removed = removed_ids(&state, &stay.collect());
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
        // The executors, and with them their leads, may be others.
        for registration in &registrations {
            self.inner.schedule(&mut state, &registration.credential.id);
        }
        let effects = Effects {
            capacity_freed: true,
            ..Effects::default()
        };
        self.inner.take_effects(&mut state, effects);
        self.inner.finish(state);
        self.inner.background.wake();
        for (id, what) in events {
            self.inner.emit(&id, now, what);
        }
        Ok(summary)
    }

    /// Adds an account that the pool has already, with what is known of it from before.
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
    }

    /// Has an account say what its source says now; answers whether that is something else.
    fn redefine(
        &self,
        state: &mut State,
        registration: &Registration,
        before: &Arc<Credential>,
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
        if account.redefine(registration) {
            let effects = state.pool.unbar(id.as_str()).unwrap_or_default();
            self.inner.take_effects(state, effects);
        }
        true
    }
}

/// The credentials as the operator wants them: that word counts more than the source's.
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

/// The credentials as the pool has them.
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
    // Events come in the order of ids.
    removed.sort_unstable();
    removed
}
