//! Why an answer ended, in the words of this dialect.

use serde_json::Value;

use crate::interlingua::Finish;
use crate::{ProviderError, cut};

/// What is known of an answer when it says why it ends.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    /// Whether it called a tool.
    pub(super) call: bool,
    /// Whether it had words for not answering.
    pub(super) refusal: bool,
}

impl Said {
    /// The reason that a choice gives; none if it gives none.
    pub(super) fn finish(self, choice: &Value) -> Option<Finish> {
        let word = choice.get("finish_reason")?.as_str()?;
        Some(match word {
            "" => return None,
            // Some providers stop, they say, where they called a tool.
            "stop" | "end_turn" | "eos" if self.call => Finish::ToolCalls,
            "stop" | "end_turn" | "eos" if self.refusal => Finish::Refusal,
            "stop" | "end_turn" | "eos" => stop(choice),
            "length" | "max_tokens" => Finish::Length,
            "tool_calls" | "function_call" => Finish::ToolCalls,
            "content_filter" => Finish::ContentFilter,
            _ => Finish::Other(cut(word, ProviderError::WORD_BYTES_MAX).to_owned()),
        })
    }

    /// The reason of an answer that came to its end and gives none.
    pub(super) const fn unsaid(self) -> Finish {
        if self.call {
            Finish::ToolCalls
        } else if self.refusal {
            Finish::Refusal
        } else {
            Finish::Stop
        }
    }

    /// The word for a reason.
    pub(super) const fn word(self, finish: &Finish) -> &'static str {
        match finish {
            Finish::ContentFilter => "content_filter",
            Finish::Length => "length",
            // OpenAI's own refusals stop, and say so in `refusal`.
            Finish::Refusal if self.refusal => "stop",
            Finish::Refusal => "content_filter",
            Finish::ToolCalls => "tool_calls",
            Finish::Other(_) | Finish::Stop | Finish::StopSequence(_) => "stop",
        }
    }
}

/// vLLM tells which text it stopped at; of a token it tells the number, which says nothing here.
fn stop(choice: &Value) -> Finish {
    match choice.get("stop_reason") {
        Some(Value::String(text)) => Finish::StopSequence(Some(text.clone())),
        _ => Finish::Stop,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reasons_are_read_and_written() {
        let plain = Said::default();
        let call = Said {
            call: true,
            ..plain
        };
        let refusal = Said {
            refusal: true,
            ..plain
        };
        let cases = [
            (plain, "stop", Some(Finish::Stop), "stop"),
            (plain, "eos", Some(Finish::Stop), "stop"),
            (call, "stop", Some(Finish::ToolCalls), "tool_calls"),
            (refusal, "stop", Some(Finish::Refusal), "stop"),
            (plain, "length", Some(Finish::Length), "length"),
            (call, "length", Some(Finish::Length), "length"),
            (call, "function_call", Some(Finish::ToolCalls), "tool_calls"),
            (
                plain,
                "content_filter",
                Some(Finish::ContentFilter),
                "content_filter",
            ),
            (plain, "odd", Some(Finish::Other("odd".to_owned())), "stop"),
            (plain, "", None, "stop"),
        ];
        for (said, word, finish, written) in cases {
            let read = said.finish(&json!({"finish_reason": word}));
            assert_eq!(read, finish, "{word}");
            assert_eq!(said.word(&read.unwrap_or_default()), written, "{word}");
        }
        assert_eq!(plain.word(&Finish::Refusal), "content_filter");
        assert_eq!(plain.finish(&json!({"finish_reason": null})), None);
        assert_eq!(call.unsaid(), Finish::ToolCalls);
    }

    #[test]
    fn the_text_that_vllm_stopped_at_is_kept() {
        let stopped = |reason: Value| {
            let choice = json!({"finish_reason": "stop", "stop_reason": reason});
            Said::default().finish(&choice)
        };
        let end = Some("END".to_owned());
        assert_eq!(stopped(json!("END")), Some(Finish::StopSequence(end)));
        assert_eq!(stopped(json!(2)), Some(Finish::Stop));
    }
}
