//! What the store has of credentials: how a record is made, saved and deleted. Whoever saves or deletes
//! holds [`Inner::save_lock`], so that no two of them overtake each other.

use std::sync::Arc;
use std::time::Duration;

use jackfield_credential::{CredentialId, Timestamp};
use tokio::time::sleep;

use crate::account::{Account, Tokens};
use crate::state::Inner;
use crate::{Store, StoreError, StoredCredential};

/// What the store is to have of an account, with these tokens where they are newer than its own.
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

/// Saves what is to be kept of a credential, if anything is. What fails is tried again by
/// [`AuthManager::flush`](crate::AuthManager::flush).
pub(crate) async fn save(inner: &Arc<Inner>, id: &CredentialId) -> Result<(), StoreError> {
    let Some(store) = &inner.store else {
        return Ok(());
    };
    let _saving = inner.save_lock.lock().await;
    let saved = save_now(inner, &**store, id).await;
    inner.note_saved(id, saved.is_ok());
    saved
}

async fn save_now(
    inner: &Arc<Inner>,
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
        if nothing && record.version.is_none() {
            return Ok(());
        }
        let stored = build_record(id, account, None, inner.now());
        (stored, record.version, account.incarnation)
    };
    let saved = match store.save(stored.clone(), expected).await {
        // What is there is of an account that had this id before and could not be deleted.
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

/// Has the store forget a credential.
pub(crate) async fn delete(inner: &Arc<Inner>, id: &CredentialId) -> Result<(), StoreError> {
    match &inner.store {
        Some(store) => store.delete(id.clone()).await,
        None => Ok(()),
    }
}

/// Saves tokens that were just renewed, and answers the record's version. The old ones may be void
/// already, so a store that fails is asked again for a while before anybody gets the tokens, and in the
/// end they are used although a restart would lose them; they are saved as soon as that works. For the
/// same reason they take the place of a record that
/// somebody else has saved: whoever was given tokens last has those that count.
pub(crate) async fn save_with_retry(
    inner: &Arc<Inner>,
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
            Err(StoreError::Failed(why)) => why,
            Err(StoreError::Conflict) => match version(&**store, &record.id).await {
                Ok(found) => {
                    tracing::warn!(credential = %record.id, "replacing what another process saved");
                    expected = found;
                    continue;
                }
                Err(error) => error.to_string(),
            },
        };
        tracing::error!(credential = %record.id, why, "renewed tokens cannot be saved yet");
        sleep(pause).await;
    }
    tracing::error!(credential = %record.id, "renewed tokens are not saved: a restart now loses them");
    inner.note_saved(&record.id, false);
    None
}

/// The version of the record that the store has; none if it has none.
async fn version(store: &dyn Store, id: &CredentialId) -> Result<Option<u64>, StoreError> {
    let records = store.list().await?;
    let found = records.into_iter().find(|record| record.id == *id);
    Ok(found.map(|record| record.version))
}

/// How long a store that fails is left alone: a full disk or a lock held by a backup may pass, and
/// calls wait for these tokens.
const STORE_PAUSES: [Duration; 4] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(5),
];
