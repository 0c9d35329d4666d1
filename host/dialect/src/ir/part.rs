//! The parts that turns and answers are made of.

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use serde_json::Value;

use super::signature::Signature;

/// One part of a turn, or of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Sound.
    Audio(Media),
    /// A document, such as a PDF, with its title if it has one.
    Document(Media),
    /// A picture.
    Image(Media),
    /// What the model thought before it answered.
    Reasoning(ReasoningPart),
    /// The model's words for not answering.
    Refusal(String),
    /// Text, with what it cites.
    Text {
        /// The text.
        text: String,
        /// What it cites, in order.
        citations: Vec<Citation>,
    },
    /// A call of a tool, by the model.
    ToolCall(ToolCall),
    /// What a tool answered, to the model.
    ToolResult(ToolResult),
}

impl Part {
    /// Text that cites nothing.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text {
            text: text.into(),
            citations: Vec::new(),
        }
    }
}

/// A picture, a sound or a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// Its media type, such as `image/png`; none where the sender left it to the receiver.
    pub media_type: Option<String>,
    /// Where its bytes are.
    pub source: MediaSource,
    /// How closely to look at a picture: `low`, `high`, `auto`.
    pub detail: Option<String>,
    /// A document's title or file name.
    pub title: Option<String>,
}

/// Where the bytes of a [`Media`] are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaSource {
    /// Here, in base64 (the standard alphabet, with padding).
    Base64(String),
    /// With the provider, under this id. It means nothing to any other provider.
    File(String),
    /// Here, as text.
    Text(String),
    /// At this address.
    Url(String),
}

impl MediaSource {
    /// What a request is refused with that has something else in the place of base64.
    pub(crate) const NOT_BASE64: &'static str = "must be base64";

    /// Bytes in base64 of either alphabet, padded or not; none if it is no base64.
    pub(crate) fn base64(text: String) -> Option<Self> {
        standard_base64(text).map(Self::Base64)
    }
}

/// What the model thought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReasoningPart {
    /// What it shows of it; empty where it shows nothing.
    pub text: String,
    /// The provider's own record of it, to be handed back in the next turn.
    pub signature: Option<Signature>,
    /// Whether the provider hides the text on purpose: all there is is the signature.
    pub redacted: bool,
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// What its result refers to. Never empty: a decoder whose dialect has none makes one up, the same
    /// for the same place.
    pub id: String,
    /// The tool's name. Never empty in an answer.
    pub name: String,
    /// The arguments as JSON text, an object unless the model erred; of a custom tool the bare input
    /// as a JSON string inside `{"input": ..}`.
    pub arguments: String,
    /// The provider's record of what led to the call (Gemini has it at the call itself).
    pub signature: Option<Signature>,
}

/// What a tool answered.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolResult {
    /// The call's id.
    pub call_id: String,
    /// The tool's name, where the dialect says it or the call it answers stands earlier in the request.
    pub name: Option<String>,
    /// What it answered: text, pictures, documents.
    pub parts: Vec<Part>,
    /// Whether the tool failed.
    pub is_error: bool,
}

impl ToolResult {
    /// What a request is refused with whose result answers nothing: providers refuse it too.
    pub(crate) const UNKNOWN_CALL: &'static str = "no tool call with this id stands before it";
}

/// Where a piece of text comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Citation {
    /// Its address, if it is a page of the web.
    pub url: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// What is cited, word for word.
    pub quoted: Option<String>,
    /// The place in the text that it belongs to, in characters: first, and one after the last.
    pub span: Option<(u64, u64)>,
    /// The citation as its own dialect has it, for those that know it.
    pub raw: Value,
}

/// The same bytes in the standard alphabet with padding: clients send either alphabet, and proto JSON
/// takes both. None if it is no base64.
pub(crate) fn standard_base64(text: String) -> Option<String> {
    let text = if text.contains(['-', '_']) {
        text.replace('-', "+").replace('_', "/")
    } else {
        text
    };
    // Decoding is the check; what is padded already keeps its text.
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
