//! Why an answer ends, in this API's words.

use serde_json::{Value, json};

use crate::ir::FinishReason;

/// What a `stop_reason` says.
pub(crate) fn decode(reason: &str, stop_sequence: Option<String>) -> FinishReason {
    match reason {
        "end_turn" => FinishReason::Stop,
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "refusal" => FinishReason::Refusal,
        "stop_sequence" => FinishReason::StopSequence(stop_sequence),
        "tool_use" => FinishReason::ToolCalls,
        other => FinishReason::Other(other.to_owned()),
    }
}

/// The members `stop_reason` and `stop_sequence`. Clients run the tools only if the reason says so,
/// whatever some providers call it.
pub(crate) fn encode(finish: &FinishReason, calls_tools: bool) -> (&'static str, Value) {
    let reason = match finish {
        FinishReason::Stop | FinishReason::Other(_) if calls_tools => "tool_use",
        FinishReason::ContentFilter | FinishReason::Refusal => "refusal",
        FinishReason::Length => "max_tokens",
        FinishReason::Other(word) if word == "pause_turn" => "pause_turn",
        FinishReason::Other(_) | FinishReason::Stop => "end_turn",
        FinishReason::StopSequence(_) => "stop_sequence",
        FinishReason::ToolCalls => "tool_use",
    };
    let stop_sequence = match finish {
        FinishReason::StopSequence(text) => json!(text),
        _ => Value::Null,
    };
    (reason, stop_sequence)
}
