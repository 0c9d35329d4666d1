//! Renewing tokens: once at a time for each credential, however many want it; durable before anybody
//! sees them; and as a patch, so that nothing recorded meanwhile is lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use jackfield_credential::{
    Cause, Credential, CredentialId, CredentialKind, Failure, ProviderName, Scope, Timestamp,
    evaluation_pause, kind, refresh_pause,
};
use secrecy::SecretString;

use crate::account::{Account, Running, Tokens};
use crate::hook::{RefreshNote, What};
use crate::state::Inner;
use crate::{BoxFuture, kept};

/// Carries out refreshes: asks the provider for new tokens.
pub trait Refresher: Send + Sync {
    /// Asks for new tokens. It has a deadline of its own.
    fn refresh(&self, job: RefreshJob) -> BoxFuture<'_, Result<TokenPatch, RefreshFailed>>;

    /// How long before their end the executor of this provider wants tokens renewed.
    fn lead(&self, provider: &ProviderName) -> Option<Duration>;

    /// Whether the executor of this provider has an opinion of its own on when tokens are renewed.
    fn evaluates(&self, _provider: &ProviderName) -> bool {
        false
    }

    /// Asks the executor, if it has one, whether to renew now; none leaves it to interval and lead.
    /// It has a deadline of its own.
    fn should_refresh(&self, _question: RefreshQuestion) -> BoxFuture<'_, Option<bool>> {
        Box::pin(async { None })
    }
}

/// What an executor is asked about. No secret is in it.
#[derive(Clone, Debug)]
pub struct RefreshQuestion {
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
    let renewing = renew(Arc::clone(inner), refresher, id.clone(), account.life);
    let running: Running = (Box::pin(renewing) as BoxFuture<'static, _>).shared();
    account.renewal.running = Some(running.clone());
    state.queue.set(id, None);
    state.questions.set(id, None);
    drop(state);
    // The background drives it too, so that it ends even if every caller leaves.
    inner.background.begun(running.clone());
    Ok(Some(running))
}

async fn renew(
    inner: Arc<Inner>,
    refresher: Arc<dyn Refresher>,
    id: CredentialId,
    life: u64,
) -> Result<(), RefreshFailed> {
    let result = attempt(&inner, &*refresher, &id, life).await;
    let now = inner.now();
    let note = {
        let mut state = inner.lock();
        let draw = state.draw();
        // It may have been removed meanwhile, and another may have its id.
        let account = state.account(&id, life).ok_or(RefreshFailed::Gone)?;
        account.renewal.running = None;
        let note = noted(account, &result, now, draw);
        if let Err(RefreshFailed::Rejected(message)) = &result {
            let effects = state.pool.bar(id.as_str(), rejection(message), now);
            inner.take_effects(&mut state, effects.unwrap_or_default());
        }
        state.parted(&id);
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
    life: u64,
) -> Result<(), RefreshFailed> {
    let (job, seen, places) = {
        let mut state = inner.lock();
        state.account(id, life).ok_or(RefreshFailed::Gone)?;
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
        let mut state = inner.lock();
        let account = state.account(id, life).ok_or(RefreshFailed::Gone)?;
        let now = inner.now();
        let tokens = patched(account, seen, patch, now)?;
        let record = kept::record(id, account, Some(&tokens), now);
        (tokens, record, account.record.version)
    };
    let version = kept::insist(inner, record, expected).await;
    let mut state = inner.lock();
    let account = state.account(id, life).ok_or(RefreshFailed::Gone)?;
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
            // An executor that always says yes has tokens renewed at this pace and no faster.
            renewal.opinion = None;
            renewal.ask_at = now + evaluation_pause(draw);
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
