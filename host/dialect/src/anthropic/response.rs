//! Whole answers, both ways.

use serde_json::{Value, json};

use super::block::{self, ContentBlock};
use super::usage::{self, TokenCounts};
use super::{DIALECT, citation, finish_reason};
use crate::ir::{FinishReason, Malformed, Part, ReasoningPart, Response, ResponseContext};
use crate::json::{items, members, string};

/// Reads a whole answer.
///
/// # Errors
/// If it is no message.
pub fn decode_response(body: &[u8]) -> Result<Response, Malformed> {
    let text = std::str::from_utf8(body).map_err(|_| Malformed("it is not UTF-8"))?;
    let names = [
        "id",
        "model",
        "content",
        "stop_reason",
        "stop_sequence",
        "stop_details",
        "usage",
    ];
    let found = members(text, names).map_err(|_| Malformed("it is no JSON object"))?;
    let [
        id,
        model,
        content,
        stop_reason,
        stop_sequence,
        stop_details,
        usage,
    ] = found.values;
    let content = content.ok_or(Malformed("a message has no content"))?;
    let blocks = items(content, BLOCKS_MAX)
        .into_iter()
        .filter_map(ContentBlock::read);
    let mut parts: Vec<Part> = blocks.filter_map(ContentBlock::into_part).collect();
    for (index, part) in parts.iter_mut().enumerate() {
        let Part::ToolCall(call) = part else { continue };
        if call.name.is_empty() {
            return Err(Malformed::UNNAMED_CALL);
        }
        if call.id.is_empty() {
            call.id = fallback_id("", index);
        }
    }
    block::restore_call_signatures(&mut parts);
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let finish = match stop_reason.and_then(string) {
        None if calls => FinishReason::ToolCalls,
        None => FinishReason::Stop,
        Some(reason) => {
            let stop_sequence = stop_sequence.and_then(string);
            finish_reason::decode(&reason, stop_sequence.map(std::borrow::Cow::into_owned))
        }
    };
    parts.extend(
        stop_details
            .and_then(refusal_explanation)
            .map(Part::Refusal),
    );
    let mut counts = TokenCounts::default();
    usage.into_iter().for_each(|usage| counts.merge(usage));
    let text_or_empty = |raw: Option<_>| raw.and_then(string).unwrap_or_default().into_owned();
    Ok(Response {
        id: text_or_empty(id),
        model: text_or_empty(model),
        parts,
        finish,
        usage: counts.usage(),
    })
}

/// Why the model would not answer, in words.
pub(super) fn refusal_explanation(details: &serde_json::value::RawValue) -> Option<String> {
    let explanation = members(details.get(), ["explanation"]).ok()?.values[0]?;
    string(explanation)
        .filter(|text| !text.is_empty())
        .map(std::borrow::Cow::into_owned)
}

/// Writes a whole answer.
#[must_use]
pub fn encode_response(response: &Response, response_context: &ResponseContext) -> Vec<u8> {
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
        "usage": usage::encode_usage(response.usage.unwrap_or_default()),
    });
    written.to_string().into_bytes()
}

/// Adds the blocks that a part is.
pub(super) fn write_part(
    part: &Part,
    response_context: &ResponseContext,
    content: &mut Vec<Value>,
) {
    match part {
        Part::Audio(_) | Part::Document(_) | Part::Image(_) => {
            content.push(json!({"type": "text", "text": media_as_text(part)}));
        }
        Part::Reasoning(reasoning) => content.extend(reasoning_block(reasoning)),
        Part::Refusal(text) => content.push(json!({"type": "text", "text": text})),
        Part::Text { text, citations } => {
            let mut block = json!({"type": "text", "text": text});
            let citations: Vec<Value> = citations.iter().filter_map(citation::encode).collect();
            if !citations.is_empty() {
                block["citations"] = citations.into();
            }
            content.push(block);
        }
        Part::ToolCall(call) => {
            content.extend(call.signature.as_ref().map(block::call_signature_block));
            let id = if call.id.is_empty() {
                fallback_id(&response_context.id, content.len())
            } else {
                call.id.clone()
            };
            content.push(json!({
                "type": "tool_use",
                "id": id,
                "name": call.name,
                "input": block::arguments_object(&call.arguments),
            }));
        }
        Part::ToolResult(_) => {}
    }
}

/// A thought as a block. The SDKs demand a signature; one that the provider did not give is empty.
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

/// What stands in an answer for a part that it cannot hold.
fn media_as_text(part: &Part) -> String {
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

/// The id of an answer.
pub(super) fn message_id(response_context: &ResponseContext) -> String {
    format!("msg_{}", response_context.id)
}

/// An id for a call whose provider gave none.
pub(super) fn fallback_id(call: &str, place: usize) -> String {
    format!("toolu_{call}{place}")
}

/// The most blocks read of one answer: more than any has, and few enough to be walked through.
const BLOCKS_MAX: usize = 65_536;
