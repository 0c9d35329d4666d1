//! What a whole answer, with a status that promises success, really says.

use serde_json::value::RawValue;

use super::chunk::Chunk;
use super::usage;
use crate::json::string;
use crate::{ProviderError, Usage, cut};

/// What the body of a 2xx answer, not streamed, says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A completion with at least one choice.
    Complete {
        /// What it cost, if it says so.
        usage: Option<Usage>,
        /// Why its last choice finished; at most [`ProviderError::WORD_BYTES_MAX`].
        finish_reason: Option<String>,
    },
    /// Nothing: no body, or a completion without a choice.
    Empty,
    /// An error inside a success.
    Error(ProviderError),
    /// Not a completion at all: HTML, a broken-off body.
    Malformed,
}

impl Answer {
    /// Reads the body. One pass; of the content nothing is kept.
    #[must_use]
    pub fn read(body: &[u8]) -> Self {
        if body.trim_ascii().is_empty() {
            return Self::Empty;
        }
        let Ok(text) = std::str::from_utf8(body) else {
            return Self::Malformed;
        };
        let Some(chunk) = Chunk::read(text) else {
            return ProviderError::read(body).map_or(Self::Malformed, Self::Error);
        };
        if let Some(error) = failure(&chunk) {
            return Self::Error(error);
        }
        match &chunk.choices {
            Some(choices) if choices.count > 0 => Self::Complete {
                usage: spent(&chunk),
                finish_reason: choices.finish_reason.and_then(reason),
            },
            Some(_) => Self::Empty,
            None => ProviderError::read(body).map_or(Self::Empty, Self::Error),
        }
    }
}

/// The failure that a chunk reports: of itself, of one of its choices, or in Groq's member.
pub(super) fn failure(chunk: &Chunk<'_>) -> Option<ProviderError> {
    let choices = chunk.choices.as_ref();
    let of_choice = || choices?.error;
    let of_groq = || {
        crate::json::members(chunk.x_groq?.get(), ["error"])
            .ok()?
            .values[0]
    };
    let told = [chunk.error, of_choice(), of_groq()];
    if let Some(error) = told
        .into_iter()
        .flatten()
        .find_map(ProviderError::of_member)
    {
        return Some(error);
    }
    // OpenRouter's word for a choice that broke off; usually with an error beside it.
    let broke_off = choices?
        .finish_reason
        .is_some_and(|reason| reason.get() == "\"error\"");
    broke_off.then(|| ProviderError::of_message("the provider finished with the reason `error`"))
}

/// What a chunk says it cost, in whichever of the three places.
pub(super) fn spent(chunk: &Chunk<'_>) -> Option<Usage> {
    let of_choice = || chunk.choices.as_ref()?.usage;
    let of_groq = || {
        crate::json::members(chunk.x_groq?.get(), ["usage"])
            .ok()?
            .values[0]
    };
    chunk
        .usage
        .and_then(usage::read)
        .or_else(|| of_choice().or_else(of_groq).and_then(usage::read))
}

/// A finish reason as text.
pub(super) fn reason(raw: &RawValue) -> Option<String> {
    string(raw).map(|reason| cut(&reason, ProviderError::WORD_BYTES_MAX).to_owned())
}
