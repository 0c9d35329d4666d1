//! A call's place in the wait queue, released when it is dropped.

use std::sync::Arc;

use tokio::time::{Instant, timeout_at};

use crate::inner::Inner;
use crate::wait_queue::{QueueError, WaitingQuery};

/// The right to choose a credential next, among the calls that wait for the same model. Dropping it
/// passes the right on.
#[must_use = "dropping it at once gives the turn to the next call"]
pub struct QueueSlot {
    inner: Arc<Inner>,
    ticket: u64,
}

/// Waits until it is this call's turn. With `previous`, the slot of an earlier turn that the call
/// could not use, it keeps its place in the queue.
pub(crate) async fn wait(
    inner: &Arc<Inner>,
    query: WaitingQuery,
    previous: Option<QueueSlot>,
    until: Instant,
) -> Result<QueueSlot, QueueError> {
    let slot = previous.unwrap_or_else(|| QueueSlot {
        ticket: inner.wait_queue.next_ticket(),
        inner: Arc::clone(inner),
    });
    let woken = inner.wait_queue.enqueue(query, slot.ticket)?;
    // Capacity may have become free after the caller found none and before it was queued.
    inner.wake_first_waiter();
    match timeout_at(until, woken).await {
        Ok(_) => Ok(slot),
        Err(_) => Err(QueueError::TimedOut),
    }
}

impl Drop for QueueSlot {
    fn drop(&mut self) {
        self.inner.wait_queue.dequeue(self.ticket);
        self.inner.wake_first_waiter();
    }
}
