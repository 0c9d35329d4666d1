//! One refresh: a single one per credential at a time, saved before its tokens become visible, and
//! applied as a patch, so that it never overwrites what changed meanwhile.

use std::sync::Arc;

use futures_util::FutureExt;
use jackfield_credential::{
    Cause, CredentialId, CredentialKind, Failure, Scope, Timestamp, kind, policy_check_interval,
    refresh_backoff,
};
use tokio::sync::MutexGuard;

use crate::account::{Account, Running, Tokens};
use crate::events::{EventKind, RefreshEvent};
use crate::inner::Inner;
use crate::persistence;
use crate::port::{BoxFuture, RefreshError, RefreshJob, Refresher, TokenPatch};

/// Returns the refresh of a credential, and starts one if none is running. `None` if the tokens are
/// newer than `seen_version`, the version that the caller has used.
pub(crate) fn begin(
    inner: &Arc<Inner>,
    id: &CredentialId,
    seen_version: u64,
) -> Result<Option<Running>, RefreshError> {
    let mut state = inner.lock();
    let refresher = state.refresher.clone();
    let (credential, account) = state.of(id).ok_or(RefreshError::NotFound)?;
    if account.tokens.version > seen_version {
        return Ok(None);
    }
    // The provider would reject the same refresh token again. A reset or new secrets clear this.
    if let Some(message) = &account.refresh.rejected {
        return Err(RefreshError::Rejected(message.clone()));
    }
    if let Some(running) = &account.refresh.running {
        return Ok(Some(running.clone()));
    }
    let refresher = refresher.ok_or(RefreshError::NotRefreshable)?;
    if credential.kind != CredentialKind::Oauth {
        return Err(RefreshError::NotRefreshable);
    }
    let future = drive(
        Arc::clone(inner),
        refresher,
        id.clone(),
        account.incarnation,
    );
    let running: Running = (Box::pin(future) as BoxFuture<'static, _>).shared();
    account.refresh.running = Some(running.clone());
    state.queue.set(id, None);
    state.policy_checks.set(id, None);
    drop(state);
    // The background task polls it too, so that it ends even if all callers leave.
    inner.background.push_started(running.clone());
    Ok(Some(running))
}

/// Runs a refresh and records how it ended.
async fn drive(
    inner: Arc<Inner>,
    refresher: Arc<dyn Refresher>,
    id: CredentialId,
    incarnation: u64,
) -> Result<(), RefreshError> {
    let saved = fetch_and_save(&inner, &*refresher, &id, incarnation).await;
    let now = inner.now();
    let (result, event) = {
        let mut state = inner.lock();
        let jitter = state.next_random();
        // The credential may have been removed meanwhile, and another one may have its id now.
        let account = state
            .account(&id, incarnation)
            .ok_or(RefreshError::NotFound)?;
        let result = saved.and_then(|saved| publish(account, saved));
        // Cleared before `schedule`, because nothing is due while a refresh is running.
        account.refresh.running = None;
        let event = record_result(account, &result, now, jitter);
        let effects = match &result {
            Ok(()) => state.pool.unbar(id.as_str()),
            Err(RefreshError::Rejected(message)) => {
                state.pool.bar(id.as_str(), rejection(message), now)
            }
            Err(_) => None,
        };
        inner.take_effects(&mut state, effects.unwrap_or_default());
        state.finish_retiring(&id);
        inner.schedule(&mut state, &id);
        inner.finish(state);
        (result, event)
    };
    inner.background.wake();
    match &event {
        RefreshEvent::Refreshed(_) => tracing::info!(credential = %id, "tokens refreshed"),
        RefreshEvent::Failed(why, _) => tracing::warn!(credential = %id, why, "refresh failed"),
        RefreshEvent::Rejected(why) => {
            tracing::error!(credential = %id, why, "refresh rejected: log in again");
        }
    }
    inner.emit(&id, now, EventKind::Refresh(event));
    result
}

/// New tokens that the store has, or that it could not save in time.
struct Saved<'a> {
    tokens: Tokens,
    /// The version of the record in the store; `None` if it could not be saved.
    version: Option<u64>,
    /// Keeps other saves away until the account has the new tokens and the record's version.
    _saving: MutexGuard<'a, ()>,
}

/// Asks the provider for new tokens and saves them.
async fn fetch_and_save<'a>(
    inner: &'a Inner,
    refresher: &dyn Refresher,
    id: &CredentialId,
    incarnation: u64,
) -> Result<Saved<'a>, RefreshError> {
    let (job, seen, permits) = {
        let mut state = inner.lock();
        let found = state
            .of(id)
            .filter(|(_, account)| account.incarnation == incarnation);
        let (credential, account) = found.ok_or(RefreshError::NotFound)?;
        let job = RefreshJob {
            secrets: account.tokens.secrets.clone(),
            proxy: account.proxy.clone(),
            credential: Arc::clone(&credential),
        };
        let seen = account.tokens.version;
        (job, seen, state.refresh_permits(&credential.provider))
    };
    // An error would mean that the semaphore is closed, which never happens.
    let _permit = permits.acquire().await;
    let patch = refresher.refresh(job).await?;
    // Locked only now, so that a slow provider does not block the saves of other credentials.
    let saving = inner.save_lock.lock().await;
    let (tokens, record, expected) = {
        let mut state = inner.lock();
        let account = state
            .account(id, incarnation)
            .ok_or(RefreshError::NotFound)?;
        let now = inner.now();
        let tokens = apply_patch(account, seen, patch, now)?;
        let record = persistence::build_record(id, account, Some(&tokens), now);
        (tokens, record, account.record.version)
    };
    let version = persistence::save_with_retry(inner, record, expected).await;
    Ok(Saved {
        tokens,
        version,
        _saving: saving,
    })
}

/// Returns the account's tokens with the patch applied, unless they changed since they were read.
fn apply_patch(
    account: &Account,
    seen: u64,
    patch: TokenPatch,
    now: Timestamp,
) -> Result<Tokens, RefreshError> {
    if account.tokens.version != seen {
        return Err(secrets_changed());
    }
    let mut secrets = account.tokens.secrets.clone();
    // A response may omit the refresh token (RFC 6749, section 6). The old one then stays in use.
    secrets.extend(patch.secrets);
    Ok(Tokens {
        secrets,
        version: seen + 1,
        expires_at: patch.expires_at,
        refreshed_at: Some(now),
    })
}

/// Makes saved tokens visible, unless the operator changed the secrets while they were being saved.
fn publish(account: &mut Account, saved: Saved<'_>) -> Result<(), RefreshError> {
    // Set even if the tokens are discarded: the next save must expect the store's version.
    account.record.version = saved.version.or(account.record.version);
    if account.tokens.version + 1 != saved.tokens.version {
        return Err(secrets_changed());
    }
    account.record.refreshed = true;
    account.tokens = Arc::new(saved.tokens);
    Ok(())
}

fn secrets_changed() -> RefreshError {
    let message = "secrets were changed during the refresh; keeping the operator's";
    RefreshError::Failed(message.to_owned())
}

/// Updates the account's refresh state, and returns the event that reports the result.
fn record_result(
    account: &mut Account,
    result: &Result<(), RefreshError>,
    now: Timestamp,
    jitter: u64,
) -> RefreshEvent {
    let refresh_state = &mut account.refresh;
    match result {
        Ok(()) => {
            refresh_state.failures = 0;
            refresh_state.not_before = None;
            // An executor that always decides to refresh does so at this interval, not faster.
            refresh_state.policy_decision = None;
            refresh_state.check_at = now + policy_check_interval(jitter);
            RefreshEvent::Refreshed(account.tokens.expires_at)
        }
        Err(RefreshError::Rejected(message)) => {
            refresh_state.rejected = Some(message.clone());
            RefreshEvent::Rejected(message.clone())
        }
        Err(other) => {
            refresh_state.failures = refresh_state.failures.saturating_add(1);
            let again = now + refresh_backoff(refresh_state.failures, jitter);
            refresh_state.not_before = Some(again);
            RefreshEvent::Failed(other.to_string(), again)
        }
    }
}

fn rejection(message: &str) -> Cause {
    Cause::of(&Failure {
        scope: Scope::Credential,
        kind: kind::AUTHENTICATION.into(),
        status: None,
        message: format!("log in again: {message}"),
        retry_after: None,
        refresh_suggested: false,
        sent: true,
    })
}
