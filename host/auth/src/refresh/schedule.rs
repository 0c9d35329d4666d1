//! The background loop that begins refreshes and policy checks when they are due.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jackfield_credential::Timestamp;
use tokio::time::sleep;

use super::policy;
use super::run::begin;
use crate::account::Trigger;
use crate::inner::Inner;
use crate::limits::POLICY_CHECKS_MAX;
use crate::port::RefreshError;

/// Begins what is due, and drives all refreshes and policy checks to their end. Never returns.
pub(crate) async fn run_scheduled(inner: &Arc<Inner>) {
    let background = &inner.background;
    let mut running = FuturesUnordered::new();
    let mut checks = FuturesUnordered::new();
    loop {
        running.extend(background.take_started());
        let mut next = begin_due(inner);
        while checks.len() < POLICY_CHECKS_MAX {
            match policy::next_check(inner) {
                Ok(check) => checks.push(check),
                Err(due_at) => {
                    next = next.min(until(due_at, inner.now()));
                    break;
                }
            }
        }
        tokio::select! {
            // `biased` polls in this order, so that the same events have the same effects. No branch
            // starves: each round of the loop looks at everything.
            biased;
            () = background.refreshes.notified() => {}
            Some(_) = running.next() => {}
            Some(()) = checks.next() => {}
            () = sleep(next) => {}
        }
    }
}

/// Begins all refreshes that are due, except those that wait for an executor's decision. Returns the
/// time until the next is due.
fn begin_due(inner: &Arc<Inner>) -> Duration {
    loop {
        let now = inner.now();
        let (id, seen) = {
            let mut state = inner.lock();
            let Some(id) = state.queue.take_due(now) else {
                return until(state.queue.next_at(), now);
            };
            if policy::defers_to_policy(&mut state, &id) {
                continue;
            }
            let account = state.accounts.get(&id);
            let seen = account.map_or(0, |account| account.tokens.version);
            (id, seen)
        };
        match begin(inner, &id, seen, Trigger::Due) {
            // Logged when it was rejected. Now its access token has ended too.
            Ok(_) | Err(RefreshError::Rejected(_)) => {}
            Err(error) => tracing::warn!(credential = %id, %error, "refresh not started"),
        }
    }
}

fn until(due_at: Option<Timestamp>, now: Timestamp) -> Duration {
    due_at.map_or(IDLE, |due_at| due_at.saturating_since(now).min(IDLE))
}

/// The longest sleep. Timestamps and timers follow different clocks, so the queue is looked at again.
const IDLE: Duration = Duration::from_secs(60);
