//! Calls that wait for capacity: in order of arrival, in a bounded queue, without lost wake-ups.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jackfield_auth::{AuthManager, Origin, QueueError, Registration, WAITERS_MAX};
use jackfield_credential::{CandidateQuery, Outcome, PoolOptions};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep, timeout};

use crate::support::{HOUR, MemoryStore, at, lease, manager, token};

fn one_at_a_time() -> AuthManager {
    let mut one = token("a", HOUR);
    one.credential.in_flight_max = NonZeroU32::new(1);
    manager(vec![one], &Arc::new(MemoryStore::default()))
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

#[tokio::test(start_paused = true)]
async fn serves_waiters_in_arrival_order() {
    let auth = one_at_a_time();
    let held = lease(&auth, "a");
    let order = Mutex::new(Vec::new());
    let query = CandidateQuery::first_round("gpt");
    let waiting = (0..10_u64).map(|number| {
        let (auth, query, order) = (&auth, &query, &order);
        async move {
            sleep(Duration::from_millis(number)).await;
            let slot = auth.wait_for_capacity(query, None, soon()).await.unwrap();
            let lease = lease(auth, "a");
            drop(slot);
            order.lock().push(number);
            sleep(Duration::from_millis(50)).await;
            lease.settle(Outcome::Success, at(Duration::ZERO), None);
        }
    });
    let freeing = async {
        sleep(Duration::from_millis(100)).await;
        assert!(auth.has_queue("gpt") && !auth.has_queue("other"));
        held.settle(Outcome::Success, at(Duration::ZERO), None);
    };
    tokio::join!(join_all(waiting), freeing);
    assert_eq!(*order.lock(), (0..10).collect::<Vec<_>>());
    assert!(!auth.has_queue("gpt"));
}

#[tokio::test(start_paused = true)]
async fn cancelled_waiter_passes_its_slot_on() {
    let auth = one_at_a_time();
    let held = lease(&auth, "a");
    let query = CandidateQuery::first_round("gpt");
    let cancelled = timeout(
        Duration::from_millis(10),
        auth.wait_for_capacity(&query, None, soon()),
    )
    .await;
    assert!(cancelled.is_err());
    let freeing = async {
        sleep(Duration::from_millis(20)).await;
        drop(held);
    };
    let waiting = async {
        let first = auth.wait_for_capacity(&query, None, soon()).await.unwrap();
        sleep(Duration::from_millis(30)).await;
        drop(first);
    };
    let second = async {
        sleep(Duration::from_millis(5)).await;
        let _slot = auth.wait_for_capacity(&query, None, soon()).await.unwrap();
        assert!(
            auth.candidates(&CandidateQuery::first_round("gpt"), at(Duration::ZERO))
                .is_ok()
        );
    };
    tokio::join!(freeing, waiting, second);
}

#[tokio::test(start_paused = true)]
async fn wait_times_out_and_queue_is_bounded() {
    let auth = one_at_a_time();
    let _held = lease(&auth, "a");
    let query = CandidateQuery::first_round("gpt");
    let until = Instant::now() + Duration::from_secs(1);
    let waits = (0..=WAITERS_MAX).map(|_| auth.wait_for_capacity(&query, None, until));
    let results = join_all(waits).await;
    let count = |error| {
        results
            .iter()
            .filter(|result| result.as_ref().err() == Some(&error))
            .count()
    };
    assert_eq!(
        (count(QueueError::Full), count(QueueError::TimedOut)),
        (1, WAITERS_MAX)
    );
    assert!(!auth.has_queue("gpt"), "the queue is empty again");
}

#[tokio::test(start_paused = true)]
async fn removed_credential_frees_provider_capacity() {
    let one = NonZeroU32::new(1).unwrap();
    let created = |id| Registration {
        origin: Origin::Admin,
        ..token(id, HOUR)
    };
    let auth = manager(
        vec![created("a"), created("b")],
        &Arc::new(MemoryStore::default()),
    );
    auth.set_options(PoolOptions {
        provider_in_flight_max: BTreeMap::from([("acme".into(), one)]),
        ..PoolOptions::default()
    });
    let held = lease(&auth, "a");
    let query = CandidateQuery::first_round("gpt");
    let removing = async {
        sleep(Duration::from_secs(1)).await;
        auth.remove(&"a".into()).await.unwrap();
    };
    let (slot, ()) = tokio::join!(auth.wait_for_capacity(&query, None, soon()), removing);
    assert!(slot.is_ok(), "the removal wakes the waiter");
    drop(lease(&auth, "b"));
    drop(held);
    assert_eq!(auth.lease_counts().open, 0);
}
