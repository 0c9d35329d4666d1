//! Reads the response of a token endpoint: the captured tokens, their expiry, or the error. Pure.

use std::time::Duration;

use jackfield_auth::{RefreshError, RefreshFailure, TokenPatch};
use jackfield_credential::Timestamp;
use secrecy::SecretString;
use serde_json::Value;

use crate::clock;

/// Takes the captured values out of a token response. A value that is missing changes nothing: a
/// provider that does not rotate its refresh tokens sends none (RFC 6749, section 6). `None` if the
/// response contains none of the captured secrets.
pub(super) fn capture_tokens<T: AsRef<str>>(
    captures: &[(T, T)],
    body: &Value,
    now: Timestamp,
) -> Option<TokenPatch> {
    let mut patch = TokenPatch::default();
    for (pointer, into) in captures {
        let (pointer, into) = (pointer.as_ref(), into.as_ref());
        let Some(value) = body.pointer(pointer) else {
            continue;
        };
        match (into, value) {
            (_, Value::Null) => {}
            (EXPIRES_IN, value) => {
                let time = seconds(value).map(|after| now + after);
                patch.expires_at = expiry(time, into, pointer);
            }
            (EXPIRES_AT, value) => patch.expires_at = expiry(timestamp(value), into, pointer),
            (_, Value::String(text)) if !text.is_empty() => {
                patch
                    .secrets
                    .insert(into.to_owned(), SecretString::from(text.clone()));
            }
            _ => {}
        }
    }
    (!patch.secrets.is_empty()).then_some(patch)
}

/// Logs an expiry that could not be read. The token then counts as one without an expiry: it is used
/// until the provider rejects it.
fn expiry(time: Option<Timestamp>, capture: &str, pointer: &str) -> Option<Timestamp> {
    if time.is_none() {
        // Without the value: a pointer that is wrong could name a secret.
        tracing::warn!(
            capture,
            pointer,
            "the captured value is not a time; the token has no known expiry"
        );
    }
    time
}

/// A point in time: seconds since the Unix epoch, or RFC 3339.
fn timestamp(value: &Value) -> Option<Timestamp> {
    if let Some(since) = seconds(value) {
        return Some(Timestamp::default() + since);
    }
    clock::parse_rfc3339(value.as_str()?.trim())
}

/// A number of seconds; some providers send it as a string.
fn seconds(value: &Value) -> Option<Duration> {
    let number = match value {
        Value::String(text) => text.parse().ok()?,
        value => value.as_f64()?,
    };
    Duration::try_from_secs_f64(number).ok()
}

/// Reads a response of a token endpoint that contains no tokens (RFC 6749, section 5.2). Only the codes of
/// [`REJECTIONS`] mean that the refresh token is invalid; other errors may go away without a new login.
pub(super) fn endpoint_error(status: u16, body: &Value) -> RefreshError {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
    // OpenAI and Google, among others, send an object where the RFC has a string.
    let code = text("/error").or_else(|| text("/error/code"));
    let code = code.or_else(|| text("/error/status"));
    let description = text("/error_description").or_else(|| text("/error/message"));
    let message = match (code, description) {
        (Some(code), Some(description)) => format!("{code}: {description}"),
        (Some(text), None) | (None, Some(text)) => text.to_owned(),
        (None, None) => "the response contains no token".to_owned(),
    };
    let failure = RefreshFailure {
        status: Some(status),
        ..RefreshFailure::from(message)
    };
    if code.is_some_and(|code| REJECTIONS.contains(&code)) {
        RefreshError::Rejected(failure)
    } else {
        RefreshError::Failed(failure)
    }
}

/// The error codes that mean that the refresh token is invalid: that of RFC 6749, and those of OpenAI's
/// token endpoint (openai/codex, `classify_refresh_token_failure`).
const REJECTIONS: [&str; 4] = [
    "invalid_grant",
    "refresh_token_expired",
    "refresh_token_invalidated",
    "refresh_token_reused",
];

/// Name of the capture that is the lifetime of the token, in seconds. Not a secret.
const EXPIRES_IN: &str = "expires-in";

/// Name of the capture that is the end of the token; see [`timestamp`]. Not a secret.
const EXPIRES_AT: &str = "expires-at";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// 6 November 1994, 08:49:37 GMT.
    const NOW: Timestamp = Timestamp::from_millis(784_111_777_000);

    /// The expiry that a token response sets, by the name of the capture.
    fn expires_at(capture: &str, value: &Value) -> Option<Timestamp> {
        let captures = [
            ("/access_token".to_owned(), "access-token".to_owned()),
            ("/expiry".to_owned(), capture.to_owned()),
        ];
        let body = json!({"access_token": "t", "expiry": value});
        capture_tokens(&captures, &body, NOW).unwrap().expires_at
    }

    #[test]
    fn expires_at_may_be_a_number_or_rfc_3339() {
        let at = |millis| Some(Timestamp::from_millis(millis));
        for (value, expected) in [
            (json!(1_780_000_000), at(1_780_000_000_000)),
            (json!(1_780_000_000.5), at(1_780_000_000_500)),
            (json!("1780000000"), at(1_780_000_000_000)),
            (json!("2026-05-28T20:26:40Z"), at(1_780_000_000_000)),
            (json!("2026-05-28T20:26:40.25Z"), at(1_780_000_000_250)),
            (json!("2026-05-28T22:26:40+02:00"), at(1_780_000_000_000)),
            (
                json!("2026-05-28t15:26:40.123456789-05:00"),
                at(1_780_000_000_123),
            ),
        ] {
            assert_eq!(expires_at(EXPIRES_AT, &value), expected, "{value}");
        }
    }

    #[test]
    fn expiry_that_cannot_be_read_is_unknown() {
        for value in [
            json!("soon"),
            json!(""),
            json!("2026-05-28"),
            json!("2026-05-28T20:26:40"),
            json!("2026-13-28T20:26:40Z"),
            json!("1960-01-01T00:00:00Z"),
            json!(-1),
            json!(true),
            json!({"seconds": 1}),
            Value::Null,
        ] {
            assert_eq!(expires_at(EXPIRES_AT, &value), None, "{value}");
        }
        assert_eq!(expires_at(EXPIRES_IN, &json!("2026-05-28T20:26:40Z")), None);
    }

    #[test]
    fn error_response_has_status_and_reason() {
        for (status, body, rejected, expected) in [
            (503, Value::Null, false, "the response contains no token"),
            (
                400,
                json!({"error": "invalid_grant", "error_description": "revoked"}),
                true,
                "invalid_grant: revoked",
            ),
            (
                401,
                json!({"error": {"code": "refresh_token_reused", "message": "log in"}}),
                true,
                "refresh_token_reused: log in",
            ),
            (
                403,
                json!({"error": {"status": "PERMISSION_DENIED", "message": "no"}}),
                false,
                "PERMISSION_DENIED: no",
            ),
            (429, json!({"error": "slow_down"}), false, "slow_down"),
            (
                200,
                json!({"error": "bad_refresh_token", "error_description": "expired"}),
                false,
                "bad_refresh_token: expired",
            ),
        ] {
            let failure = RefreshFailure {
                status: Some(status),
                ..RefreshFailure::from(expected)
            };
            let expected = if rejected {
                RefreshError::Rejected(failure)
            } else {
                RefreshError::Failed(failure)
            };
            assert_eq!(endpoint_error(status, &body), expected);
        }
    }

    #[test]
    fn expires_in_counts_from_now() {
        for value in [json!(60), json!("60")] {
            let expected = Some(NOW + Duration::from_secs(60));
            assert_eq!(expires_at(EXPIRES_IN, &value), expected);
        }
    }
}
