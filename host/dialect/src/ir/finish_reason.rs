//! Why a response ended.

/// Why a response ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FinishReason {
    /// The provider withheld the response, or stopped it, because of its content rules.
    ContentFilter,
    /// The token limit was reached.
    Length,
    /// A reason that the common form does not have, in the provider's word.
    Other(String),
    /// The model refused.
    Refusal,
    /// The model was done.
    #[default]
    Stop,
    /// The model wrote a stop sequence; which one, if the provider says so.
    StopSequence(Option<String>),
    /// The model waits for the results of its tool calls.
    ToolCalls,
}
