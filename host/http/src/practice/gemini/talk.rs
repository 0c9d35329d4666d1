//! Whether a conversation of contents holds: each part is of one kind, each call of a function is
//! answered at once and by name, and signatures of thoughts come back as they were given.

use serde_json::Value;

use super::DIALECT;
use crate::practice::asked::{Media, Turn, Wrong, items_of, text_of};
use crate::practice::media::read_base64;
use crate::practice::signature::is_ours;

/// What the contents come to.
#[derive(Default)]
pub(super) struct Talk {
    pub(super) texts: Vec<String>,
    pub(super) media: Vec<Media>,
    pub(super) turn: Turn,
    /// The texts of the user's last content.
    pub(super) prompt: String,
    /// Calls of functions so far.
    pub(super) calls: usize,
    /// Calls of the content before, that are not answered yet: names and ids.
    open: Vec<(String, Option<String>)>,
}

/// What a part may be; it is one of these.
const KINDS: [&str; 7] = [
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
];

/// What may stand for a signature where none was given, by the guide "Thought signatures".
const NO_SIGNATURES: [&str; 2] = [
    "context_engineering_is_the_way_to_go",
    "skip_thought_signature_validator",
];

/// Reads the contents. Some models want the signature of each first call back.
pub(super) fn talk(contents: &[Value], signed: bool) -> Result<Talk, Wrong> {
    if contents.is_empty() {
        return Err(Wrong::at("contents", "contents is not specified"));
    }
    let mut talk = Talk::default();
    for (index, content) in contents.iter().enumerate() {
        let field = format!("contents[{index}]");
        let parts = items_of(content, "parts");
        if parts.is_empty() {
            return Err(Wrong::at(
                format!("{field}.parts"),
                "must include at least one parts field",
            ));
        }
        for (index, part) in parts.iter().enumerate() {
            check_part(&format!("{field}.parts[{index}]"), part)?;
        }
        if text_of(content, "role") == Some("model") {
            model(&mut talk, &field, parts, signed)?;
        } else {
            user(&mut talk, &field, parts)?;
        }
    }
    match talk.open.is_empty() {
        true => Ok(talk),
        false => Err(uneven(&format!("contents[{}]", contents.len() - 1))),
    }
}

fn uneven(field: &str) -> Wrong {
    let told = "the number of function response parts must equal the number of function call parts \
        of the function call turn";
    Wrong::at(field, told)
}

fn check_part(field: &str, part: &Value) -> Result<(), Wrong> {
    let kinds = KINDS
        .iter()
        .filter(|kind| part.get(**kind).is_some())
        .count();
    if kinds != 1 {
        let told = "required oneof field 'data' must have one initialized field";
        return Err(Wrong::at(format!("{field}.data"), told));
    }
    let Some(signature) = text_of(part, "thoughtSignature") else {
        return Ok(());
    };
    if is_ours(&standard_base64(signature), DIALECT) || NO_SIGNATURES.contains(&signature) {
        return Ok(());
    }
    Err(Wrong::at(
        format!("{field}.thought_signature"),
        "Thought signature is not valid",
    ))
}

fn model(talk: &mut Talk, field: &str, parts: &[Value], signed: bool) -> Result<(), Wrong> {
    if !talk.open.is_empty() {
        return Err(uneven(field));
    }
    let calls = parts
        .iter()
        .enumerate()
        .filter(|(_, part)| part.get("functionCall").is_some());
    for (place, (index, part)) in calls.enumerate() {
        let call = &part["functionCall"];
        if talk.texts.is_empty() && place == 0 {
            let told = "a function call turn comes immediately after a user turn or a function response turn";
            return Err(Wrong::at(field, told));
        }
        if signed && place == 0 && part.get("thoughtSignature").is_none() {
            let told = "Function call is missing a thought_signature";
            return Err(Wrong::at(
                format!("{field}.parts[{index}].thought_signature"),
                told,
            ));
        }
        let id = text_of(call, "id").map(str::to_owned);
        talk.open
            .push((text_of(call, "name").unwrap_or_default().to_owned(), id));
        talk.calls += 1;
    }
    if parts
        .iter()
        .any(|part| part.get("functionResponse").is_some())
    {
        return Err(Wrong::at(
            field,
            "a function response is of the user, not of the model",
        ));
    }
    let text = texts_of(parts);
    talk.texts.push(text.clone());
    (talk.turn, talk.media) = (Turn::Prompt(text), Vec::new());
    Ok(())
}

fn user(talk: &mut Talk, field: &str, parts: &[Value]) -> Result<(), Wrong> {
    let (mut results, mut media) = (Vec::new(), Vec::new());
    for (index, part) in parts.iter().enumerate() {
        let field = format!("{field}.parts[{index}]");
        if part.get("functionCall").is_some() {
            return Err(Wrong::at(
                field,
                "a function call is of the model, not of the user",
            ));
        }
        if let Some(answer) = part.get("functionResponse") {
            let field = format!("{field}.function_response");
            results.push(response(&mut talk.open, &field, answer)?);
            for inner in items_of(answer, "parts") {
                media.extend(read_media(&field, inner)?);
            }
        }
        media.extend(read_media(&field, part)?);
    }
    if !talk.open.is_empty() {
        return Err(uneven(field));
    }
    let text = texts_of(parts);
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

/// What a function answered. An answer is found by its id or, if it has none, by its name.
fn response(
    open: &mut Vec<(String, Option<String>)>,
    field: &str,
    answer: &Value,
) -> Result<String, Wrong> {
    let (name, id) = (
        text_of(answer, "name").unwrap_or_default(),
        text_of(answer, "id"),
    );
    let answers = |(called, known): &(String, Option<String>)| {
        called == name && (id.is_none() || id == known.as_deref())
    };
    let Some(place) = open.iter().position(answers) else {
        let told = format!("it answers no function call of the turn before: {name}");
        return Err(Wrong::at(format!("{field}.name"), told));
    };
    open.remove(place);
    let result = &answer["response"];
    let told = ["output", "result", "error"]
        .into_iter()
        .find_map(|name| result.get(name));
    Ok(match told.unwrap_or(result) {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}

/// The image or document that a part is, if it is one.
fn read_media(field: &str, part: &Value) -> Result<Option<Media>, Wrong> {
    let kind = |media_type: &str| {
        if media_type.starts_with("image/") {
            "image"
        } else {
            "document"
        }
    };
    if let Some(file) = part.get("fileData") {
        return Ok(Some(Media {
            kind: kind(text_of(file, "mimeType").unwrap_or("image/")),
            about: text_of(file, "fileUri").unwrap_or_default().to_owned(),
            bytes: None,
        }));
    }
    let Some(data) = part.get("inlineData") else {
        return Ok(None);
    };
    let media_type = text_of(data, "mimeType").unwrap_or_default();
    if !media_type.contains('/') {
        return Err(Wrong::at(
            format!("{field}.inline_data.mime_type"),
            "Unsupported MIME type",
        ));
    }
    let bytes = standard_base64(text_of(data, "data").unwrap_or_default());
    let read = read_base64(kind(media_type), media_type, &bytes);
    read.map(Some)
        .map_err(|told| Wrong::at(format!("{field}.inline_data.data"), told))
}

/// Protocol buffers read both alphabets of base64, with its padding or without; Google's SDK for Python
/// writes that for URLs.
fn standard_base64(text: &str) -> String {
    let mut standard = text
        .trim_end_matches('=')
        .replace('-', "+")
        .replace('_', "/");
    while !standard.len().is_multiple_of(4) {
        standard.push('=');
    }
    standard
}

/// The texts of a content.
pub(super) fn texts(content: &Value) -> String {
    texts_of(items_of(content, "parts"))
}

fn texts_of(parts: &[Value]) -> String {
    let said = parts
        .iter()
        .filter(|part| part["thought"] != Value::Bool(true));
    said.filter_map(|part| text_of(part, "text"))
        .collect::<Vec<_>>()
        .join("\n")
}
