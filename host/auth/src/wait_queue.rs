//! Waiting for room: credentials and providers have caps on what is under way, and whoever comes to a
//! full pool waits in the order of arrival, for a bounded time, in a bounded queue.

use std::collections::BTreeMap;
use std::sync::Arc;

use jackfield_credential::CandidateQuery;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::state::Inner;

/// Who waits, in the order of arrival.
#[derive(Default)]
pub(crate) struct WaitQueue {
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: BTreeMap<u64, Waiter>,
    last_ticket: u64,
}

struct Waiter {
    name: Arc<str>,
    wake: oneshot::Sender<()>,
}

/// The right to choose next, among those who wait for the same model. Dropping it passes it on.
#[must_use = "dropped at once it is somebody else's turn"]
pub struct QueueSlot {
    inner: Arc<Inner>,
    ticket: u64,
}

/// Why there is no turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// So many wait already that one more would wait in vain.
    #[error("{WAITERS_MAX} calls wait for room already")]
    Full,
    /// The time is over.
    #[error("no room was free in time")]
    TimedOut,
}

/// Calls that wait at once. Each holds its body; beyond that it is better to be told early.
pub const WAITERS_MAX: usize = 1024;

impl WaitQueue {
    /// Whether somebody waits for this model already: whoever comes now comes after.
    pub(crate) fn has_queue(&self, name: &str) -> bool {
        let queue = self.queue.lock();
        queue.waiting.values().any(|waiter| &*waiter.name == name)
    }

    fn next_ticket(&self) -> u64 {
        let mut queue = self.queue.lock();
        queue.last_ticket += 1;
        queue.last_ticket
    }

    fn enqueue(&self, name: &Arc<str>, ticket: u64) -> Result<oneshot::Receiver<()>, QueueError> {
        let mut queue = self.queue.lock();
        if queue.waiting.len() >= WAITERS_MAX {
            return Err(QueueError::Full);
        }
        let (wake, woken) = oneshot::channel();
        let name = Arc::clone(name);
        queue.waiting.insert(ticket, Waiter { name, wake });
        Ok(woken)
    }

    fn dequeue(&self, ticket: u64) {
        self.queue.lock().waiting.remove(&ticket);
    }

    /// Calls the first whose model has a credential with room now.
    pub(crate) fn wake_next(&self, inner: &Inner) {
        let mut queue = self.queue.lock();
        if queue.waiting.is_empty() {
            return;
        }
        let now = inner.now();
        let mut state = inner.lock();
        let mut is_served = |name: &str| {
            state
                .pool
                .candidates(&CandidateQuery::first_round(name), now)
                .is_ok()
        };
        while let Some(ticket) = queue
            .waiting
            .iter()
            .find_map(|(ticket, waiter)| is_served(&waiter.name).then_some(*ticket))
        {
            let waiter = queue.waiting.remove(&ticket);
            // Who has gone meanwhile is passed over.
            if waiter.is_some_and(|waiter| waiter.wake.send(()).is_ok()) {
                return;
            }
        }
    }
}

/// Waits until it is this call's turn. `previous`: the one it had before and could not use, so that it
/// keeps its place.
pub(crate) async fn wait(
    inner: &Arc<Inner>,
    name: &Arc<str>,
    previous: Option<QueueSlot>,
    until: Instant,
) -> Result<QueueSlot, QueueError> {
    let slot = previous.unwrap_or_else(|| QueueSlot {
        ticket: inner.wait_queue.next_ticket(),
        inner: Arc::clone(inner),
    });
    let woken = inner.wait_queue.enqueue(name, slot.ticket)?;
    // Room may have become free between the look and the queue.
    inner.wait_queue.wake_next(inner);
    match timeout_at(until, woken).await {
        Ok(_) => Ok(slot),
        Err(_) => Err(QueueError::TimedOut),
    }
}

impl Drop for QueueSlot {
    fn drop(&mut self) {
        self.inner.wait_queue.dequeue(self.ticket);
        self.inner.wait_queue.wake_next(&self.inner);
    }
}
