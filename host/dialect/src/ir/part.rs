//! The parts of turns and responses.

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use serde_json::Value;

use super::signature::Signature;
use crate::json::Completeness;

/// One part of a turn or of a response.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Audio.
    Audio(Media),
    /// The client asks the provider to cache the prompt up to the part before this.
    CacheMark(CacheMark),
    /// A document, such as a PDF, with its title if it has one.
    Document(Media),
    /// An image.
    Image(Media),
    /// The model's reasoning.
    Reasoning(ReasoningPart),
    /// The model's refusal, in its own words.
    Refusal(String),
    /// Text with its citations.
    Text {
        /// The text.
        text: String,
        /// The citations, in order.
        citations: Vec<Citation>,
    },
    /// A tool call.
    ToolCall(ToolCall),
    /// The result of a tool call.
    ToolResult(ToolResult),
}

impl Part {
    /// Returns a text without citations.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text {
            text: text.into(),
            citations: Vec::new(),
        }
    }
}

/// A request to cache the prompt up to a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheMark {
    /// Whether the provider should store it for an hour instead of some minutes.
    pub is_long: bool,
}

/// An image, audio or a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// The media type, such as `image/png`; `None` if the sender did not state it.
    pub media_type: Option<String>,
    /// Where the bytes are.
    pub source: MediaSource,
    /// The level of detail of an image: `low`, `high`, `auto`.
    pub detail: Option<String>,
    /// The title or file name of a document.
    pub title: Option<String>,
}

/// Where the bytes of a [`Media`] are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaSource {
    /// Inline, in base64 (the standard alphabet, with padding).
    Base64(String),
    /// Stored by the provider under this id, which no other provider knows.
    File(String),
    /// Inline, as text.
    Text(String),
    /// At this URL.
    Url(String),
}

impl MediaSource {
    /// The error text for data that is not base64.
    pub(crate) const NOT_BASE64: &'static str = "must be base64";

    /// How many bytes its text has.
    pub(crate) const fn held_bytes(&self) -> usize {
        match self {
            Self::Base64(text) | Self::File(text) | Self::Text(text) | Self::Url(text) => {
                text.len()
            }
        }
    }

    /// Accepts base64 of either alphabet, with or without padding; `None` for anything else.
    pub(crate) fn base64(text: String) -> Option<Self> {
        standard_base64(text).map(Self::Base64)
    }
}

/// The model's reasoning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReasoningPart {
    /// The text or a summary; empty if the provider shows none.
    pub text: String,
    /// The provider's record of the reasoning. The client sends it back in the next turn.
    pub signature: Option<Signature>,
    /// Whether the provider hides the text on purpose: there is only the signature.
    pub redacted: bool,
}

/// A tool call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// The id that the result refers to. Never empty: if the dialect has no ids, the decoder derives
    /// one from the position.
    pub id: String,
    /// The tool's name. Never empty in a response.
    pub name: String,
    /// The arguments as JSON text: an object, unless the model made a mistake. The input of a custom
    /// tool is `{"input": ".."}`.
    pub arguments: String,
    /// The provider's record of the reasoning before the call. Only Gemini attaches it to the call.
    pub signature: Option<Signature>,
}

impl ToolCall {
    /// Whether the arguments are cut off: the token limit or a filter ended the response. No client may run it.
    pub(crate) fn is_cut(&self) -> bool {
        Completeness::of(&self.arguments).is_open()
    }
}

/// The result of a tool call.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolResult {
    /// The id of the call.
    pub call_id: String,
    /// The tool's name, if the dialect sends it or the request holds the call.
    pub name: Option<String>,
    /// The content: text, images, documents.
    pub parts: Vec<Part>,
    /// Whether the tool failed.
    pub is_error: bool,
}

impl ToolResult {
    /// The error text for a result without a call. Providers reject such requests too.
    pub(crate) const UNKNOWN_CALL: &'static str = "no earlier tool call has this id";
}

/// The source of a piece of text.
#[derive(Clone, Debug, PartialEq)]
pub struct Citation {
    /// The URL, if it is a web page.
    pub url: Option<String>,
    /// The title.
    pub title: Option<String>,
    /// The quoted text.
    pub quoted: Option<String>,
    /// The range of the text that it belongs to, in characters: start, and end (exclusive).
    pub span: Option<(u64, u64)>,
    /// The citation in its own dialect, for clients of that dialect.
    pub raw: Value,
}

/// Converts base64 to the standard alphabet with padding: clients send either alphabet, and protobuf
/// JSON accepts both. `None` if it is not base64.
pub(crate) fn standard_base64(text: String) -> Option<String> {
    let text = if text.contains(['-', '_']) {
        text.replace('-', "+").replace('_', "/")
    } else {
        text
    };
    // Decoding is the check. A text that is padded already is kept.
    let bytes = LENIENT.decode(&text).ok()?;
    Some(if text.len() % 4 == 0 {
        text
    } else {
        STANDARD.encode(bytes)
    })
}

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalizes_base64_to_standard_alphabet() {
        let read = |text: &str| standard_base64(text.to_owned());
        assert_eq!(read("+/8="), Some("+/8=".to_owned()));
        assert_eq!(read("-_8"), Some("+/8=".to_owned()));
        for invalid in ["+/8;", "A", "AAA=AAA=", "AA\n=="] {
            assert_eq!(read(invalid), None, "{invalid}");
        }
    }
}
