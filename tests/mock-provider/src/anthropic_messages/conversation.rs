//! Reads and checks the messages: the user has the first turn, each tool call gets its result in the
//! next message, and thinking blocks come back unchanged.

use serde_json::Value;

use super::DIALECT;
use crate::media::{read_base64, read_data_url};
use crate::request::{Media, RequestError, Turn, array_member, str_member};
use crate::signature::{is_own_signature, verify};

/// The messages, as far as the response depends on them.
#[derive(Default)]
pub(super) struct MessagesConversation {
    pub(super) system: Vec<String>,
    pub(super) texts: Vec<String>,
    pub(super) media: Vec<Media>,
    pub(super) turn: Turn,
    /// The texts of the user's last message, also of one with tool results.
    pub(super) prompt: String,
    /// The number of tool calls so far.
    pub(super) calls: usize,
    /// The ids of all calls so far.
    ids: Vec<String>,
    /// The ids of the previous message's tool calls that have no result yet.
    pending: Vec<String>,
}

/// Reads the messages. With `thinking_required`, recent messages that call tools must begin with a
/// thinking block.
pub(super) fn read_conversation(
    messages: &[Value],
    thinking_required: bool,
) -> Result<MessagesConversation, RequestError> {
    if messages.is_empty() {
        return Err(RequestError::at(
            "messages",
            "at least one message is required",
        ));
    }
    let first = messages.iter().find(|message| message["role"] != "system");
    if first.is_none_or(|first| first["role"] != "user") {
        return Err(RequestError::at(
            "messages.0.role",
            "the first message must use the \"user\" role",
        ));
    }
    let mut conversation = MessagesConversation::default();
    for (index, message) in messages.iter().enumerate() {
        let field = format!("messages.{index}");
        let last = index + 1 == messages.len();
        check_content(&field, message, last)?;
        match str_member(message, "role") {
            Some("assistant") => read_assistant(&mut conversation, &field, message)?,
            Some("system") => conversation.system.push(texts(&message["content"])),
            _ => read_user(&mut conversation, &field, message)?,
        }
    }
    if let Some(open) = conversation.pending.first() {
        return Err(missing_results(
            &format!("messages.{}", messages.len() - 1),
            open,
        ));
    }
    if thinking_required {
        check_thinking_first(messages)?;
    }
    Ok(conversation)
}

/// Rejects empty content. Only an assistant message at the end may be empty.
fn check_content(field: &str, message: &Value, last: bool) -> Result<(), RequestError> {
    let content = &message["content"];
    let empty = content == "" || content.as_array().is_some_and(Vec::is_empty);
    if empty && !(last && message["role"] == "assistant") {
        return Err(RequestError::at(
            field,
            "all messages must have non-empty content",
        ));
    }
    let blocks = content.as_array().map_or(&[][..], Vec::as_slice);
    for (index, block) in blocks.iter().enumerate() {
        if block["type"] == "text" && block["text"] == "" {
            let field = format!("{field}.content.{index}.text");
            return Err(RequestError::at(
                field,
                "text content blocks must be non-empty",
            ));
        }
    }
    if last && message["role"] == "assistant" && texts(content).ends_with(char::is_whitespace) {
        let reason = "final assistant content cannot end with trailing whitespace";
        return Err(RequestError::at(field, reason));
    }
    Ok(())
}

fn read_assistant(
    conversation: &mut MessagesConversation,
    field: &str,
    message: &Value,
) -> Result<(), RequestError> {
    if let Some(open) = conversation.pending.first() {
        return Err(missing_results(field, open));
    }
    for (index, block) in array_member(message, "content").iter().enumerate() {
        let field = format!("{field}.content.{index}");
        match str_member(block, "type").unwrap_or_default() {
            "thinking" => {
                let signature = str_member(block, "signature").unwrap_or_default();
                let thinking = str_member(block, "thinking").unwrap_or_default();
                if !verify(signature, DIALECT, thinking) {
                    let reason = "Invalid `signature` in `thinking` block";
                    return Err(RequestError::at(format!("{field}.signature"), reason));
                }
            }
            "redacted_thinking"
                if !is_own_signature(str_member(block, "data").unwrap_or_default(), DIALECT) =>
            {
                let reason = "Invalid `data` in `redacted_thinking` block";
                return Err(RequestError::at(format!("{field}.data"), reason));
            }
            "tool_use" => {
                let id = str_member(block, "id").unwrap_or_default();
                let plain = |it: char| it.is_ascii_alphanumeric() || "_-".contains(it);
                if id.is_empty() || !id.chars().all(plain) {
                    let reason = "it must have letters, digits, _ and - only";
                    return Err(RequestError::at(format!("{field}.tool_use.id"), reason));
                }
                if conversation.ids.iter().any(|known| known == id) {
                    return Err(RequestError::at(
                        format!("{field}.tool_use.id"),
                        "`tool_use` ids must be unique",
                    ));
                }
                conversation.ids.push(id.to_owned());
                conversation.pending.push(id.to_owned());
                conversation.calls += 1;
            }
            _ => {}
        }
    }
    let text = texts(&message["content"]);
    conversation.texts.push(text.clone());
    (conversation.turn, conversation.media) = (Turn::Prompt(text), Vec::new());
    Ok(())
}

fn missing_results(field: &str, id: &str) -> RequestError {
    let reason =
        format!("`tool_use` ids were found without `tool_result` blocks immediately after: {id}");
    RequestError::at(field, reason)
}

fn read_user(
    conversation: &mut MessagesConversation,
    field: &str,
    message: &Value,
) -> Result<(), RequestError> {
    let blocks = array_member(message, "content");
    let (mut results, mut media) = (Vec::new(), Vec::new());
    let mut others = false;
    for (index, block) in blocks.iter().enumerate() {
        let field = format!("{field}.content.{index}");
        match str_member(block, "type").unwrap_or_default() {
            "tool_result" => {
                if others && !conversation.pending.is_empty() {
                    return Err(RequestError::at(
                        field,
                        "`tool_result` blocks come before all other content",
                    ));
                }
                let id = str_member(block, "tool_use_id").unwrap_or_default();
                let Some(place) = conversation.pending.iter().position(|open| open == id) else {
                    let reason =
                        format!("unexpected `tool_use_id` found in `tool_result` blocks: {id}");
                    return Err(RequestError::at(format!("{field}.tool_use_id"), reason));
                };
                conversation.pending.remove(place);
                results.push(texts(&block["content"]));
                for (index, inner) in array_member(block, "content").iter().enumerate() {
                    media.extend(read_media(&format!("{field}.content.{index}"), inner)?);
                }
            }
            _ => {
                others = true;
                media.extend(read_media(&field, block)?);
            }
        }
    }
    if let Some(open) = conversation.pending.first() {
        return Err(missing_results(field, open));
    }
    let text = texts(&message["content"]);
    conversation.texts.push(text.clone());
    conversation.texts.extend(results.iter().cloned());
    conversation.prompt.clone_from(&text);
    conversation.media = media;
    conversation.turn = if results.is_empty() {
        Turn::Prompt(text)
    } else {
        Turn::Results(results)
    };
    Ok(())
}

/// Checks that the messages of the running tool loop, those since the user's last own message, begin with
/// thinking if they call tools.
fn check_thinking_first(messages: &[Value]) -> Result<(), RequestError> {
    let in_tool_loop = |message: &&Value| {
        let results = array_member(message, "content")
            .iter()
            .any(|block| block["type"] == "tool_result");
        message["role"] == "assistant" || results
    };
    let recent = messages
        .iter()
        .enumerate()
        .rev()
        .take_while(|(_, message)| in_tool_loop(message));
    for (index, message) in recent.filter(|(_, message)| message["role"] == "assistant") {
        let blocks = array_member(message, "content");
        let calls = blocks.iter().any(|block| block["type"] == "tool_use");
        let kind = blocks
            .first()
            .and_then(|first| str_member(first, "type"))
            .unwrap_or_default();
        if calls && kind != "thinking" && kind != "redacted_thinking" {
            let reason = format!("Expected `thinking` or `redacted_thinking`, but found `{kind}`");
            return Err(RequestError::at(
                format!("messages.{index}.content.0.type"),
                reason,
            ));
        }
    }
    Ok(())
}

/// Joins the texts of a message's content.
fn texts(content: &Value) -> String {
    match content {
        Value::Array(blocks) => {
            let texts = blocks.iter().filter_map(|block| str_member(block, "text"));
            texts.collect::<Vec<_>>().join("\n")
        }
        content => content.as_str().unwrap_or_default().to_owned(),
    }
}

/// Reads an image or document block; returns nothing for other blocks.
fn read_media(field: &str, block: &Value) -> Result<Option<Media>, RequestError> {
    let kind = match str_member(block, "type") {
        Some("image") => "image",
        Some("document") => "document",
        _ => return Ok(None),
    };
    let source = &block["source"];
    let of = |name: &str| str_member(source, name).unwrap_or_default();
    let read = match str_member(source, "type").unwrap_or_default() {
        "base64" => read_base64(kind, of("media_type"), of("data")),
        "url" => read_data_url(kind, of("url")),
        "text" => Ok(Media {
            kind,
            label: "text/plain".to_owned(),
            bytes: Some(of("data").len()),
        }),
        other => Ok(Media {
            kind,
            label: other.to_owned(),
            bytes: None,
        }),
    };
    let error = |reason: String| RequestError::at(format!("{field}.{kind}.source"), reason);
    read.map(Some).map_err(error)
}
