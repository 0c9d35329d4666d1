//! The values of traits.

use serde::{Deserialize, Serialize};

macro_rules! values {
    ($( $(#[doc = $doc:literal])+ $name:ident { $( $(#[doc = $variant_doc:literal])+ $variant:ident, )+ } )+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
            #[serde(rename_all = "kebab-case")]
            pub enum $name {
                $( $(#[doc = $variant_doc])+ $variant, )+
            }
        )+
    };
}

values! {
    /// How the texts of one message are written.
    ContentForm {
        /// Several texts as a list.
        List,
        /// As one text, joined by empty lines. A list only beside images and files.
        Text,
    }

    /// Where instructions may be in the conversation.
    SystemMessages {
        /// In any place.
        Anywhere,
        /// Before the conversation only. Later ones go into the user's turn.
        First,
        /// Nowhere: they go into the user's turn.
        None,
    }

    /// The member for the limit of tokens.
    TokenLimitMember {
        /// `max_completion_tokens`.
        MaxCompletionTokens,
        /// `max_tokens`.
        MaxTokens,
    }

    /// The characters of a name or an id.
    NameAlphabet {
        /// ASCII letters and digits.
        Alphanumeric,
        /// Any.
        Any,
        /// ASCII letters, digits, `_` and `-`.
        Word,
        /// As `word`; the first one is a letter.
        WordAfterLetter,
        /// ASCII letters, digits, `_`, `-`, `.` and `:`; the first one is a letter or `_`.
        WordDotColon,
    }

    /// A reasoning effort, by its word in OpenAI's dialects.
    EffortWord {
        /// No reasoning.
        None,
        /// The least.
        Minimal,
        /// Low.
        Low,
        /// Medium.
        Medium,
        /// High.
        High,
        /// The most, by DeepSeek's word for it.
        Max,
        /// More than high.
        Xhigh,
    }

    /// How a request asks for reasoning.
    ReasoningRequest {
        /// `reasoning_effort`.
        Effort,
        /// `enable_thinking`, a flag.
        EnableThinking,
        /// In no way: the model decides.
        None,
        /// `thinking`, an object whose `type` is `enabled` or `disabled`.
        Thinking,
        /// `thinking` and `reasoning_effort`.
        ThinkingAndEffort,
    }

    /// The formats of a response that are taken.
    ResponseFormats {
        /// A JSON object. The instructions have the schema.
        JsonObject,
        /// JSON by a schema, too.
        Schema,
        /// JSON by a schema, not without one.
        SchemaOnly,
        /// Text. The instructions ask for JSON.
        Text,
    }

    /// Which tool choices are taken.
    ToolChoiceWords {
        /// All.
        All,
        /// `auto` and `none`.
        Auto,
        /// `auto`, `none` and `required`.
        Required,
        /// All but a list of allowed tools.
        WithoutAllowed,
    }

    /// The member of an assistant's message that carries reasoning.
    ReasoningMember {
        /// A part of the content, of type `thinking`.
        ContentPart,
        /// None.
        None,
        /// `reasoning`.
        Reasoning,
        /// `reasoning_content`.
        ReasoningContent,
    }

    /// Whether the reasoning of earlier turns comes back to the provider.
    ReasoningReturn {
        /// It may.
        Allowed,
        /// It must not.
        Refused,
        /// Every message of the assistant must have the member, at least an empty one.
        Required,
    }

    /// Which of the sampling members are taken.
    SamplingMembers {
        /// All.
        All,
        /// None.
        None,
        /// `temperature` or `top_p`, not both.
        One,
        /// `temperature` and `top_p`, no penalties.
        WithoutPenalties,
        /// All, where the request asks for the effort `none`.
        WithoutReasoning,
    }

    /// Where images may be.
    ImagePlaces {
        /// In a user's turn and in a tool's result.
        Everywhere,
        /// Nowhere.
        None,
        /// In a user's turn.
        UserTurns,
    }

    /// Which turn a conversation may begin with.
    FirstTurn {
        /// Any.
        Any,
        /// A user's.
        User,
    }

    /// Which turn a conversation may end with.
    LastTurn {
        /// Any.
        Any,
        /// A user's, or the result of a tool.
        User,
    }

    /// How a request of Anthropic's or Gemini's API says how much the model thinks.
    ThinkingForm {
        /// By a budget in tokens.
        Budget,
        /// By an effort.
        Effort,
        /// By a budget or an effort.
        Either,
        /// Not known: a budget, and the model's own choice where the request has neither.
        Unknown,
    }

    /// How thinking is switched off.
    ThinkingOff {
        /// By `between_tools`, which leaves short notes between tool calls.
        BetweenTools,
        /// Not at all. The least effort or budget is sent in its place.
        Never,
        /// By `disabled`, or a budget of 0.
        Off,
    }
}

impl ReasoningRequest {
    /// The members of a request of `openai-chat` that say it.
    pub(crate) const fn members(self) -> &'static [&'static str] {
        match self {
            Self::Effort => &["reasoning_effort"],
            Self::EnableThinking => &["enable_thinking"],
            Self::None => &[],
            Self::Thinking => &["thinking"],
            Self::ThinkingAndEffort => &["thinking", "reasoning_effort"],
        }
    }
}
