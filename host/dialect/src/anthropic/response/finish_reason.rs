//! Finish reasons: the members `stop_reason` and `stop_sequence`.

use serde_json::{Value, json};

use crate::ir::FinishReason;

/// The values of `stop_reason` that map both ways.
const REASONS: [(&str, FinishReason); 5] = [
    ("end_turn", FinishReason::Stop),
    ("max_tokens", FinishReason::Length),
    ("refusal", FinishReason::Refusal),
    ("stop_sequence", FinishReason::StopSequence(None)),
    ("tool_use", FinishReason::ToolCalls),
];

/// Decodes a `stop_reason`.
pub(crate) fn decode(reason: &str, stop_sequence: Option<String>) -> FinishReason {
    match reason {
        "model_context_window_exceeded" => FinishReason::Length,
        "stop_sequence" => FinishReason::StopSequence(stop_sequence),
        _ => {
            let known = REASONS.iter().find(|(name, _)| *name == reason);
            known.map_or_else(
                || FinishReason::Other(reason.to_owned()),
                |(_, finish)| finish.clone(),
            )
        }
    }
}

/// Encodes the members `stop_reason` and `stop_sequence`. Clients run tools only for `tool_use`, so it
/// replaces what other providers send with calls.
pub(crate) fn encode(finish: &FinishReason, calls_tools: bool) -> (&'static str, Value) {
    match finish {
        FinishReason::Stop | FinishReason::Other(_) if calls_tools => ("tool_use", Value::Null),
        FinishReason::ContentFilter => ("refusal", Value::Null),
        FinishReason::Other(reason) if reason == "pause_turn" => ("pause_turn", Value::Null),
        FinishReason::StopSequence(text) => ("stop_sequence", json!(text)),
        FinishReason::Length
        | FinishReason::Other(_)
        | FinishReason::Refusal
        | FinishReason::Stop
        | FinishReason::ToolCalls => {
            let known = REASONS.iter().find(|(_, known)| known == finish);
            (known.map_or("end_turn", |(name, _)| name), Value::Null)
        }
    }
}
