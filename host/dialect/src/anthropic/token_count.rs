//! Counts of tokens: `POST /v1/messages/count_tokens`.

use crate::ir::{Request, TranslationError, TranslationReport};
use crate::json::members;

/// The answer to a request for a count.
#[must_use]
pub fn encode_count(tokens: u64) -> Vec<u8> {
    format!(r#"{{"input_tokens":{tokens}}}"#).into_bytes()
}

/// The count in such an answer; none if there is none.
#[must_use]
pub fn decode_count(body: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(body).ok()?;
    members(text, ["input_tokens"]).ok()?.values[0]?
        .get()
        .parse()
        .ok()
}

/// Writes a request for a count: what is read, and nothing of how the answer is drawn.
///
/// # Errors
/// As [`encode_request`](crate::anthropic::request::encode).
pub fn encode_count_request(
    request: &Request,
    report: &mut TranslationReport,
) -> Result<Vec<u8>, TranslationError> {
    crate::anthropic::request::encode::encode_count_body(request, report)
}
