//! What a whole answer, with a status that promises success, really says.

use serde_json::value::RawValue;

use super::chunk::ResponseChunk;
use crate::gemini::usage;
use crate::json::string;
use crate::{BodyCheck, ProviderError, truncate};

/// Reads the body of a 2xx answer, not streamed. One pass; of the content nothing is kept.
#[must_use]
pub(crate) fn check_body(body: &[u8]) -> BodyCheck {
    if body.trim_ascii().is_empty() {
        return BodyCheck::Empty;
    }
    let Ok(text) = std::str::from_utf8(body) else {
        return BodyCheck::Malformed;
    };
    let Some(chunk) = ResponseChunk::read(text) else {
        return ProviderError::read(body).map_or(BodyCheck::Malformed, BodyCheck::Error);
    };
    if let Some(error) = chunk.error.and_then(ProviderError::from_member) {
        return BodyCheck::Error(error);
    }
    let reason = chunk.reason().and_then(reason_text);
    if !chunk.has_content() && reason.is_none() {
        let unread = chunk
            .candidates
            .is_none()
            .then(|| ProviderError::read(body));
        return unread.flatten().map_or(BodyCheck::Empty, BodyCheck::Error);
    }
    BodyCheck::Complete {
        usage: chunk.usage_metadata.and_then(usage::decode_raw),
    }
}

/// A finish reason as text.
pub(crate) fn reason_text(raw: &RawValue) -> Option<String> {
    string(raw).map(|reason| truncate(&reason, ProviderError::CODE_BYTES_MAX).to_owned())
}
