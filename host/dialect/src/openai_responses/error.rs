//! The errors that Jackfield itself makes.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::ErrorBody;
use crate::ir::ResponseContext;

/// OpenAI's API has one format of errors for all endpoints.
pub(crate) use crate::openai_chat::{error_kind, render_error};

/// Renders an error inside a stream: the event `response.failed`, with the error beside the response as
/// well.
///
/// OpenAI's own clients (Python `_streaming.py`, Node `core/streaming.ts`) raise an `APIError` if an
/// event's data has an `error`, and return any other event to the caller. Codex ignores events of the
/// type `error`, and shows the error of the response.
#[must_use]
pub(crate) fn render_stream_error(error: &ErrorBody<'_>) -> Bytes {
    let error_member = serde_json::from_slice::<Map<String, Value>>(&render_error(error));
    let error_member = error_member.ok().and_then(|mut body| body.remove("error"));
    let code = code(error.code, error.kind);
    let response = crate::openai_responses::response::encode::failed_response(
        &ResponseContext::default(),
        &code,
        error.message,
    );
    let event = failed_event(0, &response, &error_member.unwrap_or_default());
    let data = serde_json::to_vec(&event).unwrap_or_default();
    let mut out = Vec::with_capacity(data.len() + FRAME_BYTES);
    crate::sse::write_event(FAILED, &data, &mut out);
    out.into()
}

/// Returns the data of a `response.failed`.
pub(crate) fn failed_event(sequence_number: u64, response: &Value, error: &Value) -> Value {
    json!({
        "type": FAILED,
        "sequence_number": sequence_number,
        "response": response,
        "error": error,
    })
}

/// Returns the `code` of a response's error. The documented codes are a closed list; of other codes,
/// only those that clients act on are kept.
pub(crate) fn code(code: Option<&str>, kind: &str) -> String {
    let known = |word: &&str| CODES.contains(word) || word.contains("image");
    let word = code.filter(known).or(match kind {
        "rate_limit_error" | "rate_limit_exceeded" | "RESOURCE_EXHAUSTED" => {
            Some("rate_limit_exceeded")
        }
        "insufficient_quota" => Some("insufficient_quota"),
        _ => None,
    });
    word.unwrap_or("server_error").to_owned()
}

/// The event that ends a failed stream.
pub(crate) const FAILED: &str = "response.failed";

/// The length of the event without its data, in bytes.
const FRAME_BYTES: usize = "event: response.failed\ndata: \n\n".len();

/// The documented codes (`ResponseError.code`) without those about images, and the two that Codex acts
/// on.
const CODES: [&str; 8] = [
    "server_error",
    "rate_limit_exceeded",
    "invalid_prompt",
    "data_residency_mismatch",
    "bio_policy",
    "vector_store_timeout",
    "context_length_exceeded",
    "insufficient_quota",
];
