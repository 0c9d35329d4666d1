//! Executors that decide themselves when to refresh. They are asked before a refresh that is due, and
//! at intervals. A check that is dropped leaves no trace: it runs again later.

use std::sync::Arc;

use jackfield_credential::{CredentialId, Timestamp, policy_check_interval};

use super::run::begin;
use crate::account::Trigger;
use crate::inner::Inner;
use crate::port::{BoxFuture, PolicyQuery};
use crate::state::State;

/// True if this refresh, which is due, has to wait for the executor's decision. The check is then
/// scheduled before all others.
pub(super) fn defers_to_policy(state: &mut State, id: &CredentialId) -> bool {
    let refresher = state.refresher.clone();
    let (Some(refresher), Some((credential, account))) = (refresher, state.of(id)) else {
        return false;
    };
    if !refresher.has_refresh_policy(&credential.provider) {
        return false;
    }
    // A check that is running schedules the credential again when it ends.
    if !account.refresh.checking {
        state.policy_checks.set(id, Some(Timestamp::default()));
    }
    true
}

/// Starts the next policy check that is due. Without one, the error is when the next is due.
pub(super) fn next_check(inner: &Arc<Inner>) -> Result<BoxFuture<'static, ()>, Option<Timestamp>> {
    loop {
        let now = inner.now();
        let mut state = inner.lock();
        let Some(id) = state.policy_checks.take_due(now) else {
            return Err(state.policy_checks.next_at());
        };
        let refresher = state.refresher.clone();
        let (Some(refresher), Some((credential, account))) = (refresher, state.of(&id)) else {
            continue;
        };
        if !refresher.has_refresh_policy(&credential.provider) {
            // The executor was replaced by one without a policy: interval and lead apply again.
            account.refresh.policy_decision = None;
            inner.schedule(&mut state, &id);
            inner.background.wake();
            continue;
        }
        account.refresh.checking = true;
        let check = PolicyCheck {
            inner: Arc::clone(inner),
            id,
            incarnation: account.incarnation,
            version: account.tokens.version,
        };
        let query = PolicyQuery {
            expires_at: account.tokens.expires_at,
            refreshed_at: account.tokens.refreshed_at,
            credential,
        };
        return Ok(Box::pin(async move {
            let decision = refresher.should_refresh(query).await;
            check.apply(decision);
        }));
    }
}

/// A policy check that is running.
struct PolicyCheck {
    inner: Arc<Inner>,
    id: CredentialId,
    incarnation: u64,
    /// The version of the tokens that the executor is asked about.
    version: u64,
}

impl PolicyCheck {
    /// Records the decision, and begins the refresh if it is due by now. A decision about tokens that
    /// have been replaced meanwhile is ignored.
    fn apply(&self, decision: Option<bool>) {
        let now = self.inner.now();
        let mut state = self.inner.lock();
        let jitter = state.next_random();
        let refresher = state.refresher.clone();
        let (Some(refresher), Some((credential, account))) = (refresher, state.of(&self.id)) else {
            return;
        };
        if account.incarnation != self.incarnation || account.tokens.version != self.version {
            return;
        }
        account.refresh.policy_decision = decision;
        account.refresh.check_at = now + policy_check_interval(jitter);
        let due = account.due(&credential, &*refresher).refresh;
        if due.is_none_or(|due| due > now) {
            return;
        }
        // `begin` takes the lock, which is not reentrant.
        drop(state);
        if let Err(error) = begin(&self.inner, &self.id, self.version, Trigger::Due) {
            tracing::warn!(credential = %self.id, %error, "refresh not started");
        }
    }
}

impl Drop for PolicyCheck {
    fn drop(&mut self) {
        let mut state = self.inner.lock();
        if let Some(account) = state.account(&self.id, self.incarnation) {
            // This also runs for a cancelled check. A flag left set would block all later checks.
            account.refresh.checking = false;
            self.inner.schedule(&mut state, &self.id);
        }
    }
}
