//! Executors with an opinion on when tokens are renewed: they are asked when a refresh is due, and at
//! intervals. A question that is dropped is as if it had not been asked.

use std::sync::Arc;
use std::time::Duration;

use jackfield_credential::{CredentialId, Timestamp, evaluation_pause};

use crate::BoxFuture;
use crate::background::pause;
use crate::refresh::{RefreshQuestion, begin};
use crate::state::{Inner, State};

/// Whether an executor is asked before this refresh, which is due, begins. Then it is the first to be.
pub(crate) fn comes_first(state: &mut State, id: &CredentialId) -> bool {
    let refresher = state.refresher.clone();
    let (Some(refresher), Some((credential, account))) = (refresher, state.of(id)) else {
        return false;
    };
    if !refresher.evaluates(&credential.provider) {
        return false;
    }
    // The answer that is awaited puts it back into the queue.
    if !account.renewal.asking {
        state.questions.set(id, Some(Timestamp::default()));
    }
    true
}

/// The next question that is due, to be driven to its end; or how long until there is one.
pub(crate) fn ask_next(inner: &Arc<Inner>) -> Result<BoxFuture<'static, ()>, Option<Duration>> {
    loop {
        let now = inner.now();
        let mut state = inner.lock();
        let Some(id) = state.questions.take_due(now) else {
            let next = state.questions.next_at();
            return Err(next.map(|next| pause(Some(next), now)));
        };
        let refresher = state.refresher.clone();
        let (Some(refresher), Some((credential, account))) = (refresher, state.of(&id)) else {
            continue;
        };
        if !refresher.evaluates(&credential.provider) {
            // Its executor was replaced by one without an opinion.
            account.renewal.opinion = None;
            inner.schedule(&mut state, &id);
            inner.background.wake();
            continue;
        }
        account.renewal.asking = true;
        let asking = Asking {
            inner: Arc::clone(inner),
            id,
            life: account.life,
            version: account.tokens.version,
        };
        let question = RefreshQuestion {
            expires_at: account.tokens.expires_at,
            refreshed_at: account.tokens.refreshed_at,
            credential,
        };
        return Ok(Box::pin(async move {
            let opinion = refresher.should_refresh(question).await;
            asking.answered(opinion);
        }));
    }
}

/// One question under way.
struct Asking {
    inner: Arc<Inner>,
    id: CredentialId,
    life: u64,
    /// Of the tokens that it is about.
    version: u64,
}

impl Asking {
    /// Acts by the answer. It says nothing of tokens that came meanwhile.
    fn answered(&self, opinion: Option<bool>) {
        let now = self.inner.now();
        let mut state = self.inner.lock();
        let draw = state.draw();
        let refresher = state.refresher.clone();
        let (Some(refresher), Some((credential, account))) = (refresher, state.of(&self.id)) else {
            return;
        };
        if account.life != self.life || account.tokens.version != self.version {
            return;
        }
        account.renewal.opinion = opinion;
        account.renewal.ask_at = now + evaluation_pause(draw);
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

impl Drop for Asking {
    fn drop(&mut self) {
        let mut state = self.inner.lock();
        if let Some(account) = state.account(&self.id, self.life) {
            account.renewal.asking = false;
            self.inner.schedule(&mut state, &self.id);
        }
    }
}
