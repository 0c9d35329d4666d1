//! What a whole answer, with a status that promises success, really says.

use serde_json::value::RawValue;

use super::chunk::ChunkScan;
use crate::json::string;
use crate::openai_chat::usage;
use crate::{BodyCheck, ProviderError, Usage, truncate};

/// Reads the body of a 2xx answer, not streamed. One pass; of the content nothing is kept.
#[must_use]
pub(crate) fn check_body(body: &[u8]) -> BodyCheck {
    if body.trim_ascii().is_empty() {
        return BodyCheck::Empty;
    }
    let Ok(text) = std::str::from_utf8(body) else {
        return BodyCheck::Malformed;
    };
    let Some(chunk) = ChunkScan::decode(text) else {
        return ProviderError::read(body).map_or(BodyCheck::Malformed, BodyCheck::Error);
    };
    if let Some(error) = failure(&chunk) {
        return BodyCheck::Error(error);
    }
    match &chunk.choices {
        Some(choices) if choices.count > 0 => BodyCheck::Complete {
            usage: decode_usage(&chunk),
        },
        Some(_) => BodyCheck::Empty,
        None => ProviderError::read(body).map_or(BodyCheck::Empty, BodyCheck::Error),
    }
}

/// The failure that a chunk reports: of itself, of one of its choices, or in Groq's member.
pub(crate) fn failure(chunk: &ChunkScan<'_>) -> Option<ProviderError> {
    let choices = chunk.choices.as_ref();
    let of_choice = || choices?.error;
    let of_groq = || {
        crate::json::members(chunk.x_groq?.get(), ["error"])
            .ok()?
            .values[0]
    };
    let candidates = [chunk.error, of_choice(), of_groq()];
    if let Some(error) = candidates
        .into_iter()
        .flatten()
        .find_map(ProviderError::from_member)
    {
        return Some(error);
    }
    // OpenRouter's word for a choice that broke off; usually with an error beside it.
    let has_error_reason = choices?
        .finish_reason
        .is_some_and(|reason| reason.get() == "\"error\"");
    has_error_reason
        .then(|| ProviderError::from_message("the provider finished with the reason `error`"))
}

/// What a chunk says it cost, in whichever of the three places.
pub(crate) fn decode_usage(chunk: &ChunkScan<'_>) -> Option<Usage> {
    let of_choice = || chunk.choices.as_ref()?.usage;
    let of_groq = || {
        crate::json::members(chunk.x_groq?.get(), ["usage"])
            .ok()?
            .values[0]
    };
    chunk
        .usage
        .and_then(usage::decode)
        .or_else(|| of_choice().or_else(of_groq).and_then(usage::decode))
}

/// A finish reason as text.
pub(crate) fn reason_text(raw: &RawValue) -> Option<String> {
    string(raw).map(|reason| truncate(&reason, ProviderError::CODE_BYTES_MAX).to_owned())
}
