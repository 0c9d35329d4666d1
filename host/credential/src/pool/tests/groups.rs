//! Several models of one credential under one name.

use super::*;
use crate::{CandidateQuery, Requester};

/// A credential with the models `one` and `two` under `gpt`, and with one of them under another name.
fn credential_of_two(weights: [u32; 2], priorities: [i32; 2]) -> Credential {
    let mut one = served("one", &["gpt", "alone"]);
    let mut two = served("two", &["gpt"]);
    (one.weight, two.weight) = (weights[0], weights[1]);
    (one.priority, two.priority) = (priorities[0], priorities[1]);
    Credential {
        serves: vec![one, two],
        ..credential("a")
    }
}

fn query(digest: u64, tried: &[Slot]) -> CandidateQuery<'_> {
    CandidateQuery {
        tried,
        requester: Requester { client: 1, digest },
        ..CandidateQuery::first_round("gpt")
    }
}

/// Begins an attempt of a call, and settles it.
fn attempt(
    pool: &mut Pool,
    query: &CandidateQuery<'_>,
    outcome: &Outcome,
    now: Timestamp,
) -> Result<String, Unavailable> {
    let candidates = pool.candidates(query, now)?;
    let slot = candidates.members.iter().next().expect("one").slot();
    let attempt = pool
        .begin(slot, query, candidates.trial, now)
        .expect("it is available");
    let model = attempt.upstream_model().to_string();
    let _ = pool.settle(attempt, outcome, None, now);
    Ok(model)
}

fn rate_limited(seconds: u64) -> Outcome {
    let Outcome::Failed(failure) = failed(Scope::Model, 429) else {
        unreachable!("it is a failure");
    };
    Outcome::Failed(Failure {
        kind: kind::RATE_LIMIT.into(),
        retry_after: Some(Duration::from_secs(seconds)),
        ..failure
    })
}

#[test]
fn calls_are_spread_by_weight() {
    let mut pool = pool(vec![credential_of_two([3, 1], [0, 0])]);
    let mut served: BTreeMap<String, u32> = BTreeMap::new();
    for digest in 0..400 {
        let model = attempt(&mut pool, &query(digest, &[]), &Outcome::Success, at(1)).unwrap();
        *served.entry(model).or_default() += 1;
    }
    assert_eq!(served["one"], 300);
    assert_eq!(served["two"], 100);
}

#[test]
fn lower_priority_is_used_only_after_the_higher_one() {
    let mut pool = pool(vec![credential_of_two([1, 1], [0, 1])]);
    for digest in 0..4 {
        let model = attempt(&mut pool, &query(digest, &[]), &Outcome::Success, at(1));
        assert_eq!(model.as_deref(), Ok("two"));
    }
    let limited = attempt(&mut pool, &query(9, &[]), &rate_limited(60), at(2));
    assert_eq!(limited.as_deref(), Ok("two"));
    let model = attempt(&mut pool, &query(10, &[]), &Outcome::Success, at(3));
    assert_eq!(model.as_deref(), Ok("one"));
    pool.audit(at(3));
}

#[test]
fn a_call_goes_on_to_the_other_model_of_the_same_credential() {
    let mut pool = pool(vec![credential_of_two([1, 1], [0, 0])]);
    let slot = pool.slot("a").unwrap();
    let first = attempt(
        &mut pool,
        &query(0, &[]),
        &failed(Scope::Request, 400),
        at(1),
    )
    .unwrap();
    let tried = [slot];
    let second = attempt(&mut pool, &query(0, &tried), &Outcome::Success, at(2)).unwrap();
    assert_eq!([&*first, &*second], ["one", "two"]);
    let tried = [slot, slot];
    let third = pool.candidates(&query(0, &tried), at(3));
    let Err(Unavailable::NoneAvailable(reasons)) = third else {
        panic!("{third:?}");
    };
    assert_eq!(reasons.tried, 1);
}

#[test]
fn the_name_cools_only_if_all_its_models_do() {
    let mut pool = pool(vec![credential_of_two([1, 1], [0, 0])]);
    let first = attempt(&mut pool, &query(0, &[]), &rate_limited(60), at(0)).unwrap();
    assert_eq!(first, "one");
    // Both digests: the model that cools is not used.
    for digest in 0..2 {
        let model = attempt(&mut pool, &query(digest, &[]), &Outcome::Success, at(1_000));
        assert_eq!(model.as_deref(), Ok("two"));
    }
    let alone = CandidateQuery {
        name: "alone",
        ..query(0, &[])
    };
    assert!(pool.candidates(&alone, at(1_000)).is_err());
    let second = attempt(&mut pool, &query(0, &[]), &rate_limited(30), at(2_000)).unwrap();
    assert_eq!(second, "two");
    pool.audit(at(2_000));
    let Err(unavailable) = pool.candidates(&query(0, &[]), at(3_000)) else {
        panic!("both cool");
    };
    assert_eq!(unavailable.retry_at(), Some(at(32_000)));
    let model = attempt(&mut pool, &query(0, &[]), &Outcome::Success, at(33_000));
    assert_eq!(model.as_deref(), Ok("two"));
    pool.audit(at(33_000));
}

#[test]
fn any_model_of_a_name_that_cools_may_be_tried() {
    let mut pool = pool(vec![credential_of_two([1, 1], [0, 0])]);
    // The first one cools by a hint, which is obeyed, and the other one by a guess.
    let _ = attempt(&mut pool, &query(0, &[]), &rate_limited(600), at(0)).unwrap();
    let out = failed(Scope::Provider, 503);
    let model = attempt(&mut pool, &query(1, &[]), &out, at(10));
    assert_eq!(model.as_deref(), Ok("two"));
    let other = CandidateQuery {
        requester: Requester {
            client: 2,
            digest: 2,
        },
        ..query(2, &[])
    };
    let candidates = pool.candidates(&other, at(100)).unwrap();
    assert!(candidates.trial);
    let model = attempt(&mut pool, &other, &Outcome::Success, at(100));
    assert_eq!(model.as_deref(), Ok("two"));
    pool.audit(at(100));
}

#[test]
fn models_of_a_name_change_with_the_credential() {
    let mut pool = pool(vec![credential_of_two([1, 1], [0, 0])]);
    let _ = attempt(&mut pool, &query(0, &[]), &rate_limited(60), at(0)).unwrap();
    let mut only = credential_of_two([1, 1], [0, 0]);
    only.serves.truncate(1);
    pool.upsert(vec![only]).unwrap();
    pool.audit(at(0));
    assert!(pool.candidates(&query(0, &[]), at(1_000)).is_err());
    pool.upsert(vec![credential_of_two([1, 1], [0, 0])])
        .unwrap();
    pool.audit(at(1_000));
    let model = attempt(&mut pool, &query(0, &[]), &Outcome::Success, at(2_000));
    assert_eq!(model.as_deref(), Ok("two"));
}
