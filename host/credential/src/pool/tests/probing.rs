//! Tests of probes: long windows are probed before they end, by one attempt, after growing pauses.

use super::*;

const MINUTE: u64 = 60_000;

/// A pool in which the lane of `a` cools for 12 hours from time 0 on.
fn missing() -> Pool {
    let mut pool = pool(vec![credential("a")]);
    run(&mut pool, "a", "gpt", &failed(Scope::Model, 404), at(0));
    pool
}

/// Returns the first time from `from` on with a candidate, in steps of a second.
fn next_probe(pool: &mut Pool, from: u64) -> u64 {
    let is_available = |time: &u64| {
        pool.candidates(&CandidateQuery::first_round("gpt"), at(*time))
            .is_ok()
    };
    (from..)
        .step_by(1000)
        .find(is_available)
        .expect("in the end")
}

fn begin(pool: &mut Pool, now: u64) -> Attempt {
    let slot = pool.slot("a").expect("it is there");
    pool.start(slot, "gpt", at(now)).expect("it is available")
}

#[test]
fn long_window_is_probed_once_after_five_minutes() {
    let mut pool = missing();
    let due = next_probe(&mut pool, 1);
    assert!((4 * MINUTE..=6 * MINUTE + 1000).contains(&due), "{due}");
    let probe = begin(&mut pool, due);
    assert!(probe.is_probe());
    let unavailable = pool.candidates(&CandidateQuery::first_round("gpt"), at(due));
    let reasons = unavailable
        .err()
        .and_then(|unavailable| unavailable.reasons());
    assert_eq!(
        reasons.map(|reasons| (reasons.cooling, reasons.probing)),
        Some((1, 1))
    );
    let slot = pool.slot("a").expect("it is there");
    assert!(
        pool.start(slot, "gpt", at(due)).is_err(),
        "one probe at a time"
    );
    pool.settle(probe, &Outcome::Success, None, at(due + 1));
    assert!(!begin(&mut pool, due + 2).is_probe(), "the window is over");
}

#[test]
fn a_short_window_is_not_probed() {
    let mut pool = pool(vec![credential("a")]);
    run(&mut pool, "a", "gpt", &failed(Scope::Model, 500), at(0));
    assert_eq!(next_probe(&mut pool, 0), 1000);
    assert!(!begin(&mut pool, 1000).is_probe());
}

#[test]
fn failed_probes_back_off_exponentially() {
    let mut pool = missing();
    let (mut last, mut pauses) = (0, Vec::new());
    for _ in 0..4 {
        let due = next_probe(&mut pool, last + 1);
        pauses.push(due - last);
        let probe = begin(&mut pool, due);
        pool.settle(probe, &failed(Scope::Model, 404), None, at(due));
        last = due;
    }
    // A fifth either way, plus a second for the step of this test.
    for (pause, minutes) in pauses.iter().zip([5, 10, 20, 40]) {
        let expected = minutes * MINUTE;
        let range = expected * 4 / 5..=expected * 6 / 5 + 1000;
        assert!(range.contains(pause), "{pauses:?}");
    }
}

#[test]
fn cancelled_probe_may_be_repeated_at_once() {
    let mut pool = missing();
    let due = next_probe(&mut pool, 1);
    for outcome in [Outcome::Cancelled, Outcome::Inconclusive] {
        let probe = begin(&mut pool, due);
        pool.settle(probe, &outcome, None, at(due));
        assert_eq!(next_probe(&mut pool, due), due, "{outcome:?}");
    }
    let probe = begin(&mut pool, due);
    pool.settle(probe, &failed(Scope::Transport, 502), None, at(due));
    let again = next_probe(&mut pool, due);
    assert!(
        again >= due + 4 * MINUTE,
        "the connection may be down for longer"
    );
}

#[test]
fn credential_setting_overrides_cooling_policy() {
    for (own, cools) in [(None, false), (Some(false), true), (Some(true), false)] {
        let one = Credential {
            disable_cooling: own,
            ..credential("a")
        };
        let policy = CooldownPolicy {
            disable_cooling: true,
            ..CooldownPolicy::default()
        };
        let options = PoolOptions {
            policy,
            ..options()
        };
        let mut pool = Pool::new(vec![one], options).expect("a pool");
        run(&mut pool, "a", "gpt", &failed(Scope::Model, 500), at(0));
        let unavailable = pool
            .candidates(&CandidateQuery::first_round("gpt"), at(1))
            .is_err();
        assert_eq!(unavailable, cools, "{own:?}");
    }
}

#[test]
fn settling_frees_capacity_of_full_credential() {
    let mut pool = pool(vec![Credential {
        in_flight_max: NonZeroU32::new(2),
        ..credential("a")
    }]);
    let (first, second) = (begin(&mut pool, 0), begin(&mut pool, 0));
    assert!(
        pool.candidates(&CandidateQuery::first_round("gpt"), at(0))
            .is_err()
    );
    assert!(
        pool.settle(first, &Outcome::Success, None, at(1))
            .capacity_freed
    );
    assert!(
        pool.candidates(&CandidateQuery::first_round("gpt"), at(1))
            .is_ok()
    );
    assert!(
        !pool
            .settle(second, &Outcome::Success, None, at(1))
            .capacity_freed,
        "capacity was free"
    );
}
