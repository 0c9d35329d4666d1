//! Reads the conversation: messages, and the blocks that they are made of.

use std::collections::HashMap;

use serde_json::Value;

use super::request::drop_cache_control;
use super::{HERE, block, citation, media};
use crate::interlingua::{
    Fields, Notes, Part, Refusal, Request, Role, Signature, Thought, ToolCall, ToolResult, Turn,
};

/// Reads `messages` into the request's turns; instructions before the first turn join its system text.
pub(super) fn read(
    fields: &mut Fields,
    request: &mut Request,
    notes: &mut Notes,
) -> Result<(), Refusal> {
    let mut calls = Calls::default();
    for mut message in fields.objects("messages")? {
        let role = match message.needed_string("role")?.as_str() {
            "assistant" => Role::Assistant,
            "system" => Role::System,
            "user" => Role::User,
            _ => return Err(message.refusal("role", "must be user, assistant or system")),
        };
        let parts = read_content(&mut message, role, &mut calls, notes)?;
        message.warn_of_rest(notes);
        match request.turns.last_mut() {
            _ if parts.is_empty() => {}
            None if role == Role::System => request.system.extend(parts),
            Some(last) if last.role == role => last.parts.extend(parts),
            _ => request.turns.push(Turn { role, parts }),
        }
    }
    if request.turns.is_empty() {
        return Err(fields.refusal("messages", "must have a turn with something in it"));
    }
    for turn in &mut request.turns {
        match turn.role {
            Role::Assistant => block::return_call_signatures(&mut turn.parts),
            Role::System => {}
            Role::User => turn
                .parts
                .sort_by_key(|part| !matches!(part, Part::ToolResult(_))),
        }
    }
    Ok(())
}

/// A text that says something. The API refuses empty ones; some clients send them all the same.
pub(super) fn some_text(text: String) -> Option<Part> {
    (!text.is_empty()).then(|| Part::text(text))
}

/// The names of the tools that were called, by the calls' ids.
type Calls = HashMap<String, String>;

fn read_content(
    message: &mut Fields,
    role: Role,
    calls: &mut Calls,
    notes: &mut Notes,
) -> Result<Vec<Part>, Refusal> {
    let mut parts = Vec::new();
    if let Some(Value::String(_)) = message.peek("content") {
        let text = message.string("content")?.unwrap_or_default();
        parts.extend(some_text(text));
        return Ok(parts);
    }
    for mut block in message.objects("content")? {
        let kind = block.needed_string("type")?;
        drop_cache_control(&mut block, notes);
        match (kind.as_str(), role) {
            ("text", _) => parts.extend(text(&mut block)?),
            ("redacted_thinking" | "thinking", Role::Assistant) => {
                parts.push(Part::Reasoning(thought(&kind, &mut block)?));
            }
            ("tool_use", Role::Assistant) => {
                let call = tool_call(&mut block)?;
                calls.insert(call.id.clone(), call.name.clone());
                parts.push(Part::ToolCall(call));
            }
            ("tool_result", Role::User) => {
                parts.push(Part::ToolResult(tool_result(&mut block, calls, notes)?));
            }
            ("document" | "image" | "search_result", Role::User) => {
                media::read(&kind, &mut block, &mut parts, notes)?;
            }
            // A summary in place of what was said before: without it the conversation makes no sense.
            ("compaction", _) => parts.extend(block.string("content")?.and_then(some_text)),
            _ => {
                pass_over(&kind, &block, notes)?;
                continue;
            }
        }
        block.warn_of_rest(notes);
    }
    Ok(parts)
}

/// Drops a block that only the provider of the conversation can read; refuses what is no block at all.
fn pass_over(kind: &str, block: &Fields, notes: &mut Notes) -> Result<(), Refusal> {
    let is_known = OF_THE_PROVIDER.contains(&kind) || kind.ends_with("_tool_result");
    if is_known {
        notes.warn(
            kind,
            "dropped: only the provider that ran the tool can read it",
        );
        return Ok(());
    }
    let what = match kind {
        "container_upload" => "a file that a provider keeps: no other can read it",
        _ => "no block of this type may stand here",
    };
    Err(block.refusal("type", what))
}

fn text(block: &mut Fields) -> Result<Option<Part>, Refusal> {
    let text = block.needed_string("text")?;
    let chars = citation::chars(&text);
    let citations = block.list("citations")?.into_iter();
    let citations = citations
        .map(|raw| citation::read(raw, Some(chars)))
        .collect();
    Ok((!text.is_empty()).then_some(Part::Text { text, citations }))
}

fn thought(kind: &str, block: &mut Fields) -> Result<Thought, Refusal> {
    let redacted = kind == "redacted_thinking";
    let (text, signature) = if redacted {
        (String::new(), Some(block.needed_string("data")?))
    } else {
        (block.needed_string("thinking")?, block.string("signature")?)
    };
    let signature = signature.filter(|signature| !signature.is_empty());
    Ok(Thought {
        text,
        signature: signature.map(|signature| Signature::read(HERE, &signature)),
        redacted,
    })
}

fn tool_call(block: &mut Fields) -> Result<ToolCall, Refusal> {
    let input = block.take("input");
    if !matches!(input, None | Some(Value::Object(_))) {
        return Err(block.refusal("input", "must be an object"));
    }
    if let Some(Value::Object(caller)) = block.peek("caller")
        && caller.get("type").is_some_and(|kind| kind == "direct")
    {
        block.skip("caller");
    }
    let id = block.needed_string("id")?;
    if id.is_empty() {
        return Err(block.refusal("id", "must not be empty"));
    }
    Ok(ToolCall {
        id,
        name: block.needed_string("name")?,
        arguments: input.map_or_else(|| "{}".to_owned(), |input| input.to_string()),
        signature: None,
    })
}

fn tool_result(
    block: &mut Fields,
    calls: &Calls,
    notes: &mut Notes,
) -> Result<ToolResult, Refusal> {
    let call_id = block.needed_string("tool_use_id")?;
    let Some(name) = calls.get(&call_id).cloned() else {
        return Err(block.refusal("tool_use_id", ToolResult::NO_CALL));
    };
    let is_error = block.flag("is_error")?.unwrap_or(false);
    let mut parts = Vec::new();
    if let Some(Value::String(_)) = block.peek("content") {
        parts.extend(block.string("content")?.and_then(some_text));
    }
    for mut inner in block.objects("content")? {
        let kind = inner.needed_string("type")?;
        drop_cache_control(&mut inner, notes);
        match kind.as_str() {
            "text" => parts.extend(text(&mut inner)?),
            "document" | "image" | "search_result" => {
                media::read(&kind, &mut inner, &mut parts, notes)?;
            }
            _ => {
                pass_over(&kind, &inner, notes)?;
                continue;
            }
        }
        inner.warn_of_rest(notes);
    }
    Ok(ToolResult {
        name: Some(name),
        call_id,
        parts,
        is_error,
    })
}

/// Blocks that belong to tools which the provider runs, or to what its beta features do.
const OF_THE_PROVIDER: [&str; 7] = [
    "browser_state",
    "fallback",
    "mcp_tool_use",
    "server_tool_use",
    "tool_addition",
    "tool_reference",
    "tool_removal",
];
