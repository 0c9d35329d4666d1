//! A request for content.

use serde_json::{Map, Value};

use super::part::Part;

/// A request for content, or for a count of its tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The model, as the client calls it.
    pub model: String,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// Whether a streamed answer is to tell its usage. Only OpenAI's chat lets a client choose.
    pub include_usage: bool,
    /// The instructions above the conversation: text only. Instructions that stand later in the
    /// conversation are turns of [`Role::System`].
    pub system: Vec<Part>,
    /// The conversation. Decoders join neighbours of one role: a user's turn begins with the results
    /// of the tools that the assistant's turn before it called.
    pub turns: Vec<Turn>,
    /// The tools that the model may call.
    pub tools: Vec<Tool>,
    /// Which of them it may or must call.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may call several at once.
    pub parallel_tools: Option<bool>,
    /// What shape the answer is to have.
    pub format: Format,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// How the answer is drawn.
    pub sampling: Sampling,
    /// Whether and how the model is to think first.
    pub reasoning: Option<Reasoning>,
    /// The end user, as the client calls them.
    pub user: Option<String>,
    /// Members that mean the same in both of OpenAI's dialects and nothing elsewhere, such as
    /// `service_tier`, `metadata`, `prompt_cache_key`, `store`, `verbosity`; by OpenAI's chat's names.
    pub openai: Map<String, Value>,
    /// Members of the client's request that its dialect repeats in the answer (OpenAI's responses).
    pub echo: Map<String, Value>,
}

/// One turn of a conversation. Never empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Whose.
    pub role: Role,
    /// What they said.
    pub parts: Vec<Part>,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The model's.
    Assistant,
    /// Instructions in the midst of a conversation.
    System,
    /// The user's; results of tools too.
    User,
}

/// A tool that the model may call. Tools that a provider runs itself are none: they are dropped with
/// a warning.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does, for the model.
    pub description: Option<String>,
    /// What it takes.
    pub kind: ToolKind,
    /// Whether the arguments must follow the schema to the letter.
    pub strict: Option<bool>,
}

/// What a tool takes.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolKind {
    /// Bare text (OpenAI's custom tools), in the format that this member describes. Elsewhere it is a
    /// function of one string, `decode_input`.
    Custom(Option<Value>),
    /// An object by this JSON schema; none for a function without arguments.
    Function(Option<Value>),
}

/// Which tools may or must be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    /// Only these; at least one of them if `required`.
    Allowed {
        /// The tools' names.
        names: Vec<String>,
        /// Whether one must be called.
        required: bool,
    },
    /// As the model likes.
    Auto,
    /// This one.
    Named(String),
    /// None.
    None,
    /// Any, but at least one.
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

/// What shape the answer is to have.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Format {
    /// Some JSON object.
    Json,
    /// JSON by a schema.
    Schema {
        /// A name for it; dialects without one call it `answer`.
        name: Option<String>,
        /// What it is, for the model.
        description: Option<String>,
        /// The JSON schema.
        schema: Value,
        /// Whether it is to be followed to the letter.
        strict: Option<bool>,
    },
    /// Text.
    #[default]
    Text,
}

/// How the answer is drawn. None leaves it to the provider.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    /// 0 to 2; Anthropic's ends at 1.
    pub temperature: Option<f64>,
    /// 0 to 1.
    pub top_p: Option<f64>,
    /// How many of the likeliest tokens are drawn from.
    pub top_k: Option<u64>,
    /// The most tokens that the answer may have, reasoning included.
    pub tokens_max: Option<u64>,
    /// -2 to 2.
    pub presence_penalty: Option<f64>,
    /// -2 to 2.
    pub frequency_penalty: Option<f64>,
    /// What the drawing starts from.
    pub seed: Option<i64>,
}

/// How the model is to think first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reasoning {
    /// How hard; none if only a budget, or nothing, was said.
    pub effort: Option<Effort>,
    /// The most tokens it may take; none leaves it to the effort, or to the model.
    pub budget_tokens: Option<u64>,
    /// Whether what it thought, or a summary of it, is to be shown.
    pub shown: Option<bool>,
}

/// How hard a model is to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Not at all.
    None,
    /// As little as it can.
    Minimal,
    /// Little.
    Low,
    /// Between.
    Medium,
    /// Much.
    High,
    /// As much as it can: OpenAI's `xhigh`, Anthropic's `max`.
    Max,
}

impl Effort {
    /// All of them, from the least.
    pub const ALL: [Self; 6] = [
        Self::None,
        Self::Minimal,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::Max,
    ];

    /// The budget that stands for an effort where only a budget can be said, in tokens. Low to high are
    /// what Google's own OpenAI-compatible endpoint takes them for
    /// (<https://ai.google.dev/gemini-api/docs/openai>); `max` is the most that Gemini's models take.
    #[must_use]
    pub const fn budget_tokens(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Minimal => 512,
            Self::Low => 1_024,
            Self::Medium => 8_192,
            Self::High => 24_576,
            Self::Max => 32_768,
        }
    }

    /// The least effort that has at least this budget.
    #[must_use]
    pub fn from_budget(tokens: u64) -> Self {
        Self::ALL
            .into_iter()
            .find(|effort| tokens <= effort.budget_tokens())
            .unwrap_or(Self::Max)
    }

    /// OpenAI's word for it.
    #[must_use]
    pub const fn openai_name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Max => "xhigh",
        }
    }

    /// The effort that a word of OpenAI's or Anthropic's stands for.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "max" => Some(Self::Max),
            _ => Self::ALL
                .into_iter()
                .find(|effort| effort.openai_name() == word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effort_round_trips_through_budget() {
        for effort in Effort::ALL {
            assert_eq!(Effort::from_budget(effort.budget_tokens()), effort);
            assert_eq!(Effort::parse(effort.openai_name()), Some(effort));
        }
        assert_eq!(Effort::from_budget(u64::MAX), Effort::Max);
        assert_eq!(Effort::from_budget(2_000), Effort::Medium);
        assert_eq!(Effort::parse("max"), Some(Effort::Max));
        assert_eq!(Effort::parse("hard"), None);
    }
}
