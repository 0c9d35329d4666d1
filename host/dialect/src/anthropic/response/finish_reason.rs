//! Finish reasons: the members `stop_reason` and `stop_sequence`.

use serde_json::{Value, json};

use crate::ir::FinishReason;

/// Decodes a `stop_reason`.
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

/// Encodes the members `stop_reason` and `stop_sequence`. Clients run tools only for `tool_use`, so it
/// replaces what other providers send with calls.
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
