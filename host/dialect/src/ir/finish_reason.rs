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

impl FinishReason {
    /// Returns the reason that agrees with the parts. Clients run tools only if the reason says so, and wait without end
    /// if it says so and there is no call.
    pub(crate) fn reconcile(self, has_calls: bool) -> Self {
        match self {
            Self::ToolCalls if !has_calls => Self::Stop,
            Self::Stop | Self::StopSequence(_) if has_calls => Self::ToolCalls,
            Self::Other(word) if has_calls && !UNFINISHED.contains(&word.as_str()) => {
                Self::ToolCalls
            }
            reason => reason,
        }
    }

    /// Returns the reason of a response with a call that is cut off; `None` if it does not explain that. Clients must not
    /// run the call, so all dialects need a word for the reason: a refusal becomes a filter's.
    pub(crate) const fn explain_cut_call(&self) -> Option<Self> {
        match self {
            Self::ContentFilter | Self::Refusal => Some(Self::ContentFilter),
            Self::Length => Some(Self::Length),
            Self::Other(_) | Self::Stop | Self::StopSequence(_) | Self::ToolCalls => None,
        }
    }
}

/// Words for a response that the provider has not finished: it runs a tool of its own, or stopped in between.
const UNFINISHED: [&str; 3] = ["max_messages", "pause_turn", "steered"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_agree_with_calls() {
        let other = |word: &str| FinishReason::Other(word.to_owned());
        let cases = [
            (FinishReason::ToolCalls, false, FinishReason::Stop),
            (FinishReason::ToolCalls, true, FinishReason::ToolCalls),
            (FinishReason::Stop, true, FinishReason::ToolCalls),
            (
                FinishReason::StopSequence(None),
                true,
                FinishReason::ToolCalls,
            ),
            (
                FinishReason::StopSequence(None),
                false,
                FinishReason::StopSequence(None),
            ),
            (other("odd"), true, FinishReason::ToolCalls),
            (other("odd"), false, other("odd")),
            (other("pause_turn"), true, other("pause_turn")),
            (FinishReason::Length, true, FinishReason::Length),
            (FinishReason::Refusal, true, FinishReason::Refusal),
        ];
        for (reason, has_calls, expected) in cases {
            assert_eq!(reason.clone().reconcile(has_calls), expected, "{reason:?}");
        }
    }
}
