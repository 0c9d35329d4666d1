//! The errors that Jackfield itself makes.

use bytes::Bytes;
use serde::Serialize;

use crate::error_class::{ContextCounts, ContextLengthMessage, ErrorTable, TranslatedError};
use crate::json::to_vec;
use crate::{CooldownBody, ErrorBody, ErrorClass, ErrorLabels, ProviderError};

/// Renders an error as Anthropic's API does: `{"type": "error", "error": {"type", "message"}}`
/// (<https://platform.claude.com/docs/en/api/errors>). The code is in `details.error_code`, where the
/// SDKs look for it; the invalid member and the cooldown are members beside it.
#[must_use]
pub(crate) fn render_error(error: &ErrorBody<'_>) -> Bytes {
    to_vec(&AnthropicErrorEnvelope::of(error)).into()
}

/// Renders an error inside a stream: an event named `error` with the object of [`render_error`]. The
/// SDKs raise an exception by its name and stop reading.
#[must_use]
pub(crate) fn render_stream_error(error: &ErrorBody<'_>) -> Bytes {
    let mut out = Vec::new();
    crate::sse::write_event(
        "error",
        &to_vec(&AnthropicErrorEnvelope::of(error)),
        &mut out,
    );
    out.into()
}

/// Returns the `type` for a status. The API has no codes.
#[must_use]
pub(crate) fn error_kind(status: u16) -> (&'static str, Option<&'static str>) {
    let known = ERROR_KINDS
        .iter()
        .find(|(_, statuses)| statuses.contains(&status));
    let kind = match known {
        Some((kind, _)) => kind,
        None if status >= 500 => API_ERROR,
        None => "invalid_request_error",
    };
    (kind, None)
}

/// Encodes a provider's error inside a stream: the SDKs decide by the type whether they retry.
pub(crate) fn encode_provider_error(error: &ProviderError) -> Vec<u8> {
    let translated = TranslatedError::new(&ERRORS, None, error);
    let message = match &*translated.message {
        "" => "the provider reported an error",
        message => message,
    };
    to_vec(&AnthropicErrorEnvelope::of(&ErrorBody {
        message,
        kind: translated.kind,
        code: None,
        param: None,
        cooldown: None,
    }))
}

/// The labels of the API (<https://platform.claude.com/docs/en/api/errors>). Claude Code recognizes a request
/// that is too long by the message only. It compresses the conversation after the first sentence
/// (anthropics/claude-code#7866), and demands fewer tokens after the second one (anthropics/claude-code#228,
/// musistudio/claude-code-router#1799). It counts responses of the status 529 before it uses its fallback model
/// (<https://code.claude.com/docs/en/errors>).
pub(crate) const ERRORS: ErrorTable = ErrorTable {
    labels,
    kind: error_kind,
    context_length: Some(ContextLengthMessage {
        phrases: &["prompt is too long", "exceed context limit"],
        sentence: context_length,
    }),
};

fn labels(class: ErrorClass) -> ErrorLabels {
    let (status, kind) = match class {
        ErrorClass::Authentication => (401, "authentication_error"),
        ErrorClass::ContentPolicy | ErrorClass::ContextLength | ErrorClass::InvalidRequest => {
            (400, "invalid_request_error")
        }
        ErrorClass::NotFound => (404, "not_found_error"),
        ErrorClass::Overloaded => (529, "overloaded_error"),
        ErrorClass::Permission => (403, "permission_error"),
        ErrorClass::Quota => (402, "billing_error"),
        ErrorClass::RateLimit => (429, "rate_limit_error"),
        ErrorClass::Server => (500, API_ERROR),
        ErrorClass::Timeout => (504, "timeout_error"),
        ErrorClass::TooLarge => (413, "request_too_large"),
    };
    ErrorLabels {
        status,
        kind,
        codes: &[],
    }
}

fn context_length(counts: Option<ContextCounts>) -> String {
    match counts {
        None => "prompt is too long".to_owned(),
        Some(ContextCounts {
            input,
            output: None,
            context,
        }) => format!("prompt is too long: {input} tokens > {context} maximum"),
        Some(ContextCounts {
            input,
            output: Some(output),
            context,
        }) => format!(
            "input length and `max_tokens` exceed context limit: {input} + {output} > {context}, decrease \
             input length or `max_tokens` and try again"
        ),
    }
}

/// The API's error types with the statuses that they stand for, from its page on errors
/// (<https://platform.claude.com/docs/en/api/errors>).
const ERROR_KINDS: [(&str, &[u16]); 10] = [
    (API_ERROR, &[500]),
    ("authentication_error", &[401]),
    ("billing_error", &[402]),
    ("invalid_request_error", &[400]),
    ("not_found_error", &[404]),
    ("overloaded_error", &[503, 529]),
    ("permission_error", &[403]),
    ("rate_limit_error", &[429]),
    ("request_too_large", &[413]),
    ("timeout_error", &[408, 504]),
];

/// The type of errors of the server that have no other type.
const API_ERROR: &str = "api_error";

#[derive(Serialize)]
struct AnthropicErrorEnvelope<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    error: AnthropicError<'a>,
}

#[derive(Serialize)]
struct AnthropicError<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<&'a str>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    cooldown: Option<CooldownBody<'a>>,
}

#[derive(Serialize)]
struct Details<'a> {
    error_code: &'a str,
}

impl<'a> AnthropicErrorEnvelope<'a> {
    fn of(error: &ErrorBody<'a>) -> Self {
        Self {
            kind: "error",
            error: AnthropicError {
                kind: error.kind,
                message: error.message,
                details: error.code.map(|error_code| Details { error_code }),
                param: error.param,
                cooldown: error.cooldown,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EventClass;
    use crate::anthropic::observer;
    use crate::sse::{SseError, SseReader};

    const ERROR: ErrorBody<'_> = ErrorBody {
        message: "a \"b\"\nc",
        kind: "overloaded_error",
        code: None,
        param: None,
        cooldown: None,
    };

    #[test]
    fn renders_error_envelope() {
        let body = r#"{"type":"error","error":{"type":"overloaded_error","message":"a \"b\"\nc"}}"#;
        assert_eq!(render_error(&ERROR), body);
        assert_eq!(
            render_stream_error(&ERROR),
            format!("event: error\ndata: {body}\n\n")
        );
        let cooldown = CooldownBody {
            model: "m",
            provider: None,
            reset_time: "2s",
            reset_seconds: 2,
        };
        let more = ErrorBody {
            code: Some("model_cooldown"),
            param: Some("model"),
            cooldown: Some(cooldown),
            ..ERROR
        };
        let body = r#"{"type":"error","error":{"type":"overloaded_error","message":"a \"b\"\nc","details":{"error_code":"model_cooldown"},"param":"model","model":"m","reset_time":"2s","reset_seconds":2}}"#;
        assert_eq!(render_error(&more), body);
    }

    #[test]
    fn renders_stream_error_as_one_event() -> Result<(), SseError> {
        let mut reader = SseReader::default();
        reader.push(render_stream_error(&ERROR));
        let event = reader
            .next_event()?
            .ok_or(SseError::EventTooLong { bytes_max: 0 })?;
        let error = ProviderError {
            message: ERROR.message.to_owned(),
            kind: Some("overloaded_error".to_owned()),
            code: None,
            param: None,
            passed_on: None,
        };
        let class = observer().observe(event.name(), &event.data);
        assert_eq!(class, EventClass::Error(error));
        Ok(())
    }

    #[test]
    fn maps_status_to_error_kind() {
        let cases = [
            (400, "invalid_request_error"),
            (401, "authentication_error"),
            (404, "not_found_error"),
            (413, "request_too_large"),
            (429, "rate_limit_error"),
            (502, "api_error"),
            (503, "overloaded_error"),
            (504, "timeout_error"),
        ];
        for (status, kind) in cases {
            assert_eq!(error_kind(status), (kind, None));
        }
    }
}
