//! Wire dialects of LLM APIs. Nothing here waits, reads a clock or does I/O, and no input makes it panic.
//!
//! [`json`] finds and patches values inside a text without building a tree; [`sse`] splits a stream
//! into events. Each dialect has a module of its own, with the same files in each, and implements
//! [`Codec`]; [`Dialect::codec`] returns it. Dialects are translated through the common form in [`ir`].

pub mod embed;
pub mod ir;
pub mod item_events;
pub mod json;
pub mod sse;
pub mod traits;

mod anthropic;
mod body_check;
mod codec;
mod collector;
mod error_body;
mod error_class;
mod estimate;
mod event_class;
mod foreign_signatures;
mod gemini;
mod limits;
mod openai_chat;
mod openai_completions;
mod openai_responses;
mod provider_error;
mod request_head;
mod stream;
mod thinking;
mod translate;
mod translated_request;
mod usage;

pub use body_check::BodyCheck;
pub use codec::{Codec, Embeddings, ModelEntry, TokenCount};
pub use collector::{Collector, ResponseBuilder};
pub use error_body::{CooldownBody, ErrorBody};
pub use error_class::{ErrorClass, ErrorLabels, ErrorTable};
pub use estimate::estimate_tokens;
pub use event_class::EventClass;
pub use foreign_signatures::{
    SignatureEdit, SignatureFilter, SignatureMembers, SignatureScan, SignedPart, StrippedBody,
    is_wrapped, refuses_signatures, scan_signatures, strip_signatures,
};
pub use gemini::ArrayWriter;
pub use limits::{CODE_BYTES_MAX, ERROR_MESSAGE_BYTES_MAX, MODEL_BYTES_MAX};
pub use provider_error::ProviderError;
pub use request_head::{RequestError, RequestHead};
pub use stream::Observer;
pub use thinking::{BodyEdit, Thinking};
pub use translate::{
    ErrorPlace, Translator, translate_error, translate_error_response, translate_reported_error,
};
pub use translated_request::{TranslatedRequest, TranslationInput};
pub use usage::Usage;

/// The wire format of a client or a provider. Not `non_exhaustive`, so that the compiler shows every
/// place that a new dialect concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// Anthropic's Messages API: `POST /v1/messages`.
    AnthropicMessages,
    /// Google's Gemini API: `POST /v1beta/models/{model}:generateContent`.
    Gemini,
    /// OpenAI's chat completions: `POST /v1/chat/completions`.
    OpenaiChat,
    /// OpenAI's text completions, the predecessor of the chat: `POST /v1/completions`.
    OpenaiCompletions,
    /// OpenAI's responses: `POST /v1/responses`.
    OpenaiResponses,
}

impl Dialect {
    /// All dialects.
    pub const ALL: [Self; 5] = [
        Self::AnthropicMessages,
        Self::Gemini,
        Self::OpenaiChat,
        Self::OpenaiCompletions,
        Self::OpenaiResponses,
    ];

    /// The name, as in the plugin contract and the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AnthropicMessages => "anthropic-messages",
            Self::Gemini => "gemini",
            Self::OpenaiChat => "openai-chat",
            Self::OpenaiCompletions => "openai-completions",
            Self::OpenaiResponses => "openai-responses",
        }
    }

    /// The codec of this dialect.
    #[must_use]
    pub fn codec(self) -> &'static dyn Codec {
        match self {
            Self::AnthropicMessages => &anthropic::Anthropic,
            Self::Gemini => &gemini::Gemini,
            Self::OpenaiChat => &openai_chat::OpenaiChat,
            Self::OpenaiCompletions => &openai_completions::OpenaiCompletions,
            Self::OpenaiResponses => &openai_responses::OpenaiResponses,
        }
    }

    /// The dialect of that name; `None` if there is no such dialect.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name)
    }
}

impl std::fmt::Display for Dialect {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name())
    }
}

/// Truncates a text to at most `bytes_max` bytes, never inside a character.
#[must_use]
pub fn truncate(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_every_dialect_name() {
        for dialect in Dialect::ALL {
            assert_eq!(Dialect::parse(dialect.name()), Some(dialect));
        }
        assert_eq!(Dialect::parse("openai_chat"), None);
    }

    #[test]
    fn truncates_at_char_boundaries() {
        assert_eq!(truncate("aé", 2), "a");
        assert_eq!(truncate("aé", 3), "aé");
        assert_eq!(truncate("aé", 99), "aé");
    }
}
