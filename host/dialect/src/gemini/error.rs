//! Errors in Google's format: Jackfield's own, and those of other dialects' providers inside a stream.

use bytes::Bytes;
use serde::Serialize;

use crate::error_class::{ContextCounts, ContextLengthMessage, ErrorTable, TranslatedError};
use crate::json::to_vec;
use crate::provider_error::status_for_code;
use crate::{CooldownBody, ErrorBody, ErrorClass, ErrorLabels};

/// Renders an error as `{"error": {"code", "message", "status", "details"}}`. The parameter at fault and the
/// time to wait are in details of Google's own types. During a cooldown the members that Jackfield adds in
/// every dialect are there too.
pub(crate) fn render_error(error: &ErrorBody<'_>) -> Bytes {
    to_vec(&GeminiErrorEnvelope::from(error)).into()
}

/// Renders an error as an event of a stream: without a name, and with the same object as
/// [`render_error`]. Google's clients raise an exception for an `error` member in any event.
pub(crate) fn render_stream_error(error: &ErrorBody<'_>) -> Bytes {
    let mut out = Vec::new();
    crate::sse::write_event("", &to_vec(&GeminiErrorEnvelope::from(error)), &mut out);
    out.into()
}

/// Returns the `status` for an HTTP status, and the digits of its `code`, which repeats the HTTP status.
/// The words are from `google.rpc.Code` and <https://ai.google.dev/gemini-api/docs/troubleshooting>.
pub(crate) const fn error_kind(status: u16) -> (&'static str, Option<&'static str>) {
    match status {
        401 => ("UNAUTHENTICATED", Some("401")),
        402 => ("FAILED_PRECONDITION", Some("402")),
        403 => ("PERMISSION_DENIED", Some("403")),
        404 => ("NOT_FOUND", Some("404")),
        405 => ("UNIMPLEMENTED", Some("405")),
        408 => ("DEADLINE_EXCEEDED", Some("408")),
        409 => ("ABORTED", Some("409")),
        413 => ("INVALID_ARGUMENT", Some("413")),
        415 => ("INVALID_ARGUMENT", Some("415")),
        422 => ("INVALID_ARGUMENT", Some("422")),
        429 => ("RESOURCE_EXHAUSTED", Some("429")),
        499 => ("CANCELLED", Some("499")),
        501 => ("UNIMPLEMENTED", Some("501")),
        502 => ("UNAVAILABLE", Some("502")),
        503 | 529 => ("UNAVAILABLE", Some("503")),
        504 => ("DEADLINE_EXCEEDED", Some("504")),
        500.. => ("INTERNAL", Some("500")),
        _ => ("INVALID_ARGUMENT", Some("400")),
    }
}

/// The error of another dialect's provider, inside a stream.
#[derive(Serialize)]
pub(crate) struct StreamError<'a> {
    error: StatusBody<'a>,
}

/// The members that every error has.
#[derive(Serialize)]
struct StatusBody<'a> {
    code: u16,
    message: &'a str,
    status: &'a str,
}

impl<'a> From<&'a TranslatedError<'_>> for StreamError<'a> {
    fn from(error: &'a TranslatedError<'_>) -> Self {
        Self {
            error: StatusBody {
                code: error.status,
                message: &error.message,
                status: error.kind,
            },
        }
    }
}

/// The labels of the API (`google.rpc.Code`, <https://ai.google.dev/gemini-api/docs/troubleshooting>). Gemini CLI
/// retries 429, 499 and 503, and no other 4xx (`packages/core/src/utils/googleQuotaErrors.ts`). Other tools
/// recognize a request that is too long by the API's sentence.
pub(crate) const ERRORS: ErrorTable = ErrorTable {
    labels,
    kind: error_kind,
    context_length: Some(ContextLengthMessage {
        phrases: &["exceeds the maximum number of tokens"],
        sentence: context_length,
    }),
};

fn labels(class: ErrorClass) -> ErrorLabels {
    let (status, codes): (u16, &[&str]) = match class {
        ErrorClass::Authentication => (401, &["401"]),
        ErrorClass::ContentPolicy | ErrorClass::ContextLength | ErrorClass::InvalidRequest => {
            (400, &["400"])
        }
        ErrorClass::NotFound => (404, &["404"]),
        ErrorClass::Overloaded => (503, &["503"]),
        ErrorClass::Permission => (403, &["403"]),
        ErrorClass::Quota | ErrorClass::RateLimit => (429, &["429"]),
        ErrorClass::Server => (500, &["500"]),
        ErrorClass::Timeout => (504, &["504"]),
        ErrorClass::TooLarge => (413, &["413"]),
    };
    let (kind, _) = error_kind(status);
    ErrorLabels {
        status,
        kind,
        codes,
    }
}

fn context_length(counts: Option<ContextCounts>) -> String {
    match counts {
        None => "The input token count exceeds the maximum number of tokens allowed".to_owned(),
        Some(ContextCounts {
            input,
            output,
            context,
        }) => {
            let tokens = input.saturating_add(output.unwrap_or(0));
            format!(
                "The input token count ({tokens}) exceeds the maximum number of tokens allowed ({context})"
            )
        }
    }
}

/// One of Jackfield's own errors.
#[derive(Serialize)]
struct GeminiErrorEnvelope<'a> {
    error: Body<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(flatten)]
    status: StatusBody<'a>,
    #[serde(flatten)]
    cooldown: Option<CooldownBody<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Detail<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "@type", rename_all_fields = "camelCase")]
enum Detail<'a> {
    #[serde(rename = "type.googleapis.com/google.rpc.BadRequest")]
    BadRequest {
        field_violations: [FieldViolation<'a>; 1],
    },
    #[serde(rename = "type.googleapis.com/google.rpc.RetryInfo")]
    RetryInfo { retry_delay: String },
}

#[derive(Serialize)]
struct FieldViolation<'a> {
    field: &'a str,
    description: &'a str,
}

impl<'a> From<&'a ErrorBody<'a>> for GeminiErrorEnvelope<'a> {
    fn from(error: &'a ErrorBody<'a>) -> Self {
        // Some codes are words, such as `model_cooldown`. Then the kind stands for the status.
        let digits = error.code.and_then(|code| code.parse().ok());
        let code = digits.or_else(|| status_for_code(error.kind));
        let bad_request = error.param.map(|field| Detail::BadRequest {
            field_violations: [FieldViolation {
                field,
                description: error.message,
            }],
        });
        let cooldown = error.cooldown.as_ref();
        let retry_info = cooldown.map(|cooldown| Detail::RetryInfo {
            retry_delay: format!("{}s", cooldown.reset_seconds),
        });
        Self {
            error: Body {
                status: StatusBody {
                    code: code.unwrap_or(500),
                    message: error.message,
                    status: error.kind,
                },
                cooldown: error.cooldown,
                details: bad_request.into_iter().chain(retry_info).collect(),
            },
        }
    }
}
