//! What Jackfield itself says in this dialect: its errors.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::ErrorBody;
use crate::ir::ResponseContext;

/// An API has one shape of errors, whatever the path, and the clients have one reader for it.
pub(crate) use crate::openai_chat::{error_kind, render_error};

/// An error inside a stream: the event `response.failed_response`, with the error beside the response as well.
///
/// OpenAI's own clients (Python `_streaming.py`, Node `core/streaming.ts`) raise an `APIError` when an
/// event's data has an `error`, and would hand out anything else as one more event. Codex passes over
/// events of the type `error`, and tells its user what the response's error says.
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

/// The data of a `response.failed_response`.
pub(crate) fn failed_event(sequence_number: u64, response: &Value, error: &Value) -> Value {
    json!({
        "type": FAILED,
        "sequence_number": sequence_number,
        "response": response,
        "error": error,
    })
}

/// The `code` of a response's error, from what is known of the failure. The documented codes are a closed
/// list; of others only those that clients are known to act on are let through.
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

/// The event that ends a stream that failed.
pub(crate) const FAILED: &str = "response.failed";

/// What surrounds the data of the event, in bytes.
const FRAME_BYTES: usize = "event: response.failed\ndata: \n\n".len();

/// The codes of failures (`ResponseError.code`) but those of pictures, and the two that Codex acts on.
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
