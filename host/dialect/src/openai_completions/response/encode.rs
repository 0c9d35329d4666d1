//! A whole answer, written for a client.

use serde_json::{Value, json};

use crate::ir::{FinishReason, Part, Response, ResponseContext};
use crate::json::to_vec;
use crate::openai_chat::encode_usage;

/// Writes an answer for a client: its text. Of a text completion there is nothing else.
#[must_use]
pub(crate) fn encode_response(response: &Response, response_context: &ResponseContext) -> Vec<u8> {
    let text: String = response.parts.iter().filter_map(visible_text).collect();
    let mut body = json!({
        "id": format!("{ID}{}", response_context.id),
        "object": OBJECT,
        "created": response_context.created,
        "model": response_context.model,
        "choices": [choice(&text, Some(finish_reason(&response.finish)))],
    });
    if let Some(usage) = response.usage {
        body["usage"] = encode_usage(usage);
    }
    to_vec(&body)
}

/// A choice, or a piece of one.
pub(crate) fn choice(text: &str, finish_reason: Option<&str>) -> Value {
    json!({"text": text, "index": 0, "logprobs": null, "finish_reason": finish_reason})
}

/// The word for the reason of an end; this dialect has three.
pub(crate) const fn finish_reason(finish: &FinishReason) -> &'static str {
    match finish {
        FinishReason::ContentFilter => "content_filter",
        FinishReason::Length => "length",
        FinishReason::Other(_)
        | FinishReason::Refusal
        | FinishReason::Stop
        | FinishReason::StopSequence(_)
        | FinishReason::ToolCalls => "stop",
    }
}

/// What a part says in words. A prompt that asks for no tools, and for text alone, gets nothing else but
/// what the model thought, which is no part of the text.
fn visible_text(part: &Part) -> Option<&str> {
    match part {
        Part::Text { text, .. } | Part::Refusal(text) => Some(text),
        Part::Audio(_)
        | Part::Document(_)
        | Part::Image(_)
        | Part::Reasoning(_)
        | Part::ToolCall(_)
        | Part::ToolResult(_) => None,
    }
}

/// What the ids of answers begin with.
pub(crate) const ID: &str = "cmpl-";
/// What an answer calls itself, and each piece of it.
pub(crate) const OBJECT: &str = "text_completion";
