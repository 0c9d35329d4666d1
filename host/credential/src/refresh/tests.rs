//! Tests of the refresh rules, and of the queue against a sorted list.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[test]
fn cliproxyapi_compat_1_14_never_refreshes_disabled_credentials_and_api_keys() {
    let ended = RefreshFacts {
        expires_at: Some(at(1)),
        ..facts()
    };
    assert_eq!(ended.due_at(), Some(at(0)));
    assert_eq!(
        RefreshFacts {
            enabled: false,
            ..ended
        }
        .due_at(),
        None
    );
    let key = RefreshFacts {
        kind: CredentialKind::ApiKey,
        ..ended
    };
    assert_eq!(key.due_at(), None);
}

#[test]
fn cliproxyapi_compat_1_14_nothing_is_due_during_failure_backoff() {
    let failed = RefreshFacts {
        not_before: Some(at(400_000)),
        expires_at: Some(at(1)),
        ..facts()
    };
    assert_eq!(failed.due_at(), Some(at(400_000)));
    let evaluated = RefreshFacts {
        policy_decision: Some(true),
        ..failed
    };
    assert_eq!(evaluated.due_at(), Some(at(400_000)));
}

#[test]
fn cliproxyapi_compat_1_14_policy_precedes_interval_and_lead() {
    let long = RefreshFacts {
        expires_at: Some(at(90_000_000)),
        interval: Some(secs(60)),
        ..facts()
    };
    let now = RefreshFacts {
        policy_decision: Some(true),
        ..long
    };
    assert_eq!(now.due_at(), Some(at(0)));
    let never = RefreshFacts {
        policy_decision: Some(false),
        ..long
    };
    assert_eq!(never.due_at(), None);
}

#[test]
fn cliproxyapi_compat_1_14_policy_is_checked_for_active_tokens_outside_backoff() {
    let next = at(5_000);
    assert_eq!(facts().check_at(next), Some(next));
    let resting = RefreshFacts {
        not_before: Some(at(400_000)),
        ..facts()
    };
    assert_eq!(resting.check_at(next), Some(at(400_000)));
    let disabled = RefreshFacts {
        enabled: false,
        ..facts()
    };
    let key = RefreshFacts {
        kind: CredentialKind::ApiKey,
        ..facts()
    };
    assert_eq!((disabled.check_at(next), key.check_at(next)), (None, None));
    assert_eq!(
        [0, 200, 400, 401].map(policy_check_interval),
        [48, 60, 72, 48].map(secs)
    );
}

#[test]
fn cliproxyapi_compat_1_14_interval_counts_from_last_refresh_or_back_from_expiry() {
    let hourly = RefreshFacts {
        interval: Some(secs(3600)),
        ..facts()
    };
    assert_eq!(
        hourly.due_at(),
        Some(at(0)),
        "last refresh unknown: at once"
    );
    let refreshed = RefreshFacts {
        refreshed_at: Some(at(1_000_000)),
        ..hourly
    };
    assert_eq!(refreshed.due_at(), Some(at(4_600_000)));
    let ending = RefreshFacts {
        expires_at: Some(at(5_000_000)),
        ..refreshed
    };
    assert_eq!(ending.due_at(), Some(at(1_400_000)));
}

#[test]
fn cliproxyapi_compat_1_14_lead_counts_back_from_expiry_or_on_from_last_refresh() {
    let ending = RefreshFacts {
        expires_at: Some(at(5_000_000)),
        refreshed_at: Some(at(1)),
        ..facts()
    };
    assert_eq!(ending.due_at(), Some(at(4_700_000)));
    let unknown_end = RefreshFacts {
        expires_at: None,
        refreshed_at: Some(at(1_000)),
        ..facts()
    };
    assert_eq!(unknown_end.due_at(), Some(at(301_000)));
    assert_eq!(facts().due_at(), Some(at(0)), "without any time: at once");
    assert_eq!(
        RefreshFacts {
            lead: None,
            ..ending
        }
        .due_at(),
        None,
        "no lead: never"
    );
}

#[test]
fn cliproxyapi_compat_1_2_refresh_backoff_starts_at_5_minutes_and_grows() {
    let middle = |failures| refresh_backoff(failures, 200);
    assert_eq!(middle(1), secs(300));
    assert_eq!(
        [middle(2), middle(3), middle(4), middle(40)],
        [600, 1200, 2400, 2400].map(secs)
    );
    assert_eq!(
        (refresh_backoff(1, 0), refresh_backoff(1, 400)),
        (secs(240), secs(360))
    );
}

proptest! {
    #[test]
    fn due_queue_yields_each_once_in_time_order(
        events in prop::collection::vec((0_u64..50, prop::option::of(0_u64..1000)), 1..200),
        step in 1_u64..100,
    ) {
        let mut queue = DueQueue::default();
        let mut naive = BTreeMap::new();
        for (id, due) in events {
            let id = CredentialId::from(format!("c{id:02}"));
            queue.set(&id, due.map(at));
            naive.remove(&id);
            naive.extend(due.map(|due| (id, at(due))));
            prop_assert_eq!(queue.times.len(), naive.len());
            prop_assert_eq!(queue.next_at(), naive.values().min().copied());
        }
        let mut now = at(0);
        while !naive.is_empty() {
            now = now + Duration::from_millis(step);
            let mut last = at(0);
            while let Some(id) = queue.take_due(now) {
                let due = naive.remove(&id).expect("it was put there");
                prop_assert!(due <= now && due >= last);
                last = due;
            }
            prop_assert!(naive.values().all(|&due| due > now));
        }
        prop_assert!(queue.times.is_empty());
    }
}

/// A token with a lead of five minutes and no other facts.
fn facts() -> RefreshFacts {
    RefreshFacts {
        enabled: true,
        kind: CredentialKind::Oauth,
        lead: Some(secs(300)),
        ..RefreshFacts::default()
    }
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
