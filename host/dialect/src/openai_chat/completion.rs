//! A whole answer: read from a provider, and written for a client.

use serde_json::{Map, Value, json};

use super::answer::spent;
use super::chunk::Chunk;
use super::finish::Said;
use super::message::{self, Piece};
use super::{calls, citations, media, render, thought, usage};
use crate::interlingua::{Response, Malformed, ResponseContext, Part};

/// Reads a provider's answer, of which [`super::read_answer`] thinks well.
///
/// # Errors
/// If it is no completion.
pub fn decode_answer(body: &[u8]) -> Result<Response, Malformed> {
    let text = std::str::from_utf8(body).map_err(|_| Malformed("it is not UTF-8"))?;
    let whole: Value = serde_json::from_str(text).map_err(|_| Malformed("it is not JSON"))?;
    let whole = whole.as_object().ok_or(Malformed("it is no object"))?;
    let first = message::list(whole, "choices").first();
    let choice = first.ok_or(Malformed("it has no choices"))?;
    let empty = Map::new();
    let said = choice.get("message").and_then(Value::as_object);
    let said = said.unwrap_or(&empty);
    let mut parts = parts(said);
    // The older API's whole answer.
    if let Some(Value::String(text)) = choice.get("text").filter(|text| *text != "") {
        parts.push(Part::text(text));
    }
    let told = told(&parts);
    Ok(Response {
        id: message::text(whole, "id").to_owned(),
        model: message::text(whole, "model").to_owned(),
        finish: told.finish(choice).unwrap_or_else(|| told.unsaid()),
        usage: Chunk::read(text).as_ref().and_then(spent),
        parts,
    })
}

fn parts(said: &Map<String, Value>) -> Vec<Part> {
    let thoughts = message::thoughts(said).into_iter();
    let mut parts: Vec<Part> = thoughts.map(Part::Reasoning).collect();
    let mut spoken: Vec<Part> = Vec::new();
    for piece in message::pieces(said) {
        match (piece, spoken.last_mut()) {
            (Piece::Text(more), Some(Part::Text { text, .. })) => text.push_str(more),
            (Piece::Text(text), _) => spoken.push(Part::text(text)),
            (Piece::Refusal(text), _) => spoken.push(Part::Refusal(text.to_owned())),
            (Piece::Reasoning(more), Some(Part::Reasoning(thought))) => thought.text.push_str(more),
            (Piece::Reasoning(text), _) => {
                spoken.extend(thought::read(text, &[]).into_iter().map(Part::Reasoning));
            }
        }
    }
    citations::attach(&mut spoken, message::list(said, "annotations"));
    parts.append(&mut spoken);
    let refusal = message::text(said, "refusal");
    if !refusal.is_empty() {
        parts.push(Part::Refusal(refusal.to_owned()));
    }
    parts.extend(message::images(said));
    let called = message::list(said, "tool_calls").iter().enumerate();
    let called = called.filter_map(|(index, call)| calls::read(call, index));
    parts.extend(
        called
            .chain(calls::read_deprecated(said))
            .map(Part::ToolCall),
    );
    parts
}

fn told(parts: &[Part]) -> Said {
    Said {
        call: parts.iter().any(|part| matches!(part, Part::ToolCall(_))),
        refusal: parts.iter().any(|part| matches!(part, Part::Refusal(_))),
    }
}

/// Writes an answer for a client.
#[must_use]
pub fn encode_answer(answer: &Response, owed: &ResponseContext) -> Vec<u8> {
    let mut body = json!({
        "id": format!("{ID}{}", owed.id),
        "object": "chat.completion",
        "created": owed.created,
        "model": owed.model,
        "choices": [{
            "index": 0,
            "message": message(&answer.parts, owed),
            "logprobs": null,
            "finish_reason": told(&answer.parts).word(&answer.finish),
        }],
    });
    if let Some(usage) = answer.usage {
        body["usage"] = usage::written(usage);
    }
    render::print(&body)
}

fn message(parts: &[Part], owed: &ResponseContext) -> Value {
    let mut thoughts = thought::Members::default();
    let mut text = String::new();
    let mut refusal = String::new();
    let (mut annotations, mut images, mut called) = (Vec::new(), Vec::new(), Vec::new());
    for part in parts {
        match part {
            Part::Reasoning(thought) => thoughts.add(thought),
            Part::Refusal(words) => refusal += words,
            Part::Text {
                text: more,
                citations,
            } => {
                let offset = chars(&text);
                let written = citations.iter();
                let written = written.filter_map(|it| citations::written(it, offset, chars(more)));
                annotations.extend(written);
                text += more;
            }
            Part::Image(media) => images.extend(media::image(media)),
            Part::ToolCall(call) => {
                let extra = call.signature.as_ref().map(calls::extra_content);
                let custom = owed.custom_tools.contains(&call.name);
                called.push(calls::written(call, custom, extra));
            }
            // A client that understands no other words than text has no place for these.
            Part::Audio(_) | Part::Document(_) | Part::ToolResult(_) => {}
        }
    }
    let said = |text: String| {
        if text.is_empty() {
            Value::Null
        } else {
            json!(text)
        }
    };
    let thought = said(thoughts.text.clone());
    let silent = !called.is_empty() || !refusal.is_empty();
    let content = if silent { said(text) } else { json!(text) };
    let mut message = json!({"role": "assistant", "content": content, "refusal": said(refusal)});
    if !thought.is_null() {
        message["reasoning_content"] = thought;
    }
    for (name, list) in [
        ("reasoning_details", thoughts.into_details()),
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
