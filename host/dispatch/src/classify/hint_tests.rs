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

#[test]
fn reads_delay_or_time_from_a_sentence() {
    for (message, seconds) in [
        ("Please try again in 6m0s.", 360.0),
        ("Please try again in 644ms. Visit x", 0.644),
        ("Try again in 60 seconds. Passed model=x.", 60.0),
        ("Please retry after 54 seconds.", 54.0),
        ("please try again after 1 seconds", 1.0),
        ("Please retry in 10.6s.", 10.6),
        ("Your quota will reset after 4m57s.", 297.0),
        ("It resets in 2 hours, then go on", 7_200.0),
        ("Your limit will reset at 1994-11-06 16:50:37", 60.0),
        ("您的限额将在 1994-11-06 16:50:37 重置。", 60.0),
        (
            "limit reached, resets at 1994-11-06T09:49:37Z (2056)",
            3_600.0,
        ),
        ("You will regain access on 1994-11-06 at 09:00 UTC.", 623.0),
        ("Your limit will reset at 1988-01-01 00:00:00", 0.0),
    ] {
        let body = serde_json::json!({ "error": { "message": message } }).to_string();
        let hint = failure_for(429, &[], &body).retry_after;
        assert_eq!(hint, Some(Duration::from_secs_f64(seconds)), "{message}");
    }
    for message in [
        "Please try again later",
        "Please retry after a brief wait.",
        "Please try again in -5s",
        "Please try again in 1e400 seconds",
        "It resets at noon",
        "Your limit will reset at 2026-13-45 99:00:00",
        "try again in ",
    ] {
        let body = serde_json::json!({ "error": { "message": message } }).to_string();
        assert_eq!(failure_for(429, &[], &body).retry_after, None, "{message}");
    }
}

#[test]
fn hint_of_a_day_for_a_limit_of_a_minute_is_ignored() {
    let body = r#"{"error":{"code":"429","message":"Requests have exceeded token rate limit. Please retry after 86400 seconds."}}"#;
    let failure = failure_for(429, &[("retry-after", "86400")], body);
    assert_eq!(
        (failure.scope, failure.retry_after),
        (Scope::Provider, None)
    );
}

/// July 2026: resets as seconds since 1970 are read only from 2001 on.
const IN_2026: Timestamp = Timestamp::from_millis(1_784_111_777_000);

fn failure_in_2026(headers: &[(&'static str, &'static str)]) -> Failure {
    response(StatusCode::TOO_MANY_REQUESTS, &map(headers), b"", IN_2026)
}

#[test]
fn account_window_counts_up_to_its_last_reset() {
    let anthropic = [
        ("anthropic-ratelimit-unified-status", "rejected"),
        ("anthropic-ratelimit-unified-5h-status", "rejected"),
        ("anthropic-ratelimit-unified-5h-reset", "1784111837"),
        ("anthropic-ratelimit-unified-7d-status", "rejected"),
        ("anthropic-ratelimit-unified-7d-reset", "1784711777"),
        ("anthropic-ratelimit-unified-7d_oi-status", "rejected"),
        ("anthropic-ratelimit-unified-7d_oi-reset", "1794111777"),
        ("retry-after", "60"),
    ];
    let window = |headers: &[(&'static str, &'static str)]| {
        let failure = failure_in_2026(headers);
        let seconds = failure.retry_after.map(|wait| wait.as_secs());
        (failure.scope, failure.kind.into_owned(), seconds)
    };
    let of = |scope, kind: &str, seconds| (scope, kind.to_owned(), seconds);
    let account = of(Scope::Credential, "quota", Some(600_000));
    assert_eq!(window(&anthropic), account);
    let only_overage = &anthropic[5..7];
    let model = of(Scope::Model, "quota", Some(10_000_000));
    assert_eq!(window(only_overage), model);
    let by_claim = |claim| {
        window(&[
            anthropic[0],
            ("anthropic-ratelimit-unified-representative-claim", claim),
            ("anthropic-ratelimit-unified-reset", "1784111837"),
        ])
    };
    let minute = |scope| of(scope, "quota", Some(60));
    assert_eq!(by_claim("five_hour"), minute(Scope::Credential));
    assert_eq!(by_claim("seven_day_opus"), minute(Scope::Model));
    let without_end = of(Scope::Credential, "billing", None);
    assert_eq!(window(&anthropic[..1]), without_end);
    // Only a 429 is a rejection by a window.
    assert_eq!(failure_for(529, &anthropic, "").scope, Scope::Provider);
    let codex = [
        ("x-codex-primary-used-percent", "100"),
        ("x-codex-primary-window-minutes", "300"),
        ("x-codex-primary-reset-after-seconds", "120"),
        ("x-codex-secondary-used-percent", "100"),
        ("x-codex-secondary-window-minutes", "10080"),
        ("x-codex-secondary-reset-at", "1784112777"),
    ];
    let both = of(Scope::Credential, "quota", Some(1_000));
    assert_eq!(window(&codex), both);
    let first = of(Scope::Credential, "quota", Some(120));
    assert_eq!(window(&codex[..3]), first);
    let open = [("x-codex-primary-used-percent", "99.5")];
    assert_eq!(window(&open), of(Scope::Model, "rate-limit", None));
}

#[test]
fn reports_windows_of_subscriptions_as_quotas() {
    let left = |headers: &[(&'static str, &'static str)]| {
        let quota = quota(&map(headers), IN_2026)?;
        let wait = quota
            .resets_at
            .map(|at| at.saturating_since(IN_2026).as_secs());
        Some((quota.left_permille.unwrap(), wait))
    };
    let anthropic = [
        ("anthropic-ratelimit-unified-status", "allowed"),
        ("anthropic-ratelimit-unified-5h-utilization", "0.25"),
        ("anthropic-ratelimit-unified-5h-reset", "1784111837"),
        ("anthropic-ratelimit-unified-7d-utilization", "0.93"),
        ("anthropic-ratelimit-unified-7d-reset", "1784112777"),
    ];
    assert_eq!(left(&anthropic), Some((70, Some(1_000))));
    let over = [("anthropic-ratelimit-unified-5h-utilization", "1.08")];
    assert_eq!(left(&over), Some((0, None)));
    let codex = [
        ("x-codex-primary-used-percent", "40.5"),
        ("x-codex-primary-window-minutes", "300"),
        ("x-codex-primary-reset-after-seconds", "60"),
        ("x-codex-secondary-used-percent", "100"),
        ("x-codex-secondary-window-minutes", "0"),
    ];
    assert_eq!(left(&codex), Some((595, Some(60))));
    assert_eq!(left(&[("x-codex-plan-type", "pro")]), None);
}
