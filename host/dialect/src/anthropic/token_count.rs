//! Token counts: `POST /v1/messages/count_tokens`.

use crate::codec::TokenCount;
use crate::ir::{Request, TranslationError, TranslationReport};
use crate::json::members;
use crate::traits::Traits;

/// The format of token counts.
pub(super) struct AnthropicTokenCount;

impl TokenCount for AnthropicTokenCount {
    fn encode_request(
        &self,
        request: &Request,
        traits: &Traits,
        report: &mut TranslationReport,
    ) -> Result<Vec<u8>, TranslationError> {
        super::request::encode::encode_count_body(request, traits, report)
    }

    fn decode_response(&self, body: &[u8]) -> Option<u64> {
        let text = std::str::from_utf8(body).ok()?;
        let count = members(text, ["input_tokens"]).ok()?.values[0]?;
        count.get().parse().ok()
    }
}
