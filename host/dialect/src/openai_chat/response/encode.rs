//! Encodes whole responses.

use serde_json::{Value, json};

use super::finish_reason::PartKinds;
use crate::ir::{Part, Response, ResponseContext};
use crate::json::to_vec;
use crate::openai_chat::{citations, media, reasoning, tools, usage};

pub(super) fn part_kinds(parts: &[Part]) -> PartKinds {
    PartKinds {
        call: parts.iter().any(|part| matches!(part, Part::ToolCall(_))),
        refusal: parts.iter().any(|part| matches!(part, Part::Refusal(_))),
    }
}

/// Writes an answer for a client.
#[must_use]
pub(crate) fn encode_response(response: &Response, response_context: &ResponseContext) -> Vec<u8> {
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
    to_vec(&body)
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
                let extra = call.signature.as_ref().map(tools::extra_content);
                let custom = response_context.custom_tools.contains(&call.name);
                called.push(tools::encode(call, custom, extra));
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
pub(crate) fn chars(text: &str) -> u64 {
    text.chars().count().try_into().unwrap_or(u64::MAX)
}

/// What the ids of answers begin with.
pub(crate) const ID: &str = "chatcmpl-";
