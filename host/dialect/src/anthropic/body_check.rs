//! What a whole answer, with a status that promises success, really says.

use serde_json::value::RawValue;

use super::usage::TokenCounts;
use crate::json::{is_void, members, string};
use crate::{BodyCheck, ProviderError, truncate};

/// Reads the body of a 2xx answer, not streamed. One pass; of the content nothing is kept.
#[must_use]
pub fn check_body(body: &[u8]) -> BodyCheck {
    if body.trim_ascii().is_empty() {
        return BodyCheck::Empty;
    }
    let Ok(text) = std::str::from_utf8(body) else {
        return BodyCheck::Malformed;
    };
    let names = ["type", "content", "stop_reason", "usage", "error"];
    let Ok(found) = members(text, names) else {
        return ProviderError::read(body).map_or(BodyCheck::Malformed, BodyCheck::Error);
    };
    let [kind, content, stop_reason, usage, error] = found.values;
    let is_error = kind.is_some_and(|kind| kind.get() == "\"error\"");
    if is_error || error.is_some_and(|error| !is_void(error)) {
        return BodyCheck::Error(decode_error(text));
    }
    let finish_reason = stop_reason.and_then(reason_text);
    let has_content = content.is_some_and(|content| !is_void(content));
    if !has_content && finish_reason.is_none() {
        return ProviderError::read(body).map_or(BodyCheck::Empty, BodyCheck::Error);
    }
    let mut counts = TokenCounts::default();
    usage.into_iter().for_each(|usage| counts.merge(usage));
    BodyCheck::Complete {
        usage: counts.usage(),
        finish_reason,
    }
}

/// What a text that calls itself an error says.
pub(super) fn decode_error(text: &str) -> ProviderError {
    ProviderError::read(text.as_bytes()).unwrap_or_else(|| ProviderError::from_message(text))
}

/// A reason as text.
pub(super) fn reason_text(raw: &RawValue) -> Option<String> {
    string(raw).map(|word| truncate(&word, ProviderError::CODE_BYTES_MAX).to_owned())
}
