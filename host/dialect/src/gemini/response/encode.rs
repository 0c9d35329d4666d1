//! Encodes a response for a client, whole or as one event of a stream.

use serde::Serialize;
use serde_json::{Value, json};

use super::finish_reason;
use crate::Usage;
use crate::gemini::citations::Grounding;
use crate::gemini::usage::UsageMetadata;
use crate::gemini::{media, reasoning};
use crate::ir::tool_text;
use crate::ir::{
    FinishReason, Part, ReasoningPart, Response, ResponseContext, Signature, ToolCall,
};
use crate::json::to_vec;

/// Encodes a whole response as a `GenerateContentResponse`.
pub(crate) fn encode_response(response: &Response, context: &ResponseContext) -> Vec<u8> {
    let mut parts = Vec::new();
    let mut grounding = Grounding::default();
    for part in &response.parts {
        if let Part::Text { text, citations } = part {
            grounding.add(parts.len(), citations, Some(text));
        }
        parts.extend(write_part(part));
    }
    let candidate = EncodedCandidate::new(parts).finish(&response.finish, grounding);
    to_vec(&ResponseBody::new(candidate, response.usage, context))
}

/// A `GenerateContentResponse` with one candidate.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResponseBody<'a, P> {
    candidates: [EncodedCandidate<'a, P>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_metadata: Option<UsageMetadata>,
    model_version: &'a str,
    response_id: &'a str,
}

impl<'a, P> ResponseBody<'a, P> {
    pub(crate) fn new(
        candidate: EncodedCandidate<'a, P>,
        usage: Option<Usage>,
        context: &'a ResponseContext,
    ) -> Self {
        Self {
            candidates: [candidate],
            usage_metadata: usage.map(UsageMetadata::from),
            model_version: &context.model,
            response_id: &context.id,
        }
    }
}

/// A candidate, or the next parts of one. `P` is the list of parts.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EncodedCandidate<'a, P> {
    content: Content<P>,
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grounding_metadata: Option<Value>,
}

#[derive(Serialize)]
struct Content<P> {
    parts: P,
    role: &'static str,
}

/// A part of text. A stream has one for each piece, so it is written without a tree.
#[derive(Serialize)]
pub(crate) struct TextPart<'a> {
    pub(crate) text: &'a str,
    #[serde(rename = "thought", skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_reasoning: bool,
}

impl EncodedCandidate<'_, Vec<Value>> {
    /// A candidate of these parts. Without parts it gets an empty text, because clients read the first part
    /// of any candidate.
    pub(crate) fn new(mut parts: Vec<Value>) -> Self {
        if parts.is_empty() {
            parts.push(json!({"text": ""}));
        }
        Self::of(parts)
    }
}

impl<'a, P> EncodedCandidate<'a, P> {
    /// A candidate of these parts, of which there is at least one.
    pub(crate) const fn of(parts: P) -> Self {
        Self {
            content: Content {
                parts,
                role: "model",
            },
            index: 0,
            finish_reason: None,
            grounding_metadata: None,
        }
    }

    /// Adds what only the end of a response has.
    pub(crate) fn finish(self, reason: &'a FinishReason, grounding: Grounding) -> Self {
        Self {
            finish_reason: Some(finish_reason::encode(reason)),
            grounding_metadata: grounding.into_value(),
            ..self
        }
    }
}

/// Encodes a part for a client; `None` if it is empty.
pub(crate) fn write_part(part: &Part) -> Option<Value> {
    match part {
        Part::Audio(media) => media::encode_source(media, "audio/wav"),
        Part::Document(media) => media::encode_source(media, "application/pdf"),
        Part::Image(media) => media::encode_source(media, "image/png"),
        Part::Reasoning(reasoning) => write_reasoning(reasoning),
        Part::Refusal(text) | Part::Text { text, .. } => {
            (!text.is_empty()).then(|| json!({"text": text}))
        }
        Part::ToolCall(call) => (!call.is_cut()).then(|| write_call(call)),
        // Only requests have tool results.
        Part::CacheMark(_) | Part::ToolResult(_) => None,
    }
}

/// Encodes reasoning; `None` if it is empty. A signature without text belongs to the text part before it,
/// unless the reasoning is redacted.
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
    let args = tool_text::arguments_object(&call.arguments);
    let mut part = json!({"functionCall": {"id": call.id, "name": call.name, "args": args}});
    sign(&mut part, call.signature.as_ref());
    part
}

fn sign(part: &mut Value, signature: Option<&Signature>) {
    if let Some(signature) = signature {
        part["thoughtSignature"] = reasoning::encode(signature).into();
    }
}
