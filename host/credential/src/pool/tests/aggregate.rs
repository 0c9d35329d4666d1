//! Tests of the summary of a credential.

use proptest::prelude::*;

use super::*;

fn aggregate(pool: &Pool, now: Timestamp) -> Aggregate {
    pool.get("a", now).expect("it is in the pool").aggregate()
}

/// A pool of one credential `a` with the models `m1` and `m2`, named `one` and `two`.
fn two() -> Pool {
    pool(vec![Credential {
        serves: vec![served("m1", &["one"]), served("m2", &["two"])],
        ..credential("a")
    }])
}

fn limited(seconds: u64) -> Outcome {
    let Outcome::Failed(failure) = failed(Scope::Model, 429) else {
        panic!("a failure");
    };
    Outcome::Failed(Failure {
        retry_after: Some(secs(seconds)),
        ..failure
    })
}

#[test]
fn cliproxyapi_compat_1_1_credential_status_is_derived() {
    let mut pool = two();
    assert_eq!(aggregate(&pool, at(0)).status, Status::Active);
    run(&mut pool, "a", "one", &failed(Scope::Model, 500), at(0));
    assert_eq!(aggregate(&pool, at(1)).status, Status::Error);
    // The end of the window does not clear the failure; a success does.
    assert_eq!(aggregate(&pool, at(90_000)).status, Status::Error);
    run(&mut pool, "a", "one", &Outcome::Success, at(90_000));
    assert_eq!(aggregate(&pool, at(90_001)).status, Status::Active);
    let Outcome::Failed(failure) = failed(Scope::Credential, 401) else {
        panic!("a failure");
    };
    pool.bar("a", Cause::of(&failure), at(100_000));
    assert_eq!(aggregate(&pool, at(100_000)).status, Status::Pending);
    pool.set_enabled("a", false);
    assert_eq!(aggregate(&pool, at(100_000)).status, Status::Disabled);
    let idle = Credential {
        serves: Vec::new(),
        ..credential("a")
    };
    assert_eq!(
        aggregate(&super::pool(vec![idle]), at(0)).status,
        Status::Unknown
    );
}

#[test]
fn cliproxyapi_compat_1_9_unavailable_until_first_model_recovers() {
    let mut pool = two();
    run(&mut pool, "a", "one", &limited(100), at(0));
    let one = aggregate(&pool, at(1));
    assert_eq!((one.unavailable, one.next_retry), (false, None));
    run(&mut pool, "a", "two", &limited(40), at(0));
    let both = aggregate(&pool, at(1));
    assert_eq!(
        (both.unavailable, both.next_retry),
        (true, Some(at(40_000)))
    );
    let later = aggregate(&pool, at(40_000));
    assert_eq!((later.unavailable, later.next_retry), (false, None));
}

#[test]
fn cliproxyapi_compat_1_9_quota_is_exceeded_if_any_model_quota_is() {
    let mut pool = two();
    run(&mut pool, "a", "one", &limited(100), at(0));
    for round in 0..3 {
        run(
            &mut pool,
            "a",
            "two",
            &failed(Scope::Model, 429),
            at(round * 20_000),
        );
    }
    let quota = aggregate(&pool, at(40_001)).quota;
    assert!(quota.exceeded);
    // The third consecutive guess is four seconds.
    assert_eq!(quota.next_recover_at, Some(at(44_000)));
    assert_eq!(quota.backoff_level, 3);
    run(&mut pool, "a", "two", &Outcome::Success, at(50_000));
    let quota = aggregate(&pool, at(50_001)).quota;
    assert_eq!((quota.exceeded, quota.backoff_level), (true, 0));
    assert_eq!(quota.next_recover_at, Some(at(100_000)));
    assert!(!aggregate(&pool, at(100_000)).quota.exceeded);
}

#[test]
fn cliproxyapi_compat_1_9_other_errors_do_not_exceed_quota() {
    let mut pool = two();
    run(&mut pool, "a", "one", &failed(Scope::Model, 500), at(0));
    let one = aggregate(&pool, at(1));
    assert!(!one.quota.exceeded);
    assert!(one.message.is_some());
}

#[test]
fn cliproxyapi_compat_1_10_model_without_state_is_available() {
    let mut pool = two();
    run(&mut pool, "a", "one", &limited(100), at(0));
    assert!(
        pool.candidates(&CandidateQuery::first_round("one"), at(1))
            .is_err()
    );
    assert_eq!(pool.ids("two", &[], at(1)), Ok(vec!["a".to_owned()]));
}

#[test]
fn cliproxyapi_compat_1_19_suffix_shares_health_with_its_model() {
    // CLIProxyAPI has a cooldown and a cursor per suffix. Here the limit applies to the model.
    let mut pool = two();
    run(&mut pool, "a", "one(high)", &limited(100), at(0));
    assert!(
        pool.candidates(&CandidateQuery::first_round("one"), at(1))
            .is_err()
    );
    assert!(
        pool.candidates(&CandidateQuery::first_round("one(8192)"), at(1))
            .is_err()
    );
    let models = pool.get("a", at(1)).expect("it is there").models;
    assert_eq!(models.len(), 2, "a client cannot make the pool grow");
}

/// One event: the model, the outcome, and the time since the last event.
fn event() -> impl Strategy<Value = (bool, u8, u64)> {
    (any::<bool>(), 0_u8..5, 0_u64..40_000)
}

proptest! {
    #[test]
    fn aggregate_matches_its_parts(
        events in prop::collection::vec(event(), 1..40)
    ) {
        let mut pool = two();
        let mut now = 0;
        for (second, what, pause) in events {
            now += pause;
            let outcome = match what {
                0 => Outcome::Success,
                1 => failed(Scope::Model, 429),
                2 => limited(30),
                3 => failed(Scope::Model, 500),
                _ => failed(Scope::Credential, 402),
            };
            let name = if second { "two" } else { "one" };
            let slot = pool.slot("a").expect("it is there");
            if let Ok(attempt) = pool.start(slot, name, at(now)) {
                pool.settle(attempt, &outcome, None, at(now));
            }
            let reported = aggregate(&pool, at(now));
            // Computed from the candidates, not from the status.
            let available = ["one", "two"].map(|name| pool.candidates(&CandidateQuery::first_round(name), at(now)).is_ok());
            prop_assert_eq!(reported.unavailable, available == [false, false]);
            if let Some(back) = reported.next_retry {
                let available_at = |pool: &mut Pool, time| {
                    ["one", "two"].iter().any(|name| pool.candidates(&CandidateQuery::first_round(name), time).is_ok())
                };
                let mut early = two();
                std::mem::swap(&mut early, &mut pool);
                prop_assert!(available_at(&mut early, back), "one is available by then");
                now = back.as_millis();
                pool = early;
            }
        }
    }

    #[test]
    fn limits_in_a_row_never_cool_for_a_shorter_time_than_the_one_before(limits in 1_u32..20) {
        let mut pool = two();
        let (mut now, mut last) = (0, 0);
        for _ in 0..limits {
            run(&mut pool, "a", "one", &failed(Scope::Model, 429), at(now));
            let unavailable = pool.candidates(&CandidateQuery::first_round("one"), at(now));
            let back = unavailable.err().and_then(|unavailable| unavailable.retry_at()).expect("it cools");
            let length = back.as_millis() - now;
            prop_assert!(length >= last && length <= 30 * 60 * 1000);
            last = length;
            now = back.as_millis();
        }
    }
}
