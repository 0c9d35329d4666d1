//! Waiting for room: credentials and providers have caps on what is under way, and whoever comes to a
//! full pool waits in the order of arrival, for a bounded time, in a bounded queue.

use std::collections::BTreeMap;
use std::sync::Arc;

use jackfield_credential::Ask;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::state::Inner;

/// Who waits, in the order of arrival.
#[derive(Default)]
pub(crate) struct Room {
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: BTreeMap<u64, Waiter>,
    tickets: u64,
}

struct Waiter {
    name: Arc<str>,
    call: oneshot::Sender<()>,
}

/// The right to choose next, among those who wait for the same model. Dropping it passes it on.
#[must_use = "dropped at once it is somebody else's turn"]
pub struct Turn {
    inner: Arc<Inner>,
    ticket: u64,
}

/// Why there is no turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// So many wait already that one more would wait in vain.
    #[error("{WAITERS_MAX} calls wait for room already")]
    TooMany,
    /// The time is over.
    #[error("no room was free in time")]
    TooLate,
}

/// Calls that wait at once. Each holds its body; beyond that it is better to be told early.
pub const WAITERS_MAX: usize = 1024;

impl Room {
    /// Whether somebody waits for this model already: whoever comes now comes after.
    pub(crate) fn has_queue(&self, name: &str) -> bool {
        let queue = self.queue.lock();
        queue.waiting.values().any(|waiter| &*waiter.name == name)
    }

    fn ticket(&self) -> u64 {
        let mut queue = self.queue.lock();
        queue.tickets += 1;
        queue.tickets
    }

    fn enter(&self, name: &Arc<str>, ticket: u64) -> Result<oneshot::Receiver<()>, NoRoom> {
        let mut queue = self.queue.lock();
        if queue.waiting.len() >= WAITERS_MAX {
            return Err(NoRoom::TooMany);
        }
        let (call, called) = oneshot::channel();
        let name = Arc::clone(name);
        queue.waiting.insert(ticket, Waiter { name, call });
        Ok(called)
    }

    fn leave(&self, ticket: u64) {
        self.queue.lock().waiting.remove(&ticket);
    }

    /// Calls the first whose model has a credential with room now.
    pub(crate) fn call_next(&self, inner: &Inner) {
        let mut queue = self.queue.lock();
        if queue.waiting.is_empty() {
            return;
        }
        let now = inner.now();
        let mut state = inner.lock();
        let mut served = |name: &str| state.pool.candidates(&Ask::first(name), now).is_ok();
        while let Some(ticket) = queue
            .waiting
            .iter()
            .find_map(|(ticket, waiter)| served(&waiter.name).then_some(*ticket))
        {
            let waiter = queue.waiting.remove(&ticket);
            // Who has gone meanwhile is passed over.
            if waiter.is_some_and(|waiter| waiter.call.send(()).is_ok()) {
                return;
            }
        }
    }
}

/// Waits until it is this call's turn. `turn`: the one it had before and could not use, so that it
/// keeps its place.
pub(crate) async fn wait(
    inner: &Arc<Inner>,
    name: &Arc<str>,
    turn: Option<Turn>,
    until: Instant,
) -> Result<Turn, NoRoom> {
    let place = turn.unwrap_or_else(|| Turn {
        ticket: inner.room.ticket(),
        inner: Arc::clone(inner),
    });
    let called = inner.room.enter(name, place.ticket)?;
    // Room may have become free between the look and the queue.
    inner.room.call_next(inner);
    match timeout_at(until, called).await {
        Ok(_) => Ok(place),
        Err(_) => Err(NoRoom::TooLate),
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.inner.room.leave(self.ticket);
        self.inner.room.call_next(&self.inner);
    }
}
