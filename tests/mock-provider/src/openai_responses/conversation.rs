//! Reads and checks the input items: each function call has one output, each output has a call, and
//! encrypted reasoning comes back unchanged.

use serde_json::Value;

use super::DIALECT;
use super::schema::{ITEM, MESSAGE};
use crate::media::read_data_url;
use crate::openai_common::{read_image, violation_error};
use crate::request::{Media, RequestError, Turn, array_member, str_member};
use crate::signature::is_own_signature;

/// The items, as far as the response depends on them.
#[derive(Default)]
pub(super) struct ResponsesConversation {
    pub(super) system: Vec<String>,
    pub(super) texts: Vec<String>,
    pub(super) media: Vec<Media>,
    pub(super) turn: Turn,
    /// The text of the user's last message.
    pub(super) prompt: String,
    /// The number of function calls so far.
    pub(super) calls: usize,
    /// The ids of the function calls that have no output yet.
    pending: Vec<String>,
}

impl ResponsesConversation {
    /// Creates the conversation of an input that is one text.
    pub(super) fn from_text(text: &str) -> Self {
        Self {
            texts: vec![text.to_owned()],
            turn: Turn::Prompt(text.to_owned()),
            prompt: text.to_owned(),
            ..Self::default()
        }
    }
}

/// Reads the items.
pub(super) fn read_conversation(items: &[Value]) -> Result<ResponsesConversation, RequestError> {
    let mut conversation = ResponsesConversation::default();
    for (index, item) in items.iter().enumerate() {
        let field = format!("input[{index}]");
        let inside_item = |error: RequestError| error.inside(&field);
        match str_member(item, "type") {
            None | Some("message") => {
                MESSAGE
                    .validate(item, violation_error)
                    .map_err(inside_item)?;
                read_message(&mut conversation, &field, item)?;
            }
            Some(kind) => {
                ITEM.validate(item, violation_error).map_err(inside_item)?;
                read_item(&mut conversation, &field, kind, item)?;
            }
        }
    }
    match conversation.pending.first() {
        Some(open) => Err(RequestError::at(
            "input",
            format!("No tool output found for function call {open}."),
        )),
        None => Ok(conversation),
    }
}

fn read_message(
    conversation: &mut ResponsesConversation,
    field: &str,
    item: &Value,
) -> Result<(), RequestError> {
    let role = str_member(item, "role").unwrap_or_default();
    let parts = array_member(item, "content");
    let field = format!("{field}.content");
    if item["content"].is_array() && parts.is_empty() {
        return Err(RequestError::at(field, "content must not be empty"));
    }
    // Only assistant messages have output parts, and they have no other parts.
    let is_model_part = |part: &Value| {
        ["output_text", "refusal"].contains(&str_member(part, "type").unwrap_or_default())
    };
    if let Some(place) = parts
        .iter()
        .position(|part| is_model_part(part) != (role == "assistant"))
    {
        let reason = format!("Invalid value: the role '{role}' cannot have this type of content.");
        return Err(
            RequestError::at(format!("{field}[{place}].type"), reason).with_code("invalid_value")
        );
    }
    let (text, media) = read_content(&field, &item["content"])?;
    conversation.texts.push(text.clone());
    match role {
        "system" | "developer" => conversation.system.push(text),
        "assistant" => (conversation.turn, conversation.media) = (Turn::Prompt(text), Vec::new()),
        _ => {
            conversation.prompt.clone_from(&text);
            (conversation.turn, conversation.media) = (Turn::Prompt(text), media);
        }
    }
    Ok(())
}

fn read_item(
    conversation: &mut ResponsesConversation,
    field: &str,
    kind: &str,
    item: &Value,
) -> Result<(), RequestError> {
    match kind {
        // `tools` has read them.
        "additional_tools" => {}
        "function_call" | "custom_tool_call" | "tool_search_call" => {
            let arguments = str_member(item, "arguments").unwrap_or("{}");
            if serde_json::from_str::<serde_json::Map<String, Value>>(arguments).is_err() {
                return Err(RequestError::at(
                    format!("{field}.arguments"),
                    "arguments must be an object in JSON",
                ));
            }
            let valid_prefix =
                |id: &str| ["fc_", "ctc_", "tsc_"].iter().any(|it| id.starts_with(it));
            if str_member(item, "id").is_some_and(|id| !valid_prefix(id)) {
                let reason = "Invalid 'id': expected an ID that begins with 'fc'.";
                return Err(
                    RequestError::at(format!("{field}.id"), reason).with_code("invalid_value")
                );
            }
            conversation
                .pending
                .push(str_member(item, "call_id").unwrap_or_default().to_owned());
            conversation.calls += 1;
        }
        "function_call_output" | "custom_tool_call_output" | "tool_search_output" => {
            let id = str_member(item, "call_id").unwrap_or_default();
            let Some(place) = conversation.pending.iter().position(|open| open == id) else {
                let reason =
                    format!("No tool call found for function call output with call_id {id}.");
                return Err(RequestError::at(format!("{field}.call_id"), reason));
            };
            conversation.pending.remove(place);
            conversation.prompt.clear();
            let (text, media) = read_content(&format!("{field}.output"), &item["output"])?;
            conversation.texts.push(text.clone());
            match &mut conversation.turn {
                Turn::Results(results) => results.push(text),
                Turn::Prompt(_) => {
                    (conversation.turn, conversation.media) =
                        (Turn::Results(vec![text]), Vec::new())
                }
            }
            conversation.media.extend(media);
        }
        "reasoning" => {
            let encrypted = str_member(item, "encrypted_content");
            if encrypted.is_some_and(|encrypted| !is_own_signature(encrypted, DIALECT)) {
                let reason = "The encrypted content could not be verified.";
                let error = RequestError::at(format!("{field}.encrypted_content"), reason);
                return Err(error.with_code("invalid_encrypted_content"));
            }
            let known = str_member(item, "id").is_some_and(|id| id.starts_with("rs_mock"));
            if encrypted.is_none() && !known {
                return Err(not_found(field, item));
            }
        }
        _ => return Err(not_found(field, item)),
    }
    Ok(())
}

fn not_found(field: &str, item: &Value) -> RequestError {
    let id = str_member(item, "id").unwrap_or_default();
    RequestError {
        status: 404,
        ..RequestError::at(
            format!("{field}.id"),
            format!("Item with id '{id}' not found."),
        )
    }
}

/// Reads the text and the media of a message or an output.
fn read_content(field: &str, content: &Value) -> Result<(String, Vec<Media>), RequestError> {
    let Value::Array(parts) = content else {
        return Ok((content.as_str().unwrap_or_default().to_owned(), Vec::new()));
    };
    let (mut texts, mut media) = (Vec::new(), Vec::new());
    for (index, part) in parts.iter().enumerate() {
        let field = format!("{field}[{index}]");
        match str_member(part, "type").unwrap_or_default() {
            "input_image" => {
                let url = str_member(part, "image_url");
                let (None, Some(_)) = (url, str_member(part, "file_id")) else {
                    media.push(read_image(
                        &format!("{field}.image_url"),
                        url.unwrap_or_default(),
                    )?);
                    continue;
                };
                return Err(not_found(&field, part));
            }
            "input_file" => {
                let file = str_member(part, "file_data").or_else(|| str_member(part, "file_url"));
                let read = read_data_url("document", file.unwrap_or_default());
                media.push(
                    read.map_err(|reason| RequestError::at(format!("{field}.file_data"), reason))?,
                );
            }
            _ => texts.push(str_member(part, "text").unwrap_or_default()),
        }
    }
    Ok((texts.join("\n"), media))
}
