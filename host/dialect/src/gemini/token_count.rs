//! Token counts: `models/{model}:countTokens`.

use serde_json::{Value, json};

use crate::codec::TokenCount;
use crate::gemini::request::encode;
use crate::ir::{Request, TranslationError, TranslationReport};
use crate::json::to_vec;
use crate::traits::Traits;

/// The format of token counts.
pub(super) struct GeminiTokenCount;

impl TokenCount for GeminiTokenCount {
    fn encode_request(
        &self,
        request: &Request,
        traits: &Traits,
        report: &mut TranslationReport,
    ) -> Result<Vec<u8>, TranslationError> {
        let mut body = encode::body(request, traits, report)?;
        // The configuration changes no count, and the API rejects parts of it here.
        body.remove("generationConfig");
        if body.len() == 1 {
            // Only the contents are left, so the short form is enough.
            return Ok(to_vec(&body));
        }
        // The API wants the model again inside a whole request.
        let name = request.model.as_str();
        let name = name.strip_prefix("models/").unwrap_or(name);
        body.insert("model".to_owned(), format!("models/{name}").into());
        Ok(to_vec(&json!({"generateContentRequest": body})))
    }

    fn decode_response(&self, body: &[u8]) -> Option<u64> {
        let value: Value = serde_json::from_slice(body).ok()?;
        let count = value.get("totalTokens")?;
        // Protobuf JSON writes 64-bit numbers as strings.
        let printed = || count.as_str()?.parse().ok();
        count.as_u64().or_else(printed)
    }
}

/// Encodes a count for a client.
pub(super) fn encode(tokens: u64) -> Vec<u8> {
    to_vec(&json!({"totalTokens": tokens}))
}
