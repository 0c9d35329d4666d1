//! Writes a whole answer to a client.

use serde_json::{Map, Value, json};

use super::finish_reason;
use crate::gemini::citations::Grounding;
use crate::gemini::request::encode::contents::arguments;
use crate::gemini::{media, reasoning, usage};
use crate::ir::{Part, ReasoningPart, Response, ResponseContext, Signature, ToolCall};
use crate::json::to_vec;

/// Writes a `GenerateContentResponse`.
#[must_use]
pub(crate) fn encode_response(response: &Response, response_context: &ResponseContext) -> Vec<u8> {
    let mut parts = Vec::new();
    let mut grounding = Grounding::default();
    for part in &response.parts {
        if let Part::Text { text, citations } = part {
            grounding.add(parts.len(), citations, Some(text));
        }
        parts.extend(write_part(part));
    }
    let mut candidate = candidate_json(parts);
    candidate.insert(
        "finishReason".to_owned(),
        finish_reason::encode(&response.finish).into(),
    );
    if let Some(grounding) = grounding.into_value() {
        candidate.insert("groundingMetadata".to_owned(), grounding);
    }
    let usage = response.usage.as_ref().map(usage::encode);
    to_vec(&response_json(&candidate, usage, response_context))
}

/// A candidate with these parts; without any it has an empty text, since clients look for parts.
pub(crate) fn candidate_json(mut parts: Vec<Value>) -> Map<String, Value> {
    if parts.is_empty() {
        parts.push(json!({"text": ""}));
    }
    let mut candidate = Map::new();
    candidate.insert(
        "content".to_owned(),
        json!({"parts": parts, "role": "model"}),
    );
    candidate.insert("index".to_owned(), 0.into());
    candidate
}

/// A response of one candidate.
pub(crate) fn response_json(
    candidate: &Map<String, Value>,
    usage: Option<Value>,
    response_context: &ResponseContext,
) -> Value {
    let mut response = json!({"candidates": [candidate]});
    if let Some(usage) = usage {
        response["usageMetadata"] = usage;
    }
    response["modelVersion"] = response_context.model.as_str().into();
    response["responseId"] = response_context.id.as_str().into();
    response
}

/// A part as clients read it; none if there is nothing to say.
pub(crate) fn write_part(part: &Part) -> Option<Value> {
    match part {
        Part::Audio(media) => media::encode_source(media, "audio/wav"),
        Part::Document(media) => media::encode_source(media, "application/pdf"),
        Part::Image(media) => media::encode_source(media, "image/png"),
        Part::Reasoning(reasoning) => write_reasoning(reasoning),
        Part::Refusal(text) | Part::Text { text, .. } => {
            (!text.is_empty()).then(|| json!({"text": text}))
        }
        Part::ToolCall(call) => Some(write_call(call)),
        // Models answer none.
        Part::ToolResult(_) => None,
    }
}

/// A signature alone is no thought, but one that stands beside nothing else: that of a text before it.
fn write_reasoning(reasoning: &ReasoningPart) -> Option<Value> {
    if reasoning.text.is_empty() && reasoning.signature.is_none() {
        return None;
    }
    let mut part = json!({"text": reasoning.text});
    if reasoning.redacted || !reasoning.text.is_empty() {
        part["thought"] = true.into();
    }
    sign(&mut part, reasoning.signature.as_ref());
    Some(part)
}

fn write_call(call: &ToolCall) -> Value {
    let args = arguments(&call.arguments);
    let mut part = json!({"functionCall": {"id": call.id, "name": call.name, "args": args}});
    sign(&mut part, call.signature.as_ref());
    part
}

fn sign(part: &mut Value, signature: Option<&Signature>) {
    if let Some(signature) = signature {
        part["thoughtSignature"] = reasoning::encode(signature).into();
    }
}
