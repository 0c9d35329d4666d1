//! Long windows are looked into before they end: by one attempt, and at growing pauses.

use super::*;

const MINUTE: u64 = 60_000;

/// A pool whose `a` was told at 0 to come back after 12 hours.
fn missing() -> Pool {
    let mut pool = pool(vec![credential("a")]);
    run(&mut pool, "a", "gpt", &failed(Scope::Model, 404), at(0));
    pool
}

/// The first time from `from` on at which somebody is offered, in steps of a second.
fn next_probe(pool: &mut Pool, from: u64) -> u64 {
    let fit = |time: &u64| pool.candidates(&Ask::first("gpt"), at(*time)).is_ok();
    (from..).step_by(1000).find(fit).expect("in the end")
}

fn begin(pool: &mut Pool, now: u64) -> Attempt {
    let slot = pool.slot("a").expect("it is there");
    pool.begin(slot, "gpt", at(now)).expect("it is fit")
}

#[test]
fn a_long_window_is_probed_after_some_five_minutes_by_one() {
    let mut pool = missing();
    let due = next_probe(&mut pool, 1);
    assert!((4 * MINUTE..=6 * MINUTE + 1000).contains(&due), "{due}");
    let probe = begin(&mut pool, due);
    assert!(probe.is_probe());
    let unfit = pool.candidates(&Ask::first("gpt"), at(due));
    let reasons = unfit.err().and_then(|unfit| unfit.reasons());
    assert_eq!(
        reasons.map(|reasons| (reasons.cooling, reasons.probing)),
        Some((1, 1))
    );
    let slot = pool.slot("a").expect("it is there");
    assert!(pool.begin(slot, "gpt", at(due)).is_err(), "one at a time");
    pool.settle(probe, &Outcome::Success, None, at(due + 1));
    assert!(!begin(&mut pool, due + 2).is_probe(), "the window is over");
}

#[test]
fn a_short_window_is_not_probed() {
    let mut pool = pool(vec![credential("a")]);
    run(&mut pool, "a", "gpt", &failed(Scope::Model, 500), at(0));
    assert_eq!(next_probe(&mut pool, 0), MINUTE);
    assert!(!begin(&mut pool, MINUTE).is_probe());
}

#[test]
fn probes_that_fail_come_at_doubling_pauses() {
    let mut pool = missing();
    let (mut last, mut pauses) = (0, Vec::new());
    for _ in 0..4 {
        let due = next_probe(&mut pool, last + 1);
        pauses.push(due - last);
        let probe = begin(&mut pool, due);
        pool.settle(probe, &failed(Scope::Model, 404), None, at(due));
        last = due;
    }
    // A fifth either way, and a second of this test's own.
    for (pause, minutes) in pauses.iter().zip([5, 10, 20, 40]) {
        let expected = minutes * MINUTE;
        let range = expected * 4 / 5..=expected * 6 / 5 + 1000;
        assert!(range.contains(pause), "{pauses:?}");
    }
}

#[test]
fn a_probe_that_was_left_says_nothing_and_another_may_go_at_once() {
    let mut pool = missing();
    let due = next_probe(&mut pool, 1);
    for outcome in [Outcome::Cancelled, Outcome::Unjudged] {
        let probe = begin(&mut pool, due);
        pool.settle(probe, &outcome, None, at(due));
        assert_eq!(next_probe(&mut pool, due), due, "{outcome:?}");
    }
    let probe = begin(&mut pool, due);
    pool.settle(probe, &failed(Scope::Transport, 502), None, at(due));
    let again = next_probe(&mut pool, due);
    assert!(
        again >= due + 4 * MINUTE,
        "the way there may be down for longer"
    );
}

#[test]
fn a_credentials_own_word_on_cooling_counts_more_than_the_policys() {
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
        let unfit = pool.candidates(&Ask::first("gpt"), at(1)).is_err();
        assert_eq!(unfit, cools, "{own:?}");
    }
}

#[test]
fn the_end_of_an_attempt_of_a_full_credential_makes_room() {
    let mut pool = pool(vec![Credential {
        in_flight_max: NonZeroU32::new(2),
        ..credential("a")
    }]);
    let (first, second) = (begin(&mut pool, 0), begin(&mut pool, 0));
    assert!(pool.candidates(&Ask::first("gpt"), at(0)).is_err());
    assert!(pool.settle(first, &Outcome::Success, None, at(1)).room);
    assert!(pool.candidates(&Ask::first("gpt"), at(1)).is_ok());
    assert!(
        !pool.settle(second, &Outcome::Success, None, at(1)).room,
        "there was room"
    );
}
