//! A whole answer.

use super::part::Part;
use crate::Usage;

/// A whole answer. Translated ones have one candidate: a request for several is refused.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The provider's id of it; empty if it gave none.
    pub id: String,
    /// The provider's name of the model; empty if it gave none.
    pub model: String,
    /// What it says.
    pub parts: Vec<Part>,
    /// Why it ended.
    pub finish: Finish,
    /// What it cost.
    pub usage: Option<Usage>,
}

/// Why an answer ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Finish {
    /// The provider held something back, or broke off for its rules.
    ContentFilter,
    /// It was as long as it may be.
    Length,
    /// A reason that has no common word, as the provider has it.
    Other(String),
    /// The model would not answer.
    Refusal,
    /// The model was done.
    #[default]
    Stop,
    /// It came to one of the texts that end an answer; which, if the provider says so.
    StopSequence(Option<String>),
    /// The model waits for the results of the tools that it calls.
    ToolCalls,
}
