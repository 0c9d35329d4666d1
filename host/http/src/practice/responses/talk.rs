//! Whether the items of an input hold: each call of a function is answered, each answer is of a call,
//! and reasoning comes back as it was given.

use serde_json::Value;

use super::DIALECT;
use super::shapes::{ITEM, MESSAGE};
use crate::practice::asked::{Media, Turn, Wrong, items_of, text_of};
use crate::practice::media::read_data_url;
use crate::practice::openai::{check_shape, image};
use crate::practice::signature::is_ours;

/// What the items come to.
#[derive(Default)]
pub(super) struct Talk {
    pub(super) system: Vec<String>,
    pub(super) texts: Vec<String>,
    pub(super) media: Vec<Media>,
    pub(super) turn: Turn,
    /// The text of the user's last message.
    pub(super) prompt: String,
    /// Calls of functions so far.
    pub(super) calls: usize,
    /// Calls that are not answered yet.
    open: Vec<String>,
}

impl Talk {
    /// An input that is one text.
    pub(super) fn of_text(text: &str) -> Self {
        Self {
            texts: vec![text.to_owned()],
            turn: Turn::Prompt(text.to_owned()),
            prompt: text.to_owned(),
            ..Self::default()
        }
    }
}

/// Reads the items.
pub(super) fn talk(items: &[Value]) -> Result<Talk, Wrong> {
    let mut talk = Talk::default();
    for (index, item) in items.iter().enumerate() {
        let field = format!("input[{index}]");
        let within = |wrong: Wrong| Wrong {
            message: wrong.message.replace('\'', "`"),
            field: format!("{field}.{}", wrong.field),
            ..wrong
        };
        match text_of(item, "type") {
            None | Some("message") => {
                check_shape(item, &MESSAGE).map_err(within)?;
                message(&mut talk, &field, item)?;
            }
            Some(kind) => {
                check_shape(item, &ITEM).map_err(within)?;
                other(&mut talk, &field, kind, item)?;
            }
        }
    }
    match talk.open.first() {
        Some(open) => Err(Wrong::at(
            "input",
            format!("No tool output found for function call {open}."),
        )),
        None => Ok(talk),
    }
}

fn message(talk: &mut Talk, field: &str, item: &Value) -> Result<(), Wrong> {
    let role = text_of(item, "role").unwrap_or_default();
    let parts = items_of(item, "content");
    let field = format!("{field}.content");
    if item["content"].is_array() && parts.is_empty() {
        return Err(Wrong::at(field, "content must not be empty"));
    }
    // What a model said is of other kinds than what it is told.
    let said = |part: &Value| {
        ["output_text", "refusal"].contains(&text_of(part, "type").unwrap_or_default())
    };
    if let Some(place) = parts
        .iter()
        .position(|part| said(part) != (role == "assistant"))
    {
        let told = format!("Invalid value: this kind of content is not of the role '{role}'.");
        return Err(Wrong::at(format!("{field}[{place}].type"), told).coded("invalid_value"));
    }
    let (text, media) = content(&field, &item["content"])?;
    talk.texts.push(text.clone());
    match role {
        "system" | "developer" => talk.system.push(text),
        "assistant" => (talk.turn, talk.media) = (Turn::Prompt(text), Vec::new()),
        _ => {
            talk.prompt.clone_from(&text);
            (talk.turn, talk.media) = (Turn::Prompt(text), media);
        }
    }
    Ok(())
}

fn other(talk: &mut Talk, field: &str, kind: &str, item: &Value) -> Result<(), Wrong> {
    match kind {
        "function_call" | "custom_tool_call" => {
            let arguments = text_of(item, "arguments").unwrap_or("{}");
            if serde_json::from_str::<serde_json::Map<String, Value>>(arguments).is_err() {
                return Err(Wrong::at(
                    format!("{field}.arguments"),
                    "arguments must be an object in JSON",
                ));
            }
            let begins = |id: &str| id.starts_with("fc_") || id.starts_with("ctc_");
            if text_of(item, "id").is_some_and(|id| !begins(id)) {
                let told = "Invalid 'id': expected an ID that begins with 'fc'.";
                return Err(Wrong::at(format!("{field}.id"), told).coded("invalid_value"));
            }
            talk.open
                .push(text_of(item, "call_id").unwrap_or_default().to_owned());
            talk.calls += 1;
        }
        "function_call_output" | "custom_tool_call_output" => {
            let id = text_of(item, "call_id").unwrap_or_default();
            let Some(place) = talk.open.iter().position(|open| open == id) else {
                let told =
                    format!("No tool call found for function call output with call_id {id}.");
                return Err(Wrong::at(format!("{field}.call_id"), told));
            };
            talk.open.remove(place);
            talk.prompt.clear();
            let (text, media) = content(&format!("{field}.output"), &item["output"])?;
            talk.texts.push(text.clone());
            match &mut talk.turn {
                Turn::Results(results) => results.push(text),
                Turn::Prompt(_) => {
                    (talk.turn, talk.media) = (Turn::Results(vec![text]), Vec::new())
                }
            }
            talk.media.extend(media);
        }
        "reasoning" => {
            let sealed = text_of(item, "encrypted_content");
            if sealed.is_some_and(|sealed| !is_ours(sealed, DIALECT)) {
                let told = "The encrypted content could not be verified.";
                let wrong = Wrong::at(format!("{field}.encrypted_content"), told);
                return Err(wrong.coded("invalid_encrypted_content"));
            }
            let known = text_of(item, "id").is_some_and(|id| id.starts_with("rs_practice"));
            if sealed.is_none() && !known {
                return Err(not_found(field, item));
            }
        }
        _ => return Err(not_found(field, item)),
    }
    Ok(())
}

fn not_found(field: &str, item: &Value) -> Wrong {
    let id = text_of(item, "id").unwrap_or_default();
    Wrong {
        status: 404,
        ..Wrong::at(
            format!("{field}.id"),
            format!("Item with id '{id}' not found."),
        )
    }
}

/// The text and the media of a content.
fn content(field: &str, content: &Value) -> Result<(String, Vec<Media>), Wrong> {
    let Value::Array(parts) = content else {
        return Ok((content.as_str().unwrap_or_default().to_owned(), Vec::new()));
    };
    let (mut texts, mut media) = (Vec::new(), Vec::new());
    for (index, part) in parts.iter().enumerate() {
        let field = format!("{field}[{index}]");
        match text_of(part, "type").unwrap_or_default() {
            "input_image" => {
                let url = text_of(part, "image_url");
                let (None, Some(_)) = (url, text_of(part, "file_id")) else {
                    media.push(image(
                        &format!("{field}.image_url"),
                        url.unwrap_or_default(),
                    )?);
                    continue;
                };
                return Err(not_found(&field, part));
            }
            "input_file" => {
                let file = text_of(part, "file_data").or_else(|| text_of(part, "file_url"));
                let read = read_data_url("document", file.unwrap_or_default());
                media.push(read.map_err(|told| Wrong::at(format!("{field}.file_data"), told))?);
            }
            _ => texts.push(text_of(part, "text").unwrap_or_default()),
        }
    }
    Ok((texts.join("\n"), media))
}
