//! Tests of the breaker: who is refused, for how long, and who is not.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::*;

struct Fixture {
    breaker: Breaker,
    now_ms: Arc<AtomicU64>,
    suspensions: Arc<AtomicU64>,
    /// The only client of each time that the version before might take over.
    take_backs: Arc<Mutex<Vec<Option<ClientDigest>>>>,
}

impl Fixture {
    fn new() -> Self {
        let now_ms = Arc::new(AtomicU64::new(1_000_000));
        let clock = Arc::clone(&now_ms);
        let clock = Clock::new(move || Timestamp::from_millis(clock.load(Ordering::Relaxed)));
        let id = PluginId {
            name: Arc::from("acme"),
            generation: 1,
        };
        let suspensions = Arc::new(AtomicU64::new(0));
        let (breaker, counted) = (Breaker::new(id, clock), Arc::clone(&suspensions));
        let take_backs = Arc::<Mutex<Vec<_>>>::default();
        let dues = Arc::clone(&take_backs);
        breaker.on_event(Box::new(move |event| match event {
            BreakerNotice::Event(BreakerEvent::Suspended(_)) => {
                counted.fetch_add(1, Ordering::Relaxed);
            }
            BreakerNotice::TakeBackDue(due) => dues.lock().push(due.only_client),
            BreakerNotice::Event(_) => {}
        }));
        Self {
            breaker,
            now_ms,
            suspensions,
            take_backs,
        }
    }

    fn pass(&self, time: Duration) {
        let millis = time.as_millis() as u64;
        self.now_ms.fetch_add(millis, Ordering::Relaxed);
    }

    fn call(&self, client: u64, ran: Option<Duration>) -> Result<(), FaultKind> {
        let pass = self.breaker.admit(ClientDigest::new(client));
        let pass = pass.map_err(|fault| fault.kind)?;
        match ran {
            Some(ran) => self.breaker.failed(pass, ran),
            None => self.breaker.succeeded(pass),
        }
        Ok(())
    }
}

const LONG: Option<Duration> = Some(Duration::from_millis(300));
const SHORT: Option<Duration> = Some(Duration::from_micros(10));

#[test]
fn client_of_bad_requests_is_refused_and_another_is_not() {
    let fixture = Fixture::new();
    while fixture.call(1, LONG).is_ok() {
        assert_eq!(fixture.call(2, None), Ok(()));
        assert_eq!(fixture.call(2, None), Ok(()));
    }
    let status = fixture.breaker.status();
    assert_eq!(status.suspended, None);
    assert_eq!(status.clients[0].0, ClientDigest::new(1));
    assert!(matches!(
        fixture.call(1, None),
        Err(FaultKind::SuspendedForClient { .. })
    ));
    assert_eq!(fixture.call(2, None), Ok(()));
    let begun = Pass::further(ClientDigest::new(1));
    assert!(
        fixture.breaker.check(begun).is_err(),
        "its running calls end"
    );
    fixture.pass(Duration::from_secs(10));
    assert_eq!(fixture.call(1, None), Ok(()));
    assert_eq!(fixture.breaker.status(), BreakerStatus::default());
    assert!(fixture.breaker.check(begun).is_ok());
    assert_eq!(fixture.suspensions.load(Ordering::Relaxed), 0);
}

#[test]
fn plugin_that_fails_for_three_clients_is_suspended_for_all() {
    let fixture = Fixture::new();
    for call in 0..10 {
        fixture.call(1 + call % 3, SHORT).unwrap();
    }
    let refused = fixture.call(4, None);
    assert!(
        matches!(refused, Err(FaultKind::Suspended { .. })),
        "{refused:?}"
    );
    let suspended = fixture.breaker.status().suspended.unwrap();
    assert_eq!(
        suspended.why,
        "10 faults in 10 calls within 30 s, of 3 client(s) or more"
    );
    // The host's own calls go on.
    assert!(fixture.breaker.admit(ClientDigest::HOST).is_ok());
    fixture.pass(Duration::from_secs(5));
    assert_eq!(fixture.call(4, SHORT), Ok(()));
    fixture.pass(Duration::from_secs(5));
    assert!(fixture.call(4, None).is_err(), "the wait is longer now");
    fixture.pass(Duration::from_secs(5));
    // Client 4 had its trial.
    assert_eq!(fixture.call(5, None), Ok(()));
    assert_eq!(fixture.breaker.status(), BreakerStatus::default());
    assert_eq!(fixture.suspensions.load(Ordering::Relaxed), 1);
}

#[test]
fn clients_that_leave_pay_for_long_calls_only() {
    let fixture = Fixture::new();
    for _ in 0..1_000 {
        let pass = fixture.breaker.admit(ClientDigest::new(1)).unwrap();
        fixture.breaker.abandoned(pass, Duration::from_millis(5));
    }
    let pass = fixture.breaker.admit(ClientDigest::new(1)).unwrap();
    for _ in 0..4 {
        fixture.breaker.abandoned(pass, Duration::from_millis(250));
    }
    assert!(fixture.breaker.admit(ClientDigest::new(1)).is_err());
}

/// A client alone used a plugin and made it fail, on purpose or not: the others are not refused for a moment.
#[test]
fn client_without_a_fault_passes_at_once_and_ends_the_suspension() {
    let fixture = Fixture::new();
    while fixture.breaker.status().suspended.is_none() {
        fixture.call(1, SHORT).unwrap();
    }
    assert!(matches!(
        fixture.call(1, None),
        Err(FaultKind::Suspended { .. })
    ));
    assert_eq!(fixture.call(2, None), Ok(()));
    assert_eq!(fixture.breaker.status().suspended, None);
}

/// It fails for each client that tries it: three say so, and then single trials follow.
#[test]
fn faults_of_further_clients_count_too() {
    let fixture = Fixture::new();
    while fixture.breaker.status().suspended.is_none() {
        fixture.call(1, SHORT).unwrap();
    }
    assert_eq!(fixture.call(2, SHORT), Ok(()));
    assert!(fixture.call(2, SHORT).is_err(), "it has had a fault now");
    assert_eq!(fixture.call(3, SHORT), Ok(()));
    assert!(fixture.call(4, SHORT).is_err(), "three are enough");
    fixture.pass(SUSPENDED_PLUGIN_WAIT);
    assert_eq!(fixture.call(4, None), Ok(()));
    assert_eq!(fixture.breaker.status().suspended, None);
}

/// A client that calls most often cannot take all trials and fail them.
#[test]
fn failed_trial_leaves_the_next_one_to_other_clients() {
    let fixture = Fixture::new();
    for call in 0..10 {
        fixture.call(1 + call % 3, SHORT).unwrap();
    }
    fixture.pass(SUSPENDED_PLUGIN_WAIT);
    assert_eq!(fixture.call(1, SHORT), Ok(()));
    let next = 2 * SUSPENDED_PLUGIN_WAIT;
    fixture.pass(next);
    assert!(fixture.call(1, SHORT).is_err());
    assert_eq!(fixture.call(9, None), Ok(()));
    assert_eq!(fixture.breaker.status().suspended, None);

    // If no other wants it, it gets one after a wait more.
    for call in 0..10 {
        fixture.call(1 + call % 3, SHORT).unwrap();
    }
    let wait = |fixture: &Fixture| match fixture.call(1, SHORT) {
        Err(FaultKind::Suspended { retry_after }) => retry_after,
        other => panic!("{other:?}"),
    };
    let first = wait(&fixture);
    fixture.pass(first);
    assert_eq!(fixture.call(1, SHORT), Ok(()));
    let second = wait(&fixture);
    assert!(second > 2 * first, "{second:?} after {first:?}");
    fixture.pass(second);
    assert_eq!(fixture.call(1, None), Ok(()));
}

#[test]
fn refused_call_uses_up_no_trial_and_neither_does_one_that_did_not_run() {
    let fixture = Fixture::new();
    // Client 1 is suspended for itself, and then the plugin for all.
    while !matches!(
        fixture.call(1, LONG),
        Err(FaultKind::SuspendedForClient { .. })
    ) {
        fixture.call(2, None).unwrap();
    }
    for call in 0..40 {
        let _ = fixture.call(3 + call % 3, SHORT);
    }
    assert!(fixture.breaker.status().suspended.is_some());
    let mut trials = 0;
    for _ in 0..2_000 {
        fixture.pass(Duration::from_millis(10));
        let Ok(pass) = fixture.breaker.admit(ClientDigest::new(1)) else {
            continue;
        };
        trials += 1;
        if trials == 4 {
            fixture.breaker.succeeded(pass);
            break;
        }
        fixture.breaker.not_run(pass);
    }
    assert_eq!(trials, 4, "each next call is the trial");
    assert_eq!(fixture.breaker.status(), BreakerStatus::default());
}

/// A client that takes a trial and leaves has had its turn, and the next call of another is the trial.
#[test]
fn client_that_leaves_in_its_trial_does_not_get_the_next_one() {
    let fixture = Fixture::new();
    for call in 0..10 {
        fixture.call(1 + call % 3, SHORT).unwrap();
    }
    fixture.pass(SUSPENDED_PLUGIN_WAIT);
    for client in [1, 7] {
        let trial = fixture.breaker.admit(ClientDigest::new(client)).unwrap();
        fixture.breaker.abandoned(trial, Duration::ZERO);
        assert!(
            fixture.breaker.admit(ClientDigest::new(client)).is_err(),
            "client {client} again"
        );
    }
    assert_eq!(fixture.call(9, None), Ok(()));
    assert_eq!(fixture.breaker.status().suspended, None);
}

/// More clients fail their trials than are remembered: the latest ones are.
#[test]
fn client_whose_trial_failed_last_does_not_get_the_next_one() {
    let fixture = Fixture::new();
    for call in 0..10 {
        fixture.call(1 + call % 3, SHORT).unwrap();
    }
    for client in 1..20 {
        let open = fixture.breaker.status().suspended.unwrap();
        fixture.pass(
            open.next_trial
                .saturating_since(fixture.breaker.clock.now()),
        );
        assert_eq!(fixture.call(client, SHORT), Ok(()));
        let open = fixture.breaker.status().suspended.unwrap();
        fixture.pass(
            open.next_trial
                .saturating_since(fixture.breaker.clock.now()),
        );
        assert!(
            fixture.call(client, SHORT).is_err(),
            "client {client} again"
        );
    }
}

#[test]
fn one_client_of_several_makes_no_take_back_due() {
    let fixture = Fixture::new();
    fixture.call(2, None).unwrap();
    fixture.pass(EVIDENCE_WINDOW);
    while fixture.breaker.status().suspended.is_none() {
        fixture.call(1, SHORT).unwrap();
    }
    assert!(fixture.take_backs.lock().is_empty());
    // A second one confirms it.
    fixture.call(2, SHORT).unwrap();
    assert_eq!(*fixture.take_backs.lock(), [None]);
}

#[test]
fn only_client_makes_a_take_back_due() {
    let fixture = Fixture::new();
    while fixture.breaker.status().suspended.is_none() {
        fixture.call(1, SHORT).unwrap();
    }
    let one = ClientDigest::new(1);
    assert_eq!(*fixture.take_backs.lock(), [Some(one)]);
    assert!(fixture.breaker.is_used_only_by(one));
    assert!(!fixture.breaker.is_used_only_by(ClientDigest::new(2)));
}
