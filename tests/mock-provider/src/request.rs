//! A parsed request, independent of its dialect: what the rules of the response depend on.

use serde_json::Value;

use super::directives::Directives;

/// A valid request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ModelRequest {
    pub(super) model: String,
    pub(super) stream: bool,
    pub(super) directives: Directives,
    /// The system prompt; empty if there is none.
    pub(super) system: String,
    pub(super) tools: Vec<Tool>,
    pub(super) tool_choice: ToolChoice,
    /// Whether the response may have more than one tool call.
    pub(super) parallel_tool_calls: bool,
    /// The number of calls in earlier turns. New calls get ids after these.
    pub(super) calls_before: usize,
    pub(super) turn: Turn,
    /// Images and documents of the last message.
    pub(super) media: Vec<Media>,
    /// The format of the response's text.
    pub(super) output: Output,
    pub(super) reasoning: bool,
    /// The limit of output tokens.
    pub(super) tokens_max: Option<u64>,
    /// The stop sequences.
    pub(super) stop: Vec<String>,
    /// The number of input tokens.
    pub(super) tokens: u64,
    /// Whether a stream ends with the usage. In some dialects it always does.
    pub(super) include_usage: bool,
    /// The number of candidates (OpenAI's choices).
    pub(super) candidate_count: u64,
    /// The body, for members that only its own dialect uses.
    pub(super) body: Value,
}

/// A tool that the response may call.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tool {
    pub(super) name: String,
    pub(super) schema: Value,
}

/// Whether the response must call tools.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum ToolChoice {
    /// The rules decide.
    #[default]
    Auto,
    /// No calls.
    Never,
    /// A call of any tool.
    Any,
    /// A call of one of these tools.
    Named(Vec<String>),
}

/// The last message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Turn {
    /// A user's text.
    Prompt(String),
    /// The results of tool calls.
    Results(Vec<String>),
}

impl Turn {
    /// Returns the user's text; it is empty for tool results.
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
    /// `image` or `document`.
    pub(super) kind: &'static str,
    /// Its media type, or its URL.
    pub(super) label: String,
    /// Its size, if the request has its data.
    pub(super) bytes: Option<usize>,
}

/// The format of a response's text.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Output {
    /// Plain text.
    #[default]
    Text,
    /// Any JSON.
    Json,
    /// JSON that satisfies a schema.
    Schema(Value),
}

/// Why a request is invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RequestError {
    pub(super) status: u16,
    /// The path of the invalid member, in the dialect's notation.
    pub(super) field: String,
    pub(super) message: String,
    /// The dialect's error code, if it has one.
    pub(super) code: Option<&'static str>,
}

impl RequestError {
    /// Creates an error with the status 400.
    pub(super) fn at(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            field: field.into(),
            message: message.into(),
            code: None,
        }
    }

    /// Returns the same error with `parent` before its field.
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

/// Returns the number of words, which is the mock's token count of a text.
pub(super) fn word_count(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

/// Returns the token count of a request: the words of its texts, and two for the request.
pub(super) fn estimate_tokens<'a>(texts: impl IntoIterator<Item = &'a str>) -> u64 {
    2 + texts.into_iter().map(word_count).sum::<u64>()
}

/// Returns a member that is a string.
pub(super) fn str_member<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

/// Returns the items of a member that is an array; none for other members.
pub(super) fn array_member<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}
