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
        /// As one text, joined by empty lines. A list only beside pictures and files.
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
        /// ASCII letters, digits, `_`, `-`, `.` and `:`; the first one is a letter or `_`.
        WordDotColon,
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
        /// `reasoning_details`, with the signature.
        ReasoningDetails,
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
        /// All, where the request asks for no reasoning.
        WithoutReasoning,
    }

    /// Where pictures may be.
    Pictures {
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

    /// How a part of the tokens relates to the total of its side.
    UsageArithmetic {
        /// The total does not have it.
        Beside,
        /// The total has it.
        Inside,
    }
}
