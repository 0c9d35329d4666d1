//! What the store keeps of credentials: how a record is built, saved and deleted. Every save and delete
//! holds [`Inner::save_lock`], so that two of them cannot overtake each other.

use jackfield_credential::{CredentialId, HealthRecord, Timestamp};
use tokio::time::{sleep, timeout};

use crate::account::{Account, Tokens};
use crate::inner::Inner;
use crate::limits::{STORE_PAUSES, WRITE_MAX, WRITE_PAUSE, WRITE_PAUSE_MAX};
use crate::port::{Store, StoreError, StoredCredential};

/// Builds the record of an account, with `tokens` in place of its own if they are given.
pub(crate) fn build_record(
    id: &CredentialId,
    account: &Account,
    tokens: Option<&Tokens>,
    now: Timestamp,
) -> StoredCredential {
    let own = account.record.refreshed.then_some(&*account.tokens);
    StoredCredential {
        id: id.clone(),
        enabled: account.record.enabled,
        tokens: tokens
            .or(own)
            .map(|tokens| account.to_stored_tokens(tokens)),
        definition: account.record.definition.clone(),
        created_at: account.record.created_at,
        updated_at: now,
        version: 0,
    }
}

/// Saves the record of a credential, if it has anything to save. A save that fails is repeated by
/// [`flush`].
pub(crate) async fn save(inner: &Inner, id: &CredentialId) -> Result<(), StoreError> {
    let Some(store) = &inner.store else {
        return Ok(());
    };
    let _saving = inner.save_lock.lock().await;
    let saved = save_locked(inner, &**store, id).await;
    inner.note_saved(id, saved.is_ok());
    saved
}

async fn save_locked(
    inner: &Inner,
    store: &dyn Store,
    id: &CredentialId,
) -> Result<(), StoreError> {
    let (stored, expected, incarnation) = {
        let state = inner.lock();
        let Some(account) = state.find_account(id) else {
            return Ok(());
        };
        let record = &account.record;
        let nothing = record.enabled.is_none() && !record.refreshed && record.definition.is_none();
        // An existing record is overwritten in any case: it may contain tokens that no longer apply.
        if nothing && record.version.is_none() {
            return Ok(());
        }
        let stored = build_record(id, account, None, inner.now());
        (stored, record.version, account.incarnation)
    };
    let saved = match store.save(stored.clone(), expected).await {
        // The record is left over from an account that had this id before and could not be deleted.
        Err(StoreError::Conflict) if expected.is_none() => {
            let found = version(store, id).await?;
            store.save(stored, found).await
        }
        saved => saved,
    };
    let version = saved?;
    if let Some(account) = inner.lock().account(id, incarnation) {
        account.record.version = Some(version);
    }
    Ok(())
}

/// Deletes a credential from the store.
pub(crate) async fn delete(inner: &Inner, id: &CredentialId) -> Result<(), StoreError> {
    match &inner.store {
        Some(store) => store.delete(id.clone()).await,
        None => Ok(()),
    }
}

/// Saves refreshed tokens, and returns the version of the record. Retries before the tokens become
/// visible, because the provider may have revoked the old ones. If all retries fail, the tokens are
/// used all the same and saved later; until then a restart would lose them. On conflict the latest
/// tokens win.
pub(crate) async fn save_with_retry(
    inner: &Inner,
    record: StoredCredential,
    mut expected: Option<u64>,
) -> Option<u64> {
    let store = inner.store.as_ref()?;
    for pause in STORE_PAUSES {
        let why = match store.save(record.clone(), expected).await {
            Ok(version) => {
                inner.note_saved(&record.id, true);
                return Some(version);
            }
            Err(error @ (StoreError::Failed(_) | StoreError::Closed)) => error.to_string(),
            Err(StoreError::Conflict) => match version(&**store, &record.id).await {
                Ok(found) => {
                    tracing::warn!(
                        credential = %record.id,
                        "overwriting a record that another process saved"
                    );
                    // No pause: with the present version the next attempt can succeed at once.
                    expected = found;
                    continue;
                }
                Err(error) => error.to_string(),
            },
        };
        tracing::error!(credential = %record.id, why, "refreshed tokens not saved; retrying");
        sleep(pause).await;
    }
    tracing::error!(
        credential = %record.id,
        "refreshed tokens not saved; a restart now would lose them"
    );
    inner.note_saved(&record.id, false);
    None
}

/// Returns the version of a record in the store; `None` if there is no record.
async fn version(store: &dyn Store, id: &CredentialId) -> Result<Option<u64>, StoreError> {
    let records = store.list().await?;
    let found = records.into_iter().find(|record| record.id == *id);
    Ok(found.map(|record| record.version))
}

/// Saves what the store does not have yet: health, and records whose last save failed.
pub(crate) async fn flush(inner: &Inner) -> Result<(), StoreError> {
    let Some(store) = &inner.store else {
        return Ok(());
    };
    for id in inner.unsaved() {
        save(inner, &id).await?;
    }
    let mut batch = DirtyBatch {
        records: inner.take_dirty(),
        inner,
    };
    if !batch.records.is_empty() {
        store.save_health(batch.records.clone()).await?;
        batch.records.clear();
    }
    Ok(())
}

/// Flushes whenever something has changed. Never returns.
pub(crate) async fn flush_when_changed(inner: &Inner) {
    let mut pause = WRITE_PAUSE;
    loop {
        // A failed flush restores health without a signal, so a wait alone would miss it.
        if !inner.is_dirty() {
            inner.background.writes.notified().await;
        }
        // Changes during the pause are saved with the first one.
        sleep(pause).await;
        pause = match timeout(WRITE_MAX, flush(inner)).await {
            Ok(Ok(())) => WRITE_PAUSE,
            Ok(Err(error)) => {
                tracing::error!(%error, "changes not saved; retrying");
                (pause * 2).min(WRITE_PAUSE_MAX)
            }
            Err(_) => {
                tracing::error!(after = ?WRITE_MAX, "the store does not respond");
                (pause * 2).min(WRITE_PAUSE_MAX)
            }
        };
    }
}

/// Health on its way to the store. On drop, whatever was not saved is marked as changed again; so a
/// flush that fails or is cancelled loses nothing.
struct DirtyBatch<'a> {
    inner: &'a Inner,
    records: Vec<HealthRecord>,
}

impl Drop for DirtyBatch<'_> {
    fn drop(&mut self) {
        self.inner.restore_dirty(std::mem::take(&mut self.records));
    }
}
