//! What goes on by itself: refreshes when they are due, and health on its way to the store.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jackfield_credential::{HealthRecord, Timestamp};
use tokio::time::{sleep, timeout};

use crate::refresh::begin;
use crate::state::Inner;
use crate::{AuthManager, StoreError, persistence, refresh_policy};

impl AuthManager {
    /// Renews tokens when that is due, drives the refreshes that calls have begun, and saves health.
    /// It never ends; drop it to stop, and then [`flush`](Self::flush).
    pub async fn run(&self) {
        tokio::join!(self.refresh_when_due(), self.save_when_changed());
    }

    /// Saves what the store does not have yet: health, and records that could not be saved before.
    ///
    /// # Errors
    /// The store's; nothing is lost, and it can be tried again.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let Some(store) = &self.inner.store else {
            return Ok(());
        };
        for id in self.inner.unsaved() {
            persistence::save(&self.inner, &id).await?;
        }
        let mut taken = DirtyBatch::of(&self.inner);
        if !taken.records.is_empty() {
            store.save_health(taken.records.clone()).await?;
            taken.records.clear();
        }
        Ok(())
    }

    async fn refresh_when_due(&self) {
        let background = &self.inner.background;
        let mut running = FuturesUnordered::new();
        let mut checks = FuturesUnordered::new();
        loop {
            running.extend(background.take_started());
            let mut next = self.begin_due();
            while checks.len() < POLICY_CHECKS_MAX {
                match refresh_policy::next_check(&self.inner) {
                    Ok(check) => checks.push(check),
                    Err(pause) => {
                        next = next.min(pause.unwrap_or(IDLE));
                        break;
                    }
                }
            }
            tokio::select! {
                // Each round looks at everything, so none is left waiting; and the same events have
                // the same effects.
                biased;
                () = background.refreshes.notified() => {}
                Some(_) = running.next() => {}
                Some(()) = checks.next() => {}
                () = sleep(next) => {}
            }
        }
    }

    /// Begins what is due; answers how long until the next is. Where the executor has an opinion, it
    /// is asked instead.
    fn begin_due(&self) -> Duration {
        loop {
            let now = self.inner.now();
            let (id, seen) = {
                let mut state = self.inner.lock();
                let Some(id) = state.queue.take_due(now) else {
                    return pause(state.queue.next_at(), now);
                };
                if refresh_policy::defers_to_policy(&mut state, &id) {
                    continue;
                }
                let account = state.accounts.get(&id);
                let seen = account.map_or(0, |account| account.tokens.version);
                (id, seen)
            };
            if let Err(error) = begin(&self.inner, &id, seen) {
                tracing::warn!(credential = %id, %error, "refresh not begun");
            }
        }
    }

    async fn save_when_changed(&self) {
        let mut pause = WRITE_PAUSE;
        loop {
            if !self.inner.is_dirty() {
                self.inner.background.writes.notified().await;
            }
            // What changes in the meantime goes along.
            sleep(pause).await;
            pause = match timeout(WRITE_MAX, self.flush()).await {
                Ok(Ok(())) => WRITE_PAUSE,
                Ok(Err(error)) => {
                    tracing::error!(%error, "changes cannot be saved; it will be tried again");
                    (pause * 2).min(WRITE_PAUSE_MAX)
                }
                Err(_) => {
                    tracing::error!(after = ?WRITE_MAX, "the store does not answer");
                    (pause * 2).min(WRITE_PAUSE_MAX)
                }
            };
        }
    }
}

/// Health on its way to the store. It is given back where it did not get there, also when nobody
/// waits any more.
struct DirtyBatch<'a> {
    inner: &'a Inner,
    records: Vec<HealthRecord>,
}

impl<'a> DirtyBatch<'a> {
    fn of(inner: &'a Inner) -> Self {
        let records = inner.take_dirty();
        Self { inner, records }
    }
}

impl Drop for DirtyBatch<'_> {
    fn drop(&mut self) {
        self.inner.restore_dirty(std::mem::take(&mut self.records));
    }
}

pub(crate) fn pause(next: Option<Timestamp>, now: Timestamp) -> Duration {
    next.map_or(IDLE, |next| next.saturating_since(now))
        .min(IDLE)
}

/// How many executors are asked at once whether to renew: each takes microseconds, so that four pass
/// thousands a second, and one plugin that hangs leaves the processor to others.
const POLICY_CHECKS_MAX: usize = 4;

/// A wall clock may be set, and sleeping by another clock: so the queue is looked at again.
const IDLE: Duration = Duration::from_secs(60);

/// How long changes of health are gathered: with a write of a few milliseconds, less than a second
/// of it can be lost.
const WRITE_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause while the store fails.
const WRITE_PAUSE_MAX: Duration = Duration::from_secs(30);

/// How long one write may take.
const WRITE_MAX: Duration = Duration::from_secs(30);
