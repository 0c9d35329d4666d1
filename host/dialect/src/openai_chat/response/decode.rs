//! Decodes whole responses.

use serde_json::{Map, Value};

use super::check::decode_usage;
use super::chunk::ChunkScan;
use super::encode::part_kinds;
use super::message::{self, Piece};
use crate::ir::{Malformed, Part, Response};
use crate::openai_chat::{citations, reasoning, tools};

/// Reads a provider's answer, of which [`crate::openai_chat::check_body`] thinks well.
///
/// # Errors
/// If it is no completion.
pub(crate) fn decode_response(body: &[u8]) -> Result<Response, Malformed> {
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
    let called = called.filter_map(|(index, call)| tools::decode(call, index));
    parts.extend(
        called
            .chain(tools::decode_function_call(message))
            .map(Part::ToolCall),
    );
    parts
}
