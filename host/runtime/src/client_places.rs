//! The places of each client among the slow calls of a plugin. Without them, the calls of one client would take all
//! places of the plugin, and each would run so slowly that its fault is known only after seconds.

use std::collections::HashMap;
use std::sync::Arc;

use jackfield_dispatch::ClientDigest;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places by client. A client has an entry while it has a slow call, or waits for a place; the number of both is limited.
#[derive(Debug)]
pub(crate) struct ClientPlaces {
    by_client: Mutex<HashMap<ClientDigest, Arc<Semaphore>>>,
    each: usize,
}

/// One place of a client, or its wait for one. Dropping it gives the place back.
#[derive(Debug)]
pub(crate) struct ClientPlace {
    places: Arc<ClientPlaces>,
    client: ClientDigest,
    /// `None` only while it is dropped.
    semaphore: Option<Arc<Semaphore>>,
    permit: Option<OwnedSemaphorePermit>,
}

impl ClientPlaces {
    /// Gives each client this many places.
    pub(crate) fn new(each: usize) -> Self {
        Self {
            by_client: Mutex::default(),
            each,
        }
    }

    /// Waits for a place.
    pub(crate) async fn acquire(self: &Arc<Self>, client: ClientDigest) -> ClientPlace {
        let semaphore = {
            let mut by_client = self.by_client.lock();
            let new = || Arc::new(Semaphore::new(self.each));
            Arc::clone(by_client.entry(client).or_insert_with(new))
        };
        // Made first: its drop removes the entry if this wait is given up.
        let mut place = ClientPlace {
            places: Arc::clone(self),
            client,
            semaphore: Some(Arc::clone(&semaphore)),
            permit: None,
        };
        // An error would mean a closed semaphore, but these are never closed.
        place.permit = semaphore.acquire_owned().await.ok();
        place
    }
}

impl Drop for ClientPlace {
    fn drop(&mut self) {
        drop(self.permit.take());
        let mut by_client = self.places.by_client.lock();
        // Under the lock, so that of two places that are dropped at once the second one sees the map's reference
        // alone. Others are made under the lock, too.
        drop(self.semaphore.take());
        let own = by_client.get(&self.client);
        if own.is_some_and(|semaphore| Arc::strong_count(semaphore) == 1) {
            by_client.remove(&self.client);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Future, poll_fn};
    use std::pin::pin;
    use std::task::Poll;

    use super::*;

    #[tokio::test]
    async fn clients_wait_for_their_own_places_only() {
        let places = Arc::new(ClientPlaces::new(2));
        let (a, b) = (ClientDigest::new(1), ClientDigest::new(2));
        let first = places.acquire(a).await;
        let second = places.acquire(a).await;
        {
            let mut third = pin!(places.acquire(a));
            let is_pending = poll_fn(|task| Poll::Ready(third.as_mut().poll(task).is_pending()));
            assert!(is_pending.await);
            drop(places.acquire(b).await);
            drop(first);
            drop(third.await);
        }
        assert_eq!(places.by_client.lock().len(), 1);
        drop(second);
        assert!(places.by_client.lock().is_empty());
    }

    /// The last one of several that are dropped at once removes the entry.
    #[tokio::test]
    async fn places_that_end_at_once_leave_no_entry() {
        const AT_ONCE: usize = 8;
        let places = Arc::new(ClientPlaces::new(AT_ONCE));
        for round in 1..=ROUNDS {
            let client = ClientDigest::new(round);
            let mut held = Vec::new();
            for _ in 0..AT_ONCE {
                held.push(places.acquire(client).await);
            }
            // All of them wait for the lock.
            let lock = places.by_client.lock();
            std::thread::scope(|scope| {
                for place in held {
                    scope.spawn(|| drop(place));
                }
                drop(lock);
            });
            assert!(places.by_client.lock().is_empty(), "round {round}");
        }
    }

    /// Without the drop under the lock, an entry was left after some 100 rounds.
    const ROUNDS: u64 = 500;
}
