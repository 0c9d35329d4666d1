//! Decodes the conversation: messages and their blocks.

use std::collections::HashMap;

use serde_json::Value;

use crate::anthropic::billing_header::without_billing_header;
use crate::anthropic::request::cache_control;
use crate::anthropic::response::block;
use crate::anthropic::{DIALECT, citations, media};
use crate::ir::{
    ObjectReader, Part, ReasoningPart, Request, Role, Signature, ToolCall, ToolResult,
    TranslationError, TranslationReport, Turn,
};
use crate::json;

/// Decodes `messages` into the request's turns. Instructions before the first turn are added to the
/// system text.
pub(crate) fn decode(
    fields: &mut ObjectReader,
    request: &mut Request,
    report: &mut TranslationReport,
) -> Result<(), TranslationError> {
    let mut calls = ToolNamesByCall::default();
    for mut message in fields.objects("messages")? {
        let role = match message.required_string("role")?.as_str() {
            "assistant" => Role::Assistant,
            "system" => Role::System,
            "user" => Role::User,
            _ => return Err(message.error("role", "must be user, assistant or system")),
        };
        let parts = decode_content(&mut message, role, &mut calls, report)?;
        message.warn_unread(report);
        match request.turns.last_mut() {
            _ if parts.is_empty() => {}
            None if role == Role::System => {
                request
                    .system
                    .extend(without_billing_headers(parts, report));
            }
            Some(last) if last.role == role => last.parts.extend(parts),
            _ => request.turns.push(Turn { role, parts }),
        }
    }
    if request.turns.is_empty() {
        return Err(fields.error("messages", "must have a turn with something in it"));
    }
    for turn in &mut request.turns {
        match turn.role {
            Role::Assistant => block::restore_call_signatures(&mut turn.parts),
            Role::System => {}
            Role::User => turn
                .parts
                .sort_by_key(|part| !matches!(part, Part::ToolResult(_))),
        }
    }
    Ok(())
}

fn without_billing_headers(parts: Vec<Part>, report: &mut TranslationReport) -> Vec<Part> {
    let stays = |part: Part| match part {
        Part::Text { text, citations } => {
            let text = without_billing_header(&text, report).to_owned();
            (!text.is_empty()).then_some(Part::Text { text, citations })
        }
        other => Some(other),
    };
    parts.into_iter().filter_map(stays).collect()
}

/// Returns a text part, unless the text is empty. The API rejects empty texts, but some clients send
/// them.
pub(crate) fn non_empty_text(text: String) -> Option<Part> {
    (!text.is_empty()).then(|| Part::text(text))
}

/// The names of the called tools, by the ids of the calls.
type ToolNamesByCall = HashMap<String, String>;

fn decode_content(
    message: &mut ObjectReader,
    role: Role,
    calls: &mut ToolNamesByCall,
    report: &mut TranslationReport,
) -> Result<Vec<Part>, TranslationError> {
    let mut parts = Vec::new();
    if let Some(Value::String(_)) = message.peek("content") {
        let text = message.string("content")?.unwrap_or_default();
        parts.extend(non_empty_text(text));
        return Ok(parts);
    }
    for mut block in message.objects("content")? {
        let kind = block.required_string("type")?;
        cache_control::drop(&mut block, report);
        match (kind.as_str(), role) {
            ("text", _) => parts.extend(decode_text(&mut block)?),
            ("redacted_thinking" | "thinking", Role::Assistant) => {
                parts.push(Part::Reasoning(decode_reasoning(&kind, &mut block)?));
            }
            ("tool_use", Role::Assistant) => {
                let call = decode_tool_call(&mut block)?;
                calls.insert(call.id.clone(), call.name.clone());
                parts.push(Part::ToolCall(call));
            }
            ("tool_result", Role::User) => {
                parts.push(Part::ToolResult(decode_tool_result(
                    &mut block, calls, report,
                )?));
            }
            ("document" | "image" | "search_result", Role::User) => {
                media::decode(&kind, &mut block, &mut parts, report)?;
            }
            // A summary that replaces earlier turns: without it the conversation is incomplete.
            ("compaction", _) => parts.extend(block.string("content")?.and_then(non_empty_text)),
            _ => {
                drop_provider_block(&kind, &block, report)?;
                continue;
            }
        }
        block.warn_unread(report);
    }
    Ok(parts)
}

/// Drops a block that only the provider of the conversation can read. Rejects blocks of unknown types.
fn drop_provider_block(
    kind: &str,
    block: &ObjectReader,
    report: &mut TranslationReport,
) -> Result<(), TranslationError> {
    let is_known = PROVIDER_BLOCKS.contains(&kind) || kind.ends_with("_tool_result");
    if is_known {
        report.warn(
            kind,
            "dropped: only the provider that ran the tool can read it",
        );
        return Ok(());
    }
    let what = match kind {
        "container_upload" => "files uploaded to one provider are not available to others",
        _ => "unknown type of block, or not allowed here",
    };
    Err(block.error("type", what))
}

fn decode_text(block: &mut ObjectReader) -> Result<Option<Part>, TranslationError> {
    let text = block.required_string("text")?;
    let chars = citations::char_count(&text);
    let citations = block.list("citations")?.into_iter();
    let citations = citations
        .map(|raw| citations::decode(raw, Some(chars)))
        .collect();
    Ok((!text.is_empty()).then_some(Part::Text { text, citations }))
}

fn decode_reasoning(
    kind: &str,
    block: &mut ObjectReader,
) -> Result<ReasoningPart, TranslationError> {
    let redacted = kind == "redacted_thinking";
    let (text, signature) = if redacted {
        (String::new(), Some(block.required_string("data")?))
    } else {
        (
            block.required_string("thinking")?,
            block.string("signature")?,
        )
    };
    let signature = signature.filter(|signature| !signature.is_empty());
    Ok(ReasoningPart {
        text,
        signature: signature.map(|signature| Signature::read(DIALECT, &signature)),
        redacted,
    })
}

fn decode_tool_call(block: &mut ObjectReader) -> Result<ToolCall, TranslationError> {
    let input = block.take("input");
    if !matches!(input, None | Some(Value::Object(_))) {
        return Err(block.error("input", "must be an object"));
    }
    if let Some(Value::Object(caller)) = block.peek("caller")
        && caller.get("type").is_some_and(|kind| kind == "direct")
    {
        // The model itself made the call: this is the default, so nothing is lost.
        block.skip("caller");
    }
    let id = block.required_string("id")?;
    if id.is_empty() {
        return Err(block.error("id", "must not be empty"));
    }
    Ok(ToolCall {
        id,
        name: block.required_string("name")?,
        arguments: input.map_or_else(|| "{}".to_owned(), |input| json::to_text(&input)),
        signature: None,
    })
}

fn decode_tool_result(
    block: &mut ObjectReader,
    calls: &ToolNamesByCall,
    report: &mut TranslationReport,
) -> Result<ToolResult, TranslationError> {
    let call_id = block.required_string("tool_use_id")?;
    let Some(name) = calls.get(&call_id).cloned() else {
        return Err(block.error("tool_use_id", ToolResult::UNKNOWN_CALL));
    };
    let is_error = block.flag("is_error")?.unwrap_or(false);
    let mut parts = Vec::new();
    if let Some(Value::String(_)) = block.peek("content") {
        parts.extend(block.string("content")?.and_then(non_empty_text));
    }
    for mut inner in block.objects("content")? {
        let kind = inner.required_string("type")?;
        cache_control::drop(&mut inner, report);
        match kind.as_str() {
            "text" => parts.extend(decode_text(&mut inner)?),
            "document" | "image" | "search_result" => {
                media::decode(&kind, &mut inner, &mut parts, report)?;
            }
            // What the client's search for tools found. The tool itself is in `tools`.
            "tool_reference" => {
                let name = inner.required_string("tool_name")?;
                parts.push(Part::text(format!(
                    "Found the tool {name}. It can be called now."
                )));
            }
            _ => {
                drop_provider_block(&kind, &inner, report)?;
                continue;
            }
        }
        inner.warn_unread(report);
    }
    Ok(ToolResult {
        name: Some(name),
        call_id,
        parts,
        is_error,
    })
}

/// Blocks of tools that the provider runs, and of its beta features.
const PROVIDER_BLOCKS: [&str; 7] = [
    "browser_state",
    "fallback",
    "mcp_tool_use",
    "server_tool_use",
    "tool_addition",
    "tool_reference",
    "tool_removal",
];
