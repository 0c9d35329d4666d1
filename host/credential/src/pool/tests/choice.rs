//! Tests of candidates, and of the reasons when there are none.

use std::sync::Arc;

use super::*;

#[test]
fn cliproxyapi_compat_1_10_candidates_are_highest_available_priority_by_id()
-> Result<(), Unavailable> {
    let high = |id| Credential {
        priority: 5,
        ..credential(id)
    };
    let mut pool = pool(vec![credential("d"), high("c"), credential("a"), high("b")]);
    assert_eq!(pool.ids("gpt", &[], at(0))?, ["b", "c"]);
    run(&mut pool, "b", "gpt", &failed(Scope::Model, 500), at(0));
    assert_eq!(pool.ids("gpt", &[], at(0))?, ["c"]);
    run(&mut pool, "c", "gpt", &failed(Scope::Model, 500), at(1));
    assert_eq!(pool.ids("gpt", &[], at(1))?, ["a", "d"]);
    assert_eq!(pool.ids("gpt", &[], at(999))?, ["a", "d"]);
    assert_eq!(pool.ids("gpt", &[], at(1_000))?, ["b"]);
    assert_eq!(pool.ids("gpt", &[], at(1_001))?, ["b", "c"]);
    Ok(())
}

#[test]
fn cliproxyapi_compat_1_10_priority_defaults_to_0_and_may_be_negative() -> Result<(), Unavailable> {
    let last = Credential {
        priority: -3,
        ..credential("a")
    };
    let set = Credential {
        priority: 0,
        ..credential("c")
    };
    let mut pool = pool(vec![last, credential("b"), set]);
    assert_eq!(pool.ids("gpt", &[], at(0))?, ["b", "c"]);
    for id in ["b", "c"] {
        run(&mut pool, id, "gpt", &failed(Scope::Model, 500), at(0));
    }
    assert_eq!(pool.ids("gpt", &[], at(0))?, ["a"]);
    Ok(())
}

#[test]
fn cliproxyapi_compat_1_6_tried_credentials_are_excluded() -> Result<(), Unavailable> {
    let low = Credential {
        priority: -1,
        ..credential("c")
    };
    let mut pool = pool(vec![credential("a"), credential("b"), low]);
    let slot = |pool: &Pool, id| pool.slot(id).expect("it is in the pool");
    let (a, b, c) = (slot(&pool, "a"), slot(&pool, "b"), slot(&pool, "c"));
    assert_eq!(pool.ids("gpt", &[a], at(0))?, ["b"]);
    assert_eq!(pool.ids("gpt", &[b, a, a], at(0))?, ["c"]);
    let unavailable = Unavailable::NoneAvailable(Reasons {
        disabled: 0,
        tried: 3,
        cooling: 0,
        retry_at: None,
        ..Reasons::default()
    });
    assert_eq!(pool.ids("gpt", &[a, b, c], at(0)), Err(unavailable));
    assert_eq!(
        pool.ids("gpt", &[], at(0))?,
        ["a", "b"],
        "the list itself is untouched"
    );
    Ok(())
}

#[test]
fn nothing_changed_means_the_same_list_without_a_copy() -> Result<(), Unavailable> {
    let mut pool = pool((0..100).map(|n| credential(&format!("c{n:03}"))).collect());
    let first = pool.candidates(&CandidateQuery::first_round("gpt"), at(0))?;
    let again = pool.candidates(&CandidateQuery::first_round("gpt"), at(1))?;
    assert!(Arc::ptr_eq(&first.members, &again.members));
    run(&mut pool, "c050", "gpt", &failed(Scope::Model, 500), at(2));
    let fewer = pool.candidates(&CandidateQuery::first_round("gpt"), at(2))?;
    assert_eq!(fewer.members.len(), 99);
    assert_eq!(
        first.members.len(),
        100,
        "candidates that were returned do not change"
    );
    let cooling = pool.slot("c050").into_iter().collect::<Vec<_>>();
    let without = pool.candidates(
        &CandidateQuery {
            tried: &cooling,
            ..CandidateQuery::first_round("gpt")
        },
        at(2),
    )?;
    assert!(
        Arc::ptr_eq(&fewer.members, &without.members),
        "a tried credential that is cooling costs no copy"
    );
    Ok(())
}

#[test]
fn cliproxyapi_compat_1_10_reports_who_is_blocked_why_and_until_when() {
    let off = Credential {
        enabled: false,
        ..credential("off")
    };
    let mut pool = pool(vec![credential("a"), credential("b"), off]);
    assert_eq!(pool.ids("nope", &[], at(0)), Err(Unavailable::UnknownModel));
    run(
        &mut pool,
        "a",
        "gpt",
        &failed(Scope::Credential, 401),
        at(0),
    );
    run(&mut pool, "b", "gpt", &failed(Scope::Model, 500), at(5));
    let retry_at = Some(at(1_005));
    let unavailable = pool
        .candidates(&CandidateQuery::first_round("gpt"), at(10))
        .expect_err("all cool");
    let reasons = unavailable.reasons().expect("credentials serve it");
    let first = reasons.first.clone().expect("one is the first");
    assert_eq!(
        (first.class, first.cause.status),
        (CoolingClass::Outage, Some(500))
    );
    let classes = CoolingCounts {
        refused: 1,
        outage: 1,
        ..CoolingCounts::default()
    };
    let expected = Reasons {
        disabled: 1,
        tried: 0,
        cooling: 2,
        classes,
        retry_at,
        first: Some(first),
        times: times(BTreeMap::from([
            (CoolingClass::Outage, at(1_005)),
            (CoolingClass::Refused, at(5_000)),
        ])),
        ..Reasons::default()
    };
    assert_eq!(reasons, expected);
    assert!(unavailable.all_cooling());
    assert_eq!(unavailable.retry_at(), retry_at);
}

#[test]
fn tried_credentials_are_counted_as_tried_though_they_cool() {
    let off = Credential {
        enabled: false,
        ..credential("off")
    };
    let mut pool = pool(vec![credential("a"), credential("b"), off]);
    run(
        &mut pool,
        "a",
        "gpt",
        &failed(Scope::Credential, 401),
        at(0),
    );
    run(&mut pool, "b", "gpt", &failed(Scope::Model, 500), at(5));
    let tried: Vec<Slot> = ["b", "off"]
        .iter()
        .filter_map(|&id| pool.slot(id))
        .collect();
    let unavailable = pool
        .candidates(
            &CandidateQuery {
                tried: &tried,
                ..CandidateQuery::first_round("gpt")
            },
            at(10),
        )
        .expect_err("the rest cools");
    let reasons = unavailable.reasons().expect("credentials serve it");
    let first = reasons.first.clone().expect("one is the first");
    assert_eq!(
        (first.class, first.cause.status),
        (CoolingClass::Refused, Some(401))
    );
    let classes = CoolingCounts {
        refused: 1,
        ..CoolingCounts::default()
    };
    let expected = Reasons {
        disabled: 1,
        tried: 1,
        cooling: 1,
        classes,
        retry_at: Some(at(5_000)),
        first: Some(first),
        times: times(BTreeMap::from([(CoolingClass::Refused, at(5_000))])),
        ..Reasons::default()
    };
    assert_eq!(reasons, expected);
    assert!(!unavailable.all_cooling());
}

#[test]
fn cliproxyapi_compat_1_17_hides_models_of_disabled_credentials() {
    let off = Credential {
        enabled: false,
        serves: vec![served("m", &["only-off"])],
        ..credential("off")
    };
    let other = Credential {
        provider: "other".into(),
        ..credential("b")
    };
    let mut pool = pool(vec![credential("a"), off, other]);
    let unavailable = pool
        .candidates(&CandidateQuery::first_round("only-off"), at(0))
        .expect_err("it is disabled");
    assert_eq!(
        unavailable,
        Unavailable::NoneAvailable(Reasons {
            disabled: 1,
            tried: 0,
            cooling: 0,
            retry_at: None,
            ..Reasons::default()
        })
    );
    assert!(!unavailable.all_cooling());
    let names: Vec<_> = pool.names().collect();
    assert_eq!(names.len(), 1);
    assert_eq!(&*names[0].name, "gpt");
    assert_eq!(
        *names[0].providers,
        [ProviderName::from("acme"), "other".into()]
    );
}

#[test]
fn attempt_requires_available_credential() {
    let off = Credential {
        enabled: false,
        ..credential("off")
    };
    let mut pool = pool(vec![credential("a"), off]);
    let slot = pool.slot("a").expect("it is in the pool");
    let begin = |pool: &mut Pool, slot, name| pool.start(slot, name, at(0)).map(|_| ());
    assert_eq!(
        begin(&mut pool, slot, "nope"),
        Err(LeaseError::ModelNotServed)
    );
    let off = pool.slot("off").expect("it is in the pool");
    assert_eq!(begin(&mut pool, off, "gpt"), Err(LeaseError::Disabled));
    run(&mut pool, "a", "gpt", &failed(Scope::Model, 500), at(0));
    assert_eq!(
        begin(&mut pool, slot, "gpt"),
        Err(LeaseError::Cooling { until: at(1_000) })
    );
    pool.replace(vec![credential("b")]).expect("a pool");
    assert_eq!(
        begin(&mut pool, slot, "gpt"),
        Err(LeaseError::NotInPool),
        "the slot belongs to b now"
    );
}

#[test]
fn first_model_of_a_shared_name_is_used() {
    let serves = vec![
        served("one", &["gpt", "fast"]),
        served("two", &["fast", "slow"]),
    ];
    let mut pool = pool(vec![Credential {
        serves,
        ..credential("a")
    }]);
    let slot = pool.slot("a").expect("it is in the pool");
    let attempt = pool.start(slot, "fast", at(0)).expect("it is available");
    assert_eq!(attempt.model().as_str(), "one");
    pool.settle(attempt, &failed(Scope::Model, 500), None, at(0));
    assert!(
        pool.candidates(&CandidateQuery::first_round("gpt"), at(1))
            .is_err(),
        "the same model by its other name"
    );
    assert!(
        pool.candidates(&CandidateQuery::first_round("slow"), at(1))
            .is_ok(),
        "another model"
    );
}

#[test]
fn cliproxyapi_compat_1_4_invalid_credential_set_changes_nothing() {
    let weightless = Credential {
        weight: 0,
        ..credential("w")
    };
    let bad = vec![
        credential("a"),
        credential("b"),
        credential("a"),
        weightless,
        credential("a"),
    ];
    let mut pool = pool(vec![credential("old")]);
    let error = pool.replace(bad).expect_err("two problems");
    let problems = [
        Problem::DuplicateId("a".into()),
        Problem::ZeroWeight("w".into()),
    ];
    assert_eq!(error.problems, problems);
    assert!(error.to_string().contains("`a`") && error.to_string().contains("`w`"));
    assert_eq!(pool.ids("gpt", &[], at(0)), Ok(vec!["old".to_owned()]));
}

#[test]
fn a_mass_recovery_is_found_by_the_next_call() -> Result<(), Unavailable> {
    let mut pool = pool((0..1000).map(|n| credential(&format!("c{n:04}"))).collect());
    for n in 0..1000 {
        run(
            &mut pool,
            &format!("c{n:04}"),
            "gpt",
            &failed(Scope::Model, 500),
            at(n),
        );
    }
    let unavailable = pool
        .candidates(&CandidateQuery::first_round("gpt"), at(999))
        .expect_err("all cool");
    assert_eq!(unavailable.retry_at(), Some(at(1_000)));
    assert_eq!(
        pool.candidates(&CandidateQuery::first_round("gpt"), at(1_009))?
            .members
            .len(),
        10
    );
    assert_eq!(
        pool.candidates(&CandidateQuery::first_round("gpt"), at(1_999))?
            .members
            .len(),
        1000
    );
    pool.audit(at(1_999));
    Ok(())
}

fn times(first_by_class: BTreeMap<CoolingClass, Timestamp>) -> Box<CoolingTimes> {
    Box::new(CoolingTimes {
        first_by_class,
        trial_until: None,
    })
}
