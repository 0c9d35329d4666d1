//! Encodes turns as messages.

use serde_json::{Map, Value, json};

use super::tools::is_custom;
use crate::ir::tool_text::TOOL_ERROR_PREFIX;
use crate::ir::{
    Part, Request, Role, Tool, ToolCall, ToolResult, TranslationError, TranslationReport, Turn,
    loss,
};
use crate::json::object;
use crate::openai_chat::DIALECT;
use crate::openai_chat::{media, reasoning, tools};
use crate::traits::{ContentForm, ReasoningMember, ReasoningReturn, Traits};

/// Encodes all messages of a request, the instructions first.
pub(crate) fn encode_messages(
    request: &Request,
    traits: &Traits,
    report: &mut TranslationReport,
) -> Result<Vec<Value>, TranslationError> {
    let mut messages = Vec::new();
    system(&request.system, traits, report, &mut messages);
    for turn in &request.turns {
        match turn.role {
            Role::Assistant => assistant(turn, &request.tools, traits, report, &mut messages),
            Role::System => system(&turn.parts, traits, report, &mut messages),
            Role::User => user(turn, traits, report, &mut messages)?,
        }
    }
    Ok(messages)
}

fn system(
    parts: &[Part],
    traits: &Traits,
    report: &mut TranslationReport,
    messages: &mut Vec<Value>,
) {
    let mut texts = Vec::new();
    for part in parts {
        match part {
            Part::Text { text, citations } => {
                drop_citations(citations.len(), report);
                texts.push(media::text_part(text));
            }
            _ => report.warn("system", "dropped: instructions can hold text only"),
        }
    }
    if !texts.is_empty() {
        messages.push(object! {"role": "system", "content": content(texts, traits)});
    }
}

/// Encodes a user's turn. Each tool result becomes a message of its own, before the user's message.
fn user(
    turn: &Turn,
    traits: &Traits,
    report: &mut TranslationReport,
    messages: &mut Vec<Value>,
) -> Result<(), TranslationError> {
    let mut parts = Vec::new();
    for part in &turn.parts {
        match part {
            Part::CacheMark(_) => {}
            Part::ToolResult(result) => messages.push(tool(result, traits, &mut parts, report)?),
            Part::Reasoning(_) | Part::Refusal(_) | Part::ToolCall(_) => {
                report.warn_dropped(loss::CONTENT);
            }
            Part::Text { citations, .. } => {
                drop_citations(citations.len(), report);
                parts.push(media::encode_part(part)?);
            }
            Part::Audio(_) | Part::Document(_) | Part::Image(_) => {
                parts.push(media::encode_part(part)?)
            }
        }
    }
    if parts.is_empty() {
        return Ok(());
    }
    let has_results = turn
        .parts
        .iter()
        .any(|part| matches!(part, Part::ToolResult(_)));
    if has_results && !traits.user_after_result {
        report.warn(
            "messages",
            "changed: a turn of the assistant was added between results and the user's text",
        );
        messages.push(object! {"role": "assistant", "content": AFTER_RESULTS});
    }
    messages.push(object! {"role": "user", "content": content(parts, traits)});
    Ok(())
}

/// Encodes a tool result. It holds text only: its media are added to `parts`, the user's message after it.
fn tool(
    result: &ToolResult,
    traits: &Traits,
    parts: &mut Vec<Value>,
    report: &mut TranslationReport,
) -> Result<Value, TranslationError> {
    let mut texts = Vec::new();
    if result.is_error {
        report.warn(loss::TOOL_FAILURE, loss::TOOL_FAILURE_AS_TEXT);
    }
    let mut moved = Vec::new();
    for part in &result.parts {
        match part {
            Part::Text { text, citations } => {
                drop_citations(citations.len(), report);
                // The message has no member for a failure.
                let failed = result.is_error && texts.is_empty();
                let lead = if failed { TOOL_ERROR_PREFIX } else { "" };
                texts.push(media::text_part(&format!("{lead}{text}")));
            }
            _ => moved.push(media::encode_part(part)?),
        }
    }
    if !moved.is_empty() {
        report.warn(
            loss::TOOL_RESULT,
            "changed: media are moved to the user's message after it",
        );
        let id = &result.call_id;
        parts.push(media::text_part(&format!(
            "From the result of the tool call {id}:"
        )));
        parts.append(&mut moved);
    }
    let content = match texts.as_slice() {
        [] if result.is_error => TOOL_ERROR_PREFIX.trim_end().into(),
        [] => json!(""),
        _ => content(texts, traits),
    };
    Ok(object! {"role": "tool", "tool_call_id": result.call_id.as_str(), "content": content})
}

fn assistant(
    turn: &Turn,
    tools: &[Tool],
    traits: &Traits,
    report: &mut TranslationReport,
    messages: &mut Vec<Value>,
) {
    let mut reasoning = reasoning::ReasoningMembers::default();
    let mut parts = Vec::new();
    let mut called = Vec::new();
    for part in &turn.parts {
        match part {
            Part::Reasoning(part) => match &part.signature {
                // An empty signature passes too; `reasoning::decode` explains it.
                Some(signature) if signature.data_for(DIALECT).is_some() => reasoning.add(part),
                _ => report.warn(loss::REASONING, loss::REASONING_DROPPED),
            },
            Part::Text { text, citations } => {
                drop_citations(citations.len(), report);
                parts.push(media::text_part(text));
            }
            // Only OpenAI knows the part.
            Part::Refusal(text) if traits.content == ContentForm::Text => {
                parts.push(media::text_part(text));
            }
            Part::Refusal(text) => parts.push(json!({"type": "refusal", "refusal": text})),
            Part::ToolCall(call) => called.push(tool_call(call, tools, report)),
            Part::Audio(_) | Part::Document(_) | Part::Image(_) => {
                report.warn(loss::CONTENT, loss::ASSISTANT_CONTENT_DROPPED);
            }
            Part::CacheMark(_) => {}
            Part::ToolResult(_) => report.warn(
                loss::TOOL_RESULT,
                "dropped: the model's turn cannot hold it",
            ),
        }
    }
    messages.extend(assistant_message(reasoning, parts, called, traits));
}

/// Returns the model's message; `None` if there is nothing in it.
fn assistant_message(
    reasoning: reasoning::ReasoningMembers,
    mut parts: Vec<Value>,
    called: Vec<Value>,
    traits: &Traits,
) -> Option<Value> {
    let mut text = reasoning.text.clone();
    let mut details = reasoning.into_details();
    if traits.reasoning_member == ReasoningMember::ContentPart {
        // The records are of providers with other members.
        details.clear();
        if !text.is_empty() {
            let text = [media::text_part(&std::mem::take(&mut text))];
            parts.insert(0, object! {"type": "thinking", "thinking": text.to_vec()});
        }
    }
    if parts.is_empty() && called.is_empty() && text.is_empty() && details.is_empty() {
        return None;
    }
    let mut message = Map::new();
    message.insert("role".to_owned(), json!("assistant"));
    message.insert(
        "content".to_owned(),
        match parts.as_slice() {
            // Only a message with calls may have null here.
            [] if called.is_empty() => json!(""),
            [] => Value::Null,
            _ => content(parts, traits),
        },
    );
    let member = match traits.reasoning_member {
        ReasoningMember::ReasoningContent => Some("reasoning_content"),
        ReasoningMember::Reasoning => Some("reasoning"),
        ReasoningMember::ContentPart | ReasoningMember::None => None,
    };
    // Where it is required, an empty text will do.
    let required = traits.reasoning_return == ReasoningReturn::Required;
    if let Some(member) = member.filter(|_| required || !text.is_empty()) {
        message.insert(member.to_owned(), json!(text));
    }
    for (name, list) in [("reasoning_details", details), ("tool_calls", called)] {
        if !list.is_empty() {
            message.insert(name.to_owned(), Value::Array(list));
        }
    }
    Some(Value::Object(message))
}

fn tool_call(call: &ToolCall, tools: &[Tool], report: &mut TranslationReport) -> Value {
    let extra = call.signature.as_ref().and_then(|signature| {
        if signature.data_for(DIALECT).is_none() {
            report.warn(loss::CALL_SIGNATURE, loss::CALL_SIGNATURE_DROPPED);
            return None;
        }
        Some(tools::extra_content(signature))
    });
    tools::encode(call, is_custom(&call.name, tools), extra)
}

/// Encodes the content of a message. A single text becomes a string, because not all servers accept a list; several
/// become one where the provider takes only that.
fn content(mut parts: Vec<Value>, traits: &Traits) -> Value {
    let is_text = |part: &Value| part["type"] == "text";
    match parts.as_mut_slice() {
        [only] if is_text(only) => only["text"].take(),
        several if traits.content == ContentForm::Text && several.iter().all(is_text) => {
            let texts: Vec<&str> = several
                .iter()
                .filter_map(|it| it["text"].as_str())
                .collect();
            texts.join("\n\n").into()
        }
        _ => Value::Array(parts),
    }
}

/// Between the results of tools and the user's text, where the provider wants a turn of the assistant.
const AFTER_RESULTS: &str = "(The results are above.)";

fn drop_citations(count: usize, report: &mut TranslationReport) {
    if count > 0 {
        report.warn_dropped(loss::CITATIONS);
    }
}
