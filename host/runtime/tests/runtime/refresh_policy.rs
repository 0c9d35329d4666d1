//! Executors that decide when tokens are refreshed.

use std::sync::Arc;

use jackfield_credential::{Credential, Timestamp};
use jackfield_dispatch::plan::Evaluation;
use jackfield_dispatch::port::FaultKind;
use jackfield_test_support::guest;

use crate::harness::{as_executor, executor, load};

const REFRESHED_AT_MS: u64 = 1_766_000_000_000;

/// A token with a life of 1,000 seconds, `secs` seconds after its refresh.
fn after(secs: u64) -> Evaluation {
    Evaluation {
        credential: Arc::new(Credential::new("acme-a", "acme", "https://acme.invalid/v1")),
        expires_at: Some(Timestamp::from_millis(REFRESHED_AT_MS + 1_000_000)),
        refreshed_at: Some(Timestamp::from_millis(REFRESHED_AT_MS)),
        now_ms: REFRESHED_AT_MS + secs * 1000,
        settings: Arc::from("{}"),
    }
}

#[tokio::test]
async fn should_refresh_gets_token_times_and_may_abstain() {
    let plugin = load("evaluates_refresh", guest("evaluates_refresh")).await;
    let executor = as_executor(&plugin);
    assert!(executor.descriptor().evaluates_refresh);
    let should_refresh =
        async |evaluation: &Evaluation| executor.should_refresh(evaluation).await.unwrap();
    assert_eq!(should_refresh(&after(899)).await, Some(false));
    assert_eq!(should_refresh(&after(900)).await, Some(true));
    assert_eq!(should_refresh(&after(2_000)).await, Some(true));
    let unknown = Evaluation {
        expires_at: None,
        ..after(900)
    };
    assert_eq!(should_refresh(&unknown).await, None);
    let mut pinned = Credential::clone(&after(0).credential);
    pinned.attributes = [("pinned", "yes"), ("token-expires-at-ms", "0")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let pinned = Evaluation {
        credential: Arc::new(pinned.clone()),
        ..after(900)
    };
    assert_eq!(should_refresh(&pinned).await, Some(false));
    // An attribute of the operator cannot replace a time of the host.
    let mut forged = Credential::clone(&pinned.credential);
    forged.attributes.remove("pinned");
    let forged = Evaluation {
        credential: Arc::new(forged),
        ..after(899)
    };
    assert_eq!(should_refresh(&forged).await, Some(false));
    let counts = plugin.counts();
    assert_eq!(
        (counts.faults, counts.idle),
        (0, 1),
        "its instance is reused"
    );
}

#[tokio::test]
async fn reports_a_trap_in_should_refresh() {
    let plugin = load("evaluates_refresh", guest("evaluates_refresh")).await;
    let odd = Evaluation {
        settings: Arc::from("[]"),
        ..after(0)
    };
    let fault = as_executor(&plugin).should_refresh(&odd).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Trapped);
    assert_eq!(&*fault.plugin.name, "evaluates_refresh");
    assert_eq!(plugin.counts().faults, 1);
}

#[tokio::test]
async fn should_refresh_is_not_called_unless_declared() {
    let executor = executor("counts").await;
    assert!(!executor.descriptor().evaluates_refresh);
    assert_eq!(executor.should_refresh(&after(900)).await.unwrap(), None);
}
