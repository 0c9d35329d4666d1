//! The errors that Jackfield itself makes.

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use crate::ErrorBody;
use crate::ir::ResponseContext;
use crate::json::to_vec;
use crate::openai_chat::OpenaiError;
use crate::openai_responses::response::encode::failed_response;

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
    let code = code(error.code, error.kind);
    let context = ResponseContext::default();
    let response = failed_response(&context, &code, error.message);
    let data = failed_event(0, &response, &OpenaiError::of(error));
    let mut out = Vec::with_capacity(data.len() + FRAME_BYTES);
    crate::sse::write_event(FAILED, &data, &mut out);
    out.into()
}

/// Returns the data of a `response.failed`.
pub(crate) fn failed_event(
    sequence_number: u64,
    response: &Value,
    error: &OpenaiError<'_>,
) -> Vec<u8> {
    to_vec(&FailedEvent {
        kind: FAILED,
        sequence_number,
        response,
        error,
    })
}

#[derive(Serialize)]
struct FailedEvent<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    sequence_number: u64,
    response: &'a Value,
    error: &'a OpenaiError<'a>,
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
