//! Tests of the effects of outcomes.

use super::*;

#[test]
fn cliproxyapi_compat_1_8_model_failure_does_not_affect_other_models() {
    let mut pool = two_models();
    for scope in [Scope::Model, Scope::Provider] {
        let effects = run(&mut pool, "a", "one", &failed(scope, 500), at(0));
        let [change] = &*effects.changes else {
            panic!("one change, not {effects:?}");
        };
        assert_eq!(change.credential.as_str(), "a");
        assert_eq!(change.model.as_ref().map(ModelKey::as_str), Some("m1"));
        assert_eq!(
            change.to.availability(at(0)),
            Availability::Cooling { until: at(1_000) }
        );
        assert!(
            pool.candidates(&CandidateQuery::first_round("one"), at(1))
                .is_err()
        );
        assert!(
            pool.candidates(&CandidateQuery::first_round("two"), at(1))
                .is_ok()
        );
        pool = two_models();
    }
}

#[test]
fn cliproxyapi_compat_1_19_account_failure_blocks_every_model() {
    let mut pool = two_models();
    let effects = run(
        &mut pool,
        "a",
        "one",
        &failed(Scope::Credential, 401),
        at(0),
    );
    assert_eq!(effects.changes.len(), 1);
    assert_eq!(effects.changes[0].model, None);
    for name in ["one", "two"] {
        let unavailable = pool
            .candidates(&CandidateQuery::first_round(name), at(1))
            .expect_err("the account cools");
        assert_eq!(unavailable.retry_at(), Some(at(5_000)));
    }
}

#[test]
fn cliproxyapi_compat_1_8_failure_without_model_cools_the_account() {
    for (status, seconds) in [
        (401, Some(5)),
        (402, Some(30 * 60)),
        (403, Some(5)),
        (404, Some(12 * 3600)),
        (429, Some(1)),
        (408, Some(1)),
        (500, Some(1)),
        (503, Some(1)),
        (400, None),
    ] {
        let mut pool = two_models();
        run(
            &mut pool,
            "a",
            "one",
            &failed(Scope::Credential, status),
            at(0),
        );
        let account = pool.status(at(1))[0].account.clone();
        let cools = seconds.map(|seconds| Availability::Cooling {
            until: at(0) + secs(seconds),
        });
        let expected = cools.unwrap_or(Availability::Ready);
        assert_eq!(account.availability, expected, "{status}");
        if let Some(cause) = account.cause {
            assert_eq!(&*cause.message, format!("status {status}"));
        }
        // A success makes the account ready.
        let later = at(0) + secs(13 * 3600);
        run(&mut pool, "a", "two", &Outcome::Success, later);
        let account = &pool.status(later)[0].account;
        assert_eq!((account.strikes, account.cause.is_none()), (0, true));
    }
}

#[test]
fn a_success_closes_the_account_and_its_model_only() {
    let mut pool = two_models();
    run(&mut pool, "a", "one", &failed(Scope::Model, 429), at(0));
    run(&mut pool, "a", "two", &failed(Scope::Model, 429), at(0));
    run(
        &mut pool,
        "a",
        "one",
        &failed(Scope::Credential, 429),
        at(1_000),
    );
    let effects = run(&mut pool, "a", "one", &Outcome::Success, at(2_000));
    let changed_models: Vec<_> = effects
        .changes
        .iter()
        .map(|change| change.model.clone())
        .collect();
    assert_eq!(changed_models, [None, Some("m1".into())]);
    assert!(
        effects
            .changes
            .iter()
            .all(|change| change.to == Health::Ready)
    );
    let strikes: Vec<_> = pool.status(at(2_000))[0]
        .models
        .iter()
        .map(|model| model.health.strikes)
        .collect();
    assert_eq!(strikes, [0, 1]);
}

#[test]
fn outcome_of_earlier_attempt_changes_no_window() {
    let mut pool = two_models();
    let slot = pool.slot("a").expect("it is in the pool");
    let begin = |pool: &mut Pool| pool.start(slot, "one", at(0)).expect("it is available");
    let (lost, won) = (begin(&mut pool), begin(&mut pool));
    run(&mut pool, "a", "one", &failed(Scope::Model, 429), at(10));
    let nothing = Effects::default();
    assert_eq!(pool.settle(won, &Outcome::Success, None, at(500)), nothing);
    assert!(
        pool.candidates(&CandidateQuery::first_round("one"), at(501))
            .is_err(),
        "still cooling"
    );
    assert_eq!(
        pool.settle(lost, &failed(Scope::Model, 429), None, at(5_000)),
        nothing
    );
    assert!(
        pool.candidates(&CandidateQuery::first_round("one"), at(5_000))
            .is_ok(),
        "the window ended at 1010"
    );
}

#[test]
fn unattributable_outcomes_blame_no_credential() {
    let mut pool = two_models();
    for outcome in [
        Outcome::Cancelled,
        Outcome::Inconclusive,
        failed(Scope::Request, 400),
        unsent(),
    ] {
        assert_eq!(
            run(&mut pool, "a", "one", &outcome, at(0)),
            Effects::default()
        );
        assert!(
            pool.candidates(&CandidateQuery::first_round("one"), at(0))
                .is_ok(),
            "{outcome:?}"
        );
    }
}

#[test]
fn columns_reflect_outcomes() -> Result<(), Unavailable> {
    let mut pool = pool(vec![
        credential("a"),
        Credential {
            weight: 7,
            ..credential("b")
        },
    ]);
    let members = pool
        .candidates(&CandidateQuery::first_round("gpt"), at(0))?
        .members;
    let a = members.get(0).expect("a candidate").slot();
    for (outcome, first_byte) in [
        (Outcome::Success, Some(secs(1))),
        (failed(Scope::Transport, 0), None),
        (failed(Scope::Request, 400), None),
        (Outcome::Cancelled, None),
    ] {
        let attempt = pool.start(a, "gpt", at(77)).expect("it is available");
        pool.settle(attempt, &outcome, first_byte, at(80));
    }
    let open = pool.start(a, "gpt", at(99)).expect("it is available");
    assert_eq!(pool.weights(&members), [1, 7]);
    assert_eq!(pool.in_flight(&members), [1, 0]);
    assert_eq!(pool.last_used_ms(&members), [99, 0]);
    assert_eq!(pool.error_permille(&members), [500, 0]);
    assert_eq!(pool.latency_ms(&members), [1000, 0]);
    assert_eq!(pool.quota_left_permille(&members), [1000, 1000]);
    assert_eq!(pool.quota_reset_ms(&members), [0, 0]);
    pool.settle(open, &Outcome::Success, None, at(100));
    assert_eq!(pool.in_flight(&members), [0, 0]);
    pool.replace(vec![credential("b")]).expect("a pool");
    assert_eq!(
        pool.last_used_ms(&members),
        [0, 0],
        "the one that left reads as unknown"
    );
    Ok(())
}

#[test]
fn cliproxyapi_compat_1_4_update_preserves_health_and_in_flight() {
    let mut pool = pool(vec![credential("a"), credential("b")]);
    run(&mut pool, "a", "gpt", &failed(Scope::Model, 429), at(0));
    run(&mut pool, "a", "gpt", &failed(Scope::Model, 429), at(1_000));
    let a = pool.slot("a").expect("it is in the pool");
    let b = pool.slot("b").expect("it is in the pool");
    let of_a = pool.start(a, "gpt", at(3_000)).expect("it is available");
    let of_b = pool.start(b, "gpt", at(3_000)).expect("it is available");

    // The model gets another position and name; `b` is removed and added again.
    let serves = vec![served("new", &["new"]), served("upstream", &["renamed"])];
    pool.replace(vec![Credential {
        serves,
        ..credential("a")
    }])
    .expect("a pool");
    pool.replace(vec![
        Credential {
            serves: vec![served("new", &["new"]), served("upstream", &["renamed"])],
            ..credential("a")
        },
        credential("b"),
    ])
    .expect("a pool");
    assert_eq!(pool.slot("a"), Some(a));
    assert_ne!(pool.slot("b"), Some(b));
    let status = pool.status(at(3_000));
    assert_eq!((status[0].in_flight, status[1].in_flight), (1, 0));

    let effects = pool.settle(of_a, &failed(Scope::Model, 429), None, at(3_000));
    let until = at(3_000) + secs(4);
    assert_eq!(
        effects.changes[0].to.availability(at(3_000)),
        Availability::Cooling { until }
    );
    assert!(
        pool.candidates(&CandidateQuery::first_round("renamed"), at(3_001))
            .is_err()
    );
    assert!(
        pool.candidates(&CandidateQuery::first_round("new"), at(3_001))
            .is_ok()
    );
    let effects = pool.settle(of_b, &failed(Scope::Credential, 401), None, at(3_000));
    assert_eq!(
        effects,
        Effects::default(),
        "the new `b` is not the old one"
    );
    assert_eq!(pool.status(at(3_000))[1].in_flight, 0);
    assert!(
        pool.candidates(&CandidateQuery::first_round("gpt"), at(3_001))
            .is_ok()
    );
}

#[test]
fn status_reports_windows_and_last_failure() {
    let mut pool = two_models();
    run(&mut pool, "a", "one", &failed(Scope::Model, 500), at(5));
    run(&mut pool, "a", "two", &failed(Scope::Request, 400), at(6));
    let status = &pool.status(at(10))[0];
    let lanes = &status.models[0].lanes;
    let (one, two) = (&lanes[0].health, &status.models[1].health);
    assert_eq!(lanes.len(), 1);
    let of_model = status.models[0].health.availability;
    assert_eq!(of_model, Availability::Ready, "only the lane cools");
    assert_eq!(one.availability, Availability::Cooling { until: at(1_005) });
    assert_eq!(one.cause.as_ref().and_then(|cause| cause.status), Some(500));
    assert_eq!((two.availability, &two.cause), (Availability::Ready, &None));
    assert_eq!(status.account.availability, Availability::Ready);
    let last = status.last_failure.as_ref().expect("it failed");
    assert_eq!((last.at, &*last.cause.message), (at(5), "status 500"));
    assert_eq!(status.last_used, Some(at(6)));
}

#[test]
fn clock_going_backwards_is_ignored() {
    let mut pool = two_models();
    run(
        &mut pool,
        "a",
        "one",
        &failed(Scope::Model, 429),
        at(100_000),
    );
    assert!(
        pool.candidates(&CandidateQuery::first_round("one"), at(101_000))
            .is_ok()
    );
    assert!(
        pool.candidates(&CandidateQuery::first_round("one"), at(100_500))
            .is_ok(),
        "and it stays ready"
    );
    run(&mut pool, "a", "one", &failed(Scope::Model, 429), at(0));
    let unavailable = pool
        .candidates(&CandidateQuery::first_round("one"), at(0))
        .expect_err("it cools");
    assert_eq!(unavailable.retry_at(), Some(at(103_000)));
}

fn two_models() -> Pool {
    let serves = vec![served("m1", &["one"]), served("m2", &["two"])];
    pool(vec![Credential {
        serves,
        ..credential("a")
    }])
}
