//! One refresh: a single one per credential at a time, saved before its tokens become visible, and
//! applied as a patch, so that it never overwrites what changed meanwhile.

use std::sync::Arc;

use futures_util::FutureExt;
use jackfield_credential::{
    Cause, CredentialId, CredentialKind, Failure, Renewal, Scope, Timestamp, kind,
    policy_check_interval, refresh_backoff,
};
use tokio::sync::MutexGuard;

use crate::account::{Account, Running, Tokens, Trigger};
use crate::events::{EventKind, RefreshEvent};
use crate::inner::Inner;
use crate::persistence;
use crate::port::{BoxFuture, RefreshError, RefreshFailure, RefreshJob, Refresher, TokenPatch};
use crate::state::State;

/// Returns the refresh of a credential, and starts one if none is running. `None` if the tokens are
/// newer than `seen_version`, the version that the caller has used.
pub(crate) fn begin(
    inner: &Arc<Inner>,
    id: &CredentialId,
    seen_version: u64,
    trigger: Trigger,
) -> Result<Option<Running>, RefreshError> {
    let now = inner.now();
    let mut state = inner.lock();
    let refresher = state.refresher.clone();
    let (credential, account) = state.of(id).ok_or(RefreshError::NotFound)?;
    if account.tokens.version > seen_version {
        return Ok(None);
    }
    let version = Some(account.tokens.version);
    match trigger {
        Trigger::Due => {}
        Trigger::TokenRejected => account.refresh.rejected_tokens = version,
        Trigger::TokenExpired => account.refresh.expired_tokens = version,
    }
    // The provider would reject the same refresh token again. A reset or new secrets clear this.
    if let Some(rejection) = account.refresh.rejected.clone() {
        bar_if_unusable(inner, &mut state, id, now);
        inner.schedule(&mut state, id);
        inner.finish(state);
        return Err(RefreshError::Rejected(rejection));
    }
    if let Some(running) = &account.refresh.running {
        return Ok(Some(running.clone()));
    }
    let refresher = refresher.ok_or(RefreshError::NotRefreshable)?;
    if credential.kind != CredentialKind::Oauth {
        return Err(RefreshError::NotRefreshable);
    }
    if let Err(postponed) = account.refresh.check_allowed(trigger, now) {
        // A rejected token is refreshed as soon as that is allowed, whether or not calls ask again.
        inner.schedule(&mut state, id);
        drop(state);
        inner.background.wake();
        return Err(postponed);
    }
    account.refresh.began_at = Some(now);
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
        let on_demand = account.is_rejected();
        let result = saved.and_then(|saved| publish(account, saved));
        // Cleared before `schedule`, because nothing is due while a refresh is running.
        account.refresh.running = None;
        if on_demand && result.is_ok() {
            account.refresh.on_demand.record(now);
        }
        let event = record_result(account, &result, now, jitter);
        if result.is_ok() {
            state.update_secret_fields(std::slice::from_ref(&id));
            inner.renew(&mut state, &id, Renewal::SameAccount);
        } else {
            bar_if_unusable(&inner, &mut state, &id, now);
        }
        state.finish_retiring(&id);
        inner.schedule(&mut state, &id);
        inner.finish(state);
        (result, event)
    };
    inner.background.wake();
    match &event {
        RefreshEvent::Refreshed(_) => tracing::info!(credential = %id, "tokens refreshed"),
        RefreshEvent::Failed(why, _) => tracing::warn!(credential = %id, %why, "refresh failed"),
        RefreshEvent::Rejected(why) => {
            tracing::error!(credential = %id, %why, "refresh rejected: log in again");
        }
    }
    inner.emit(&id, now, EventKind::Refresh(event));
    result
}

/// Bars a credential whose refresh token was rejected, once its access token is unusable too. Until
/// then it serves on.
fn bar_if_unusable(inner: &Inner, state: &mut State, id: &CredentialId, now: Timestamp) {
    let Some(account) = state.accounts.get_mut(id) else {
        return;
    };
    let Some(rejection) = &account.refresh.rejected else {
        return;
    };
    if account.refresh.barred || !account.is_unusable(now) {
        return;
    }
    let cause = cause_of(rejection);
    account.refresh.barred = true;
    let effects = state.pool.bar(id.as_str(), cause, now);
    inner.take_effects(state, effects.unwrap_or_default());
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
    let patch = refresher.refresh(job).await;
    let patch = patch.map_err(|error| current_error(inner, id, incarnation, seen, error))?;
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
        // An end that has passed is no end: the provider's clock is wrong, or zero means unknown.
        expires_at: patch.expires_at.filter(|end| *end > now),
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

/// Returns the error of a refresh. If the operator changed the secrets meanwhile, a rejection is one of
/// the old refresh token.
fn current_error(
    inner: &Inner,
    id: &CredentialId,
    incarnation: u64,
    seen: u64,
    error: RefreshError,
) -> RefreshError {
    let mut state = inner.lock();
    match state.account(id, incarnation) {
        Some(account) if account.tokens.version != seen => secrets_changed(),
        _ => error,
    }
}

fn secrets_changed() -> RefreshError {
    RefreshError::Failed("secrets were changed during the refresh; keeping the operator's".into())
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
            refresh_state.last_failure = None;
            // An executor that always decides to refresh does so at this interval, not faster.
            refresh_state.policy_decision = None;
            refresh_state.check_at = now + policy_check_interval(jitter);
            RefreshEvent::Refreshed(account.tokens.expires_at)
        }
        Err(RefreshError::Rejected(rejection)) => {
            refresh_state.last_failure = Some((now, rejection.clone()));
            refresh_state.rejected = Some(rejection.clone());
            RefreshEvent::Rejected(rejection.clone())
        }
        Err(other) => {
            let failure = match other {
                RefreshError::Failed(failure) => failure.clone(),
                other => RefreshFailure::from(other.to_string()),
            };
            refresh_state.failures = refresh_state.failures.saturating_add(1);
            let again = now + refresh_backoff(refresh_state.failures, jitter);
            refresh_state.not_before = Some(again);
            refresh_state.last_failure = Some((now, failure.clone()));
            RefreshEvent::Failed(failure, again)
        }
    }
}

fn cause_of(rejection: &RefreshFailure) -> Cause {
    Cause::of(&Failure {
        scope: Scope::Credential,
        kind: kind::AUTHENTICATION.into(),
        status: rejection.status,
        message: format!("log in again: {}", rejection.message),
        retry_after: None,
        refresh_suggested: false,
        sent: true,
    })
}
