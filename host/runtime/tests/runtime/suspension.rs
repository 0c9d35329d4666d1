//! Plugins that are not called where they fail: for the clients on whose requests they fail, or for all, and the version
//! before that takes over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use jackfield_credential::Timestamp;
use jackfield_dispatch::plan::Context;
use jackfield_dispatch::port::{Executor, FaultKind, PluginFault, Rejection};
use jackfield_dispatch::{ClientDigest, Clock};
use jackfield_runtime::limits::{
    FAULT_WASTE_MIN, PROVING_TIME, SUSPENDED_CLIENT_WAIT, SUSPENDED_PLUGIN_WAIT,
};
use jackfield_runtime::{
    BreakerEvent, Engine, Origin, PluginEventKind, PluginPolicies, PluginStatus, Registry,
};
use jackfield_test_support::{guest, with_marker};
use parking_lot::Mutex;
use tokio::sync::MutexGuard;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::harness::{TEST_TIMEOUT, as_executor, context, exclusive_engine_at, load_in};

/// A clock that a test moves.
#[derive(Clone)]
struct TestClock(Arc<AtomicU64>);

impl TestClock {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_766_000_000_000)))
    }

    fn pass(&self, time: Duration) {
        let millis = time.as_millis() as u64;
        self.0.fetch_add(millis, Ordering::Relaxed);
    }

    async fn engine(&self) -> (Engine, MutexGuard<'static, ()>) {
        let now = Arc::clone(&self.0);
        let clock = Clock::new(move || Timestamp::from_millis(now.load(Ordering::Relaxed)));
        exclusive_engine_at(clock).await
    }
}

/// Plans an attempt for a client.
async fn call(executor: &dyn Executor, client: u64, model: &str) -> Result<(), PluginFault> {
    let context = Context {
        client: ClientDigest::new(client),
        ..context(model)
    };
    match executor.prepare(&context, &Bytes::new()).await {
        Ok(_) => Ok(()),
        Err(Rejection::Fault(fault)) => Err(fault),
        Err(other) => panic!("{other:?}"),
    }
}

fn is_client_suspended(called: &Result<(), PluginFault>) -> bool {
    let kind = called.as_ref().err().map(|fault| fault.kind);
    matches!(kind, Some(FaultKind::SuspendedForClient { .. }))
}

#[tokio::test]
async fn client_whose_requests_trip_a_plugin_is_refused_and_another_is_not() {
    let clock = TestClock::new();
    let (engine, _turn) = clock.engine().await;
    let plugin = load_in(&engine, "invalid-output", guest("invalid_output")).await;
    let executor = as_executor(&plugin);
    let mut faults = 0;
    let refused = loop {
        match call(&*executor, 1, "url").await {
            Err(fault) if fault.kind == FaultKind::InvalidOutput => faults += 1,
            refused => break refused,
        }
        // Another client uses the plugin as much, without faults.
        call(&*executor, 2, "m").await.unwrap();
    };
    assert!(is_client_suspended(&refused), "{refused:?}");
    assert_eq!(
        faults,
        Duration::from_secs(1).as_millis() / FAULT_WASTE_MIN.as_millis()
    );
    let detail = refused.unwrap_err().detail;
    assert_eq!(
        detail,
        "its requests wasted 1000 ms of the plugin's time; the next one is tried in 10 s"
    );
    let faults_before = plugin.counts().faults;
    assert!(is_client_suspended(&call(&*executor, 1, "m").await));
    assert_eq!(
        plugin.counts().faults,
        faults_before,
        "a refusal is no fault"
    );
    call(&*executor, 2, "m").await.unwrap();

    clock.pass(SUSPENDED_CLIENT_WAIT);
    // The trial fails, and the next one is later.
    assert_eq!(
        call(&*executor, 1, "url").await.unwrap_err().kind,
        FaultKind::InvalidOutput
    );
    clock.pass(SUSPENDED_CLIENT_WAIT);
    assert!(is_client_suspended(&call(&*executor, 1, "m").await));
    clock.pass(SUSPENDED_CLIENT_WAIT);
    call(&*executor, 1, "m").await.unwrap();
    call(&*executor, 1, "m").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_and_waiting_calls_of_a_suspended_client_end() {
    let clock = TestClock::new();
    let (engine, _turn) = clock.engine().await;
    let plugin = load_in(&engine, "spins", guest("spins")).await;
    let executor = as_executor(&plugin);
    let mut calls = JoinSet::new();
    for _ in 0..100 {
        let executor = Arc::clone(&executor);
        calls.spawn(async move { call(&*executor, 1, "m").await });
    }
    let began = Instant::now();
    let ended = timeout(TEST_TIMEOUT, calls.join_all())
        .await
        .expect("all end");
    let is_over_time = |called: &Result<(), PluginFault>| {
        let fault = called.as_ref().err();
        fault.is_some_and(|fault| fault.kind == FaultKind::OverTime)
    };
    let is_overloaded = |called: &Result<(), PluginFault>| {
        let fault = called.as_ref().err();
        fault.is_some_and(|fault| fault.kind == FaultKind::Overloaded)
    };
    let stopped = ended.iter().filter(|called| is_over_time(called)).count();
    // A hundred calls of 300 ms would take 30 s of a thread. The budget pays for four, and those that run meanwhile.
    println!("{stopped} ran, all ended after {:?}", began.elapsed());
    assert!((4..=12).contains(&stopped), "{stopped} ran: {ended:?}");
    // The others never ran: they were refused, or on a busy machine waited for longer than a call may wait for a place.
    let never_ran =
        |called: &Result<(), PluginFault>| is_client_suspended(called) || is_overloaded(called);
    let others = ended.iter().filter(|called| !is_over_time(called));
    assert!(others.clone().all(never_ran), "{ended:?}");
    assert!(is_client_suspended(&call(&*executor, 1, "m").await));
    // Others of the same plugin are not affected: one of 20 calls of an instance loops.
    call(&*executor, 2, "one-of-20").await.unwrap();
}

/// Serves `counts` as `acme` and then a plugin that traps, and makes calls of three clients to it.
struct Swapped {
    registry: Registry,
    clock: TestClock,
    serving: Arc<Mutex<Option<Arc<dyn Executor>>>>,
    _turn: MutexGuard<'static, ()>,
}

impl Swapped {
    async fn new(calls_before: u64) -> Self {
        let clock = TestClock::new();
        let (engine, turn) = clock.engine().await;
        // Each call is to reach the guest.
        let policies = PluginPolicies {
            remember_off: ["acme".to_owned()].into(),
            ..PluginPolicies::default()
        };
        let registry = Registry::with_policies(engine, policies);
        let serving = Arc::new(Mutex::new(None));
        let published = Arc::clone(&serving);
        registry.on_change(Box::new(move |plugins| {
            *published.lock() = plugins.executors.get("acme").cloned();
        }));
        let swapped = Self {
            registry,
            clock,
            serving,
            _turn: turn,
        };
        swapped.load(guest("counts")).await;
        for client in 0..calls_before {
            swapped.call(client).await.unwrap();
        }
        swapped.load(guest("traps")).await;
        swapped
    }

    async fn load(&self, component: Vec<u8>) {
        let loaded = self.registry.load("acme", component, Origin::BuiltIn);
        loaded.await.unwrap();
    }

    async fn call(&self, client: u64) -> Result<(), PluginFault> {
        let executor = self.serving.lock().clone();
        call(&*executor.expect("an executor"), client, "m").await
    }

    /// Makes calls until one is no trap.
    async fn call_until_no_trap(&self) -> Result<(), PluginFault> {
        for number in 0..1_000 {
            match self.call(1 + number % 3).await {
                Err(fault) if fault.kind == FaultKind::Trapped => {}
                other => return other,
            }
        }
        panic!("it traps on");
    }

    fn status(&self) -> PluginStatus {
        self.registry.status().remove(0)
    }

    fn generation(&self) -> u64 {
        self.status().serving.unwrap().generation
    }
}

#[tokio::test]
async fn version_before_takes_over_within_the_proving_time() {
    let swapped = Swapped::new(5).await;
    let mut events = swapped.registry.subscribe();
    let swapped_at = Timestamp::from_millis(swapped.clock.0.load(Ordering::Relaxed));
    assert_eq!(swapped.generation(), 2);
    assert_eq!(
        swapped.status().proving_until,
        Some(swapped_at + PROVING_TIME)
    );
    swapped.clock.pass(PROVING_TIME - Duration::from_secs(1));
    swapped.call_until_no_trap().await.unwrap();
    let status = swapped.status();
    assert_eq!(status.serving.unwrap().generation, 1);
    let taken_back = status.taken_back.unwrap();
    assert_eq!(taken_back.generation, 2);
    assert_eq!(
        taken_back.why,
        "10 faults in 10 calls within 30 s, of 3 client(s) or more"
    );
    let before = status.previous.unwrap();
    assert_eq!(before.generation, 2);
    assert!(before.breaker.suspended.is_some());
    let first = events.recv().await.unwrap();
    assert!(matches!(
        first.kind,
        PluginEventKind::Breaker(BreakerEvent::Suspended(_))
    ));
    let second = events.recv().await.unwrap();
    assert_eq!(
        (second.kind, second.plugin.generation),
        (PluginEventKind::TookOver, 1)
    );

    // The next version is proven in its turn.
    swapped.load(with_marker(guest("traps"), "again")).await;
    assert_eq!(swapped.status().taken_back, None);
    swapped.call_until_no_trap().await.unwrap();
    assert_eq!(swapped.generation(), 1);
    // An operator may put the bad one in use, and it stays.
    swapped.registry.rollback("acme", None).unwrap();
    swapped.clock.pass(SUSPENDED_PLUGIN_WAIT);
    let refused = swapped.call_until_no_trap().await.unwrap_err();
    assert!(
        matches!(refused.kind, FaultKind::Suspended { .. }),
        "{refused}"
    );
    assert_eq!(swapped.generation(), 3);
}

#[tokio::test]
async fn operator_decides_after_the_proving_time() {
    let swapped = Swapped::new(5).await;
    swapped.clock.pass(PROVING_TIME);
    let refused = swapped.call_until_no_trap().await.unwrap_err();
    let retry_after = SUSPENDED_PLUGIN_WAIT;
    assert_eq!(refused.kind, FaultKind::Suspended { retry_after });
    let status = swapped.status();
    let serving = status.serving.unwrap();
    assert_eq!((serving.generation, status.taken_back), (2, None));
    let suspended = serving.breaker.suspended.unwrap();
    assert_eq!(
        suspended.next_trial,
        suspended.since + SUSPENDED_PLUGIN_WAIT
    );
    assert_eq!(
        swapped.registry.rollback("acme", None).unwrap().generation,
        1
    );
    swapped.call(1).await.unwrap();
}

#[tokio::test]
async fn version_before_that_was_never_called_does_not_take_over() {
    let swapped = Swapped::new(0).await;
    assert_eq!(swapped.status().proving_until, None);
    let refused = swapped.call_until_no_trap().await.unwrap_err();
    assert!(
        matches!(refused.kind, FaultKind::Suspended { .. }),
        "{refused}"
    );
    assert_eq!(swapped.generation(), 2);
}

/// One of several clients makes the new version fail for itself: the others decide.
#[tokio::test]
async fn one_client_of_several_does_not_bring_the_version_before_back() {
    let swapped = Swapped::new(5).await;
    while swapped
        .status()
        .serving
        .unwrap()
        .breaker
        .suspended
        .is_none()
    {
        swapped.call(1).await.unwrap_err();
    }
    assert_eq!(swapped.generation(), 2);
    assert!(swapped.status().proving_until.is_some());
    // Another one confirms it.
    swapped.call(2).await.unwrap_err();
    assert_eq!(swapped.generation(), 1);
    swapped.call(1).await.unwrap();
}
