//! Reads and checks the messages: each tool call must get its result before the next turn.

use serde_json::Value;

use crate::media::read_data_url;
use crate::openai_common::read_image;
use crate::request::{Media, RequestError, Turn, array_member, str_member};

/// The messages, as far as the response depends on them.
#[derive(Default)]
pub(super) struct ChatConversation {
    pub(super) system: Vec<String>,
    pub(super) texts: Vec<String>,
    pub(super) media: Vec<Media>,
    pub(super) turn: Turn,
    /// The number of tool calls so far.
    pub(super) calls: usize,
    /// The ids of the tool calls that have no result yet.
    pending: Vec<String>,
}

pub(super) fn read_conversation(messages: &[Value]) -> Result<ChatConversation, RequestError> {
    let mut conversation = ChatConversation::default();
    for (index, message) in messages.iter().enumerate() {
        let field = format!("messages[{index}]");
        let role = str_member(message, "role").unwrap_or_default();
        if role != "tool" && !conversation.pending.is_empty() {
            return Err(missing_results(&field, &conversation.pending));
        }
        let (text, media) = read_content(&field, &message["content"])?;
        conversation.texts.push(text.clone());
        match role {
            "system" | "developer" => conversation.system.push(text),
            "tool" => read_tool_result(&mut conversation, &field, message, text)?,
            "assistant" => read_assistant(&mut conversation, &field, message, &text)?,
            _ => (conversation.turn, conversation.media) = (Turn::Prompt(text), media),
        }
    }
    let last = format!("messages[{}]", messages.len());
    match conversation.pending.is_empty() {
        true => Ok(conversation),
        false => Err(missing_results(&last, &conversation.pending)),
    }
}

fn missing_results(field: &str, open: &[String]) -> RequestError {
    let reason = format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'; missing: {}",
        open.join(", ")
    );
    RequestError::at(field, reason)
}

fn read_tool_result(
    conversation: &mut ChatConversation,
    field: &str,
    message: &Value,
    text: String,
) -> Result<(), RequestError> {
    let id = str_member(message, "tool_call_id").unwrap_or_default();
    let Some(place) = conversation.pending.iter().position(|open| open == id) else {
        let reason =
            format!("'tool_call_id' {id} is not in the preceding message with 'tool_calls'");
        return Err(RequestError::at(format!("{field}.tool_call_id"), reason));
    };
    conversation.pending.remove(place);
    match &mut conversation.turn {
        Turn::Results(results) => results.push(text),
        Turn::Prompt(_) => {
            (conversation.turn, conversation.media) = (Turn::Results(vec![text]), Vec::new())
        }
    }
    Ok(())
}

fn read_assistant(
    conversation: &mut ChatConversation,
    field: &str,
    message: &Value,
    text: &str,
) -> Result<(), RequestError> {
    let calls = array_member(message, "tool_calls");
    let has = |name: &str| message.get(name).is_some_and(|value| !value.is_null());
    if message.get("tool_calls").is_some() && calls.is_empty() {
        return Err(RequestError::at(
            format!("{field}.tool_calls"),
            "tool_calls must not be empty",
        ));
    }
    if !has("content")
        && calls.is_empty()
        && !has("refusal")
        && !has("function_call")
        && !has("audio")
    {
        return Err(RequestError::at(
            format!("{field}.content"),
            "content is required unless there are tool_calls",
        ));
    }
    for (index, call) in calls.iter().enumerate() {
        let field = format!("{field}.tool_calls[{index}]");
        let id = str_member(call, "id").unwrap_or_default();
        if id.is_empty()
            || id.len() > CALL_ID_CHARACTERS_MAX
            || conversation.pending.iter().any(|open| open == id)
        {
            return Err(RequestError::at(
                format!("{field}.id"),
                "the id must be unique and have 1 to 64 characters",
            ));
        }
        let arguments = str_member(&call["function"], "arguments").unwrap_or("{}");
        if serde_json::from_str::<serde_json::Map<String, Value>>(arguments).is_err() {
            return Err(RequestError::at(
                format!("{field}.function.arguments"),
                "arguments must be an object in JSON",
            ));
        }
        conversation.pending.push(id.to_owned());
        conversation.calls += 1;
    }
    (conversation.turn, conversation.media) = (Turn::Prompt(text.to_owned()), Vec::new());
    Ok(())
}

/// Reads the text and the media of a message.
fn read_content(field: &str, content: &Value) -> Result<(String, Vec<Media>), RequestError> {
    let Value::Array(parts) = content else {
        return Ok((content.as_str().unwrap_or_default().to_owned(), Vec::new()));
    };
    if parts.is_empty() {
        return Err(RequestError::at(
            format!("{field}.content"),
            "content must not be an empty array",
        ));
    }
    let (mut texts, mut media) = (Vec::new(), Vec::new());
    for (index, part) in parts.iter().enumerate() {
        let field = format!("{field}.content[{index}]");
        match str_member(part, "type").unwrap_or_default() {
            "image_url" => {
                let url = str_member(&part["image_url"], "url").unwrap_or_default();
                media.push(read_image(&format!("{field}.image_url.url"), url)?);
            }
            "file" => {
                if let Some(data) = str_member(&part["file"], "file_data") {
                    let read = read_data_url("document", data);
                    media.push(read.map_err(|reason| {
                        RequestError::at(format!("{field}.file.file_data"), reason)
                    })?);
                }
            }
            _ => texts.push(str_member(part, "text").unwrap_or_default()),
        }
    }
    Ok((texts.join("\n"), media))
}

/// The length limit of a call's id, in characters.
const CALL_ID_CHARACTERS_MAX: usize = 64;
