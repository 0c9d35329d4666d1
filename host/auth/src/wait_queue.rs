//! The queue of calls that wait for capacity. It knows models and tickets only, and takes no other lock.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// The waiting calls, in order of arrival.
#[derive(Default)]
pub(crate) struct WaitQueue {
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    /// By ticket. Tickets count up, so this is the order of arrival.
    waiting: BTreeMap<u64, Waiter>,
    last_ticket: u64,
}

struct Waiter {
    model: Arc<str>,
    wake: oneshot::Sender<()>,
}

/// Why a call did not get its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// The queue has no place for another call.
    #[error("the wait queue is full ({WAITERS_MAX} calls)")]
    Full,
    /// No capacity became free before the deadline.
    #[error("no capacity became free in time")]
    TimedOut,
}

/// Calls in the queue. Each holds its request body in memory; one more is better rejected at once.
pub const WAITERS_MAX: usize = 1024;

impl WaitQueue {
    /// True if calls are queued for this model; new calls queue behind them.
    pub(crate) fn has_queue(&self, model: &str) -> bool {
        let queue = self.queue.lock();
        queue.waiting.values().any(|waiter| &*waiter.model == model)
    }

    /// Returns a ticket for the end of the queue.
    pub(crate) fn next_ticket(&self) -> u64 {
        let mut queue = self.queue.lock();
        queue.last_ticket += 1;
        queue.last_ticket
    }

    /// Adds a call at the place of its ticket. The receiver resolves when it is the call's turn.
    pub(crate) fn enqueue(
        &self,
        model: &Arc<str>,
        ticket: u64,
    ) -> Result<oneshot::Receiver<()>, QueueError> {
        let mut queue = self.queue.lock();
        if queue.waiting.len() >= WAITERS_MAX {
            return Err(QueueError::Full);
        }
        let (wake, woken) = oneshot::channel();
        let model = Arc::clone(model);
        queue.waiting.insert(ticket, Waiter { model, wake });
        Ok(woken)
    }

    /// Removes a call that no longer waits.
    pub(crate) fn dequeue(&self, ticket: u64) {
        self.queue.lock().waiting.remove(&ticket);
    }

    /// Wakes the first waiter whose model has free capacity.
    pub(crate) fn wake_first(&self, has_capacity: impl Fn(&str) -> bool) {
        let mut queue = self.queue.lock();
        while let Some(ticket) = queue
            .waiting
            .iter()
            .find_map(|(ticket, waiter)| has_capacity(&waiter.model).then_some(*ticket))
        {
            let waiter = queue.waiting.remove(&ticket);
            // A send fails if the call has given up: then the next one gets the turn.
            if waiter.is_some_and(|waiter| waiter.wake.send(()).is_ok()) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wakes_first_waiter_whose_model_has_capacity() -> Result<(), QueueError> {
        let queue = WaitQueue::default();
        let [gpt, gemini] = ["gpt", "gemini"].map(Arc::from);
        let mut first = queue.enqueue(&gpt, queue.next_ticket())?;
        let mut second = queue.enqueue(&gemini, queue.next_ticket())?;
        let mut third = queue.enqueue(&gemini, queue.next_ticket())?;
        queue.wake_first(|model| model == "gemini");
        assert!(first.try_recv().is_err() && third.try_recv().is_err());
        assert_eq!(second.try_recv(), Ok(()));
        assert!(queue.has_queue("gpt") && queue.has_queue("gemini"));
        Ok(())
    }

    #[test]
    fn skips_waiter_that_gave_up() -> Result<(), QueueError> {
        let queue = WaitQueue::default();
        let model = Arc::from("gpt");
        drop(queue.enqueue(&model, queue.next_ticket())?);
        let mut second = queue.enqueue(&model, queue.next_ticket())?;
        queue.wake_first(|_| true);
        assert_eq!(second.try_recv(), Ok(()));
        assert!(!queue.has_queue("gpt"));
        Ok(())
    }
}
