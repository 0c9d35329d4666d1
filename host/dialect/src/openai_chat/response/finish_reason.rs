//! Finish reasons: the member `finish_reason`.

use serde_json::value::RawValue;

use super::chunk::ChoiceScan;
use crate::ir::FinishReason;
use crate::json::string;
use crate::limits::CODE_BYTES_MAX;
use crate::truncate;

/// The kinds of parts that a response has, which decide what some of the words mean.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PartKinds {
    /// Whether there is a tool call.
    pub(crate) call: bool,
    /// Whether there is a refusal.
    pub(crate) refusal: bool,
}

impl PartKinds {
    /// Decodes the finish reason of a choice; `None` if it has none.
    pub(crate) fn finish(self, choice: &ChoiceScan<'_>) -> Option<FinishReason> {
        let reason = self.decode(choice.finish_reason()?);
        let stop_sequence = choice.stop_sequence();
        Some(match reason {
            FinishReason::Stop if !stop_sequence.is_empty() => {
                FinishReason::StopSequence(Some(stop_sequence.decode().into_owned()))
            }
            reason => reason,
        })
    }

    fn decode(self, raw: &RawValue) -> FinishReason {
        let word = string(raw).unwrap_or_else(|| raw.get().into());
        match WORDS.iter().find(|(known, _)| *known == word) {
            // Some providers send "stop" after a tool call too.
            Some((_, FinishReason::Stop)) => self.default_finish(),
            Some((_, reason)) => reason.clone(),
            None => {
                let word = truncate(&word, CODE_BYTES_MAX);
                FinishReason::Other(word.to_owned())
            }
        }
    }

    /// The finish reason of a response that is complete and has none.
    pub(crate) const fn default_finish(self) -> FinishReason {
        if self.call {
            FinishReason::ToolCalls
        } else if self.refusal {
            FinishReason::Refusal
        } else {
            FinishReason::Stop
        }
    }

    /// Encodes a finish reason.
    pub(crate) fn finish_reason(self, finish: &FinishReason) -> &'static str {
        match finish {
            // OpenAI's own refusals stop; the member `refusal` shows them.
            FinishReason::Refusal if self.refusal => "stop",
            FinishReason::Refusal => "content_filter",
            // This includes `Other` and `StopSequence`: the API has no words for them.
            finish => WORDS
                .iter()
                .find(|(_, reason)| reason == finish)
                .map_or("stop", |(word, _)| *word),
        }
    }
}

/// The words of this dialect. Of several words with one meaning, the first is OpenAI's, and is written.
const WORDS: &[(&str, FinishReason)] = &[
    ("stop", FinishReason::Stop),
    ("end_turn", FinishReason::Stop),
    ("eos", FinishReason::Stop),
    ("length", FinishReason::Length),
    ("max_tokens", FinishReason::Length),
    ("tool_calls", FinishReason::ToolCalls),
    ("function_call", FinishReason::ToolCalls),
    ("content_filter", FinishReason::ContentFilter),
];

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn decode(kinds: PartKinds, choice: &Value) -> Option<FinishReason> {
        kinds.finish(&serde_json::from_str(&choice.to_string()).unwrap())
    }

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
            let read = decode(kinds, &json!({"finish_reason": word}));
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
        assert_eq!(decode(plain, &json!({"finish_reason": null})), None);
        assert_eq!(call.default_finish(), FinishReason::ToolCalls);
    }

    #[test]
    fn reads_vllm_stop_sequence() {
        let stopped = |reason: Value| {
            let choice = json!({"finish_reason": "stop", "stop_reason": reason});
            decode(PartKinds::default(), &choice)
        };
        let end = Some("END".to_owned());
        assert_eq!(stopped(json!("END")), Some(FinishReason::StopSequence(end)));
        assert_eq!(stopped(json!(2)), Some(FinishReason::Stop));
    }
}
