//! Encodes whole responses.

use serde::Serialize;
use serde_json::Value;

use super::finish_reason::PartKinds;
use crate::ir::{Part, Response, ResponseContext};
use crate::json::to_vec;
use crate::openai_chat::usage::UsageObject;
use crate::openai_chat::{citations, media, reasoning, tools};

#[derive(Serialize)]
struct ChatCompletion<'a> {
    id: String,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: [ChatChoice; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<UsageObject>,
}

#[derive(Serialize)]
struct ChatChoice {
    index: u32,
    message: ChatMessage,
    /// Always null: the common form has no probabilities.
    logprobs: Option<Value>,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct ChatMessage {
    role: &'static str,
    content: Option<String>,
    refusal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasoning_details: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    annotations: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Value>,
}

/// Returns the kinds of parts that a whole response has.
pub(super) fn part_kinds(parts: &[Part]) -> PartKinds {
    PartKinds {
        call: parts.iter().any(|part| matches!(part, Part::ToolCall(_))),
        refusal: parts.iter().any(|part| matches!(part, Part::Refusal(_))),
    }
}

/// Encodes a response for a client.
#[must_use]
pub(crate) fn encode_response(response: &Response, response_context: &ResponseContext) -> Vec<u8> {
    to_vec(&ChatCompletion {
        id: format!("{ID}{}", response_context.id),
        object: "chat.completion",
        created: response_context.created,
        model: &response_context.model,
        choices: [ChatChoice {
            index: 0,
            message: message(&response.parts, response_context),
            logprobs: None,
            finish_reason: part_kinds(&response.parts).finish_reason(&response.finish),
        }],
        usage: response.usage.map(UsageObject::from),
    })
}

fn message(parts: &[Part], response_context: &ResponseContext) -> ChatMessage {
    let mut reasoning = reasoning::ReasoningMembers::default();
    let mut text = String::new();
    let mut refusal = String::new();
    let (mut annotations, mut images, mut tool_calls) = (Vec::new(), Vec::new(), Vec::new());
    for part in parts {
        match part {
            Part::Reasoning(part) => reasoning.add(part),
            Part::Refusal(more) => refusal += more,
            Part::Text {
                text: more,
                citations,
            } => {
                // The texts are joined, so the positions of their citations move.
                let offset = chars(&text);
                let encode = |citation| citations::encode(citation, offset, chars(more));
                annotations.extend(citations.iter().filter_map(encode));
                text += more;
            }
            Part::Image(media) => images.extend(media::image(media)),
            Part::ToolCall(call) => {
                let extra = call.signature.as_ref().map(tools::extra_content);
                let custom = response_context.custom_tools.contains(&call.name);
                tool_calls.push(tools::encode(call, custom, extra));
            }
            // The response format has no members for these.
            Part::Audio(_) | Part::CacheMark(_) | Part::Document(_) | Part::ToolResult(_) => {}
        }
    }
    let non_empty = |text: String| (!text.is_empty()).then_some(text);
    // OpenAI sends null in place of an empty text only beside a call or a refusal.
    let has_other_content = !tool_calls.is_empty() || !refusal.is_empty();
    ChatMessage {
        role: "assistant",
        content: if has_other_content {
            non_empty(text)
        } else {
            Some(text)
        },
        refusal: non_empty(refusal),
        reasoning_content: non_empty(reasoning.text.clone()),
        reasoning_details: reasoning.into_details(),
        annotations,
        images,
        tool_calls,
    }
}

/// The length of a text, in characters.
pub(crate) fn chars(text: &str) -> u64 {
    text.chars().count().try_into().unwrap_or(u64::MAX)
}

/// The prefix of the ids of responses.
pub(crate) const ID: &str = "chatcmpl-";
