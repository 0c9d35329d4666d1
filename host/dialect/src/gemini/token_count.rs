//! `models/{model}:countTokens`.

use serde_json::{Value, json};

use crate::gemini::request::encode;
use crate::ir::{Request, TranslationError, TranslationReport};
use crate::json::to_vec;

/// The answer: how many tokens.
#[must_use]
pub fn encode_count(tokens: u64) -> Vec<u8> {
    to_vec(&json!({"totalTokens": tokens}))
}

/// Reads the answer; none if it tells no count.
#[must_use]
pub fn decode_count(body: &[u8]) -> Option<u64> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let count = value.get("totalTokens")?;
    let printed = || count.as_str()?.parse().ok();
    count.as_u64().or_else(printed)
}

/// Writes a request for a count: of the contents alone, or, where there is more to count, of the whole
/// request, in which the API demands [`Request::model_rules`] once more.
///
/// # Errors
/// As [`encode_request`](crate::gemini::request::encode()).
pub fn encode_count_request(
    request: &Request,
    report: &mut TranslationReport,
) -> Result<Vec<u8>, TranslationError> {
    let mut body = encode::body(request, report)?;
    // How it would be drawn changes no count; the API refuses some of it here.
    body.remove("generationConfig");
    if body.len() == 1 {
        return Ok(to_vec(&body));
    }
    let name = request.model.as_str();
    let name = name.strip_prefix("models/").unwrap_or(name);
    body.insert("model".to_owned(), format!("models/{name}").into());
    Ok(to_vec(&json!({"generateContentRequest": body})))
}
