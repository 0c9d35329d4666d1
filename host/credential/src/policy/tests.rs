//! The cooldown table, row by row.

use super::*;

#[test]
fn cliproxyapi_compat_1_8_status_cooldowns_match_the_table() {
    for (status, expected) in [
        (400, None),
        (401, Some(5)),
        (402, Some(30 * 60)),
        (403, Some(5)),
        (404, Some(5)),
        (405, Some(5)),
        (406, Some(5)),
        (407, Some(5)),
        (408, Some(1)),
        (409, None),
        (413, None),
        (422, None),
        (429, Some(1)),
        (451, None),
        (500, Some(1)),
        (501, Some(5)),
        (502, Some(1)),
        (503, Some(1)),
        (504, Some(1)),
        (529, Some(1)),
        (200, None),
    ] {
        let failure = failure("", Some(status));
        assert_eq!(seconds(&failure, 0), expected, "status {status}");
    }
    assert_eq!(seconds(&failure("", None), 0), None);
}

#[test]
fn guesses_double_to_a_limit_by_class() {
    for (kind, lengths) in [
        (
            kind::TRANSIENT,
            [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60],
        ),
        (
            kind::OVERLOADED,
            [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60],
        ),
        (
            kind::AUTHENTICATION,
            [5, 10, 20, 40, 80, 160, 320, 640, 1280, 1800, 1800, 1800],
        ),
        (
            kind::PERMISSION,
            [5, 10, 20, 40, 80, 160, 320, 640, 1280, 1800, 1800, 1800],
        ),
        (
            kind::NOT_FOUND,
            [5, 10, 20, 40, 80, 160, 320, 600, 600, 600, 600, 600],
        ),
        (kind::BILLING, [1800; 12]),
        (
            kind::RATE_LIMIT,
            [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1800],
        ),
    ] {
        let failure = failure(kind, None);
        for (strikes, expected) in (0..).zip(lengths) {
            assert_eq!(
                seconds(&failure, strikes),
                Some(expected),
                "{kind} {strikes}"
            );
        }
        assert_eq!(
            seconds(&failure, u32::MAX),
            lengths.last().copied(),
            "{kind}"
        );
    }
}

#[test]
fn kinds_cool_without_a_status_and_win_over_one() {
    for (kind, expected) in [
        (kind::AUTHENTICATION, Some(5)),
        (kind::BILLING, Some(1800)),
        (kind::PERMISSION, Some(5)),
        (kind::NOT_FOUND, Some(5)),
        (kind::UNSUPPORTED, Some(5)),
        (kind::RATE_LIMIT, Some(1)),
        (kind::QUOTA, Some(1)),
        (kind::OVERLOADED, Some(1)),
        (kind::TRANSIENT, Some(1)),
        (kind::INVALID, None),
        ("own-word", None),
    ] {
        assert_eq!(seconds(&failure(kind, None), 0), expected, "kind {kind}");
        assert_eq!(
            seconds(&failure(kind, Some(400)), 0),
            expected,
            "kind {kind} with 400"
        );
    }
    assert_eq!(seconds(&failure("own-word", Some(500)), 0), Some(1));
}

#[test]
fn a_model_that_is_missing_by_the_providers_words_cools_for_12_hours() {
    for scope in [Scope::Model, Scope::Credential] {
        for kind in [kind::NOT_FOUND, kind::UNSUPPORTED] {
            let worded = Failure {
                scope,
                ..failure(kind, Some(404))
            };
            assert_eq!(seconds(&worded, 3), Some(12 * 3600), "{scope:?} {kind}");
        }
    }
}

#[test]
fn cliproxyapi_compat_1_8_other_statuses_do_not_cool() {
    for status in [401, 404, 429, 500, 503] {
        let blameless = Failure {
            scope: Scope::Request,
            ..hinted("", Some(status), 60)
        };
        assert_eq!(length(&blameless, 0), None, "{status}");
    }
}

#[test]
fn cliproxyapi_compat_1_8_retry_after_overrides_backoff() {
    let guess = |seconds| Some(Duration::from_secs(seconds));
    let hint = Some(Duration::from_secs(7));
    for (failure, expected) in [
        (hinted("", Some(429), 7), hint),
        (hinted("", Some(503), 7), hint),
        (hinted(kind::QUOTA, None, 7), hint),
        (hinted(kind::RATE_LIMIT, Some(403), 7), hint),
        (hinted(kind::OVERLOADED, None, 7), hint),
        (hinted(kind::TRANSIENT, Some(503), 7), hint),
        (hinted("", Some(500), 7), guess(1)),
        (hinted("", Some(401), 7), guess(5)),
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
    // The quota of an account holds up to its reset.
    let week = 7 * 24 * 3600;
    let of_account = |seconds| Failure {
        scope: Scope::Credential,
        ..hinted(kind::QUOTA, Some(429), seconds)
    };
    assert_eq!(seconds(&of_account(week), 0), Some(week));
    assert_eq!(length(&of_account(u64::MAX), 0), Some(ACCOUNT_WINDOW_MAX));
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
fn each_failure_has_a_class_and_only_the_providers_hint_is_one() {
    let row = |failure: &Failure| {
        let cooldown = CooldownPolicy::default().cooldown_for(failure, 0);
        cooldown.map(|cooldown| (cooldown.class, cooldown.hint))
    };
    for (status, class) in [
        (401, CoolingClass::Refused),
        (402, CoolingClass::Billing),
        (403, CoolingClass::Refused),
        (404, CoolingClass::Missing),
        (429, CoolingClass::Limit),
        (500, CoolingClass::Outage),
        (501, CoolingClass::Missing),
        (503, CoolingClass::Overload),
        (529, CoolingClass::Overload),
    ] {
        let guess = row(&failure("", Some(status)));
        assert_eq!(guess, Some((class, false)), "status {status}");
        let hinted = row(&hinted("", Some(status), 5));
        let hint = matches!(status, 429 | 503 | 529);
        assert_eq!(hinted, Some((class, hint)), "status {status} with a hint");
    }
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
        Some(Duration::from_secs(5))
    );
    assert_eq!(
        length(&failure("", Some(404))),
        Some(Duration::from_secs(5))
    );
}

fn length(failure: &Failure, strikes: u32) -> Option<Duration> {
    let cooldown = CooldownPolicy::default().cooldown_for(failure, strikes);
    cooldown.map(|cooldown| cooldown.length)
}

fn seconds(failure: &Failure, strikes: u32) -> Option<u64> {
    length(failure, strikes).map(|length| length.as_secs())
}

fn failure(kind: &'static str, status: Option<u16>) -> Failure {
    Failure {
        scope: Scope::Provider,
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
