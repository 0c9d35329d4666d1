//! The errors that Jackfield itself makes.

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use crate::error_class::ErrorTable;
use crate::ir::ResponseContext;
use crate::json::to_vec;
use crate::openai_chat::{self, OpenaiError};
use crate::openai_responses::response::encode::failed_response;
use crate::{ErrorBody, ErrorClass, ErrorLabels, ProviderError};

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
    let class = ProviderError {
        code: error.code.map(str::to_owned),
        kind: Some(error.kind.to_owned()),
        ..ProviderError::default()
    }
    .class(None);
    let code = code(class, error.code);
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

/// The labels of the chat, but the responses have a code of their own for content.
pub(crate) const ERRORS: ErrorTable = ErrorTable {
    labels,
    ..openai_chat::ERRORS
};

fn labels(class: ErrorClass) -> ErrorLabels {
    let labels = (openai_chat::ERRORS.labels)(class);
    match class {
        ErrorClass::ContentPolicy => ErrorLabels {
            codes: &["invalid_prompt", "bio_policy", "cyber_policy"],
            ..labels
        },
        _ => labels,
    }
}

/// Returns the `code` of a response's error. The documented codes are a closed list; of other codes,
/// only those that clients act on remain. Codex sends a request again after any code that it does not know, so
/// a fault of the request is an `invalid_prompt` (`codex-rs/codex-api/src/sse/responses.rs`).
pub(crate) fn code(class: ErrorClass, reported: Option<&str>) -> String {
    let is_known = |code: &&str| CODES.contains(code) || code.contains("image");
    let usual = match class {
        ErrorClass::ContextLength
        | ErrorClass::Overloaded
        | ErrorClass::Quota
        | ErrorClass::RateLimit => {
            let codes = openai_chat::codes(class);
            codes.first().copied()
        }
        ErrorClass::ContentPolicy | ErrorClass::InvalidRequest | ErrorClass::TooLarge => {
            Some("invalid_prompt")
        }
        ErrorClass::Authentication
        | ErrorClass::NotFound
        | ErrorClass::Permission
        | ErrorClass::Server
        | ErrorClass::Timeout => None,
    };
    let code = reported.filter(is_known).or(usual);
    code.unwrap_or("server_error").to_owned()
}

/// The event that ends a failed stream.
pub(crate) const FAILED: &str = "response.failed";

/// The length of the event without its data, in bytes.
const FRAME_BYTES: usize = "event: response.failed\ndata: \n\n".len();

/// The documented codes (`ResponseError.code`) without those about images, and the ones that Codex acts
/// on.
const CODES: [&str; 12] = [
    "server_error",
    "rate_limit_exceeded",
    "invalid_prompt",
    "data_residency_mismatch",
    "bio_policy",
    "vector_store_timeout",
    "context_length_exceeded",
    "cyber_policy",
    "insufficient_quota",
    "server_is_overloaded",
    "slow_down",
    "usage_not_included",
];
