//! Renewing tokens: once at a time for each credential, however many want it; durable before anybody
//! sees them; and as a patch, so that nothing recorded meanwhile is lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use jackfield_credential::{
    Cause, Credential, CredentialId, CredentialKind, Failure, ProviderName, Scope, Timestamp, kind,
    refresh_pause,
};
use secrecy::SecretString;
use tokio::time::sleep;

use crate::account::{Account, Running, Tokens};
use crate::hook::{RefreshNote, What};
use crate::state::Inner;
use crate::{BoxFuture, StoreError, StoredCredential};

/// Carries out refreshes: asks the provider for new tokens.
pub trait Refresher: Send + Sync {
    /// Asks for new tokens. It has a deadline of its own.
    fn refresh(&self, job: RefreshJob) -> BoxFuture<'_, Result<TokenPatch, RefreshFailed>>;

    /// How long before their end the executor of this provider wants tokens renewed.
    fn lead(&self, provider: &ProviderName) -> Option<Duration>;
}

/// What a refresh is done with.
#[derive(Clone, Debug)]
pub struct RefreshJob {
    /// Whose tokens.
    pub credential: Arc<Credential>,
    /// All its secrets.
    pub secrets: BTreeMap<String, SecretString>,
    /// The proxy of its connections.
    pub proxy: Option<Arc<SecretString>>,
}

/// What a refresh changes: what is not in it stays.
#[derive(Clone, Debug, Default)]
pub struct TokenPatch {
    /// Secrets that are new, by name.
    pub secrets: BTreeMap<String, SecretString>,
    /// When the access token ends, where the provider says so.
    pub expires_at: Option<Timestamp>,
}

/// Why there are no new tokens. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefreshFailed {
    /// The provider will not renew them any more: somebody must log in anew.
    #[error("the provider will not renew the tokens: {0}")]
    Rejected(String),
    /// It did not work this time.
    #[error("the refresh failed: {0}")]
    Failed(String),
    /// The credential has nothing to be renewed, or nobody renews it.
    #[error("the credential's secrets are not of the kind that is renewed")]
    NotRefreshable,
    /// The credential is not there, or no longer.
    #[error("there is no such credential")]
    Gone,
}

/// The refresh under way for a credential, begun if there is none. None where the tokens are newer
/// than those that the caller has seen.
pub(crate) fn begin(
    inner: &Arc<Inner>,
    id: &CredentialId,
    seen_version: u64,
) -> Result<Option<Running>, RefreshFailed> {
    let mut state = inner.lock();
    let refresher = state.refresher.clone();
    let (credential, account) = state.of(id).ok_or(RefreshFailed::Gone)?;
    let of_tokens = credential.kind == CredentialKind::Oauth;
    if account.tokens.version > seen_version {
        return Ok(None);
    }
    if let Some(message) = &account.renewal.rejected {
        return Err(RefreshFailed::Rejected(message.clone()));
    }
    if let Some(running) = &account.renewal.running {
        return Ok(Some(running.clone()));
    }
    let refresher = refresher.ok_or(RefreshFailed::NotRefreshable)?;
    if !of_tokens {
        return Err(RefreshFailed::NotRefreshable);
    }
    let renewing = renew(Arc::clone(inner), refresher, id.clone());
    let running: Running = (Box::pin(renewing) as BoxFuture<'static, _>).shared();
    account.renewal.running = Some(running.clone());
    state.queue.set(id, None);
    drop(state);
    // The background drives it too, so that it ends even if every caller leaves.
    inner.background.begun(running.clone());
    Ok(Some(running))
}

async fn renew(
    inner: Arc<Inner>,
    refresher: Arc<dyn Refresher>,
    id: CredentialId,
) -> Result<(), RefreshFailed> {
    let result = attempt(&inner, &*refresher, &id).await;
    let now = inner.now();
    let note = {
        let mut state = inner.lock();
        let draw = state.draw();
        let Some(account) = state.accounts.get_mut(&id) else {
            return Err(RefreshFailed::Gone);
        };
        account.renewal.running = None;
        let note = noted(account, &result, now, draw);
        if let Err(RefreshFailed::Rejected(message)) = &result {
            let effects = state.pool.bar(id.as_str(), rejection(message), now);
            inner.take_effects(&mut state, effects.unwrap_or_default());
        }
        inner.schedule(&mut state, &id);
        inner.finish(state);
        note
    };
    inner.background.wake();
    match &note {
        RefreshNote::Renewed(_) => tracing::info!(credential = %id, "tokens renewed"),
        RefreshNote::Failed(why, _) => tracing::warn!(credential = %id, why, "refresh failed"),
        RefreshNote::Rejected(why) => {
            tracing::error!(credential = %id, why, "tokens cannot be renewed: log in anew");
        }
    }
    inner.tell(&id, now, What::Refreshed(note));
    result
}

async fn attempt(
    inner: &Arc<Inner>,
    refresher: &dyn Refresher,
    id: &CredentialId,
) -> Result<(), RefreshFailed> {
    let (job, seen, places) = {
        let mut state = inner.lock();
        let (credential, account) = state.of(id).ok_or(RefreshFailed::Gone)?;
        let job = RefreshJob {
            secrets: account.tokens.secrets.clone(),
            proxy: account.proxy.clone(),
            credential: Arc::clone(&credential),
        };
        let seen = account.tokens.version;
        (job, seen, state.refresh_places(&credential.provider))
    };
    // The semaphore is never closed.
    let _place = places.acquire().await;
    let patch = refresher.refresh(job).await?;
    let _saving = inner.saving.lock().await;
    let (tokens, record, expected) = {
        let state = inner.lock();
        let account = state.accounts.get(id).ok_or(RefreshFailed::Gone)?;
        let now = inner.now();
        let tokens = patched(account, seen, patch, now)?;
        let record = record(id, account, Some(&tokens), now);
        (tokens, record, account.record.version)
    };
    let version = keep(inner, record, expected).await?;
    let mut state = inner.lock();
    let account = state.accounts.get_mut(id).ok_or(RefreshFailed::Gone)?;
    account.record.version = version.or(account.record.version);
    if account.tokens.version != seen {
        return Err(changed_meanwhile());
    }
    account.record.renewed = true;
    account.tokens = Arc::new(tokens);
    let effects = state.pool.unbar(id.as_str()).unwrap_or_default();
    inner.take_effects(&mut state, effects);
    inner.finish(state);
    Ok(())
}

/// The account's tokens with the patch applied, unless they were changed since they were read.
fn patched(
    account: &Account,
    seen: u64,
    patch: TokenPatch,
    now: Timestamp,
) -> Result<Tokens, RefreshFailed> {
    if account.tokens.version != seen {
        return Err(changed_meanwhile());
    }
    let mut secrets = account.tokens.secrets.clone();
    secrets.extend(patch.secrets);
    Ok(Tokens {
        secrets,
        version: seen + 1,
        expires_at: patch.expires_at,
        refreshed_at: Some(now),
    })
}

fn changed_meanwhile() -> RefreshFailed {
    RefreshFailed::Failed("the operator changed its secrets meanwhile; theirs count".to_owned())
}

/// What the store is to have of an account, with these tokens where they are newer than its own.
pub(crate) fn record(
    id: &CredentialId,
    account: &Account,
    tokens: Option<&Tokens>,
    now: Timestamp,
) -> StoredCredential {
    let own = account.record.renewed.then_some(&*account.tokens);
    StoredCredential {
        id: id.clone(),
        enabled: account.record.enabled,
        tokens: tokens.or(own).map(|tokens| account.stored(tokens)),
        definition: account.record.definition.clone(),
        created_at: account.record.created_at,
        updated_at: now,
        version: 0,
    }
}

/// Saves tokens. The old ones may be void already, so a store that fails is asked again for a while,
/// and in the end the tokens are used though they are lost at the next start.
async fn keep(
    inner: &Arc<Inner>,
    record: StoredCredential,
    expected: Option<u64>,
) -> Result<Option<u64>, RefreshFailed> {
    let Some(store) = &inner.store else {
        return Ok(None);
    };
    for pause in STORE_PAUSES {
        match store.save(record.clone(), expected).await {
            Ok(version) => return Ok(Some(version)),
            Err(StoreError::Conflict) => {
                let what = "another process has changed the record of this credential in the store";
                return Err(RefreshFailed::Failed(what.to_owned()));
            }
            Err(StoreError::Failed(why)) => {
                tracing::error!(credential = %record.id, why, "renewed tokens cannot be saved yet");
                sleep(pause).await;
            }
        }
    }
    tracing::error!(credential = %record.id, "renewed tokens are not saved: a restart loses them");
    Ok(None)
}

/// How long a store that fails is left alone: a full disk or a lock held by a backup may pass, and
/// calls wait for these tokens.
const STORE_PAUSES: [Duration; 4] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(5),
];

/// Notes how a refresh ended.
fn noted(
    account: &mut Account,
    result: &Result<(), RefreshFailed>,
    now: Timestamp,
    draw: u64,
) -> RefreshNote {
    let renewal = &mut account.renewal;
    match result {
        Ok(()) => {
            renewal.failures = 0;
            renewal.not_before = None;
            RefreshNote::Renewed(account.tokens.expires_at)
        }
        Err(RefreshFailed::Rejected(message)) => {
            renewal.rejected = Some(message.clone());
            RefreshNote::Rejected(message.clone())
        }
        Err(other) => {
            renewal.failures = renewal.failures.saturating_add(1);
            let again = now + refresh_pause(renewal.failures, draw);
            renewal.not_before = Some(again);
            RefreshNote::Failed(other.to_string(), again)
        }
    }
}

fn rejection(message: &str) -> Cause {
    Cause::of(&Failure {
        scope: Scope::Credential,
        kind: kind::AUTHENTICATION.into(),
        status: None,
        message: format!("log in anew: {message}"),
        retry_after: None,
        refresh_suggested: false,
    })
}
