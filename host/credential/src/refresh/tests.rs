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
        expires_at: Some(at(9_000_000)),
        ..refreshed
    };
    assert_eq!(ending.due_at(), Some(at(4_600_000)));
    let ending_soon = RefreshFacts {
        expires_at: Some(at(5_000_000)),
        ..refreshed
    };
    assert_eq!(
        ending_soon.due_at(),
        Some(at(3_000_000)),
        "after half of its life, since the interval is longer"
    );
    let file = RefreshFacts {
        refreshed_at: None,
        ..ending_soon
    };
    assert_eq!(file.due_at(), Some(at(0)), "its life is not known");
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
fn cliproxyapi_compat_1_2_refresh_backoff_starts_at_5_seconds_and_grows() {
    let longest = |failures| refresh_backoff(failures, 0);
    assert_eq!([1, 2, 3, 4].map(longest), [5, 15, 60, 120].map(secs));
    assert_eq!(
        [7, 8, 9, 10, u32::MAX].map(longest),
        [960, 1920, 2400, 2400, 2400].map(secs)
    );
    assert_eq!(
        (refresh_backoff(1, 200), refresh_backoff(1, 201)),
        (secs(4), secs(5))
    );
}

#[test]
fn token_is_not_refreshed_in_the_first_half_of_its_life() {
    for (life, expected) in [(60, 30), (300, 150), (599, 299), (601, 301), (3600, 3300)] {
        let fresh = RefreshFacts {
            refreshed_at: Some(at(1_000_000)),
            expires_at: Some(at(1_000_000) + secs(life)),
            ..facts()
        };
        let due = fresh
            .due_at()
            .map(|due| due.saturating_since(at(1_000_000)));
        assert_eq!(due.map(|due| due.as_secs()), Some(expected), "{life} s");
    }
}

#[test]
fn token_of_unknown_life_is_refreshed_after_its_lead_but_not_within_30_seconds() {
    for (lead, expected) in [(0, 30), (10, 30), (31, 31), (300, 300)] {
        let fresh = RefreshFacts {
            refreshed_at: Some(at(1_000)),
            lead: Some(secs(lead)),
            ..facts()
        };
        assert_eq!(fresh.due_at(), Some(at(1_000) + secs(expected)), "{lead} s");
    }
}

#[test]
fn required_refresh_does_not_wait_for_policy_interval_and_lead() {
    let long = RefreshFacts {
        expires_at: Some(at(90_000_000)),
        required_at: Some(at(7_000)),
        ..facts()
    };
    assert_eq!(long.due_at(), Some(at(7_000)));
    let vetoed = RefreshFacts {
        policy_decision: Some(false),
        ..long
    };
    assert_eq!(vetoed.due_at(), Some(at(7_000)));
    let without_lead = RefreshFacts { lead: None, ..long };
    assert_eq!(without_lead.due_at(), Some(at(7_000)));
    let failed = RefreshFacts {
        not_before: Some(at(9_000)),
        ..long
    };
    assert_eq!(failed.due_at(), Some(at(9_000)), "the backoff applies");
    let ending = RefreshFacts {
        required_at: Some(at(900_000)),
        expires_at: Some(at(400_000)),
        ..facts()
    };
    assert_eq!(ending.due_at(), Some(at(100_000)), "the lead still applies");
}

#[test]
fn on_demand_refreshes_double_their_window_until_they_pause() {
    let mut limit = OnDemandLimit::default();
    let mut now = at(1_000);
    let mut begun = Vec::new();
    for _ in 0..9 {
        now = now.max(limit.next_at());
        begun.push(now.saturating_since(at(1_000)).as_secs());
        limit.record(now);
    }
    assert_eq!(begun, [0, 5, 10, 300, 605, 1210, 2700, 3005, 3610]);
    // Nothing for longer than the window: the account works again in between.
    now = now + Duration::from_mins(41);
    limit.record(now);
    assert_eq!(limit.next_at(), now + secs(5));
}

proptest! {
    /// Tokens of any life, with any lead and any time that a refresh takes: the number of refreshes is
    /// bounded by the time that a token is used.
    #[test]
    fn refreshes_are_bounded_by_life_and_lead(
        life_ms in prop_oneof![Just(0_u64), 1_u64..5_000, 5_000_u64..600_000],
        lead_ms in 0_u64..3_600_000,
        interval_ms in prop::option::of(1_u64..3_600_000),
        takes_ms in 0_u64..2_000,
    ) {
        let [life, lead, takes] = [life_ms, lead_ms, takes_ms].map(Duration::from_millis);
        let interval = interval_ms.map(Duration::from_millis);
        let period = Duration::from_hours(1);
        let (mut now, mut begun, mut previous) = (at(0), 0_u32, None);
        let mut facts = RefreshFacts { lead: Some(lead), interval, ..facts() };
        while now < at(0) + period {
            if let Some(previous) = previous {
                prop_assert!(now.saturating_since(previous) >= REFRESH_INTERVAL_MIN);
            }
            (begun, previous) = (begun + 1, Some(now));
            let refreshed_at = now + takes;
            facts.refreshed_at = Some(refreshed_at);
            // A life of zero is none that was reported.
            facts.expires_at = (life_ms > 0).then(|| refreshed_at + life);
            let due = facts.due_at().expect("it has a lead");
            if life_ms > 0 {
                prop_assert!(due <= (refreshed_at + life).max(refreshed_at + REFRESH_INTERVAL_MIN));
            }
            now = due.max(refreshed_at);
        }
        let ahead = interval.unwrap_or(lead);
        let used = match (life_ms, interval) {
            (0, None) => lead.max(secs(30)),
            (0, Some(interval)) => interval,
            _ => life.saturating_sub(ahead).max(life / 2),
        };
        let used = used.min(interval.unwrap_or(used)).max(REFRESH_INTERVAL_MIN);
        let most = 1 + period.as_millis() / used.as_millis();
        prop_assert!(u128::from(begun) <= most, "{} refreshes, not {}", begun, most);
    }

    /// However often tokens are rejected: refreshes are 5 s apart, and three in 5 minutes.
    #[test]
    fn on_demand_refreshes_are_limited(pauses_ms in prop::collection::vec(0_u64..400_000, 1..300)) {
        let mut limit = OnDemandLimit::default();
        let (mut now, mut begun) = (at(5), Vec::new());
        for pause in pauses_ms {
            now = now + Duration::from_millis(pause);
            if now >= limit.next_at() {
                limit.record(now);
                begun.push(now);
            }
            prop_assert!(limit.next_at() <= now + FAILURE_BACKOFF_MAX, "it never ends for good");
        }
        for two in begun.windows(2) {
            prop_assert!(two[1].saturating_since(two[0]) >= secs(5));
        }
        for four in begun.windows(4) {
            prop_assert!(four[3].saturating_since(four[0]) >= secs(300));
        }
    }

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
