//! Waiting for room: in order, bounded, and nobody is forgotten.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jackfield_auth::{AuthManager, NoRoom, Origin, Registration, WAITERS_MAX};
use jackfield_credential::{Ask, Outcome, PoolOptions};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep, timeout};

use crate::stage::{MemoryStore, at, lease, manager, token};

const HOUR: Duration = Duration::from_secs(3600);

fn one_at_a_time() -> AuthManager {
    let mut one = token("a", HOUR);
    one.credential.in_flight_max = NonZeroU32::new(1);
    manager(vec![one], &Arc::new(MemoryStore::default()))
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

#[tokio::test(start_paused = true)]
async fn whoever_came_first_is_served_first() {
    let auth = one_at_a_time();
    let held = lease(&auth, "a");
    let order = Mutex::new(Vec::new());
    let name: Arc<str> = "gpt".into();
    let waiting = (0..10_u64).map(|number| {
        let (auth, name, order) = (&auth, &name, &order);
        async move {
            sleep(Duration::from_millis(number)).await;
            let turn = auth.wait_for_room(name, None, soon()).await.unwrap();
            let lease = lease(auth, "a");
            drop(turn);
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
async fn who_leaves_passes_the_turn_on() {
    let auth = one_at_a_time();
    let held = lease(&auth, "a");
    let name: Arc<str> = "gpt".into();
    let gone = timeout(
        Duration::from_millis(10),
        auth.wait_for_room(&name, None, soon()),
    )
    .await;
    assert!(gone.is_err());
    let freeing = async {
        sleep(Duration::from_millis(20)).await;
        drop(held);
    };
    let waiting = async {
        let first = auth.wait_for_room(&name, None, soon()).await.unwrap();
        sleep(Duration::from_millis(30)).await;
        drop(first);
    };
    let second = async {
        sleep(Duration::from_millis(5)).await;
        let _turn = auth.wait_for_room(&name, None, soon()).await.unwrap();
        assert!(
            auth.candidates(&Ask::first("gpt"), at(Duration::ZERO))
                .is_ok()
        );
    };
    tokio::join!(freeing, waiting, second);
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_in_time_and_the_queue_is_bounded() {
    let auth = one_at_a_time();
    let _held = lease(&auth, "a");
    let name: Arc<str> = "gpt".into();
    let until = Instant::now() + Duration::from_secs(1);
    let waits = (0..=WAITERS_MAX).map(|_| auth.wait_for_room(&name, None, until));
    let results = join_all(waits).await;
    let count = |error| {
        results
            .iter()
            .filter(|result| result.as_ref().err() == Some(&error))
            .count()
    };
    assert_eq!(
        (count(NoRoom::TooMany), count(NoRoom::TooLate)),
        (1, WAITERS_MAX)
    );
    assert!(!auth.has_queue("gpt"), "nobody is left in the queue");
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_is_removed_leaves_its_room_with_the_provider() {
    let one = NonZeroU32::new(1).unwrap();
    let made = |id| Registration {
        origin: Origin::Admin,
        ..token(id, HOUR)
    };
    let auth = manager(
        vec![made("a"), made("b")],
        &Arc::new(MemoryStore::default()),
    );
    auth.set_options(PoolOptions {
        provider_in_flight_max: BTreeMap::from([("acme".into(), one)]),
        ..PoolOptions::default()
    });
    let held = lease(&auth, "a");
    let name: Arc<str> = "gpt".into();
    let removing = async {
        sleep(Duration::from_secs(1)).await;
        auth.remove(&"a".into()).await.unwrap();
    };
    let (turn, ()) = tokio::join!(auth.wait_for_room(&name, None, soon()), removing);
    assert!(turn.is_ok(), "nobody called");
    drop(lease(&auth, "b"));
    drop(held);
    assert_eq!(auth.leases_open(), 0);
}
