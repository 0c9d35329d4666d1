//! What operators and sources change: credentials are added, removed, enabled and disabled; and
//! what a restart restores.

use std::collections::BTreeSet;
use std::sync::Arc;

use jackfield_credential::{CredentialId, PoolError, Renewal};

use crate::events::EventKind;
use crate::limits::SCHEDULE_BATCH_MAX;
use crate::manager::AuthManager;
use crate::persistence;
use crate::port::{Definition, Refresher, StoreError, StoredCredential};
use crate::registration::{Origin, Registration};

/// Why a change was not made, or not saved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// There is no such credential.
    #[error("there is no credential `{0}`")]
    NotFound(CredentialId),
    /// The configuration or a file defines it, and would add it again.
    #[error(
        "credential `{id}` is defined by the {by}: remove it there, or disable it here",
        by = .origin.label()
    )]
    DefinedBySource {
        /// The credential.
        id: CredentialId,
        /// Its source.
        origin: Origin,
    },
    /// It cannot be registered.
    #[error(transparent)]
    Invalid(#[from] PoolError),
    /// The store failed to delete it, so it was not removed.
    #[error("credential not removed: the store failed to delete it: {0}")]
    DeleteFailed(StoreError),
    /// The change is in effect, but not saved yet.
    #[error(
        "the change is in effect but not saved yet; saving is retried, and a restart before that would lose it: {0}"
    )]
    SaveFailed(#[from] StoreError),
}

/// What was restored after a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadSummary {
    /// Credentials that were created through the admin API.
    pub admin_created: usize,
    /// Credentials with refreshed tokens.
    pub refreshed: usize,
    /// Accounts and models that were not ready.
    pub health: usize,
}

impl AuthManager {
    /// Restores what the store has: credentials created through the admin API, which `build` turns
    /// into registrations, refreshed tokens, the operator's overrides of `enabled`, and health.
    ///
    /// # Errors
    /// The store's; nothing was changed.
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
        // An earlier version accepted the definitions that the pool rejects: they are skipped.
        if let Err(error) = state.pool.upsert(
            registrations
                .iter()
                .map(Registration::pool_credential)
                .collect(),
        ) {
            tracing::error!(%error, "stored credentials not restored");
        } else {
            let now = self.inner.now();
            for registration in &registrations {
                state.add_account(registration, now);
            }
        }
        let overrides = records
            .iter()
            .filter_map(|stored| Some((&stored.id, stored.enabled?)));
        state.pool.set_all_enabled(overrides);
        let mut refreshed = Vec::new();
        for stored in records {
            let Some(account) = state.accounts.get_mut(&stored.id) else {
                continue;
            };
            let id = stored.id.clone();
            if account.apply_stored(stored) {
                refreshed.push(id);
            }
        }
        loaded.refreshed = refreshed.len();
        state.update_secret_fields(&refreshed);
        self.inner.restore_health(&mut state, health);
        // A load emits no events.
        state.pending_events.clear();
        drop(state);
        self.schedule_all();
        Ok(loaded)
    }

    /// Registers a credential, or redefines the one that has its id. A redefined credential keeps
    /// its attempts in flight, and, if the given secrets are the same as before, its refreshed tokens
    /// and its health. With other secrets it keeps what its health says about the account; see
    /// [`Renewal`](jackfield_credential::Renewal).
    ///
    /// # Errors
    /// It is invalid, and nothing changed; or it could not be saved.
    pub async fn register(&self, registration: Registration) -> Result<(), ChangeError> {
        let id = registration.credential.id.clone();
        self.upsert(&[registration])?;
        Ok(self.save(&id).await?)
    }

    /// Synchronizes the credentials of one source, those whose origin `mine` accepts: `ids` are
    /// all that the source has, and `changed` those of them that are new or different. Its other
    /// credentials are removed.
    ///
    /// # Errors
    /// They are invalid, and nothing changed; or the store failed to delete the removed ones.
    pub async fn sync(
        &self,
        mine: impl Fn(&Origin) -> bool,
        ids: &BTreeSet<CredentialId>,
        changed: Vec<Registration>,
    ) -> Result<(), ChangeError> {
        let mut removed: Vec<CredentialId> = {
            let state = self.inner.lock();
            state
                .accounts
                .iter()
                .filter(|(id, account)| mine(&account.origin) && !ids.contains(*id))
                .map(|(id, _)| id.clone())
                .collect()
        };
        removed.sort_unstable();
        // Before the removal, since it can fail, and then nothing may have changed.
        self.upsert(&changed)?;
        // The removal does not depend on the store: the source no longer has them.
        let _saving = self.inner.save_lock.lock().await;
        self.remove_all(&removed);
        for id in &removed {
            persistence::delete(&self.inner, id)
                .await
                .map_err(ChangeError::SaveFailed)?;
        }
        Ok(())
    }

    /// Removes a credential with all its state. Its running attempts continue.
    ///
    /// # Errors
    /// It does not exist, a source defines it, or the store failed to delete it; nothing changed.
    pub async fn remove(&self, id: &CredentialId) -> Result<(), ChangeError> {
        let origin = {
            let state = self.inner.lock();
            let account = state
                .accounts
                .get(id)
                .ok_or_else(|| ChangeError::NotFound(id.clone()))?;
            account.origin.clone()
        };
        if origin != Origin::Admin {
            let id = id.clone();
            return Err(ChangeError::DefinedBySource { id, origin });
        }
        // The store comes first: a record left there would come back at the next start, and a
        // failure now has changed nothing.
        let _saving = self.inner.save_lock.lock().await;
        persistence::delete(&self.inner, id)
            .await
            .map_err(ChangeError::DeleteFailed)?;
        self.remove_all(std::slice::from_ref(id));
        Ok(())
    }

    /// Enables or disables a credential. This overrides its source, also after a restart.
    ///
    /// # Errors
    /// It does not exist, or the change could not be saved.
    pub async fn set_enabled(&self, id: &CredentialId, enabled: bool) -> Result<(), ChangeError> {
        {
            let mut state = self.inner.lock();
            let changed = state
                .pool
                .set_enabled(id.as_str(), enabled)
                .ok_or_else(|| ChangeError::NotFound(id.clone()))?;
            if changed && enabled {
                self.inner.renew(&mut state, id, Renewal::Enabled);
            }
            if let Some(account) = state.accounts.get_mut(id) {
                account.record.enabled = Some(enabled);
            }
            // Marked before the save, so that a reload in between does not lose the override.
            if self.inner.store.is_some() {
                state.unsaved.insert(id.clone());
            }
            self.inner.schedule(&mut state, id);
            state.capacity_freed |= enabled;
            state.cooldown_changed |= enabled;
            self.inner.finish(state);
        }
        self.inner.background.wake();
        self.inner.emit(id, self.inner.now(), EventKind::Updated);
        Ok(self.save(id).await?)
    }

    /// Returns the definition of a credential that was created through the admin API.
    pub fn definition(&self, id: &CredentialId) -> Option<Definition> {
        let state = self.inner.lock();
        let account = state.accounts.get(id)?;
        account.record.definition.clone()
    }

    /// Clears the failures and cooldowns of a credential, and a rejected refresh.
    ///
    /// # Errors
    /// It does not exist.
    pub fn reset(&self, id: &CredentialId) -> Result<(), ChangeError> {
        let mut state = self.inner.lock();
        let effects = state
            .pool
            .reset(id.as_str())
            .ok_or_else(|| ChangeError::NotFound(id.clone()))?;
        if let Some(account) = state.accounts.get_mut(id) {
            account.refresh = account.refresh.with_new_secrets();
        }
        self.inner.schedule(&mut state, id);
        self.inner.take_effects(&mut state, effects);
        self.inner.finish(state);
        self.inner.background.wake();
        Ok(())
    }

    /// Sets the refresher for all refreshes from now on.
    pub fn set_refresher(&self, refresher: Arc<dyn Refresher>) {
        self.inner.lock().refresher = Some(refresher);
        self.schedule_all();
    }

    /// Begins no refresh from now on. Those that run go on.
    pub fn stop_refreshes(&self) {
        self.inner.lock().refresher = None;
        self.schedule_all();
    }

    pub(crate) fn upsert(&self, registrations: &[Registration]) -> Result<(), PoolError> {
        let now = self.inner.now();
        let mut state = self.inner.lock();
        let ids = registrations.iter().map(|one| one.credential.id.clone());
        let ids: Vec<CredentialId> = ids.collect();
        let before = state.definitions(&ids);
        state.pool.upsert(
            registrations
                .iter()
                .map(Registration::pool_credential)
                .collect(),
        )?;
        let mut events = Vec::with_capacity(registrations.len());
        // The operator's override takes precedence over the source.
        let mut overrides = Vec::new();
        let mut redefined = Vec::new();
        for registration in registrations {
            let id = &registration.credential.id;
            let kind = match (state.accounts.get_mut(id), before.get(id)) {
                (Some(account), Some(before)) => {
                    overrides.extend(account.record.enabled.map(|enabled| (id, enabled)));
                    let renewal = account.redefine(before, registration, now);
                    redefined.push((id, Arc::clone(before), renewal));
                    EventKind::Updated
                }
                _ => {
                    state.add_account(registration, now);
                    EventKind::Registered
                }
            };
            events.push((id.clone(), kind));
        }
        state.pool.set_all_enabled(overrides);
        state.update_secret_fields(&ids);
        for (id, before, renewal) in redefined {
            self.inner.renew_redefined(&mut state, id, &before, renewal);
        }
        for (id, _) in &events {
            self.inner.schedule(&mut state, id);
        }
        // A new credential may serve a waiting call.
        state.capacity_freed = true;
        state.cooldown_changed = true;
        self.inner.finish(state);
        self.inner.background.wake();
        for (id, kind) in events {
            self.inner.emit(&id, now, kind);
        }
        Ok(())
    }

    fn remove_all(&self, ids: &[CredentialId]) {
        {
            let mut state = self.inner.lock();
            state.pool.remove(ids);
            state.remove(ids);
            // Attempts of removed credentials no longer count against their provider's limit.
            state.capacity_freed = true;
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

    /// Recomputes when refreshes are due. Call it when the executors' leads or policies have
    /// changed.
    pub fn reschedule(&self) {
        self.schedule_all();
    }

    fn schedule_all(&self) {
        let ids: Vec<CredentialId> = self.inner.lock().accounts.keys().cloned().collect();
        for batch in ids.chunks(SCHEDULE_BATCH_MAX) {
            let mut state = self.inner.lock();
            for id in batch {
                self.inner.schedule(&mut state, id);
            }
        }
        self.inner.background.wake();
    }
}
