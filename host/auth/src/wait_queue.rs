//! The queue of calls that wait for capacity. It knows queries and tickets only, and takes no other lock.

use std::collections::BTreeMap;

use jackfield_credential::{CandidateQuery, PriorFailure, Slot};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::limits::WAITERS_MAX;

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
    query: WaitingQuery,
    wake: oneshot::Sender<()>,
}

/// What a waiting call asks the pool for. Capacity that it may not use, such as that of a credential
/// that it has tried, must not wake it: it would wait again at once, for ever.
pub(crate) struct WaitingQuery {
    name: Box<str>,
    tried: Box<[Slot]>,
    failed: Box<[PriorFailure]>,
    /// The rest of the query, with an empty name and empty lists.
    rest: CandidateQuery<'static>,
}

impl WaitingQuery {
    pub(crate) fn new(query: &CandidateQuery<'_>) -> Self {
        Self {
            name: query.name.into(),
            tried: query.tried.into(),
            failed: query.failed.into(),
            rest: CandidateQuery {
                name: "",
                tried: &[],
                failed: &[],
                ..*query
            },
        }
    }

    fn query(&self) -> CandidateQuery<'_> {
        CandidateQuery {
            name: &self.name,
            tried: &self.tried,
            failed: &self.failed,
            ..self.rest
        }
    }
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

impl WaitQueue {
    /// True if calls are queued for this model; new calls queue behind them.
    pub(crate) fn has_queue(&self, model: &str) -> bool {
        let queue = self.queue.lock();
        let mut waiting = queue.waiting.values();
        waiting.any(|waiter| &*waiter.query.name == model)
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
        query: WaitingQuery,
        ticket: u64,
    ) -> Result<oneshot::Receiver<()>, QueueError> {
        let mut queue = self.queue.lock();
        if queue.waiting.len() >= WAITERS_MAX {
            return Err(QueueError::Full);
        }
        let (wake, woken) = oneshot::channel();
        queue.waiting.insert(ticket, Waiter { query, wake });
        Ok(woken)
    }

    /// Removes a call that no longer waits.
    pub(crate) fn dequeue(&self, ticket: u64) {
        self.queue.lock().waiting.remove(&ticket);
    }

    /// Wakes the first waiter for whose query there is free capacity.
    pub(crate) fn wake_first(&self, has_capacity: impl Fn(&CandidateQuery<'_>) -> bool) {
        let mut queue = self.queue.lock();
        while let Some(ticket) = queue
            .waiting
            .iter()
            .find_map(|(ticket, waiter)| has_capacity(&waiter.query.query()).then_some(*ticket))
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

    fn query(model: &str) -> WaitingQuery {
        WaitingQuery::new(&CandidateQuery::first_round(model))
    }

    #[test]
    fn wakes_first_waiter_whose_model_has_capacity() -> Result<(), QueueError> {
        let queue = WaitQueue::default();
        let mut first = queue.enqueue(query("gpt"), queue.next_ticket())?;
        let mut second = queue.enqueue(query("gemini"), queue.next_ticket())?;
        let mut third = queue.enqueue(query("gemini"), queue.next_ticket())?;
        queue.wake_first(|query| query.name == "gemini");
        assert!(first.try_recv().is_err() && third.try_recv().is_err());
        assert_eq!(second.try_recv(), Ok(()));
        assert!(queue.has_queue("gpt") && queue.has_queue("gemini"));
        Ok(())
    }

    #[test]
    fn skips_waiter_that_gave_up() -> Result<(), QueueError> {
        let queue = WaitQueue::default();
        drop(queue.enqueue(query("gpt"), queue.next_ticket())?);
        let mut second = queue.enqueue(query("gpt"), queue.next_ticket())?;
        queue.wake_first(|_| true);
        assert_eq!(second.try_recv(), Ok(()));
        assert!(!queue.has_queue("gpt"));
        Ok(())
    }
}
