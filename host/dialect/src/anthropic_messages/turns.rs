//! Writes the conversation as the API demands it: it begins with the user, the roles take turns, the
//! results of tools come first, and no text is empty.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::model::Rules;
use super::{HERE, block, citation, media};
use crate::interlingua::{Notes, Part, Refusal, Request, Role, Thought, ToolResult, Turn, loss};
use crate::json::object;

/// A conversation as it is written.
pub(super) struct Written {
    pub(super) messages: Vec<Value>,
    /// The blocks of the system text.
    pub(super) system: Vec<Value>,
}

/// Writes a conversation. `sentence` is added to the system text.
pub(super) fn write(
    request: &Request,
    rules: Rules,
    sentence: Option<&str>,
    notes: &mut Notes,
) -> Result<Written, Refusal> {
    let mut system: Vec<Value> = request
        .system
        .iter()
        .filter_map(|part| text_of(part, notes))
        .collect();
    let mut turns: Vec<(Role, Vec<Value>)> = Vec::new();
    for (index, turn) in request.turns.iter().enumerate() {
        let before = turns.last().map(|(role, _)| *role);
        let blocks = match turn.role {
            Role::Assistant => assistant_blocks(turn, notes),
            Role::System => {
                let blocks: Vec<Value> = turn
                    .parts
                    .iter()
                    .filter_map(|part| text_of(part, notes))
                    .collect();
                let after = request.turns.get(index + 1).map(|turn| turn.role);
                let may_stand = rules.system_turns
                    && before == Some(Role::User)
                    && matches!(after, None | Some(Role::Assistant));
                if !may_stand {
                    notes.warn(loss::INSTRUCTIONS, loss::INSTRUCTIONS_MOVED);
                    system.extend(blocks);
                    continue;
                }
                blocks
            }
            Role::User => user_blocks(turn, notes)?,
        };
        match turns.last_mut() {
            _ if blocks.is_empty() => {}
            Some((role, last)) if *role == turn.role => last.extend(blocks),
            _ => turns.push((turn.role, blocks)),
        }
    }
    trim_end(&mut turns);
    begin_with_user(&mut turns, &mut system, notes)?;
    system.extend(sentence.map(text_block));
    let messages = turns.into_iter().map(message).collect();
    Ok(Written { messages, system })
}

/// Blocks as content: one plain text as a string; none if there are none.
pub(super) fn content(blocks: Vec<Value>) -> Option<Value> {
    match blocks.as_slice() {
        [] => None,
        [only] if is_plain(only) => Some(only["text"].clone()),
        _ => Some(blocks.into()),
    }
}

fn message((role, mut blocks): (Role, Vec<Value>)) -> Value {
    let role = match role {
        Role::Assistant => "assistant",
        Role::System => "system",
        Role::User => "user",
    };
    blocks.sort_by_key(|block| block["type"] != "tool_result");
    object! {"role": role, "content": content(blocks)}
}

/// A last turn of the assistant's is to be gone on with, and must not end in white space.
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
    notes: &mut Notes,
) -> Result<(), Refusal> {
    match turns.first() {
        Some((Role::User, _)) => {}
        Some(_) => {
            notes.warn(
                "messages",
                "changed: a user's turn stands before the first one",
            );
            turns.insert(0, (Role::User, vec![text_block(BEFORE_THE_FIRST)]));
        }
        None if system.is_empty() => {
            return Err(Refusal::nothing_said());
        }
        None => {
            notes.warn("system", loss::SYSTEM_SAID);
            turns.push((Role::User, std::mem::take(system)));
        }
    }
    Ok(())
}

fn user_blocks(turn: &Turn, notes: &mut Notes) -> Result<Vec<Value>, Refusal> {
    let mut blocks = Vec::new();
    for part in &turn.parts {
        match part {
            Part::ToolResult(result) => blocks.push(result_block(result, notes)?),
            part => blocks.extend(shown_block(part, notes)?),
        }
    }
    Ok(blocks)
}

/// What a user shows, or a tool.
fn shown_block(part: &Part, notes: &mut Notes) -> Result<Option<Value>, Refusal> {
    Ok(match part {
        Part::Audio(_) => return Err(Refusal::new("input_audio", "the API takes no sound")),
        Part::Document(media) => Some(media::document_block(media)?),
        Part::Image(media) => Some(media::image_block(media, notes)?),
        Part::Refusal(_) | Part::Text { .. } => text_of(part, notes),
        // These are never the user's.
        Part::Reasoning(_) | Part::ToolCall(_) | Part::ToolResult(_) => None,
    })
}

fn result_block(result: &ToolResult, notes: &mut Notes) -> Result<Value, Refusal> {
    let mut blocks = Vec::new();
    for part in &result.parts {
        blocks.extend(shown_block(part, notes)?);
    }
    let mut written = json!({"type": "tool_result", "tool_use_id": id(&result.call_id)});
    if let Some(content) = content(blocks) {
        written["content"] = content;
    }
    if result.is_error {
        written["is_error"] = true.into();
    }
    Ok(written)
}

fn assistant_blocks(turn: &Turn, notes: &mut Notes) -> Vec<Value> {
    let mut blocks = Vec::new();
    for part in &turn.parts {
        match part {
            Part::Audio(_) | Part::Document(_) | Part::Image(_) => {
                notes.warn(loss::CONTENT, loss::CONTENT_OF_THE_MODEL);
            }
            Part::Reasoning(thought) => blocks.extend(thought_block(thought, notes)),
            Part::Refusal(_) | Part::Text { .. } => blocks.extend(text_of(part, notes)),
            Part::ToolCall(call) => {
                if call.signature.is_some() {
                    notes.warn(loss::CALL_SIGNATURE, loss::CALL_SIGNATURE_LOST);
                }
                blocks.push(object! {
                    "type": "tool_use",
                    "id": id(&call.id),
                    "name": call.name.as_str(),
                    "input": block::input_of(&call.arguments),
                });
            }
            Part::ToolResult(_) => {}
        }
    }
    blocks
}

/// A thought, if it is one of Claude's own: the API checks the signature.
fn thought_block(thought: &Thought, notes: &mut Notes) -> Option<Value> {
    let signature = thought.signature.as_ref().and_then(|it| it.of(HERE));
    if signature.is_none() {
        notes.warn(loss::THOUGHTS, loss::THOUGHTS_LOST);
    }
    Some(if thought.redacted {
        json!({"type": "redacted_thinking", "data": signature?})
    } else {
        json!({"type": "thinking", "thinking": thought.text, "signature": signature?})
    })
}

/// A text, if it says something.
fn text_of(part: &Part, notes: &mut Notes) -> Option<Value> {
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
    let citations: Vec<Value> = citations.iter().filter_map(citation::returned).collect();
    if citations.len() < given {
        notes.dropped(loss::CITATIONS);
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
    block["type"] == "text" && block.get("citations").is_none()
}

/// A call's id, of the letters that the API takes. Others come from other providers' models.
fn id(id: &str) -> Cow<'_, str> {
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

/// Stands where a conversation begins with the assistant.
const BEFORE_THE_FIRST: &str = "(The conversation begins with your words.)";
