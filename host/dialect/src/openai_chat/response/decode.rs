//! Checks and decodes whole responses.

use serde_json::{Map, Value};

use super::chunk::ChunkScan;
use super::encode::part_kinds;
use super::message::{self, Piece};
use crate::ir::{Malformed, Part, Response};
use crate::json::lenient_text;
use crate::openai_chat::{citations, reasoning, tools};
use crate::{BodyCheck, ProviderError};

/// Checks a whole response whose status promises success. One pass; no content is kept.
pub(crate) fn check_body(body: &[u8]) -> BodyCheck {
    if body.trim_ascii().is_empty() {
        return BodyCheck::Empty;
    }
    let text = &*lenient_text(body);
    let Some(completion) = ChunkScan::decode(text) else {
        return ProviderError::read(body).map_or(BodyCheck::Malformed, BodyCheck::Error);
    };
    if let Some(error) = completion.failure() {
        return BodyCheck::Error(error);
    }
    match &completion.choices {
        Some(choices) if choices.count > 0 => BodyCheck::Complete {
            usage: completion.usage(),
        },
        _ => ProviderError::read(body).map_or(BodyCheck::Empty, BodyCheck::Error),
    }
}

/// Decodes a whole response that [`check_body`] found complete.
///
/// # Errors
/// If it is not a completion.
pub(crate) fn decode_response(body: &[u8]) -> Result<Response, Malformed> {
    let text = &*lenient_text(body);
    let completion = ChunkScan::decode(text).ok_or(Malformed("it is not a completion"))?;
    let choices = completion.choices.as_ref();
    let choice = choices.and_then(|choices| choices.first());
    let choice = choice.ok_or(Malformed("it has no choices"))?;
    let message = choice.content().map(message::decode).transpose()?;
    let mut parts = parts(&message.unwrap_or_default());
    // The older API has the whole response in `text`.
    let text = choice.text().decode();
    if !text.is_empty() {
        parts.push(Part::text(text.into_owned()));
    }
    let part_kinds = part_kinds(&parts);
    Ok(Response {
        id: completion.id().decode().into_owned(),
        model: completion.model().decode().into_owned(),
        finish: part_kinds
            .finish(choice)
            .unwrap_or_else(|| part_kinds.default_finish()),
        usage: completion.usage(),
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
