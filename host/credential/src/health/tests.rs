//! Tests of windows, strikes and late results of a single health.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

#[test]
fn cliproxyapi_compat_1_8_backoff_level_survives_its_window() {
    let mut health = Health::Ready;
    let mut now = at(0);
    for expected in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1800, 1800] {
        health = health.next(&limited(), observation(now, now), &policy());
        let until = now + Duration::from_secs(expected);
        assert_eq!(health.availability(now), Availability::Cooling { until });
        let last = at(until.as_millis() - 1);
        assert_ne!(health.availability(last), Availability::Ready);
        assert_eq!(health.availability(until), Availability::Ready);
        now = until + Duration::from_hours(100);
    }
}

#[test]
fn cliproxyapi_compat_1_8_success_resets_backoff() {
    let health = cooling_twice();
    assert_eq!(health.strikes(), 2);
    let health = health.next(
        &Outcome::Success,
        observation(at(20_000), at(20_500)),
        &policy(),
    );
    assert_eq!(health, Health::Ready);
    let health = health.next(&limited(), observation(at(21_000), at(21_000)), &policy());
    assert_eq!(
        health.availability(at(21_000)),
        Availability::Cooling { until: at(22_000) }
    );
}

#[test]
fn a_success_that_began_before_the_failure_changes_nothing() {
    let health = cooling_twice();
    for began in [0, 9_999, 10_000] {
        let after = health.clone().next(
            &Outcome::Success,
            observation(at(began), at(20_000)),
            &policy(),
        );
        assert_eq!(
            after, health,
            "began at {began}, the failure was reported at 10000"
        );
    }
}

#[test]
fn a_failure_that_began_before_the_window_changes_nothing() {
    let health = cooling_twice();
    for (began, now) in [
        (0, 10_500),
        (9_999, 11_999),
        (9_999, 12_000),
        (9_999, 90_000),
    ] {
        let after =
            health
                .clone()
                .next(&unauthorized(), observation(at(began), at(now)), &policy());
        assert_eq!(after, health, "began at {began}, reported at {now}");
    }
    let counts = health.next(
        &unauthorized(),
        observation(at(12_000), at(12_000)),
        &policy(),
    );
    let until = at(12_000) + Duration::from_secs(5);
    assert_eq!(
        counts.availability(at(12_000)),
        Availability::Cooling { until }
    );
}

#[test]
fn cliproxyapi_compat_1_8_retry_after_does_not_raise_backoff_level() {
    let hinted = Outcome::Failed(Failure {
        retry_after: Some(Duration::from_mins(20)),
        ..failure(Some(429))
    });
    let health = cooling_twice().next(&hinted, observation(at(50_000), at(50_000)), &policy());
    assert_eq!(health.strikes(), 2);
    let later = at(50_000) + Duration::from_mins(30);
    let health = health.next(&limited(), observation(later, later), &policy());
    let until = later + Duration::from_secs(4);
    assert_eq!(health.availability(later), Availability::Cooling { until });
}

#[test]
fn another_class_starts_with_its_own_first_guess() {
    let health = cooling_twice().next(
        &unauthorized(),
        observation(at(50_000), at(50_000)),
        &policy(),
    );
    assert_eq!(health.strikes(), 1);
    let until = at(55_000);
    assert_eq!(
        health.availability(at(50_000)),
        Availability::Cooling { until }
    );
    // An overload and an outage are one class.
    let [overloaded, outage] = [529, 500].map(|status| Outcome::Failed(failure(Some(status))));
    let mut health = Health::Ready;
    for (outcome, expected) in [(&overloaded, 1), (&outage, 2), (&overloaded, 4)] {
        let now = health.window().map_or(at(0), |window| window.until);
        health = health.next(outcome, observation(now, now), &policy());
        let until = now + Duration::from_secs(expected);
        assert_eq!(health.availability(now), Availability::Cooling { until });
    }
}

#[test]
fn a_trial_counts_within_its_window() {
    let health = cooling_twice();
    let trial = |began, now| Observation {
        trial: true,
        ..observation(at(began), at(now))
    };
    let closed = health
        .clone()
        .next(&Outcome::Success, trial(10_500, 10_700), &policy());
    assert_eq!(closed, Health::Ready);
    let longer = health
        .clone()
        .next(&limited(), trial(10_500, 10_700), &policy());
    let until = at(14_700);
    assert_eq!(
        longer.availability(at(10_700)),
        Availability::Cooling { until }
    );
    let blameless = Outcome::Failed(Failure {
        scope: Scope::Request,
        ..failure(Some(400))
    });
    for outcome in [Outcome::Cancelled, Outcome::Inconclusive, blameless] {
        let after = health
            .clone()
            .next(&outcome, trial(10_500, 10_700), &policy());
        assert_eq!(after, health, "{outcome:?}");
    }
    // One that began before the window says nothing about it.
    let after = health
        .clone()
        .next(&Outcome::Success, trial(9_999, 10_700), &policy());
    assert_eq!(after, health);
}

#[test]
fn a_hint_that_comes_during_a_trial_stands() {
    let hint = Outcome::Failed(Failure {
        retry_after: Some(Duration::from_mins(10)),
        ..failure(Some(429))
    });
    let health = Health::Ready.next(&hint, observation(at(0), at(0)), &policy());
    let trial = Observation {
        trial: true,
        ..observation(at(5), at(6))
    };
    let after = health
        .clone()
        .next(&Outcome::Failed(failure(Some(500))), trial, &policy());
    assert_eq!(after, health);
}

#[test]
fn unattributable_outcomes_change_nothing() {
    let blameless = |scope| {
        Outcome::Failed(Failure {
            scope,
            ..failure(Some(500))
        })
    };
    for outcome in [
        Outcome::Cancelled,
        Outcome::Inconclusive,
        blameless(Scope::Request),
    ] {
        for health in [Health::Ready, cooling_twice()] {
            let after =
                health
                    .clone()
                    .next(&outcome, observation(at(90_000), at(90_000)), &policy());
            assert_eq!(after, health, "{outcome:?}");
        }
    }
}

#[test]
fn truncates_cause_at_char_boundary() {
    let cause = Cause::of(&Failure {
        kind: "é".repeat(1000).into(),
        message: "x".to_owned() + &"é".repeat(1000),
        ..failure(None)
    });
    assert_eq!(cause.kind.len(), 64);
    assert_eq!(cause.message.len(), 511);
}

proptest! {
    /// Any number of concurrent failures, reported in any order, opens one window.
    #[test]
    fn cliproxyapi_compat_1_19_burst_of_failures_raises_backoff_level_once(
        delays in prop::collection::vec(0_u64..900, 1..50),
        bursts in 1_u32..15,
    ) {
        let mut health = Health::Ready;
        let mut now = at(1_000);
        let mut longest = Duration::ZERO;
        for burst in 0..bursts {
            let mut delays = delays.clone();
            delays.sort_unstable();
            let began = now;
            for delay in delays {
                health = health.next(&limited(), observation(began, began + millis(delay)), &policy());
            }
            prop_assert_eq!(health.strikes(), burst + 1);
            let Health::Cooling { window: Window { since, until, .. }, .. } = health else {
                return Err(TestCaseError::fail("a rate limit cools"));
            };
            let length = until.saturating_since(since);
            prop_assert_eq!(length, Duration::from_secs(2_u64.pow(burst).min(1800)));
            prop_assert!(length >= longest, "backoff never shrinks within a streak");
            longest = length;
            now = until;
        }
    }

    /// In any order of events, an open window is not moved, and each window adds at most one
    /// strike.
    #[test]
    fn a_window_is_never_moved_while_it_lasts(
        events in prop::collection::vec((0_u64..3_000, 0_u64..5_000, outcome()), 1..100),
    ) {
        let mut health = Health::Ready;
        let mut now = at(10_000);
        for (gap, age, outcome) in events {
            now = now + millis(gap);
            let began = at(now.as_millis() - age.min(now.as_millis()));
            let next = health.clone().next(&outcome, observation(began, now), &policy());
            if let (Some(Window { since, until, .. }), Some(Window { since: opened, .. }))
                = (health.window(), next.window()) && next != health {
                prop_assert!(now >= *until, "the old window was over");
                prop_assert!(began >= *since, "the attempt was not from before it");
                prop_assert_eq!(*opened, now);
                prop_assert!(next.strikes() <= health.strikes() + 1);
            }
            if next == Health::Ready && health != Health::Ready {
                prop_assert_eq!(outcome, Outcome::Success);
            }
            health = next;
        }
    }
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Success),
        Just(Outcome::Cancelled),
        Just(limited()),
        Just(unauthorized()),
        Just(Outcome::Failed(Failure {
            retry_after: Some(Duration::from_secs(2)),
            ..failure(Some(429))
        })),
    ]
}

/// A health with two strikes: the second failure was reported at 10 s, and the window ended at 12
/// s.
fn cooling_twice() -> Health {
    Health::Ready
        .next(&limited(), observation(at(5_000), at(5_000)), &policy())
        .next(&limited(), observation(at(9_500), at(10_000)), &policy())
}

fn limited() -> Outcome {
    Outcome::Failed(failure(Some(429)))
}

fn unauthorized() -> Outcome {
    Outcome::Failed(failure(Some(401)))
}

fn failure(status: Option<u16>) -> Failure {
    Failure {
        scope: Scope::Model,
        kind: "".into(),
        status,
        message: String::new(),
        retry_after: None,
        refresh_suggested: false,
        sent: true,
    }
}

fn observation(began: Timestamp, now: Timestamp) -> Observation {
    Observation {
        began,
        now,
        probe: None,
        trial: false,
        jitter: 0,
    }
}

fn policy() -> CooldownPolicy {
    CooldownPolicy::default()
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
