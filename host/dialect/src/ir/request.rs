//! A request for content.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::effort::Effort;
use super::loss;
use super::part::{CacheMark, Part, ReasoningPart, ToolCall};
use super::report::TranslationReport;
use crate::Dialect;

/// A request for content, or for its token count.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The model, by the client's name.
    pub model: String,
    /// Whether to stream the response.
    pub stream: bool,
    /// Whether a streamed response includes the usage. Only OpenAI's chats and text completions let a
    /// client choose.
    pub include_usage: bool,
    /// The instructions before the conversation: text only. Instructions inside of the conversation are
    /// turns of [`Role::System`].
    pub system: Vec<Part>,
    /// The conversation. Decoders join adjacent turns of one role. A user's turn begins with the
    /// results of the tool calls in the assistant's turn before it.
    pub turns: Vec<Turn>,
    /// The tools that the model may call.
    pub tools: Vec<Tool>,
    /// How the client calls tools that it does not call as the common form does, by their names here.
    pub client_tools: BTreeMap<String, ClientTool>,
    /// Which of the tools it may or must call.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may make several calls in one response.
    pub parallel_tools: Option<bool>,
    /// The format of the response.
    pub format: Format,
    /// Stop sequences.
    pub stop: Vec<String>,
    /// The sampling parameters.
    pub sampling: Sampling,
    /// Whether and how the model reasons.
    pub reasoning: Option<Reasoning>,
    /// The client's id of the end user.
    pub user: Option<String>,
    /// The client asks the provider to cache the tools, or as much of the prompt as it can.
    pub cache: Option<CacheMark>,
    /// Members that only OpenAI's dialects have, with the same meaning in both, such as `service_tier`,
    /// `metadata`, `prompt_cache_key`, `store`, `verbosity`; by their names in OpenAI's chat.
    pub openai: Map<String, Value>,
    /// Members of the client's request that its dialect repeats in the response (OpenAI's responses).
    pub echo: Map<String, Value>,
}

impl Request {
    /// Drops what asks for a cache, with a warning, for providers that choose themselves what they cache.
    pub(crate) fn drop_cache_marks(&mut self, report: &mut TranslationReport) {
        let mut has_marks = self.cache.take().is_some();
        let turns = self.turns.iter_mut().map(|turn| &mut turn.parts);
        for parts in turns.chain([&mut self.system]) {
            let before = parts.len();
            parts.retain(|part| !matches!(part, Part::CacheMark(_)));
            has_marks |= parts.len() < before;
        }
        if has_marks {
            report.warn_dropped(loss::CACHE_CONTROL);
        }
    }

    /// Drops the signatures that a provider of another dialect made.
    pub(crate) fn drop_signatures_of_others(&mut self, dialect: Dialect) {
        for part in self.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
            if let Part::Reasoning(ReasoningPart { signature, .. })
            | Part::ToolCall(ToolCall { signature, .. }) = part
            {
                signature.take_if(|it| it.origin != dialect);
            }
        }
    }

    /// Whether the response must call a tool.
    #[must_use]
    pub fn requires_tool_call(&self) -> bool {
        let choice = self.tool_choice.as_ref();
        choice.is_some_and(ToolChoice::requires_call) && !self.tools.is_empty()
    }
}

/// One turn of a conversation. It has at least one part.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// The role.
    pub role: Role,
    /// The parts.
    pub parts: Vec<Part>,
}

/// The role of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The model.
    Assistant,
    /// Instructions inside of a conversation.
    System,
    /// The user; tool results too.
    User,
}

/// A tool that the model may call. Tools that a provider runs itself are not among them: they are
/// dropped with a warning.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// The name.
    pub name: String,
    /// The description for the model.
    pub description: Option<String>,
    /// Its kind, with the schema of the arguments.
    pub kind: ToolKind,
    /// Whether the arguments must match the schema exactly.
    pub strict: Option<bool>,
}

/// The kind of a tool.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolKind {
    /// A custom tool of OpenAI's: it takes bare text, in the format that this value describes. In other
    /// dialects it is a function with one string, `input`.
    Custom(Option<Value>),
    /// A function with the JSON schema of its arguments; `None` for a function without arguments.
    Function(Option<Value>),
}

/// A tool that only clients of OpenAI's responses have in this form. In the common form it is a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientTool {
    /// A tool in a namespace, which has another name there.
    Namespaced {
        /// The namespace.
        namespace: String,
        /// The name in the namespace.
        name: String,
    },
    /// The search for further tools, which the client runs. Its result holds the tools.
    Search,
}

/// Which tools may or must be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    /// Only these tools.
    Allowed {
        /// The names of the tools.
        names: Vec<String>,
        /// Whether at least one must be called.
        required: bool,
    },
    /// The model decides.
    Auto,
    /// This tool must be called.
    Named(String),
    /// None.
    None,
    /// At least one tool must be called.
    Required,
}

impl ToolChoice {
    /// Whether a tool must be called.
    #[must_use]
    pub const fn requires_call(&self) -> bool {
        match self {
            Self::Allowed { required, .. } => *required,
            Self::Auto | Self::None => false,
            Self::Named(_) | Self::Required => true,
        }
    }
}

/// The format of the response.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Format {
    /// A JSON object without a schema.
    Json,
    /// JSON by a schema.
    Schema {
        /// The name of the schema. OpenAI's dialects require one; the default is `answer`.
        name: Option<String>,
        /// The description for the model.
        description: Option<String>,
        /// The JSON schema.
        schema: Value,
        /// Whether the response must match the schema exactly.
        strict: Option<bool>,
    },
    /// Text.
    #[default]
    Text,
}

/// Sampling parameters. `None` leaves one to the provider.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    /// 0 to 2; Anthropic's ends at 1.
    pub temperature: Option<f64>,
    /// 0 to 1.
    pub top_p: Option<f64>,
    /// How many of the most likely tokens are considered.
    pub top_k: Option<u64>,
    /// The maximum number of tokens of the response, reasoning included.
    pub tokens_max: Option<u64>,
    /// -2 to 2.
    pub presence_penalty: Option<f64>,
    /// -2 to 2.
    pub frequency_penalty: Option<f64>,
    /// The seed of the random numbers.
    pub seed: Option<i64>,
}

/// How the model reasons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reasoning {
    /// The effort; `None` if the request sets only a budget, or neither.
    pub effort: Option<Effort>,
    /// The maximum number of reasoning tokens; `None` leaves it to the effort, or to the model.
    pub budget_tokens: Option<u64>,
    /// Whether the response includes the reasoning, or a summary of it.
    pub shown: Option<bool>,
}
