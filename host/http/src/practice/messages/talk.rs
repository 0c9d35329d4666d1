//! Whether a conversation of messages holds: who speaks first, that each call of a tool is answered at
//! once, and that thoughts come back as they were given.

use serde_json::Value;

use super::DIALECT;
use crate::practice::asked::{Media, Turn, Wrong, items_of, text_of};
use crate::practice::media::{read_base64, read_data_url};
use crate::practice::signature::{is_ours, signs};

/// What the messages come to.
#[derive(Default)]
pub(super) struct Talk {
    pub(super) system: Vec<String>,
    pub(super) texts: Vec<String>,
    pub(super) media: Vec<Media>,
    pub(super) turn: Turn,
    /// The texts of the user's last message, whatever else is in it.
    pub(super) prompt: String,
    /// Calls of tools so far.
    pub(super) calls: usize,
    /// The ids of all calls so far.
    ids: Vec<String>,
    /// Calls of the message before, that are not answered yet.
    open: Vec<String>,
}

/// Reads the messages. `begins`: turns that call tools begin with thoughts.
pub(super) fn talk(messages: &[Value], begins: bool) -> Result<Talk, Wrong> {
    if messages.is_empty() {
        return Err(Wrong::at("messages", "at least one message is required"));
    }
    let first = messages.iter().find(|message| message["role"] != "system");
    if first.is_none_or(|first| first["role"] != "user") {
        return Err(Wrong::at(
            "messages.0.role",
            "the first message must use the \"user\" role",
        ));
    }
    let mut talk = Talk::default();
    for (index, message) in messages.iter().enumerate() {
        let field = format!("messages.{index}");
        let last = index + 1 == messages.len();
        check_content(&field, message, last)?;
        match text_of(message, "role") {
            Some("assistant") => assistant(&mut talk, &field, message)?,
            Some("system") => talk.system.push(texts(&message["content"])),
            _ => user(&mut talk, &field, message)?,
        }
    }
    if let Some(open) = talk.open.first() {
        return Err(unanswered(
            &format!("messages.{}", messages.len() - 1),
            open,
        ));
    }
    if begins {
        check_thoughts(messages)?;
    }
    Ok(talk)
}

/// No content is empty but that of an assistant's message at the end.
fn check_content(field: &str, message: &Value, last: bool) -> Result<(), Wrong> {
    let content = &message["content"];
    let empty = content == "" || content.as_array().is_some_and(Vec::is_empty);
    if empty && !(last && message["role"] == "assistant") {
        return Err(Wrong::at(field, "all messages must have non-empty content"));
    }
    let blocks = content.as_array().map_or(&[][..], Vec::as_slice);
    for (index, block) in blocks.iter().enumerate() {
        if block["type"] == "text" && block["text"] == "" {
            let field = format!("{field}.content.{index}.text");
            return Err(Wrong::at(field, "text content blocks must be non-empty"));
        }
    }
    if last && message["role"] == "assistant" && texts(content).ends_with(char::is_whitespace) {
        let told = "final assistant content cannot end with trailing whitespace";
        return Err(Wrong::at(field, told));
    }
    Ok(())
}

fn assistant(talk: &mut Talk, field: &str, message: &Value) -> Result<(), Wrong> {
    if let Some(open) = talk.open.first() {
        return Err(unanswered(field, open));
    }
    for (index, block) in items_of(message, "content").iter().enumerate() {
        let field = format!("{field}.content.{index}");
        match text_of(block, "type").unwrap_or_default() {
            "thinking" => {
                let signature = text_of(block, "signature").unwrap_or_default();
                let thought = text_of(block, "thinking").unwrap_or_default();
                if !signs(signature, DIALECT, thought) {
                    let told = "Invalid `signature` in `thinking` block";
                    return Err(Wrong::at(format!("{field}.signature"), told));
                }
            }
            "redacted_thinking"
                if !is_ours(text_of(block, "data").unwrap_or_default(), DIALECT) =>
            {
                let told = "Invalid `data` in `redacted_thinking` block";
                return Err(Wrong::at(format!("{field}.data"), told));
            }
            "tool_use" => {
                let id = text_of(block, "id").unwrap_or_default();
                let plain = |it: char| it.is_ascii_alphanumeric() || "_-".contains(it);
                if id.is_empty() || !id.chars().all(plain) {
                    let told = "it must have letters, digits, _ and - only";
                    return Err(Wrong::at(format!("{field}.tool_use.id"), told));
                }
                if talk.ids.iter().any(|known| known == id) {
                    return Err(Wrong::at(
                        format!("{field}.tool_use.id"),
                        "`tool_use` ids must be unique",
                    ));
                }
                talk.ids.push(id.to_owned());
                talk.open.push(id.to_owned());
                talk.calls += 1;
            }
            _ => {}
        }
    }
    let text = texts(&message["content"]);
    talk.texts.push(text.clone());
    (talk.turn, talk.media) = (Turn::Prompt(text), Vec::new());
    Ok(())
}

fn unanswered(field: &str, id: &str) -> Wrong {
    let told =
        format!("`tool_use` ids were found without `tool_result` blocks immediately after: {id}");
    Wrong::at(field, told)
}

fn user(talk: &mut Talk, field: &str, message: &Value) -> Result<(), Wrong> {
    let blocks = items_of(message, "content");
    let (mut results, mut media) = (Vec::new(), Vec::new());
    let mut others = false;
    for (index, block) in blocks.iter().enumerate() {
        let field = format!("{field}.content.{index}");
        match text_of(block, "type").unwrap_or_default() {
            "tool_result" => {
                if others && !talk.open.is_empty() {
                    return Err(Wrong::at(
                        field,
                        "`tool_result` blocks come before all other content",
                    ));
                }
                let id = text_of(block, "tool_use_id").unwrap_or_default();
                let Some(place) = talk.open.iter().position(|open| open == id) else {
                    let told =
                        format!("unexpected `tool_use_id` found in `tool_result` blocks: {id}");
                    return Err(Wrong::at(format!("{field}.tool_use_id"), told));
                };
                talk.open.remove(place);
                results.push(texts(&block["content"]));
                for (index, inner) in items_of(block, "content").iter().enumerate() {
                    media.extend(read_media(&format!("{field}.content.{index}"), inner)?);
                }
            }
            _ => {
                others = true;
                media.extend(read_media(&field, block)?);
            }
        }
    }
    if let Some(open) = talk.open.first() {
        return Err(unanswered(field, open));
    }
    let text = texts(&message["content"]);
    talk.texts.push(text.clone());
    talk.texts.extend(results.iter().cloned());
    talk.prompt.clone_from(&text);
    talk.media = media;
    talk.turn = if results.is_empty() {
        Turn::Prompt(text)
    } else {
        Turn::Results(results)
    };
    Ok(())
}

/// When thinking is on, a message that calls tools at the end of the conversation begins with thoughts.
fn check_thoughts(messages: &[Value]) -> Result<(), Wrong> {
    let said = |message: &&Value| {
        let results = items_of(message, "content")
            .iter()
            .any(|block| block["type"] == "tool_result");
        message["role"] == "assistant" || results
    };
    let recent = messages
        .iter()
        .enumerate()
        .rev()
        .take_while(|(_, message)| said(message));
    for (index, message) in recent.filter(|(_, message)| message["role"] == "assistant") {
        let blocks = items_of(message, "content");
        let calls = blocks.iter().any(|block| block["type"] == "tool_use");
        let kind = blocks
            .first()
            .and_then(|first| text_of(first, "type"))
            .unwrap_or_default();
        if calls && kind != "thinking" && kind != "redacted_thinking" {
            let told = format!("Expected `thinking` or `redacted_thinking`, but found `{kind}`");
            return Err(Wrong::at(format!("messages.{index}.content.0.type"), told));
        }
    }
    Ok(())
}

/// The texts of a content.
fn texts(content: &Value) -> String {
    match content {
        Value::Array(blocks) => {
            let texts = blocks.iter().filter_map(|block| text_of(block, "text"));
            texts.collect::<Vec<_>>().join("\n")
        }
        content => content.as_str().unwrap_or_default().to_owned(),
    }
}

/// The image or document that a block is, if it is one.
fn read_media(field: &str, block: &Value) -> Result<Option<Media>, Wrong> {
    let kind = match text_of(block, "type") {
        Some("image") => "image",
        Some("document") => "document",
        _ => return Ok(None),
    };
    let source = &block["source"];
    let of = |name: &str| text_of(source, name).unwrap_or_default();
    let read = match text_of(source, "type").unwrap_or_default() {
        "base64" => read_base64(kind, of("media_type"), of("data")),
        "url" => read_data_url(kind, of("url")),
        "text" => Ok(Media {
            kind,
            about: "text/plain".to_owned(),
            bytes: Some(of("data").len()),
        }),
        other => Ok(Media {
            kind,
            about: other.to_owned(),
            bytes: None,
        }),
    };
    let wrong = |told: String| Wrong::at(format!("{field}.{kind}.source"), told);
    read.map(Some).map_err(wrong)
}
