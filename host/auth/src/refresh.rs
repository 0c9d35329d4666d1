//! Renewing tokens: once at a time for each credential, however many want it; durable before anybody
//! sees them; and as a patch, so that nothing recorded meanwhile is lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use jackfield_credential::{
    Cause, Credential, CredentialId, CredentialKind, Failure, ProviderName, Scope, Timestamp, kind,
    policy_check_interval, refresh_backoff,
};
use secrecy::SecretString;

use crate::account::{Account, Running, Tokens};
use crate::events::{EventKind, RefreshEvent};
use crate::state::Inner;
use crate::{BoxFuture, persistence};

/// Carries out refreshes: asks the provider for new tokens.
pub trait Refresher: Send + Sync {
    /// Asks for new tokens. It has a deadline of its own.
    fn refresh(&self, job: RefreshJob) -> BoxFuture<'_, Result<TokenPatch, RefreshError>>;

    /// How long before their end the executor of this provider wants tokens renewed.
    fn lead(&self, provider: &ProviderName) -> Option<Duration>;

    /// Whether the executor of this provider has an opinion of its own on when tokens are renewed.
    fn has_refresh_policy(&self, _provider: &ProviderName) -> bool {
        false
    }

    /// Asks the executor, if it has one, whether to renew now; none leaves it to interval and lead.
    /// It has a deadline of its own.
    fn should_refresh(&self, _query: PolicyQuery) -> BoxFuture<'_, Option<bool>> {
        Box::pin(async { None })
    }
}

/// What an executor is asked about. No secret is in it.
#[derive(Clone, Debug)]
pub struct PolicyQuery {
    /// Whose tokens.
    pub credential: Arc<Credential>,
    /// When the access token ends, where that is known.
    pub expires_at: Option<Timestamp>,
    /// When the tokens were last renewed, where that is known.
    pub refreshed_at: Option<Timestamp>,
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
pub enum RefreshError {
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
    NotFound,
}

/// The refresh under way for a credential, begun if there is none. None where the tokens are newer
/// than those that the caller has seen.
pub(crate) fn begin(
    inner: &Arc<Inner>,
    id: &CredentialId,
    seen_version: u64,
) -> Result<Option<Running>, RefreshError> {
    let mut state = inner.lock();
    let refresher = state.refresher.clone();
    let (credential, account) = state.of(id).ok_or(RefreshError::NotFound)?;
    let of_tokens = credential.kind == CredentialKind::Oauth;
    if account.tokens.version > seen_version {
        return Ok(None);
    }
    if let Some(message) = &account.refresh.rejected {
        return Err(RefreshError::Rejected(message.clone()));
    }
    if let Some(running) = &account.refresh.running {
        return Ok(Some(running.clone()));
    }
    let refresher = refresher.ok_or(RefreshError::NotRefreshable)?;
    if !of_tokens {
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
    // The background drives it too, so that it ends even if every caller leaves.
    inner.background.push_started(running.clone());
    Ok(Some(running))
}

async fn drive(
    inner: Arc<Inner>,
    refresher: Arc<dyn Refresher>,
    id: CredentialId,
    incarnation: u64,
) -> Result<(), RefreshError> {
    let result = run(&inner, &*refresher, &id, incarnation).await;
    let now = inner.now();
    let note = {
        let mut state = inner.lock();
        let jitter = state.next_random();
        // It may have been removed meanwhile, and another may have its id.
        let account = state
            .account(&id, incarnation)
            .ok_or(RefreshError::NotFound)?;
        account.refresh.running = None;
        let note = record_result(account, &result, now, jitter);
        if let Err(RefreshError::Rejected(message)) = &result {
            let effects = state.pool.bar(id.as_str(), rejection(message), now);
            inner.take_effects(&mut state, effects.unwrap_or_default());
        }
        state.finish_retiring(&id);
        inner.schedule(&mut state, &id);
        inner.finish(state);
        note
    };
    inner.background.wake();
    match &note {
        RefreshEvent::Refreshed(_) => tracing::info!(credential = %id, "tokens renewed"),
        RefreshEvent::Failed(why, _) => tracing::warn!(credential = %id, why, "refresh failed"),
        RefreshEvent::Rejected(why) => {
            tracing::error!(credential = %id, why, "tokens cannot be renewed: log in anew");
        }
    }
    inner.emit(&id, now, EventKind::Refresh(note));
    result
}

async fn run(
    inner: &Arc<Inner>,
    refresher: &dyn Refresher,
    id: &CredentialId,
    incarnation: u64,
) -> Result<(), RefreshError> {
    let (job, seen, permits) = {
        let mut state = inner.lock();
        state
            .account(id, incarnation)
            .ok_or(RefreshError::NotFound)?;
        let (credential, account) = state.of(id).ok_or(RefreshError::NotFound)?;
        let job = RefreshJob {
            secrets: account.tokens.secrets.clone(),
            proxy: account.proxy.clone(),
            credential: Arc::clone(&credential),
        };
        let seen = account.tokens.version;
        (job, seen, state.refresh_permits(&credential.provider))
    };
    // The semaphore is never closed.
    let _permit = permits.acquire().await;
    let patch = refresher.refresh(job).await?;
    let _saving = inner.save_lock.lock().await;
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
    let mut state = inner.lock();
    let account = state
        .account(id, incarnation)
        .ok_or(RefreshError::NotFound)?;
    account.record.version = version.or(account.record.version);
    if account.tokens.version != seen {
        return Err(changed_meanwhile());
    }
    account.record.refreshed = true;
    account.tokens = Arc::new(tokens);
    let effects = state.pool.unbar(id.as_str()).unwrap_or_default();
    inner.take_effects(&mut state, effects);
    inner.finish(state);
    Ok(())
}

/// The account's tokens with the patch applied, unless they were changed since they were read.
fn apply_patch(
    account: &Account,
    seen: u64,
    patch: TokenPatch,
    now: Timestamp,
) -> Result<Tokens, RefreshError> {
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

fn changed_meanwhile() -> RefreshError {
    RefreshError::Failed("the operator changed its secrets meanwhile; theirs count".to_owned())
}

/// Notes how a refresh ended.
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
            // An executor that always says yes has tokens renewed at this pace and no faster.
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
        message: format!("log in anew: {message}"),
        retry_after: None,
        refresh_suggested: false,
    })
}
