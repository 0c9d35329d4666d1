//! Encodes the conversation as the API requires it: it begins with the user, roles alternate, tool
//! results come first, and no text is empty.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::cache;
use crate::anthropic::{DIALECT, citations, media};
use crate::ir::tool_text;
use crate::ir::{
    Part, ReasoningPart, Request, Role, ToolResult, TranslationError, TranslationReport, Turn, loss,
};
use crate::json::object;
use crate::traits::{SystemMessages, Traits};

/// An encoded conversation.
pub(crate) struct EncodedConversation {
    pub(crate) messages: Vec<Value>,
    /// The blocks of the system text.
    pub(crate) system: Vec<Value>,
}

/// Encodes a conversation. The instruction, if any, is added to the system text.
pub(crate) fn encode(
    request: &Request,
    traits: &Traits,
    sentence: Option<&str>,
    report: &mut TranslationReport,
) -> Result<EncodedConversation, TranslationError> {
    let mut system = text_blocks(&request.system, report);
    let mut turns: Vec<(Role, Vec<Value>)> = Vec::new();
    for (index, turn) in request.turns.iter().enumerate() {
        let before = turns.last().map(|(role, _)| *role);
        let blocks = match turn.role {
            Role::Assistant => assistant_blocks(turn, report),
            Role::System => {
                let blocks = text_blocks(&turn.parts, report);
                let after = request.turns.get(index + 1).map(|turn| turn.role);
                // The API accepts an instruction only between a user's turn and the model's.
                let may_stand = traits.system == SystemMessages::Anywhere
                    && before == Some(Role::User)
                    && matches!(after, None | Some(Role::Assistant));
                if !may_stand {
                    report.warn(loss::INSTRUCTIONS, loss::INSTRUCTIONS_MOVED);
                    system.extend(blocks);
                    continue;
                }
                blocks
            }
            Role::User => user_blocks(turn, report)?,
        };
        match turns.last_mut() {
            _ if blocks.is_empty() => {}
            Some((role, last)) if *role == turn.role => last.extend(blocks),
            _ => turns.push((turn.role, blocks)),
        }
    }
    trim_end(&mut turns);
    begin_with_user(&mut turns, &mut system, report)?;
    match cache::automatic(request, traits) {
        Some(mark) => cache::mark_automatically(&mut system, &mut turns, mark),
        None => cache::limit(&mut system, &mut turns, request.cache.is_some(), report),
    }
    // Added last: it is no conversation by itself, and must not become the user's turn.
    system.extend(sentence.map(text_block));
    let messages = turns.into_iter().map(encode_message).collect();
    Ok(EncodedConversation { messages, system })
}

/// Returns blocks as `content`: a single plain text as a string; `None` without blocks.
pub(crate) fn encode_content(blocks: Vec<Value>) -> Option<Value> {
    match blocks.as_slice() {
        [] => None,
        [only] if is_plain(only) => Some(only["text"].clone()),
        _ => Some(blocks.into()),
    }
}

fn encode_message((role, mut blocks): (Role, Vec<Value>)) -> Value {
    let role = match role {
        Role::Assistant => "assistant",
        Role::System => "system",
        Role::User => "user",
    };
    // Joined turns may have a result after a text, which the API rejects. The sort is stable.
    blocks.sort_by_key(|block| block["type"] != "tool_result");
    object! {"role": role, "content": encode_content(blocks)}
}

/// The model continues a last turn of the assistant. It must not end in white space.
fn trim_end(turns: &mut [(Role, Vec<Value>)]) {
    let Some((Role::Assistant, blocks)) = turns.last_mut() else {
        return;
    };
    if let Some(Value::String(text)) = blocks.last_mut().and_then(|block| block.get_mut("text")) {
        text.truncate(text.trim_end().len());
    }
}

fn begin_with_user(
    turns: &mut Vec<(Role, Vec<Value>)>,
    system: &mut Vec<Value>,
    report: &mut TranslationReport,
) -> Result<(), TranslationError> {
    match turns.first() {
        Some((Role::User, _)) => {}
        Some(_) => {
            report.warn("messages", loss::FIRST_USER_ADDED);
            turns.insert(0, (Role::User, vec![text_block(loss::FIRST_USER_TEXT)]));
        }
        None if system.is_empty() => {
            return Err(TranslationError::empty_conversation());
        }
        None => {
            report.warn("system", loss::SYSTEM_AS_USER);
            turns.push((Role::User, std::mem::take(system)));
        }
    }
    Ok(())
}

fn user_blocks(
    turn: &Turn,
    report: &mut TranslationReport,
) -> Result<Vec<Value>, TranslationError> {
    let mut blocks = Vec::new();
    for part in &turn.parts {
        match part {
            Part::CacheMark(mark) => cache::mark(&mut blocks, *mark),
            Part::ToolResult(result) => blocks.push(result_block(result, report)?),
            part => blocks.extend(user_block(part, report)?),
        }
    }
    Ok(blocks)
}

/// Encodes parts of a user's turn or of a tool result.
fn user_block(
    part: &Part,
    report: &mut TranslationReport,
) -> Result<Option<Value>, TranslationError> {
    Ok(match part {
        Part::Audio(_) => {
            return Err(TranslationError::new(
                "input_audio",
                "the provider's dialect has no audio",
            ));
        }
        Part::Document(media) => Some(media::document_block(media)?),
        Part::Image(media) => Some(media::image_block(media, report)?),
        Part::Refusal(_) | Part::Text { .. } => encode_text(part, report),
        // Turns of the user never hold these.
        Part::CacheMark(_) | Part::Reasoning(_) | Part::ToolCall(_) | Part::ToolResult(_) => None,
    })
}

fn result_block(
    result: &ToolResult,
    report: &mut TranslationReport,
) -> Result<Value, TranslationError> {
    let mut blocks = Vec::new();
    for part in &result.parts {
        blocks.extend(user_block(part, report)?);
    }
    let mut written = json!({"type": "tool_result", "tool_use_id": sanitize_id(&result.call_id)});
    if let Some(content) = encode_content(blocks) {
        written["content"] = content;
    }
    if result.is_error {
        written["is_error"] = true.into();
    }
    Ok(written)
}

fn assistant_blocks(turn: &Turn, report: &mut TranslationReport) -> Vec<Value> {
    let mut blocks = Vec::new();
    for part in &turn.parts {
        match part {
            Part::Audio(_) | Part::Document(_) | Part::Image(_) => {
                report.warn(loss::CONTENT, loss::ASSISTANT_CONTENT_DROPPED);
            }
            Part::CacheMark(mark) => cache::mark(&mut blocks, *mark),
            Part::Reasoning(reasoning) => blocks.extend(reasoning_block(reasoning, report)),
            Part::Refusal(_) | Part::Text { .. } => blocks.extend(encode_text(part, report)),
            Part::ToolCall(call) => {
                if call.signature.is_some() {
                    report.warn(loss::CALL_SIGNATURE, loss::CALL_SIGNATURE_DROPPED);
                }
                blocks.push(object! {
                    "type": "tool_use",
                    "id": sanitize_id(&call.id),
                    "name": call.name.as_str(),
                    "input": tool_text::arguments_object(&call.arguments),
                });
            }
            Part::ToolResult(_) => {}
        }
    }
    blocks
}

/// Encodes reasoning, if it has a signature of this API, which checks it.
fn reasoning_block(reasoning: &ReasoningPart, report: &mut TranslationReport) -> Option<Value> {
    let signature = reasoning
        .signature
        .as_ref()
        .and_then(|it| it.data_for(DIALECT));
    if signature.is_none() {
        report.warn(loss::REASONING, loss::REASONING_DROPPED);
    }
    Some(if reasoning.redacted {
        json!({"type": "redacted_thinking", "data": signature?})
    } else {
        json!({"type": "thinking", "thinking": reasoning.text, "signature": signature?})
    })
}

/// Encodes instructions.
fn text_blocks(parts: &[Part], report: &mut TranslationReport) -> Vec<Value> {
    let mut blocks = Vec::new();
    for part in parts {
        match part {
            Part::CacheMark(mark) => cache::mark(&mut blocks, *mark),
            part => blocks.extend(encode_text(part, report)),
        }
    }
    blocks
}

/// Encodes a text, unless it is empty.
fn encode_text(part: &Part, report: &mut TranslationReport) -> Option<Value> {
    let (text, citations) = match part {
        Part::Refusal(text) => (text, &[][..]),
        Part::Text { text, citations } => (text, citations.as_slice()),
        _ => return None,
    };
    if text.trim().is_empty() {
        return None;
    }
    let mut written = text_block(text);
    let given = citations.len();
    let citations: Vec<Value> = citations
        .iter()
        .filter_map(citations::encode_for_request)
        .collect();
    if citations.len() < given {
        report.warn_dropped(loss::CITATIONS);
    }
    if !citations.is_empty() {
        written["citations"] = citations.into();
    }
    Some(written)
}

fn text_block(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn is_plain(block: &Value) -> bool {
    let has = |name: &str| block.get(name).is_some();
    block["type"] == "text" && !has("citations") && !has("cache_control")
}

/// Returns a call's id with only the characters that the API accepts: ids of other providers may have
/// more.
fn sanitize_id(id: &str) -> Cow<'_, str> {
    let is_taken = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !id.is_empty() && id.chars().all(is_taken) {
        return Cow::Borrowed(id);
    }
    let id = id.chars().map(|c| if is_taken(c) { c } else { '_' });
    Cow::Owned(if id.clone().next().is_none() {
        "_".to_owned()
    } else {
        id.collect()
    })
}
