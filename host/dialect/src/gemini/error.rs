//! The errors that Jackfield itself makes.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::json::to_vec;
use crate::provider_error::status_for_code;
use crate::{ErrorBody, ProviderError};

/// An error as Google's APIs answer it: `{"error": {"code", "message", "status", "details"}}`. The member
/// at fault and the time to wait stand in details of the types that Google has for them; where the
/// model cools, the members that Jackfield has in every dialect stand beside.
#[must_use]
pub(crate) fn render_error(error: &ErrorBody<'_>) -> Bytes {
    to_vec(&envelope(error)).into()
}

/// An error inside a stream: one event without a name, whose data is the same object as
/// [`render_error`]'s. Google's clients raise on the `error` member of any event.
#[must_use]
pub(crate) fn render_stream_error(error: &ErrorBody<'_>) -> Bytes {
    let mut out = Vec::new();
    crate::sse::write_event("", &to_vec(&envelope(error)), &mut out);
    out.into()
}

/// The `status` that goes with a status of HTTP, and that status in digits: the API repeats it in `code`.
/// From `google.rpc.Code` and <https://ai.google.dev/gemini-api/docs/troubleshooting>.
#[must_use]
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
pub(crate) fn provider_error_json(error: &ProviderError) -> Value {
    let code = error.status().unwrap_or(500);
    let (status, _) = error_kind(code);
    json!({"error": {"code": code, "message": error.message, "status": status}})
}

fn envelope(error: &ErrorBody<'_>) -> Value {
    let digits = error.code.and_then(|code| code.parse::<u16>().ok());
    let code = digits
        .or_else(|| status_for_code(error.kind))
        .unwrap_or(500);
    let mut body = json!({"code": code, "message": error.message, "status": error.kind});
    let mut details = Vec::new();
    if let Some(param) = error.param {
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": param, "description": error.message}],
        }));
    }
    if let Some(cooldown) = &error.cooldown {
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": format!("{}s", cooldown.reset_seconds),
        }));
        body["model"] = cooldown.model.into();
        if let Some(provider) = cooldown.provider {
            body["provider"] = provider.into();
        }
        body["reset_time"] = cooldown.reset_time.into();
        body["reset_seconds"] = cooldown.reset_seconds.into();
    }
    if !details.is_empty() {
        body["details"] = details.into();
    }
    json!({"error": body})
}
