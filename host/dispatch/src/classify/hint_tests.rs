//! Retry delays and quotas, in headers and bodies of providers.

use std::time::Duration;

use super::tests::{NOW, failure_for, map};
use super::*;

#[test]
fn retry_after_is_read_in_all_its_forms() {
    let parsed = |name: &'static str, value: &'static str| {
        failure_for(500, &[(name, value)], "").retry_after
    };
    let millis = |millis| Some(Duration::from_millis(millis));
    assert_eq!(parsed("retry-after", "7"), millis(7_000));
    assert_eq!(parsed("retry-after", " 1.5 "), millis(1_500));
    assert_eq!(parsed("retry-after-ms", "250"), millis(250));
    let date = "Sun, 06 Nov 1994 08:49:47 GMT";
    assert_eq!(parsed("retry-after", date), millis(10_000));
    assert_eq!(
        parsed("retry-after", "Sun, 06 Nov 1988 08:49:47 GMT"),
        Some(Duration::ZERO)
    );
    for invalid in ["", "soon", "-3", "NaN", "1e400"] {
        assert_eq!(parsed("retry-after", invalid), None, "{invalid}");
    }
}

#[test]
fn honors_body_retry_hints_only_for_rate_limits() {
    let info = r#"{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[
        {"@type":"type.googleapis.com/google.rpc.QuotaFailure"},
        {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.07s"}]}}"#;
    let counted =
        r#"{"error":{"type":"usage_limit_reached","message":"m","resets_in_seconds":90}}"#;
    let dated = r#"{"error":{"type":"usage_limit_reached","message":"m","resets_at":784111785}}"#;
    let stated = r#"{"error":{"message":"Rate limit reached. Please try again in 7.66s. Visit x","type":"tokens"}}"#;
    let minutes = r#"{"error":{"message":"Please try again in 6m0s.","type":"requests"}}"#;
    for (body, millis) in [
        (info, 34_070),
        (counted, 90_000),
        (dated, 8_000),
        (stated, 7_660),
        (minutes, 360_000),
    ] {
        let hint = Some(Duration::from_millis(millis));
        assert_eq!(failure_for(429, &[], body).retry_after, hint, "{body}");
        assert_eq!(failure_for(400, &[], body).retry_after, None, "{body}");
        let header = failure_for(429, &[("retry-after", "1")], body);
        assert_eq!(
            header.retry_after,
            Some(Duration::from_secs(1)),
            "the header counts"
        );
    }
}

#[test]
fn exhausted_quota_sets_retry_after() {
    let requests = [
        ("x-ratelimit-limit-requests", "60"),
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "1m30s"),
        ("x-ratelimit-limit-tokens", "150000"),
        ("x-ratelimit-remaining-tokens", "149984"),
        ("x-ratelimit-reset-tokens", "6m0s"),
    ];
    let hint = Some(Duration::from_secs(90));
    assert_eq!(failure_for(429, &requests, "").retry_after, hint);
    assert_eq!(failure_for(500, &requests, "").retry_after, None);
}

#[test]
fn reports_tightest_quota() {
    let seconds = |seconds: u64| Some(NOW + Duration::from_secs(seconds));
    let both = [
        ("x-ratelimit-limit-requests", "60"),
        ("x-ratelimit-remaining-requests", "59"),
        ("x-ratelimit-reset-requests", "1s"),
        ("x-ratelimit-limit-tokens", "1000"),
        ("x-ratelimit-remaining-tokens", "250"),
        ("x-ratelimit-reset-tokens", "6m0s"),
    ];
    let parsed = quota(&map(&both), NOW).unwrap();
    assert_eq!(
        (parsed.left_permille, parsed.resets_at),
        (Some(250), seconds(360))
    );
    let anthropic = [
        ("anthropic-ratelimit-input-tokens-limit", "100000"),
        ("anthropic-ratelimit-input-tokens-remaining", "20"),
        (
            "anthropic-ratelimit-input-tokens-reset",
            "1994-11-06T08:50:37Z",
        ),
    ];
    let parsed = quota(&map(&anthropic), NOW).unwrap();
    assert_eq!(
        (parsed.left_permille, parsed.resets_at),
        (Some(1), seconds(60))
    );
    let openrouter = [
        ("x-ratelimit-limit", "10"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "1784111777000"),
    ];
    let parsed = quota(&map(&openrouter), NOW).unwrap();
    assert_eq!(parsed.left_permille, Some(0));
    assert_eq!(
        parsed.resets_at,
        Some(Timestamp::from_millis(1_784_111_777_000))
    );
    let plain = [
        ("x-ratelimit-limit-tokens", "10"),
        ("x-ratelimit-remaining-tokens", "70"),
        ("x-ratelimit-reset-tokens", "12"),
    ];
    let parsed = quota(&map(&plain), NOW).unwrap();
    assert_eq!(
        (parsed.left_permille, parsed.resets_at),
        (Some(1_000), seconds(12))
    );
    for invalid in [
        &[][..],
        &[("x-ratelimit-remaining-tokens", "7")][..],
        &[("x-ratelimit-limit", "0"), ("x-ratelimit-remaining", "0")][..],
        &[("x-ratelimit-limit", "x"), ("x-ratelimit-remaining", "1")][..],
    ] {
        assert_eq!(quota(&map(invalid), NOW), None, "{invalid:?}");
    }
}
