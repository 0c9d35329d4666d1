//! Encodes whole responses.

use serde::Serialize;
use serde_json::Value;

use crate::ir::{FinishReason, Part, Response, ResponseContext};
use crate::json::to_vec;
use crate::openai_chat::UsageObject;

/// A whole response, or one chunk of a stream.
#[derive(Serialize)]
pub(crate) struct TextCompletion<'a> {
    id: String,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [TextChoice<'a>],
    /// The usage; `Some(None)` is written as null.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<UsageObject>>,
}

impl<'a> TextCompletion<'a> {
    pub(crate) fn new(
        response_context: &'a ResponseContext,
        choices: &'a [TextChoice<'a>],
        usage: Option<Option<UsageObject>>,
    ) -> Self {
        Self {
            id: format!("cmpl-{}", response_context.id),
            object: "text_completion",
            created: response_context.created,
            model: &response_context.model,
            choices,
            usage,
        }
    }
}

/// The only choice of a response, or a piece of it.
#[derive(Serialize)]
pub(crate) struct TextChoice<'a> {
    text: &'a str,
    index: u32,
    /// Always null: the common form has no probabilities.
    logprobs: Option<Value>,
    finish_reason: Option<&'static str>,
}

impl<'a> TextChoice<'a> {
    pub(crate) const fn new(text: &'a str, finish_reason: Option<&'static str>) -> Self {
        Self {
            text,
            index: 0,
            logprobs: None,
            finish_reason,
        }
    }
}

/// Encodes a response for a client. The text is all that a text completion has.
#[must_use]
pub(crate) fn encode_response(response: &Response, response_context: &ResponseContext) -> Vec<u8> {
    let text: String = response.parts.iter().filter_map(visible_text).collect();
    let choice = TextChoice::new(&text, Some(finish_reason(&response.finish)));
    let usage = response.usage.map(|usage| Some(usage.into()));
    to_vec(&TextCompletion::new(response_context, &[choice], usage))
}

/// Encodes a finish reason. This dialect has three words.
pub(crate) const fn finish_reason(finish: &FinishReason) -> &'static str {
    match finish {
        FinishReason::ContentFilter => "content_filter",
        FinishReason::Length => "length",
        FinishReason::Other(_)
        | FinishReason::Refusal
        | FinishReason::Stop
        | FinishReason::StopSequence(_)
        | FinishReason::ToolCalls => "stop",
    }
}

/// Returns the text of a part; `None` if it has none. Reasoning is not part of a completion's text.
fn visible_text(part: &Part) -> Option<&str> {
    match part {
        // There is no member for a refusal. Without its text, the response could be empty.
        Part::Text { text, .. } | Part::Refusal(text) => Some(text),
        Part::Audio(_)
        | Part::Document(_)
        | Part::Image(_)
        | Part::Reasoning(_)
        | Part::ToolCall(_)
        | Part::CacheMark(_)
        | Part::ToolResult(_) => None,
    }
}
