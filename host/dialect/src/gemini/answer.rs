//! What a whole answer, with a status that promises success, really says.

use serde_json::value::RawValue;

use super::chunk::Chunk;
use super::usage;
use crate::json::string;
use crate::{ProviderError, Verdict, cut};

/// Reads the body of a 2xx answer, not streamed. One pass; of the content nothing is kept.
#[must_use]
pub fn read_answer(body: &[u8]) -> Verdict {
    if body.trim_ascii().is_empty() {
        return Verdict::Empty;
    }
    let Ok(text) = std::str::from_utf8(body) else {
        return Verdict::Malformed;
    };
    let Some(chunk) = Chunk::read(text) else {
        return ProviderError::read(body).map_or(Verdict::Malformed, Verdict::Error);
    };
    if let Some(error) = chunk.error.and_then(ProviderError::of_member) {
        return Verdict::Error(error);
    }
    let reason = chunk.reason().and_then(reason);
    if !chunk.has_content() && reason.is_none() {
        let unread = chunk
            .candidates
            .is_none()
            .then(|| ProviderError::read(body));
        return unread.flatten().map_or(Verdict::Empty, Verdict::Error);
    }
    Verdict::Complete {
        usage: chunk.usage_metadata.and_then(usage::read_raw),
        finish_reason: reason,
    }
}

/// A finish reason as text.
pub(super) fn reason(raw: &RawValue) -> Option<String> {
    string(raw).map(|reason| cut(&reason, ProviderError::WORD_BYTES_MAX).to_owned())
}
