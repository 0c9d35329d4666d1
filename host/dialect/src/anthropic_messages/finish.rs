//! Why an answer ends, in this API's words.

use serde_json::{Value, json};

use crate::interlingua::Finish;

/// What a `stop_reason` says.
pub(super) fn read(reason: &str, stop_sequence: Option<String>) -> Finish {
    match reason {
        "end_turn" => Finish::Stop,
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "refusal" => Finish::Refusal,
        "stop_sequence" => Finish::StopSequence(stop_sequence),
        "tool_use" => Finish::ToolCalls,
        other => Finish::Other(other.to_owned()),
    }
}

/// The members `stop_reason` and `stop_sequence`. Clients run the tools only if the reason says so,
/// whatever some providers call it.
pub(super) fn written(finish: &Finish, calls_tools: bool) -> (&'static str, Value) {
    let reason = match finish {
        Finish::Stop | Finish::Other(_) if calls_tools => "tool_use",
        Finish::ContentFilter | Finish::Refusal => "refusal",
        Finish::Length => "max_tokens",
        Finish::Other(word) if word == "pause_turn" => "pause_turn",
        Finish::Other(_) | Finish::Stop => "end_turn",
        Finish::StopSequence(_) => "stop_sequence",
        Finish::ToolCalls => "tool_use",
    };
    let stop_sequence = match finish {
        Finish::StopSequence(text) => json!(text),
        _ => Value::Null,
    };
    (reason, stop_sequence)
}
