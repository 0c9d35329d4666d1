//! The errors that Jackfield itself makes.

use bytes::Bytes;
use serde::Serialize;

use crate::error_class::ErrorTable;
use crate::json::to_vec;
use crate::{CooldownBody, ErrorBody, ErrorClass, ErrorLabels};

/// Renders an error as OpenAI's API does: `{"error": {"message", "type", "param", "code"}}`, always with all
/// four. An error about a cooldown has its members beside them.
#[must_use]
pub(crate) fn render_error(error: &ErrorBody<'_>) -> Bytes {
    to_vec(&OpenaiErrorEnvelope::of(error)).into()
}

/// Renders an error inside a stream: one event without a name, with the object of [`render_error`]. Both of
/// OpenAI's own clients (Python `_streaming.py`, Node `core/streaming.ts`) raise an `APIError` if the data
/// has an `error`, and stop reading.
///
/// No `[DONE]` follows, because it means that the response is complete. Without it, a client that ignores
/// `error` members sees a stream that was cut off, which is true.
#[must_use]
pub(crate) fn render_stream_error(error: &ErrorBody<'_>) -> Bytes {
    let body = to_vec(&OpenaiErrorEnvelope::of(error));
    let mut out = Vec::with_capacity(body.len() + EVENT_FRAME_BYTES);
    crate::sse::write_event("", &body, &mut out);
    out.into()
}

/// Returns the `type` and the `code` for a status, for errors that Jackfield makes.
///
/// They are from OpenAI's guide (<https://platform.openai.com/docs/guides/error-codes>) and, if it has no
/// words for a status, from the API's responses: 401 for a wrong key and 404 for an unknown model both have
/// the type `invalid_request_error`. Clients choose their error class by the status alone.
#[must_use]
pub(crate) const fn error_kind(status: u16) -> (&'static str, Option<&'static str>) {
    match status {
        401 => ("invalid_request_error", Some("invalid_api_key")),
        402 => ("insufficient_quota", Some("insufficient_quota")),
        404 => ("invalid_request_error", Some("model_not_found")),
        429 => ("rate_limit_error", Some("rate_limit_exceeded")),
        503 => ("service_unavailable_error", Some("server_is_overloaded")),
        500.. => ("server_error", None),
        // No code of the API is true for 403 (it is about countries and projects) and all others here.
        _ => ("invalid_request_error", None),
    }
}

/// The labels of the API (<https://platform.openai.com/docs/guides/error-codes>).
pub(crate) const ERRORS: ErrorTable = ErrorTable {
    labels,
    kind: error_kind,
    context_length: None,
};

fn labels(class: ErrorClass) -> ErrorLabels {
    let (status, kind) = match class {
        ErrorClass::Authentication => (401, "invalid_request_error"),
        ErrorClass::ContentPolicy | ErrorClass::ContextLength | ErrorClass::InvalidRequest => {
            (400, "invalid_request_error")
        }
        ErrorClass::NotFound => (404, "invalid_request_error"),
        ErrorClass::Overloaded => (503, "service_unavailable_error"),
        ErrorClass::Permission => (403, "invalid_request_error"),
        ErrorClass::Quota => (429, "insufficient_quota"),
        ErrorClass::RateLimit => (429, "rate_limit_error"),
        ErrorClass::Server => (500, "server_error"),
        ErrorClass::Timeout => (504, "server_error"),
        ErrorClass::TooLarge => (413, "invalid_request_error"),
    };
    ErrorLabels {
        status,
        kind,
        codes: codes(class),
    }
}

/// Returns the codes of a class. Codex compares `context_length_exceeded`, `cyber_policy`, `insufficient_quota`,
/// `rate_limit_exceeded`, `server_is_overloaded`, `slow_down` and `usage_not_included`
/// (`codex-rs/codex-api/src/sse/responses.rs`, `api_bridge.rs`).
pub(crate) const fn codes(class: ErrorClass) -> &'static [&'static str] {
    match class {
        ErrorClass::Authentication => &["invalid_api_key", "account_deactivated"],
        ErrorClass::ContentPolicy => &[
            "content_policy_violation",
            "content_filter",
            "cyber_policy",
            "invalid_prompt",
            "moderation_blocked",
        ],
        ErrorClass::ContextLength => &["context_length_exceeded"],
        ErrorClass::NotFound => &["model_not_found"],
        ErrorClass::Overloaded => &["server_is_overloaded", "slow_down"],
        ErrorClass::Quota => &[
            "insufficient_quota",
            "billing_hard_limit_reached",
            "billing_not_active",
            "usage_limit_reached",
            "usage_not_included",
        ],
        ErrorClass::RateLimit => &["rate_limit_exceeded"],
        ErrorClass::InvalidRequest
        | ErrorClass::Permission
        | ErrorClass::Server
        | ErrorClass::Timeout
        | ErrorClass::TooLarge => &[],
    }
}

#[derive(Serialize)]
struct OpenaiErrorEnvelope<'a> {
    error: OpenaiError<'a>,
}

/// The member `error` of all errors of OpenAI's APIs.
#[derive(Serialize)]
pub(crate) struct OpenaiError<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    param: Option<&'a str>,
    code: Option<&'a str>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    cooldown: Option<Cooldown<'a>>,
}

#[derive(Serialize)]
struct Cooldown<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    reset_time: &'a str,
    reset_seconds: u64,
}

impl<'a> OpenaiErrorEnvelope<'a> {
    fn of(error: &ErrorBody<'a>) -> Self {
        let error = OpenaiError::of(error);
        Self { error }
    }
}

impl<'a> OpenaiError<'a> {
    /// Returns the member for an error.
    pub(crate) fn of(error: &ErrorBody<'a>) -> Self {
        let ErrorBody {
            message,
            kind,
            code,
            param,
            cooldown,
        } = *error;
        let cooldown = cooldown.map(|cooldown| {
            let CooldownBody {
                model,
                provider,
                reset_time,
                reset_seconds,
            } = cooldown;
            Cooldown {
                model,
                provider,
                reset_time,
                reset_seconds,
            }
        });
        Self {
            message,
            kind,
            param,
            code,
            cooldown,
        }
    }
}

/// The length that the framing of an event adds to its data, in bytes.
const EVENT_FRAME_BYTES: usize = "data: \n\n".len();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai_chat::observer;
    use crate::sse::{SseError, SseReader};
    use crate::{EventClass, ProviderError};

    const ERROR: ErrorBody<'_> = ErrorBody {
        message: "a \"b\"\nc",
        kind: "server_error",
        code: None,
        param: Some("model"),
        cooldown: None,
    };

    #[test]
    fn renders_openai_error() {
        let body = r#"{"error":{"message":"a \"b\"\nc","type":"server_error","param":"model","code":null}}"#;
        assert_eq!(render_error(&ERROR), body);
        assert_eq!(render_stream_error(&ERROR), format!("data: {body}\n\n"));
    }

    #[test]
    fn stream_error_is_one_error_event() -> Result<(), SseError> {
        let mut reader = SseReader::default();
        reader.push(render_stream_error(&ERROR));
        let event = reader
            .next_event()?
            .ok_or(SseError::EventTooLong { bytes_max: 0 })?;
        let error = ProviderError {
            message: ERROR.message.to_owned(),
            kind: Some("server_error".to_owned()),
            code: None,
            param: Some("model".to_owned()),
            passed_on: None,
        };
        let class = observer().observe(event.name(), &event.data);
        assert_eq!(class, EventClass::Error(error));
        assert_eq!(reader.buffered_len(), 0);
        Ok(())
    }

    #[test]
    fn maps_status_to_openai_error_type() {
        assert_eq!(error_kind(400), ("invalid_request_error", None));
        assert_eq!(
            error_kind(401),
            ("invalid_request_error", Some("invalid_api_key"))
        );
        assert_eq!(
            error_kind(404),
            ("invalid_request_error", Some("model_not_found"))
        );
        assert_eq!(
            error_kind(429),
            ("rate_limit_error", Some("rate_limit_exceeded"))
        );
        assert_eq!(error_kind(502), ("server_error", None));
    }
}
