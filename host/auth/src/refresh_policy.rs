//! Executors with an opinion on when tokens are renewed: they are asked when a refresh is due, and at
//! intervals. A question that is dropped is as if it had not been asked.

use std::sync::Arc;
use std::time::Duration;

use jackfield_credential::{CredentialId, Timestamp, policy_check_interval};

use crate::BoxFuture;
use crate::background::pause;
use crate::refresh::{PolicyQuery, begin};
use crate::state::{Inner, State};

/// Whether an executor is asked before this refresh, which is due, begins. Then it is the first to be.
pub(crate) fn defers_to_policy(state: &mut State, id: &CredentialId) -> bool {
    let refresher = state.refresher.clone();
    let (Some(refresher), Some((credential, account))) = (refresher, state.of(id)) else {
        return false;
    };
    if !refresher.has_refresh_policy(&credential.provider) {
        return false;
    }
    // The answer that is awaited puts it back into the queue.
    if !account.refresh.checking {
        state.policy_checks.set(id, Some(Timestamp::default()));
    }
    true
}

/// The next question that is due, to be driven to its end; or how long until there is one.
pub(crate) fn next_check(inner: &Arc<Inner>) -> Result<BoxFuture<'static, ()>, Option<Duration>> {
    loop {
        let now = inner.now();
        let mut state = inner.lock();
        let Some(id) = state.policy_checks.take_due(now) else {
            let next = state.policy_checks.next_at();
            return Err(next.map(|next| pause(Some(next), now)));
        };
        let refresher = state.refresher.clone();
        let (Some(refresher), Some((credential, account))) = (refresher, state.of(&id)) else {
            continue;
        };
        if !refresher.has_refresh_policy(&credential.provider) {
            // Its executor was replaced by one without an opinion.
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

/// One question under way.
struct PolicyCheck {
    inner: Arc<Inner>,
    id: CredentialId,
    incarnation: u64,
    /// Of the tokens that it is about.
    version: u64,
}

impl PolicyCheck {
    /// Acts by the answer. It says nothing of tokens that came meanwhile.
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
        drop(state);
        if let Err(error) = begin(&self.inner, &self.id, self.version) {
            tracing::warn!(credential = %self.id, %error, "refresh not begun");
        }
    }
}

impl Drop for PolicyCheck {
    fn drop(&mut self) {
        let mut state = self.inner.lock();
        if let Some(account) = state.account(&self.id, self.incarnation) {
            account.refresh.checking = false;
            self.inner.schedule(&mut state, &self.id);
        }
    }
}
