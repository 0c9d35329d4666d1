//! Refreshes tokens: the executor plans the request, the host sends it and captures the new tokens from
//! the response. No token enters a plugin.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use jackfield_auth::{
    PolicyQuery, RefreshError, RefreshFailure, RefreshJob, Refresher, TokenPatch,
};
use jackfield_credential::{ProviderName, Timestamp};
use secrecy::SecretString;
use serde_json::Value;
use tokio::time::timeout;

use crate::clock::{self, Clock};
use crate::limits::{REFRESH_RESPONSE_BYTES_MAX, REFRESH_TIMEOUT};
use crate::plan::Evaluation;
use crate::port::{BoxFuture, Rejection, Upstream, UpstreamResponse};
use crate::request::{self, Bounds, Planner, Recipient};
use crate::scrub::replace_secrets;
use crate::snapshot::Snapshot;

/// Refreshes tokens by the plans of executors.
pub struct PlannedRefresher {
    /// The snapshot that new refreshes use.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// Sends requests.
    pub upstream: Arc<dyn Upstream>,
    /// The clock.
    pub clock: Clock,
}

impl Refresher for PlannedRefresher {
    fn refresh(&self, job: RefreshJob) -> BoxFuture<'_, Result<TokenPatch, RefreshError>> {
        Box::pin(async move {
            match timeout(REFRESH_TIMEOUT, self.carry_out(&job)).await {
                Ok(result) => result.map_err(|error| scrub_secrets(error, &job)),
                Err(_) => Err(failed(format!(
                    "no result within {} s",
                    REFRESH_TIMEOUT.as_secs()
                ))),
            }
        })
    }

    fn lead(&self, provider: &ProviderName) -> Option<Duration> {
        let snapshot = self.snapshot.load();
        let planner = planner(&snapshot, provider).ok()?;
        planner.executor.descriptor().refresh_lead
    }

    fn can_refresh(&self, provider: &ProviderName) -> bool {
        let snapshot = self.snapshot.load();
        planner(&snapshot, provider).is_ok()
    }

    fn has_refresh_policy(&self, provider: &ProviderName) -> bool {
        let snapshot = self.snapshot.load();
        planner(&snapshot, provider)
            .is_ok_and(|planner| planner.executor.descriptor().evaluates_refresh)
    }

    fn should_refresh(&self, question: PolicyQuery) -> BoxFuture<'_, Option<bool>> {
        Box::pin(async move {
            let snapshot = self.snapshot.load_full();
            let planner = planner(&snapshot, &question.credential.provider).ok()?;
            let evaluation = Evaluation {
                now_ms: self.clock.now().as_millis(),
                settings: Arc::clone(&planner.provider.settings),
                credential: question.credential,
                expires_at: question.expires_at,
                refreshed_at: question.refreshed_at,
            };
            match planner.executor.should_refresh(&evaluation).await {
                Ok(opinion) => opinion,
                // The host's rules decide then, so that a failing plugin lets no token expire.
                Err(fault) => {
                    tracing::warn!(%fault, "refresh policy of the executor failed");
                    None
                }
            }
        })
    }
}

impl PlannedRefresher {
    /// Plans the refresh, sends it, and captures the tokens.
    async fn carry_out(&self, job: &RefreshJob) -> Result<TokenPatch, RefreshError> {
        let snapshot = self.snapshot.load_full();
        let planner = planner(&snapshot, &job.credential.provider)?;
        let context = planner.context(&job.credential, self.clock.now());
        let body = Bytes::new();
        let plan = planner.executor.prepare(&context, &body).await;
        let plan = plan.map_err(|rejection| match rejection {
            Rejection::Refused(refusal) => unplanned(refusal.failure.message),
            Rejection::Fault(fault) => failed(fault.to_string()),
        })?;
        let captures = plan.captures.clone();
        let bounds = Bounds {
            provider: planner.provider,
            hosts: &planner.executor.descriptor().hosts,
            body: &body,
            account: job,
            recipient: Recipient::TokenEndpoint,
            connect: snapshot.timeouts.connect,
        };
        let request = request::build_request(plan, &bounds)
            .map_err(|cause| unplanned(format!("the executor's plan: {cause}")))?;
        let response = self.upstream.send(request).await;
        let response = response.map_err(|error| failed(error.to_string()))?;
        let status = response.head.status;
        let body = read_body(response).await?;
        // Gateways send error pages that are not JSON: the status then says what failed.
        let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        if !status.is_success() {
            return Err(endpoint_error(status.as_u16(), &body));
        }
        let patch = capture_tokens(&captures, &body, self.clock.now());
        // Some endpoints, such as GitHub's, report an error with status 200.
        patch.ok_or_else(|| endpoint_error(status.as_u16(), &body))
    }
}

/// The executor that plans refreshes for this provider.
fn planner<'a>(
    snapshot: &'a Snapshot,
    provider: &ProviderName,
) -> Result<Planner<'a>, RefreshError> {
    Planner::find(snapshot, provider, "refresh").map_err(|error| unplanned(error.to_string()))
}

async fn read_body(response: UpstreamResponse) -> Result<Bytes, RefreshError> {
    let (mut body, mut buffer) = (response.body, BytesMut::new());
    while let Some(chunk) = body.next().await {
        buffer.extend_from_slice(&chunk.map_err(|error| failed(error.to_string()))?);
        if buffer.len() > REFRESH_RESPONSE_BYTES_MAX {
            let limit_kib = REFRESH_RESPONSE_BYTES_MAX >> 10;
            return Err(failed(format!(
                "the response has more than {limit_kib} KiB"
            )));
        }
    }
    Ok(buffer.freeze())
}

/// Takes the captured values out of a token response. A value that is missing changes nothing: a
/// provider that does not rotate its refresh tokens sends none (RFC 6749, section 6). `None` if the
/// response contains none of the captured secrets.
fn capture_tokens(
    captures: &[(String, String)],
    body: &Value,
    now: Timestamp,
) -> Option<TokenPatch> {
    let mut patch = TokenPatch::default();
    for (pointer, into) in captures {
        let Some(value) = body.pointer(pointer) else {
            continue;
        };
        match (into.as_str(), value) {
            (_, Value::Null) => {}
            (EXPIRES_IN, value) => {
                let time = seconds(value).map(|after| now + after);
                patch.expires_at = expiry(time, into, pointer);
            }
            (EXPIRES_AT, value) => patch.expires_at = expiry(timestamp(value), into, pointer),
            (_, Value::String(text)) if !text.is_empty() => {
                patch
                    .secrets
                    .insert(into.clone(), SecretString::from(text.clone()));
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
fn endpoint_error(status: u16, body: &Value) -> RefreshError {
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

fn failed(reason: String) -> RefreshError {
    RefreshError::Failed(reason.into())
}

/// The error of a refresh for which no request could be planned.
fn unplanned(reason: String) -> RefreshError {
    RefreshError::Failed(RefreshFailure {
        planned: false,
        ..RefreshFailure::from(reason)
    })
}

/// Removes the credential's secrets from an error. Some endpoints repeat the token that they reject.
fn scrub_secrets(mut error: RefreshError, job: &RefreshJob) -> RefreshError {
    if let RefreshError::Rejected(failure) | RefreshError::Failed(failure) = &mut error {
        replace_secrets(&mut failure.message, job.secrets.values());
    }
    error
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
