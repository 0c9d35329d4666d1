//! Encodes the response object: whole responses, and those in the first and the last event of a stream.

use serde_json::{Value, json};

use super::INCOMPLETE_REASONS;
use super::item::{self, CallKind};
use crate::Usage;
use crate::ir::tool_text;
use crate::ir::{FinishReason, Part, ReasoningPart, Response, ResponseContext, Signature};
use crate::json;
use crate::openai_responses::{reasoning, usage};

/// Encodes a whole response.
#[must_use]
pub(crate) fn encode_response(response: &Response, response_context: &ResponseContext) -> Vec<u8> {
    let ending = Ending::of(&response.finish);
    let output = items(&response.parts, ending.status, response_context);
    let body = final_response(response_context, ending, output, response.usage);
    json::to_vec(&body)
}

/// How a response ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    /// The status of the response, and of the last message.
    pub(crate) status: &'static str,
    /// Why it is incomplete.
    pub(crate) reason: Option<&'static str>,
}

impl Ending {
    /// Returns the ending for a finish reason.
    pub(crate) fn of(finish: &FinishReason) -> Self {
        let reason = match finish {
            FinishReason::Other(word) => OTHER_REASONS.into_iter().find(|known| known == word),
            _ => {
                let known = INCOMPLETE_REASONS.iter().find(|(_, known)| known == finish);
                known.map(|(name, _)| *name)
            }
        };
        let status = if reason.is_some() {
            "incomplete"
        } else {
            COMPLETED
        };
        Self { status, reason }
    }
}

const COMPLETED: &str = "completed";

/// The documented reasons for being incomplete that the common form does not have.
const OTHER_REASONS: [&str; 2] = ["max_messages", "steered"];

/// Returns a response that has ended.
pub(crate) fn final_response(
    response_context: &ResponseContext,
    ending: Ending,
    output: Vec<Value>,
    usage: Option<Usage>,
) -> Value {
    let mut response = skeleton(response_context, ending.status);
    response["output"] = output.into();
    response["usage"] = usage.map(usage::encode).unwrap_or_default();
    if let Some(reason) = ending.reason {
        response["incomplete_details"] = json!({"reason": reason});
    }
    response
}

/// Returns a response that has begun.
pub(crate) fn initial_response(response_context: &ResponseContext) -> Value {
    skeleton(response_context, "in_progress")
}

/// Returns a response that failed.
pub(crate) fn failed_response(
    response_context: &ResponseContext,
    code: &str,
    message: &str,
) -> Value {
    let mut response = skeleton(response_context, "failed");
    response["error"] = json!({"code": code, "message": message});
    response
}

/// Returns all members that the API documents as required (OpenAI's clients rely on them). Those that
/// repeat the request have the client's values.
fn skeleton(response_context: &ResponseContext, status: &str) -> Value {
    let mut response = json!({
        "id": format!("resp_{}", response_context.id),
        "object": "response",
        "created_at": response_context.created,
        "status": status,
        "background": false,
        "error": null,
        "incomplete_details": null,
        "instructions": null,
        "max_output_tokens": null,
        "max_tool_calls": null,
        "model": response_context.model,
        "output": [],
        "parallel_tool_calls": true,
        "previous_response_id": null,
        "reasoning": {"effort": null, "summary": null},
        "service_tier": null,
        "store": false,
        "temperature": null,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": null,
        "truncation": "disabled",
        "usage": null,
        "user": null,
        "metadata": {},
    });
    for (name, value) in &response_context.echo {
        response[name] = value.clone();
    }
    response
}

/// Only the last item can be incomplete, and only if it is a message.
fn items(parts: &[Part], status: &'static str, response_context: &ResponseContext) -> Vec<Value> {
    let mut out = Vec::new();
    let mut content = Vec::new();
    for part in parts {
        match part {
            Part::Text { text, citations } => {
                let annotations = item::annotations(text, citations);
                content.push(item::output_text(text, &annotations));
            }
            Part::Refusal(text) => content.push(item::refusal(text)),
            Part::Reasoning(part) => {
                close_message(&mut content, COMPLETED, response_context, &mut out);
                let id = ItemKind::Reasoning.id(response_context, out.len());
                out.extend(reasoning(&id, part));
            }
            Part::ToolCall(call) => {
                close_message(&mut content, COMPLETED, response_context, &mut out);
                if let Some(signature) = &call.signature {
                    let id = ItemKind::Reasoning.id(response_context, out.len());
                    out.push(call_signature(&id, signature));
                }
                let kind = CallKind::of(&call.name, response_context);
                let id = ItemKind::of_call(kind).id(response_context, out.len());
                let mut call = call.clone();
                call.arguments = tool_text::arguments_or_empty(&call.arguments).to_owned();
                out.push(item::tool_call(&id, COMPLETED, &call, response_context));
            }
            Part::Image(media) => {
                close_message(&mut content, COMPLETED, response_context, &mut out);
                let id = ItemKind::Image.id(response_context, out.len());
                out.extend(item::image_generation_call(&id, COMPLETED, media));
            }
            // No item of an output can hold these.
            Part::Audio(_) | Part::CacheMark(_) | Part::Document(_) | Part::ToolResult(_) => {}
        }
    }
    close_message(&mut content, status, response_context, &mut out);
    out
}

fn close_message(
    content: &mut Vec<Value>,
    status: &'static str,
    response_context: &ResponseContext,
    out: &mut Vec<Value>,
) {
    if !content.is_empty() {
        let id = ItemKind::Message.id(response_context, out.len());
        out.push(item::message(&id, status, &std::mem::take(content)));
    }
}

/// `None` for reasoning with neither text nor signature.
fn reasoning(id: &str, part: &ReasoningPart) -> Option<Value> {
    let mark = part.redacted.then_some(reasoning::Mark::Redacted);
    match &part.signature {
        None if part.text.is_empty() => None,
        None => Some(item::reasoning(id, &part.text, None)),
        // A signature of this dialect keeps its own id.
        Some(signature)
            if mark.is_none() && signature.origin == crate::openai_responses::DIALECT =>
        {
            let (own, encrypted) = reasoning::split(&signature.data);
            let id = own.unwrap_or(id);
            Some(item::reasoning(id, &part.text, Some(encrypted)))
        }
        Some(signature) => {
            let wrapped = reasoning::wrap_signature(signature, mark);
            Some(item::reasoning(id, &part.text, Some(&wrapped)))
        }
    }
}

/// Encodes a call's signature as an item before the call. Calls have no member for it, and clients send
/// back all items in their order.
pub(crate) fn call_signature(id: &str, signature: &Signature) -> Value {
    let wrapped = reasoning::wrap_signature(signature, Some(reasoning::Mark::Call));
    item::reasoning(id, "", Some(&wrapped))
}

/// The prefixes of ids.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ItemKind {
    Custom,
    Function,
    Image,
    Message,
    Reasoning,
    Search,
}

impl ItemKind {
    pub(crate) const fn of_call(kind: CallKind) -> Self {
        match kind {
            CallKind::Custom => Self::Custom,
            CallKind::Function => Self::Function,
            CallKind::Search => Self::Search,
        }
    }

    /// Returns the id of the item at an index of the output.
    pub(crate) fn id(self, response_context: &ResponseContext, index: usize) -> String {
        let prefix = match self {
            Self::Custom => "ctc",
            Self::Function => "fc",
            Self::Image => "ig",
            Self::Message => "msg",
            Self::Reasoning => "rs",
            Self::Search => "tsc",
        };
        format!("{prefix}_{}_{index}", response_context.id)
    }
}
