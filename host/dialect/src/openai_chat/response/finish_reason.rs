//! Why an answer ended, in the words of this dialect.

use serde_json::Value;

use crate::ir::FinishReason;
use crate::{ProviderError, truncate};

/// What is known of an answer when it says why it ends.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PartKinds {
    /// Whether it called a tool.
    pub(crate) call: bool,
    /// Whether it had words for not answering.
    pub(crate) refusal: bool,
}

impl PartKinds {
    /// The reason that a choice gives; none if it gives none.
    pub(crate) fn finish(self, choice: &Value) -> Option<FinishReason> {
        let reason = choice.get("finish_reason")?.as_str()?;
        Some(match reason {
            "" => return None,
            // Some providers stop, they say, where they called a tool.
            "stop" | "end_turn" | "eos" if self.call => FinishReason::ToolCalls,
            "stop" | "end_turn" | "eos" if self.refusal => FinishReason::Refusal,
            "stop" | "end_turn" | "eos" => stop(choice),
            "length" | "max_tokens" => FinishReason::Length,
            "tool_calls" | "function_call" => FinishReason::ToolCalls,
            "content_filter" => FinishReason::ContentFilter,
            _ => FinishReason::Other(truncate(reason, ProviderError::CODE_BYTES_MAX).to_owned()),
        })
    }

    /// The reason of an answer that came to its end and gives none.
    pub(crate) const fn default_finish(self) -> FinishReason {
        if self.call {
            FinishReason::ToolCalls
        } else if self.refusal {
            FinishReason::Refusal
        } else {
            FinishReason::Stop
        }
    }

    /// The word for a reason.
    pub(crate) const fn finish_reason(self, finish: &FinishReason) -> &'static str {
        match finish {
            FinishReason::ContentFilter => "content_filter",
            FinishReason::Length => "length",
            // OpenAI's own refusals stop, and say so in `refusal`.
            FinishReason::Refusal if self.refusal => "stop",
            FinishReason::Refusal => "content_filter",
            FinishReason::ToolCalls => "tool_calls",
            FinishReason::Other(_) | FinishReason::Stop | FinishReason::StopSequence(_) => "stop",
        }
    }
}

/// vLLM tells which text it stopped at; of a token it tells the number, which says nothing here.
fn stop(choice: &Value) -> FinishReason {
    match choice.get("stop_reason") {
        Some(Value::String(text)) => FinishReason::StopSequence(Some(text.clone())),
        _ => FinishReason::Stop,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn maps_finish_reasons_both_ways() {
        let plain = PartKinds::default();
        let call = PartKinds {
            call: true,
            ..plain
        };
        let refusal = PartKinds {
            refusal: true,
            ..plain
        };
        let cases = [
            (plain, "stop", Some(FinishReason::Stop), "stop"),
            (plain, "eos", Some(FinishReason::Stop), "stop"),
            (call, "stop", Some(FinishReason::ToolCalls), "tool_calls"),
            (refusal, "stop", Some(FinishReason::Refusal), "stop"),
            (plain, "length", Some(FinishReason::Length), "length"),
            (call, "length", Some(FinishReason::Length), "length"),
            (
                call,
                "function_call",
                Some(FinishReason::ToolCalls),
                "tool_calls",
            ),
            (
                plain,
                "content_filter",
                Some(FinishReason::ContentFilter),
                "content_filter",
            ),
            (
                plain,
                "odd",
                Some(FinishReason::Other("odd".to_owned())),
                "stop",
            ),
            (plain, "", None, "stop"),
        ];
        for (kinds, word, finish, written) in cases {
            let read = kinds.finish(&json!({"finish_reason": word}));
            assert_eq!(read, finish, "{word}");
            assert_eq!(
                kinds.finish_reason(&read.unwrap_or_default()),
                written,
                "{word}"
            );
        }
        assert_eq!(
            plain.finish_reason(&FinishReason::Refusal),
            "content_filter"
        );
        assert_eq!(plain.finish(&json!({"finish_reason": null})), None);
        assert_eq!(call.default_finish(), FinishReason::ToolCalls);
    }

    #[test]
    fn reads_vllm_stop_sequence() {
        let stopped = |reason: Value| {
            let choice = json!({"finish_reason": "stop", "stop_reason": reason});
            PartKinds::default().finish(&choice)
        };
        let end = Some("END".to_owned());
        assert_eq!(stopped(json!("END")), Some(FinishReason::StopSequence(end)));
        assert_eq!(stopped(json!(2)), Some(FinishReason::Stop));
    }
}
