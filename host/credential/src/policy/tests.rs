//! The cooldown table, row by row.

use super::*;

#[test]
fn cliproxyapi_compat_1_8_status_cooldowns_match_the_table() {
    let minutes = |n: u64| Some(Duration::from_mins(n));
    let hours = |n: u64| Some(Duration::from_hours(n));
    for (status, expected) in [
        (400, None),
        (401, minutes(30)),
        (402, minutes(30)),
        (403, minutes(30)),
        (404, hours(12)),
        (408, minutes(1)),
        (409, None),
        (422, None),
        (429, Some(Duration::from_secs(1))),
        (500, minutes(1)),
        (502, minutes(1)),
        (503, minutes(1)),
        (504, minutes(1)),
        (529, minutes(1)),
        (200, None),
    ] {
        assert_eq!(
            length(&failure("", Some(status)), 0),
            expected,
            "status {status}"
        );
    }
    assert_eq!(length(&failure("", None), 0), None);
}

#[test]
fn kinds_cool_without_a_status_and_win_over_one() {
    let minute = Duration::from_mins(1);
    for (kind, expected) in [
        (kind::AUTHENTICATION, Some(minute * 30)),
        (kind::BILLING, Some(minute * 30)),
        (kind::PERMISSION, Some(minute * 30)),
        (kind::NOT_FOUND, Some(minute * 60 * 12)),
        (kind::UNSUPPORTED, Some(minute * 60 * 12)),
        (kind::RATE_LIMIT, Some(Duration::from_secs(1))),
        (kind::QUOTA, Some(Duration::from_secs(1))),
        (kind::OVERLOADED, Some(minute)),
        (kind::TRANSIENT, Some(minute)),
        (kind::INVALID, None),
        ("own-word", None),
    ] {
        assert_eq!(length(&failure(kind, None), 0), expected, "kind {kind}");
        assert_eq!(
            length(&failure(kind, Some(400)), 0),
            expected,
            "kind {kind} with 400"
        );
    }
    assert_eq!(length(&failure("own-word", Some(500)), 0), Some(minute));
}

#[test]
fn cliproxyapi_compat_1_8_other_statuses_do_not_cool() {
    for scope in [Scope::Request, Scope::Transport] {
        for status in [401, 404, 429, 500, 503] {
            let blameless = Failure {
                scope,
                ..hinted("", Some(status), 60)
            };
            assert_eq!(length(&blameless, 0), None, "{scope:?} {status}");
        }
    }
}

#[test]
fn cliproxyapi_compat_1_8_retry_after_overrides_backoff() {
    let minute = Some(Duration::from_mins(1));
    let hint = Some(Duration::from_secs(7));
    for (failure, expected) in [
        (hinted("", Some(429), 7), hint),
        (hinted("", Some(503), 7), hint),
        (hinted(kind::QUOTA, None, 7), hint),
        (hinted(kind::RATE_LIMIT, Some(403), 7), hint),
        (hinted(kind::OVERLOADED, None, 7), hint),
        (hinted(kind::TRANSIENT, Some(503), 7), hint),
        (hinted("", Some(500), 7), minute),
        (hinted("", Some(401), 7), Some(Duration::from_mins(30))),
        (hinted("", Some(400), 7), None),
    ] {
        assert_eq!(length(&failure, 0), expected, "{failure:?}");
    }
}

#[test]
fn ignores_zero_hint_and_caps_huge_hint() {
    assert_eq!(
        length(&hinted("", Some(429), 0), 3),
        Some(Duration::from_secs(8))
    );
    assert_eq!(length(&hinted("", Some(429), u64::MAX), 0), Some(HINT_MAX));
}

#[test]
fn cliproxyapi_compat_1_8_rate_limit_backoff_doubles_up_to_30_minutes() {
    let seconds: Vec<u64> = (0..14)
        .filter_map(|strikes| length(&failure("", Some(429)), strikes))
        .map(|length| length.as_secs())
        .collect();
    assert_eq!(
        seconds,
        [
            1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1800, 1800, 1800
        ]
    );
    assert_eq!(
        length(&failure("", Some(429)), u32::MAX),
        Some(Duration::from_mins(30))
    );
}

#[test]
fn only_backoff_counts_as_strike() {
    let strike = |failure: &Failure| {
        CooldownPolicy::default()
            .cooldown_for(failure, 0)
            .map(|cooldown| cooldown.strike)
    };
    assert_eq!(strike(&failure("", Some(429))), Some(true));
    assert_eq!(strike(&hinted("", Some(429), 5)), Some(false));
    assert_eq!(strike(&failure("", Some(500))), Some(false));
    assert_eq!(strike(&failure("", Some(401))), Some(false));
}

#[test]
fn cliproxyapi_compat_1_8_disable_cooling_still_honors_retry_after() {
    let policy = CooldownPolicy {
        disable_cooling: true,
        ..CooldownPolicy::default()
    };
    let length = |failure: &Failure| {
        policy
            .cooldown_for(failure, 0)
            .map(|cooldown| cooldown.length)
    };
    for status in [408, 429, 500, 502, 503, 504] {
        assert_eq!(length(&failure("", Some(status))), None, "status {status}");
    }
    assert_eq!(
        length(&hinted("", Some(429), 7)),
        Some(Duration::from_secs(7))
    );
    assert_eq!(
        length(&hinted("", Some(503), 7)),
        Some(Duration::from_secs(7))
    );
    assert_eq!(
        length(&failure("", Some(401))),
        Some(Duration::from_mins(30))
    );
    assert_eq!(
        length(&failure("", Some(404))),
        Some(Duration::from_hours(12))
    );
}

fn length(failure: &Failure, strikes: u32) -> Option<Duration> {
    let cooldown = CooldownPolicy::default().cooldown_for(failure, strikes);
    cooldown.map(|cooldown| cooldown.length)
}

fn failure(kind: &'static str, status: Option<u16>) -> Failure {
    Failure {
        scope: Scope::Model,
        kind: kind.into(),
        status,
        message: String::new(),
        retry_after: None,
        refresh_suggested: false,
        sent: true,
    }
}

fn hinted(kind: &'static str, status: Option<u16>, seconds: u64) -> Failure {
    Failure {
        retry_after: Some(Duration::from_secs(seconds)),
        ..failure(kind, status)
    }
}
