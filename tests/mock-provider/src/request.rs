//! What a request came to, whatever dialect it was in: all that the mock provider's rules look at.

use serde_json::Value;

use super::directives::Directives;

/// A request that holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ModelRequest {
    pub(super) model: String,
    pub(super) stream: bool,
    pub(super) directives: Directives,
    /// The system's text, if there is any.
    pub(super) system: String,
    pub(super) tools: Vec<Tool>,
    pub(super) tool_choice: ToolChoice,
    /// Whether more than one call may be made at a time.
    pub(super) parallel_tool_calls: bool,
    /// The calls of earlier turns, so that new ones have ids of their own.
    pub(super) calls_before: usize,
    pub(super) turn: Turn,
    /// Images and documents of the last message.
    pub(super) media: Vec<Media>,
    /// What the answer must look like.
    pub(super) output: Output,
    pub(super) reasoning: bool,
    /// How many tokens the answer may have.
    pub(super) tokens_max: Option<u64>,
    /// What ends the text.
    pub(super) stop: Vec<String>,
    /// How many tokens the request has.
    pub(super) tokens: u64,
    /// Whether a stream ends with usage, where that is asked for.
    pub(super) include_usage: bool,
    /// How many answers are wanted.
    pub(super) candidate_count: u64,
    /// The body, for what only its own dialect looks at.
    pub(super) body: Value,
}

/// A tool that may be called.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tool {
    pub(super) name: String,
    pub(super) schema: Value,
}

/// Whether tools are to be called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum ToolChoice {
    /// If it helps.
    #[default]
    Auto,
    /// Not at all.
    Never,
    /// One of all.
    Any,
    /// One of these.
    Named(Vec<String>),
}

/// What the last message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Turn {
    /// A user's text.
    Prompt(String),
    /// What tools answered.
    Results(Vec<String>),
}

impl Turn {
    /// The user's text; empty for tool results.
    pub(super) fn prompt(&self) -> &str {
        match self {
            Self::Prompt(text) => text,
            Self::Results(_) => "",
        }
    }
}

impl Default for Turn {
    fn default() -> Self {
        Self::Prompt(String::new())
    }
}

/// An image or a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Media {
    /// `read_image` or `document`.
    pub(super) kind: &'static str,
    /// Its media type, or where it is.
    pub(super) label: String,
    /// Its size, if it came along.
    pub(super) bytes: Option<usize>,
}

/// What the answer must look like.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Output {
    /// Text.
    #[default]
    Text,
    /// Any JSON.
    Json,
    /// JSON that satisfies a schema.
    Schema(Value),
}

/// Why a request does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RequestError {
    pub(super) status: u16,
    /// Where it is wrong, written as the dialect does.
    pub(super) field: String,
    pub(super) message: String,
    /// A code that the dialect has for this, if it has one.
    pub(super) code: Option<&'static str>,
}

impl RequestError {
    /// A bad request.
    pub(super) fn at(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            field: field.into(),
            message: message.into(),
            code: None,
        }
    }

    /// The same error in a member of `parent`.
    pub(super) fn inside(self, parent: &str) -> Self {
        Self {
            field: format!("{parent}.{}", self.field),
            ..self
        }
    }

    pub(super) fn with_code(self, code: &'static str) -> Self {
        Self {
            code: Some(code),
            ..self
        }
    }
}

/// How many tokens a text is taken for: as many as it has words.
pub(super) fn word_count(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

/// How many tokens a request is taken for: the words of all its texts, and two for each request.
pub(super) fn estimate_tokens<'a>(texts: impl IntoIterator<Item = &'a str>) -> u64 {
    2 + texts.into_iter().map(word_count).sum::<u64>()
}

/// A string member, or none.
pub(super) fn str_member<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

/// The items of a member that is a list; none if it is not there.
pub(super) fn array_member<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}
