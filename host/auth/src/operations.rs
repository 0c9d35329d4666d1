//! What operators and sources change: credentials come, go, are put in and out of use; and what is
//! brought back after a restart.

use std::collections::BTreeSet;
use std::sync::Arc;

use jackfield_credential::{CredentialId, Effects, PoolError, Timestamp};

use crate::events::EventKind;
use crate::manager::AuthManager;
use crate::persistence;
use crate::port::{Refresher, StoreError, StoredCredential};
use crate::registration::{Origin, Registration};

/// Why a change was not made, or not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// There is no such credential.
    #[error("there is no credential `{0}`")]
    NotFound(CredentialId),
    /// Its source would bring it back.
    #[error(
        "credential `{id}` is defined by the {by}: remove it there, or disable it here",
        by = .origin.label()
    )]
    DefinedBySource {
        /// The credential.
        id: CredentialId,
        /// Who defines it.
        origin: Origin,
    },
    /// It cannot be registered.
    #[error(transparent)]
    Invalid(#[from] PoolError),
    /// The store failed to forget it, so it was not removed.
    #[error("it was not removed, since the store failed to forget it: {0}")]
    DeleteFailed(StoreError),
    /// The change holds, but it could not be saved yet.
    #[error(
        "the change holds, but a restart would lose it: it could not be saved yet, and is tried again: {0}"
    )]
    SaveFailed(#[from] StoreError),
}

/// What was brought back after a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadSummary {
    /// Credentials that the admin API had made.
    pub admin_created: usize,
    /// Credentials whose tokens had been renewed.
    pub refreshed: usize,
    /// Accounts and models that were not ready.
    pub health: usize,
}

impl AuthManager {
    /// Brings back what the store knows: credentials made by the admin API, which `build` makes
    /// again, renewed tokens, the operator's word on what is in use, and health.
    ///
    /// # Errors
    /// The store's. Nothing was changed then.
    pub async fn load(
        &self,
        build: impl Fn(&StoredCredential) -> Option<Registration>,
    ) -> Result<LoadSummary, StoreError> {
        let Some(store) = &self.inner.store else {
            return Ok(LoadSummary::default());
        };
        let records = store.list().await?;
        let health = store.list_health().await?;
        let mut loaded = LoadSummary {
            health: health.len(),
            ..LoadSummary::default()
        };
        let registrations: Vec<Registration> = records
            .iter()
            .filter(|record| record.definition.is_some())
            .filter_map(&build)
            .collect();
        loaded.admin_created = registrations.len();
        let mut state = self.inner.lock();
        // A definition that the pool refuses was accepted by an earlier version: it is left out.
        if let Err(error) = state.pool.upsert(
            registrations
                .iter()
                .map(Registration::pool_credential)
                .collect(),
        ) {
            tracing::error!(%error, "credentials from the store are left out");
        } else {
            let now = self.inner.now();
            for registration in &registrations {
                state.add_account(registration, now);
            }
        }
        let overrides = records.iter();
        let overrides = overrides.filter_map(|stored| Some((&stored.id, stored.enabled?)));
        state.pool.set_all_enabled(overrides);
        for stored in records {
            let Some(account) = state.accounts.get_mut(&stored.id) else {
                continue;
            };
            loaded.refreshed += usize::from(account.apply_stored(stored));
        }
        state.pool.restore(health);
        drop(state);
        self.schedule_all();
        Ok(loaded)
    }

    /// Registers a credential, or redefines the one that has its id: that keeps its health, its
    /// attempts in flight, and its renewed tokens if the secrets given are the same as before.
    ///
    /// # Errors
    /// It cannot be registered, and nothing changed; or it could not be saved.
    pub async fn register(&self, registration: Registration) -> Result<(), ChangeError> {
        let id = registration.credential.id.clone();
        self.upsert(&[registration])?;
        Ok(self.save(&id).await?)
    }

    /// Takes what one source says now: `ids` are all that it has, and `changed` those of them that are
    /// new or say something else than before. Others of its own are removed, those of other sources
    /// stay.
    ///
    /// # Errors
    /// They cannot be registered, and nothing changed; or what is known of the removed ones could
    /// not be forgotten by the store.
    pub async fn sync(
        &self,
        mine: impl Fn(&Origin) -> bool,
        ids: &BTreeSet<CredentialId>,
        changed: Vec<Registration>,
    ) -> Result<(), ChangeError> {
        let mut removed: Vec<CredentialId> = {
            let state = self.inner.lock();
            let known = state.accounts.iter();
            let known = known.filter(|(id, account)| mine(&account.origin) && !ids.contains(*id));
            known.map(|(id, _)| id.clone()).collect()
        };
        removed.sort_unstable();
        self.upsert(&changed)?;
        // The source does not have them any more, whatever the store says.
        let _saving = self.inner.save_lock.lock().await;
        self.remove_all(&removed);
        for id in &removed {
            let deleted = persistence::delete(&self.inner, id).await;
            deleted.map_err(ChangeError::SaveFailed)?;
        }
        Ok(())
    }

    /// Removes a credential, with everything that is known of it. Attempts under way go on.
    ///
    /// # Errors
    /// There is none, its source would bring it back, or the store failed to forget it; nothing
    /// changed then.
    pub async fn remove(&self, id: &CredentialId) -> Result<(), ChangeError> {
        let origin = {
            let state = self.inner.lock();
            let account = state.accounts.get(id);
            let account = account.ok_or_else(|| ChangeError::NotFound(id.clone()))?;
            account.origin.clone()
        };
        if origin != Origin::Admin {
            let id = id.clone();
            return Err(ChangeError::DefinedBySource { id, origin });
        }
        // What the store still had would come back with the next start: so it comes first, and what
        // fails has changed nothing.
        let _saving = self.inner.save_lock.lock().await;
        let deleted = persistence::delete(&self.inner, id).await;
        deleted.map_err(ChangeError::DeleteFailed)?;
        self.remove_all(std::slice::from_ref(id));
        Ok(())
    }

    /// Puts a credential in use or out of use, whatever its source says, until that is undone.
    ///
    /// # Errors
    /// There is none, or the change could not be saved.
    pub async fn set_enabled(&self, id: &CredentialId, enabled: bool) -> Result<(), ChangeError> {
        {
            let mut state = self.inner.lock();
            let known = state.pool.set_enabled(id.as_str(), enabled);
            known.ok_or_else(|| ChangeError::NotFound(id.clone()))?;
            if let Some(account) = state.accounts.get_mut(id) {
                account.record.enabled = Some(enabled);
            }
            // From here on, so that no other configuration loses the word before it is saved.
            if self.inner.store.is_some() {
                state.unsaved.insert(id.clone());
            }
            self.inner.schedule(&mut state, id);
            let effects = Effects {
                capacity_freed: enabled,
                ..Effects::default()
            };
            self.inner.take_effects(&mut state, effects);
            self.inner.finish(state);
        }
        self.inner.background.wake();
        self.inner.emit(id, self.inner.now(), EventKind::Updated);
        Ok(self.save(id).await?)
    }

    /// Forgets what is known against a credential, a rejected refresh included.
    ///
    /// # Errors
    /// There is none.
    pub fn reset(&self, id: &CredentialId) -> Result<(), ChangeError> {
        let mut state = self.inner.lock();
        let effects = state.pool.reset(id.as_str());
        let effects = effects.ok_or_else(|| ChangeError::NotFound(id.clone()))?;
        if let Some(account) = state.accounts.get_mut(id) {
            account.refresh.rejected = None;
            account.refresh.not_before = None;
            account.refresh.failures = 0;
            account.refresh.policy_decision = None;
            account.refresh.check_at = Timestamp::default();
        }
        self.inner.schedule(&mut state, id);
        self.inner.take_effects(&mut state, effects);
        self.inner.finish(state);
        self.inner.background.wake();
        Ok(())
    }

    /// Has tokens renewed by this from now on.
    pub fn set_refresher(&self, refresher: Arc<dyn Refresher>) {
        self.inner.lock().refresher = Some(refresher);
        self.schedule_all();
    }

    pub(crate) fn upsert(&self, registrations: &[Registration]) -> Result<(), PoolError> {
        let now = self.inner.now();
        let mut state = self.inner.lock();
        state.pool.upsert(
            registrations
                .iter()
                .map(Registration::pool_credential)
                .collect(),
        )?;
        let mut events = Vec::with_capacity(registrations.len());
        // The operator's word counts more than the source's.
        let mut overrides = Vec::new();
        for registration in registrations {
            let id = &registration.credential.id;
            let what = match state.accounts.get_mut(id) {
                None => {
                    state.add_account(registration, now);
                    EventKind::Registered
                }
                Some(account) => {
                    overrides.extend(account.record.enabled.map(|enabled| (id, enabled)));
                    if account.redefine(registration) {
                        let effects = state.pool.unbar(id.as_str()).unwrap_or_default();
                        self.inner.take_effects(&mut state, effects);
                    }
                    EventKind::Updated
                }
            };
            events.push((id.clone(), what));
        }
        state.pool.set_all_enabled(overrides);
        for (id, _) in &events {
            self.inner.schedule(&mut state, id);
        }
        // Who waits may be served by one that is new.
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
        Ok(())
    }

    fn remove_all(&self, ids: &[CredentialId]) {
        {
            let mut state = self.inner.lock();
            state.pool.remove(ids);
            state.remove(ids);
            // What they had under way does not count with their providers any more.
            let effects = Effects {
                capacity_freed: true,
                ..Effects::default()
            };
            self.inner.take_effects(&mut state, effects);
            self.inner.finish(state);
        }
        let now = self.inner.now();
        for id in ids {
            self.inner.emit(id, now, EventKind::Removed);
        }
    }

    async fn save(&self, id: &CredentialId) -> Result<(), StoreError> {
        persistence::save(&self.inner, id).await
    }

    /// Looks anew at when tokens are to be renewed: what executors say of it has changed.
    pub fn reschedule(&self) {
        self.schedule_all();
    }

    fn schedule_all(&self) {
        let ids: Vec<CredentialId> = self.inner.lock().accounts.keys().cloned().collect();
        for some in ids.chunks(SCHEDULE_BATCH_MAX) {
            let mut state = self.inner.lock();
            for id in some {
                self.inner.schedule(&mut state, id);
            }
        }
        self.inner.background.wake();
    }
}

/// How many credentials are looked at under one lock: some hundred microseconds, since calls wait for
/// it meanwhile.
const SCHEDULE_BATCH_MAX: usize = 256;
