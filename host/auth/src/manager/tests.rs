//! Leases, secrets and counts. The rules of health are tested in `jackfield_credential`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use futures_util::FutureExt;
use jackfield_credential::{Credential, Failure, Outcome, Scope, Served};
use secrecy::{ExposeSecret, SecretString};

use super::*;

#[test]
fn each_way_to_end_a_lease_counts_once() -> Result<(), LeaseError> {
    let manager = manager(&["a"]);
    let lease = |manager: &AuthManager| manager.lease(&candidates(manager), 0, at(0));
    lease(&manager)?.settle(Outcome::Success, at(1), Some(Duration::from_millis(40)));
    lease(&manager)?.settle(Outcome::Inconclusive, at(2), None);
    lease(&manager)?.settle(Outcome::Cancelled, at(3), None);
    drop(lease(&manager)?);
    let open = lease(&manager)?;
    let counts = LeaseCounts {
        open: 1,
        success: 1,
        failed: 0,
        cancelled: 2,
        inconclusive: 1,
    };
    assert_eq!(manager.lease_counts(), counts);
    assert_eq!(candidates(&manager).in_flight(), [1]);
    open.settle(failed(500), at(4), None);
    let counts = LeaseCounts {
        open: 0,
        failed: 1,
        ..counts
    };
    assert_eq!(manager.lease_counts(), counts);
    assert_eq!(manager.status(at(4))[0].in_flight, 0);
    Ok(())
}

#[test]
fn dropped_lease_is_settled_as_cancelled_now() -> Result<(), LeaseError> {
    let late: Clock = Arc::new(|| at(500));
    let manager = AuthManager::new(AuthParts::new(vec![registration("a")], late))
        .expect("a single id is valid");
    drop(manager.lease(&candidates(&manager), 0, at(0))?);
    let status = manager.status(at(0));
    assert_eq!((status[0].in_flight, &status[0].last_failure), (0, &None));
    let lease = manager.lease(&candidates(&manager), 0, at(0))?;
    assert_eq!(lease.began(), at(500), "the pool's time never goes back");
    Ok(())
}

#[test]
fn lease_exposes_only_its_own_credential() -> Result<(), LeaseError> {
    let manager = manager(&["a", "b"]);
    let set = candidates(&manager);
    let lease = manager.lease(&set, 1, at(0))?;
    assert_eq!(lease.credential().id.as_str(), "b");
    assert_eq!(lease.credential().secret_fields, ["api-key"]);
    assert_eq!(lease.model().as_str(), "upstream");
    assert_eq!(Some(lease.slot()), set.slot(1));
    assert_eq!(
        lease.secret("api-key").map(ExposeSecret::expose_secret),
        Some("sk-of-b")
    );
    assert!(lease.secret("other").is_none());
    let shown = format!("{manager:?} {set:?} {lease:?} {:?}", registration("b"));
    assert!(
        shown.contains("api-key") && !shown.contains("sk-of"),
        "{shown}"
    );
    Ok(())
}

#[test]
fn rejects_lease_on_unavailable_credential() -> Result<(), LeaseError> {
    let manager = manager(&["a", "b"]);
    let set = candidates(&manager);
    assert_eq!(
        manager.lease(&set, 2, at(0)).map(drop),
        Err(LeaseError::NotInPool)
    );
    manager
        .lease(&set, 0, at(0))?
        .settle(failed(500), at(0), None);
    let cooling = Err(LeaseError::Cooling { until: at(1_000) });
    assert_eq!(manager.lease(&set, 0, at(1)).map(drop), cooling);
    let ids = BTreeSet::from([CredentialId::from("a")]);
    let synced = manager.sync(|_| true, &ids, vec![registration("a")]);
    assert_eq!(synced.now_or_never(), Some(Ok(())));
    assert_eq!(
        manager.lease(&set, 1, at(1)).map(drop),
        Err(LeaseError::NotInPool)
    );
    assert_eq!(
        manager.lease(&set, 0, at(1)).map(drop),
        cooling,
        "an edit ends no cooldown"
    );
    assert_eq!(manager.lease_counts().open, 0);
    Ok(())
}

#[test]
fn lease_outlives_edit_of_its_credential() -> Result<(), LeaseError> {
    let manager = manager(&["a"]);
    let lease = manager.lease(&candidates(&manager), 0, at(0))?;
    let mut edited = registration("a");
    edited
        .secrets
        .insert("api-key".to_owned(), "sk-new".to_owned().into());
    assert_eq!(manager.upsert(&[edited]), Ok(()));
    assert_eq!(
        lease.secret("api-key").map(ExposeSecret::expose_secret),
        Some("sk-of-a")
    );
    let next = manager.lease(&candidates(&manager), 0, at(0))?;
    assert_eq!(
        next.secret("api-key").map(ExposeSecret::expose_secret),
        Some("sk-new")
    );
    drop((lease, next));
    assert_eq!(manager.status(at(0))[0].in_flight, 0);
    Ok(())
}

#[test]
fn columns_are_in_the_order_of_the_candidates() {
    let mut b = registration("b");
    b.credential.weight = 3;
    b.credential
        .attributes
        .insert("region".to_owned(), "north".to_owned());
    let registrations = vec![b, registration("a")];
    let manager = AuthManager::new(AuthParts::new(registrations, clock())).expect("the ids differ");
    let set = candidates(&manager);
    assert_eq!(set.len(), 2);
    assert_eq!(set.weights(), [1, 3]);
    assert_eq!(set.attribute("region"), [None, Some("north".to_owned())]);
    assert_eq!(
        set.credential(1)
            .map(|credential| credential.id.to_string()),
        Some("b".into())
    );
    assert_eq!(set.quota_left_permille(), [1000, 1000]);
    assert_eq!(set.error_permille(), [0, 0]);
}

#[test]
fn rejects_duplicate_ids() {
    let registrations = vec![registration("a"), registration("a")];
    let refused = AuthManager::new(AuthParts::new(registrations, clock()));
    assert_eq!(
        refused.map(drop).map_err(|error| error.problems.len()),
        Err(1)
    );
}

/// Calls move between threads with their candidate sets and leases.
#[test]
fn handles_are_send_and_sync() {
    fn check<T: Send + Sync + 'static>() {}
    check::<AuthManager>();
    check::<CandidateSet>();
    check::<Lease>();
}

#[test]
fn concurrent_settles_and_drops_leave_no_open_lease() {
    let ids = ["a", "b", "c", "d"];
    let manager = manager(&ids);
    let start = Barrier::new(THREADS);
    let leased = AtomicU64::new(0);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (manager, start, leased) = (&manager, &start, &leased);
            scope.spawn(move || {
                start.wait();
                for round in 0..ROUNDS {
                    let now = at(u64::try_from(round).unwrap_or(0) * 20);
                    let Ok(set) = manager.candidates(&CandidateQuery::first_round("gpt"), now)
                    else {
                        continue;
                    };
                    let Ok(lease) = manager.lease(&set, (thread + round) % set.len(), now) else {
                        continue;
                    };
                    leased.fetch_add(1, Ordering::Relaxed);
                    assert_eq!(set.in_flight().len(), set.len());
                    let outcome = match (thread + round) % 5 {
                        0 => {
                            drop(lease);
                            continue;
                        }
                        1 => failed(429),
                        2 => Outcome::Inconclusive,
                        _ => Outcome::Success,
                    };
                    lease.settle(outcome, now, None);
                }
            });
        }
        let edits = ids.map(registration);
        for keep in (1..=ids.len()).cycle().take(200) {
            let edits = edits[..keep].to_vec();
            let ids = edits.iter().map(|edit| edit.credential.id.clone());
            let ids = ids.collect();
            let synced = manager.sync(|_| true, &ids, edits);
            assert_eq!(
                synced.now_or_never(),
                Some(Ok(())),
                "without a store it does not wait"
            );
        }
    });
    let counts = manager.lease_counts();
    assert_eq!(counts.open, 0);
    let settled = counts.success + counts.failed + counts.cancelled + counts.inconclusive;
    assert_eq!(settled, leased.load(Ordering::Relaxed));
    assert!(
        counts.cancelled > 0 && counts.failed > 0,
        "all outcomes occurred: {counts:?}"
    );
    assert!(manager.status(at(0)).iter().all(|view| view.in_flight == 0));
}

fn manager(ids: &[&str]) -> AuthManager {
    let registrations = ids.iter().map(|&id| registration(id)).collect();
    AuthManager::new(AuthParts::new(registrations, clock())).expect("the ids differ")
}

fn candidates(manager: &AuthManager) -> CandidateSet {
    manager
        .candidates(&CandidateQuery::first_round("gpt"), at(0))
        .expect("one is available")
}

fn registration(id: &str) -> Registration {
    let credential = Credential {
        serves: vec![Served::new("upstream", vec!["gpt".into()])],
        ..Credential::new(id, "acme", "http://127.0.0.1:1")
    };
    let secret = SecretString::from(format!("sk-of-{id}"));
    Registration::new(credential, BTreeMap::from([("api-key".to_owned(), secret)]))
}

fn failed(status: u16) -> Outcome {
    Outcome::Failed(Failure {
        scope: Scope::Model,
        kind: "".into(),
        status: Some(status),
        message: String::new(),
        retry_after: None,
        refresh_suggested: false,
        sent: true,
    })
}

fn clock() -> Clock {
    Arc::new(|| at(0))
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

const THREADS: usize = 4;

const ROUNDS: usize = 3_000;
