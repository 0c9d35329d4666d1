//! Encodes whole responses.

use serde_json::{Value, json};

use super::block;
use super::finish_reason;
use crate::anthropic::usage::MessageUsage;
use crate::anthropic::{DIALECT, citations};
use crate::ir::tool_text;
use crate::ir::{Part, ReasoningPart, Response, ResponseContext};
use crate::json;

/// Encodes a whole response.
#[must_use]
pub(crate) fn encode_response(response: &Response, response_context: &ResponseContext) -> Vec<u8> {
    let mut content = Vec::new();
    for part in &response.parts {
        write_part(part, response_context, &mut content);
    }
    let calls = response
        .parts
        .iter()
        .any(|part| matches!(part, Part::ToolCall(_)));
    let (stop_reason, stop_sequence) = finish_reason::encode(&response.finish, calls);
    let written = json!({
        "id": message_id(response_context),
        "type": "message",
        "role": "assistant",
        "model": response_context.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": stop_sequence,
        "usage": MessageUsage::from(response.usage.unwrap_or_default()),
    });
    json::to_vec(&written)
}

/// Adds the blocks of a part.
fn write_part(part: &Part, response_context: &ResponseContext, content: &mut Vec<Value>) {
    match part {
        Part::Audio(_) | Part::Document(_) | Part::Image(_) => {
            content.push(json!({"type": "text", "text": media_as_text(part)}));
        }
        Part::Reasoning(reasoning) => content.extend(reasoning_block(reasoning)),
        Part::Refusal(text) => content.push(json!({"type": "text", "text": text})),
        Part::Text { text, citations } => {
            let mut block = json!({"type": "text", "text": text});
            let citations: Vec<Value> = citations.iter().filter_map(citations::encode).collect();
            if !citations.is_empty() {
                block["citations"] = citations.into();
            }
            content.push(block);
        }
        // Its input would have to be another object than the model wrote.
        Part::ToolCall(call) if call.is_cut() => {}
        Part::ToolCall(call) => {
            if let Some(signature) = &call.signature {
                let data = block::call_signature_data(signature);
                content.push(json!({"type": "redacted_thinking", "data": data}));
            }
            let id = if call.id.is_empty() {
                fallback_id(&response_context.id, content.len())
            } else {
                call.id.clone()
            };
            content.push(json!({
                "type": "tool_use",
                "id": id,
                "name": call.name,
                "input": tool_text::arguments_object(&call.arguments),
            }));
        }
        Part::CacheMark(_) | Part::ToolResult(_) => {}
    }
}

/// Encodes reasoning as a block. The SDKs require a signature; it is empty if the provider sent none.
fn reasoning_block(reasoning: &ReasoningPart) -> Option<Value> {
    let signature = reasoning
        .signature
        .as_ref()
        .map(|it| it.encode_for(DIALECT));
    if reasoning.redacted {
        return Some(json!({"type": "redacted_thinking", "data": signature?}));
    }
    Some(json!({
        "type": "thinking",
        "thinking": reasoning.text,
        "signature": signature.unwrap_or_default(),
    }))
}

/// Returns the text that replaces a part that responses of this API cannot hold.
pub(crate) fn media_as_text(part: &Part) -> String {
    let (kind, media) = match part {
        Part::Audio(media) => ("sound", media),
        Part::Document(media) => ("document", media),
        Part::Image(media) => ("picture", media),
        _ => return String::new(),
    };
    match &media.source {
        crate::ir::MediaSource::Url(url) => url.clone(),
        _ => format!("[a {kind}, which this API cannot carry]"),
    }
}

/// Returns the id of the response.
pub(crate) fn message_id(response_context: &ResponseContext) -> String {
    format!("msg_{}", response_context.id)
}

/// Returns an id for a call without one.
pub(crate) fn fallback_id(call: &str, place: usize) -> String {
    format!("toolu_{call}{place}")
}
