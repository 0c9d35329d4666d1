//! A whole answer: read from a provider, and written for a client.

use serde_json::{Map, Value, json};

use super::body_check::decode_usage;
use super::chunk::ChunkScan;
use super::finish_reason::PartKinds;
use super::message::{self, Piece};
use super::{citations, media, reasoning, render, tool_calls, usage};
use crate::ir::{Malformed, Part, Response, ResponseContext};

/// Reads a provider's answer, of which [`super::check_body`] thinks well.
///
/// # Errors
/// If it is no completion.
pub fn decode_response(body: &[u8]) -> Result<Response, Malformed> {
    let text = std::str::from_utf8(body).map_err(|_| Malformed("it is not UTF-8"))?;
    let completion: Value = serde_json::from_str(text).map_err(|_| Malformed("it is not JSON"))?;
    let completion = completion.as_object().ok_or(Malformed("it is no object"))?;
    let first = message::list(completion, "choices").first();
    let choice = first.ok_or(Malformed("it has no choices"))?;
    let empty = Map::new();
    let message = choice.get("message").and_then(Value::as_object);
    let message = message.unwrap_or(&empty);
    let mut parts = parts(message);
    // The older API's whole answer.
    if let Some(Value::String(text)) = choice.get("text").filter(|text| *text != "") {
        parts.push(Part::text(text));
    }
    let part_kinds = part_kinds(&parts);
    Ok(Response {
        id: message::text(completion, "id").to_owned(),
        model: message::text(completion, "model").to_owned(),
        finish: part_kinds
            .finish(choice)
            .unwrap_or_else(|| part_kinds.default_finish()),
        usage: ChunkScan::decode(text).as_ref().and_then(decode_usage),
        parts,
    })
}

fn parts(message: &Map<String, Value>) -> Vec<Part> {
    let reasoning = message::reasoning_parts(message).into_iter();
    let mut parts: Vec<Part> = reasoning.map(Part::Reasoning).collect();
    let mut content_parts: Vec<Part> = Vec::new();
    for piece in message::pieces(message) {
        match (piece, content_parts.last_mut()) {
            (Piece::Text(more), Some(Part::Text { text, .. })) => text.push_str(more),
            (Piece::Text(text), _) => content_parts.push(Part::text(text)),
            (Piece::Refusal(text), _) => content_parts.push(Part::Refusal(text.to_owned())),
            (Piece::Reasoning(more), Some(Part::Reasoning(part))) => part.text.push_str(more),
            (Piece::Reasoning(text), _) => {
                content_parts.extend(
                    reasoning::decode(text, &[])
                        .into_iter()
                        .map(Part::Reasoning),
                );
            }
        }
    }
    citations::attach(&mut content_parts, message::list(message, "annotations"));
    parts.append(&mut content_parts);
    let refusal = message::text(message, "refusal");
    if !refusal.is_empty() {
        parts.push(Part::Refusal(refusal.to_owned()));
    }
    parts.extend(message::images(message));
    let called = message::list(message, "tool_calls").iter().enumerate();
    let called = called.filter_map(|(index, call)| tool_calls::decode(call, index));
    parts.extend(
        called
            .chain(tool_calls::decode_function_call(message))
            .map(Part::ToolCall),
    );
    parts
}

fn part_kinds(parts: &[Part]) -> PartKinds {
    PartKinds {
        call: parts.iter().any(|part| matches!(part, Part::ToolCall(_))),
        refusal: parts.iter().any(|part| matches!(part, Part::Refusal(_))),
    }
}

/// Writes an answer for a client.
#[must_use]
pub fn encode_response(response: &Response, response_context: &ResponseContext) -> Vec<u8> {
    let mut body = json!({
        "id": format!("{ID}{}", response_context.id),
        "object": "chat.completion",
        "created": response_context.created,
        "model": response_context.model,
        "choices": [{
            "index": 0,
            "message": message(&response.parts, response_context),
            "logprobs": null,
            "finish_reason": part_kinds(&response.parts).finish_reason(&response.finish),
        }],
    });
    if let Some(usage) = response.usage {
        body["usage"] = usage::encode(usage);
    }
    render::to_json(&body)
}

fn message(parts: &[Part], response_context: &ResponseContext) -> Value {
    let mut reasoning = reasoning::ReasoningMembers::default();
    let mut text = String::new();
    let mut refusal = String::new();
    let (mut annotations, mut images, mut called) = (Vec::new(), Vec::new(), Vec::new());
    for part in parts {
        match part {
            Part::Reasoning(part) => reasoning.add(part),
            Part::Refusal(more) => refusal += more,
            Part::Text {
                text: more,
                citations,
            } => {
                let offset = chars(&text);
                let written = citations.iter();
                let written = written.filter_map(|it| citations::encode(it, offset, chars(more)));
                annotations.extend(written);
                text += more;
            }
            Part::Image(media) => images.extend(media::image(media)),
            Part::ToolCall(call) => {
                let extra = call.signature.as_ref().map(tool_calls::extra_content);
                let custom = response_context.custom_tools.contains(&call.name);
                called.push(tool_calls::encode(call, custom, extra));
            }
            // A client that understands no other words than text has no place for these.
            Part::Audio(_) | Part::Document(_) | Part::ToolResult(_) => {}
        }
    }
    let text_or_null = |text: String| {
        if text.is_empty() {
            Value::Null
        } else {
            json!(text)
        }
    };
    let reasoning_content = text_or_null(reasoning.text.clone());
    let has_other_content = !called.is_empty() || !refusal.is_empty();
    let content = if has_other_content {
        text_or_null(text)
    } else {
        json!(text)
    };
    let mut message =
        json!({"role": "assistant", "content": content, "refusal": text_or_null(refusal)});
    if !reasoning_content.is_null() {
        message["reasoning_content"] = reasoning_content;
    }
    for (name, list) in [
        ("reasoning_details", reasoning.into_details()),
        ("annotations", annotations),
        ("images", images),
        ("tool_calls", called),
    ] {
        if !list.is_empty() {
            message[name] = Value::Array(list);
        }
    }
    message
}

/// How long a text is, in characters.
pub(super) fn chars(text: &str) -> u64 {
    text.chars().count().try_into().unwrap_or(u64::MAX)
}

/// What the ids of answers begin with.
pub(super) const ID: &str = "chatcmpl-";

#[cfg(test)]
mod tests;
