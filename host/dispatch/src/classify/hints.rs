//! Reads retry delays and quotas from headers, bodies and messages. Pure.

mod sentences;
pub(super) mod windows;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use jackfield_credential::{Quota, Timestamp};
use serde_json::Value;

use crate::clock;

pub(super) use sentences::delay_in;

/// Returns how long to wait before the next request. The first of these that is present counts:
///
/// | where | form | source |
/// |---|---|---|
/// | `retry-after-ms` | milliseconds | OpenAI, Azure OpenAI |
/// | `retry-after` | seconds or a date | RFC 9110, section 10.2.3 |
/// | a `google.rpc.RetryInfo` in the body | `retryDelay` such as `34.07s` | google.rpc, error details |
/// | a `google.rpc.ErrorInfo` in the body | `metadata.quotaResetDelay` such as `4m57.1s` | Google Code Assist |
/// | `error.resets_in_seconds`, `error.resets_at` in the body | seconds; seconds since 1970 | OpenAI, Codex usage limits |
/// | `error.metadata.headers` in the body | `X-RateLimit-Reset`, milliseconds since 1970 | OpenRouter: Gitlawb/openclaude#936 |
/// | the message | see [`sentences`] | |
/// | the reset of a quota that is used up | see [`quota`] | |
///
/// All but the first two count only if `is_limit`. For other errors they describe the quotas, not the
/// cause.
pub(super) fn retry_after(
    headers: &HeaderMap,
    body: &[u8],
    message: &str,
    is_limit: bool,
    now: Timestamp,
) -> Option<Duration> {
    let hint = from_headers(headers, now);
    if hint.is_some() || !is_limit {
        return hint;
    }
    from_body(body, now)
        .or_else(|| delay_in(message))
        .or_else(|| Some(sentences::time_in(message)?.saturating_since(now)))
        .or_else(|| {
            let spent = rate_limits(headers, now).filter(|quota| quota.left_permille == Some(0));
            let back = spent.filter_map(|quota| quota.resets_at).max();
            Some(back?.saturating_since(now))
        })
}

fn from_headers(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    if let Some(milliseconds) = number(headers, "retry-after-ms") {
        return seconds(milliseconds / 1_000.0);
    }
    let value = text(headers, "retry-after")?;
    if let Ok(number) = value.parse() {
        return seconds(number);
    }
    let at = timestamp(httpdate::parse_http_date(value).ok()?)?;
    Some(at.saturating_since(now))
}

fn from_body(body: &[u8], now: Timestamp) -> Option<Duration> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let error = body
        .pointer("/error")
        // Gemini sends an error as the only item of an array where the stream would be an array.
        .or_else(|| body.pointer("/0/error"))?;
    let since_epoch = |at: f64| Some((Timestamp::default() + seconds(at)?).saturating_since(now));
    let resets_in = || seconds(error.get("resets_in_seconds")?.as_f64()?);
    let resets_at = || since_epoch(error.get("resets_at")?.as_f64()?);
    let forwarded_header = || {
        let reset = error.pointer("/metadata/headers/X-RateLimit-Reset")?;
        let milliseconds: f64 = reset.as_str()?.parse().ok()?;
        since_epoch(milliseconds / 1_000.0)
    };
    google_delay(error)
        .or_else(resets_in)
        .or_else(resets_at)
        .or_else(forwarded_header)
}

/// The delay in Google's error details.
fn google_delay(error: &Value) -> Option<Duration> {
    let details = error.get("details")?.as_array()?;
    let of_kind = |kind: &'static str, pointer: &'static str| {
        let found = details.iter().find_map(move |detail| {
            let is_kind = detail.get("@type")?.as_str()?.ends_with(kind);
            detail.pointer(pointer).filter(|_| is_kind)?.as_str()
        });
        found.and_then(go_duration)
    };
    of_kind("google.rpc.RetryInfo", "/retryDelay")
        .or_else(|| of_kind("google.rpc.ErrorInfo", "/metadata/quotaResetDelay"))
}

/// Returns the tightest quota in the headers of a response; `None` if they contain no quota.
///
/// | headers | reset | source |
/// |---|---|---|
/// | `x-ratelimit-{limit,remaining,reset}-{requests,tokens}` | `6m0s`, `1s`, or seconds | OpenAI, Azure OpenAI, Groq: rate limits |
/// | `x-ratelimit-{limit,remaining,reset}` | milliseconds since 1970 | OpenRouter, limits |
/// | `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}` | RFC 3339 | Anthropic, rate limits |
/// | the windows of subscriptions | see [`windows`] | |
pub(crate) fn quota(headers: &HeaderMap, now: Timestamp) -> Option<Quota> {
    // Most responses have none of them: one pass over the names is cheaper than 30 look-ups.
    let is_quota = |name: &http::HeaderName| {
        let name = name.as_str();
        name.contains("ratelimit") || name.starts_with("x-codex-")
    };
    if !headers.keys().any(is_quota) {
        return None;
    }
    let tightness = |quota: &Quota| quota.left_permille.unwrap_or(1_000);
    let quotas = rate_limits(headers, now).chain(windows::quotas(headers, now));
    quotas.min_by_key(tightness)
}

/// The quotas of an API key.
fn rate_limits(headers: &HeaderMap, now: Timestamp) -> impl Iterator<Item = Quota> {
    QUOTAS.iter().filter_map(move |[limit, remaining, reset]| {
        let (limit, remaining) = (number(headers, limit)?, number(headers, remaining)?);
        if limit <= 0.0 {
            return None;
        }
        Some(Quota {
            left_permille: Some(left_permille(remaining, limit)),
            resets_at: text(headers, reset).and_then(|reset| reset_time(reset, now)),
        })
    })
}

/// The part of a limit, which is positive, that is left, in thousandths.
pub(crate) fn left_permille(left: f64, limit: f64) -> u16 {
    // A small rest must not round down to zero, which means that the quota is used up.
    let least = if left > 0.0 { 1.0 } else { 0.0 };
    let permille = (left / limit * 1_000.0).clamp(least, 1_000.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 1000"
    )]
    let permille = permille as u16;
    permille
}

/// The names of the headers: limit, remaining, reset.
const QUOTAS: [[&str; 3]; 7] = [
    [
        "x-ratelimit-limit-requests",
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",
    ],
    [
        "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-tokens",
        "x-ratelimit-reset-tokens",
    ],
    [
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
    ],
    [
        "anthropic-ratelimit-requests-limit",
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
    ],
    [
        "anthropic-ratelimit-tokens-limit",
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
    ],
    [
        "anthropic-ratelimit-input-tokens-limit",
        "anthropic-ratelimit-input-tokens-remaining",
        "anthropic-ratelimit-input-tokens-reset",
    ],
    [
        "anthropic-ratelimit-output-tokens-limit",
        "anthropic-ratelimit-output-tokens-remaining",
        "anthropic-ratelimit-output-tokens-reset",
    ],
];

/// Parses a reset time in any of the providers' formats. The size of a bare number decides whether it
/// is a delay in seconds, seconds since 1970, or milliseconds since 1970.
fn reset_time(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(number) = text.parse::<f64>() {
        let ms = number > EPOCH_MS_MIN;
        let time = seconds(if ms { number / 1_000.0 } else { number })?;
        let start = if number > EPOCH_SECONDS_MIN {
            Timestamp::default()
        } else {
            now
        };
        return Some(start + time);
    }
    if let Some(time) = go_duration(text) {
        return Some(now + time);
    }
    clock::parse_rfc3339(text)
}

/// September 2001 as seconds, and as milliseconds, since 1970: no delay is as long, and no reset as early.
const EPOCH_SECONDS_MIN: f64 = 1e9;
const EPOCH_MS_MIN: f64 = 1e12;

/// A duration in Go's format: `6m0s`, `1.5s`, `862ms`.
pub(crate) fn go_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, behind) = rest.split_at(digits);
        let end = behind
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(behind.len());
        let (unit, next) = behind.split_at(end);
        let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total += number.parse::<f64>().ok()? * scale;
        rest = next;
    }
    seconds(total).filter(|_| !text.is_empty())
}

/// Go's units, in seconds.
const UNITS: [(&str, f64); 7] = [
    ("h", 3_600.0),
    ("m", 60.0),
    ("s", 1.0),
    ("ms", 1e-3),
    ("us", 1e-6),
    ("µs", 1e-6),
    ("ns", 1e-9),
];

pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

pub(crate) fn number(headers: &HeaderMap, name: &str) -> Option<f64> {
    text(headers, name)?.parse().ok()
}

pub(crate) fn seconds(number: f64) -> Option<Duration> {
    // The number is a provider's: `from_secs_f64` would panic if it is negative or too large.
    Duration::try_from_secs_f64(number).ok()
}

fn timestamp(at: SystemTime) -> Option<Timestamp> {
    let since = at.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::default() + since)
}
