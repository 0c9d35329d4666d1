//! What a whole answer, with a status that promises success, really says.

use serde_json::value::RawValue;

use super::usage::Counts;
use crate::json::{is_void, members, string};
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
    let names = ["type", "content", "stop_reason", "usage", "error"];
    let Ok(found) = members(text, names) else {
        return ProviderError::read(body).map_or(Verdict::Malformed, Verdict::Error);
    };
    let [kind, content, stop_reason, usage, error] = found.values;
    let is_error = kind.is_some_and(|kind| kind.get() == "\"error\"");
    if is_error || error.is_some_and(|error| !is_void(error)) {
        return Verdict::Error(error_of(text));
    }
    let finish_reason = stop_reason.and_then(word);
    let says_something = content.is_some_and(|content| !is_void(content));
    if !says_something && finish_reason.is_none() {
        return ProviderError::read(body).map_or(Verdict::Empty, Verdict::Error);
    }
    let mut counts = Counts::default();
    usage.into_iter().for_each(|usage| counts.take(usage));
    Verdict::Complete {
        usage: counts.usage(),
        finish_reason,
    }
}

/// What a text that calls itself an error says.
pub(super) fn error_of(text: &str) -> ProviderError {
    ProviderError::read(text.as_bytes()).unwrap_or_else(|| ProviderError::of_message(text))
}

/// A reason as text.
pub(super) fn word(raw: &RawValue) -> Option<String> {
    string(raw).map(|word| cut(&word, ProviderError::WORD_BYTES_MAX).to_owned())
}
