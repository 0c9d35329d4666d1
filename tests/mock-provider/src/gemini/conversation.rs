//! Reads and checks the contents: each part has one kind, each function call gets its response in the
//! next content, by name, and thought signatures come back unchanged.

use serde_json::Value;

use super::DIALECT;
use crate::media::read_base64;
use crate::request::{Media, RequestError, Turn, array_member, str_member};
use crate::signature::is_own_signature;

/// The contents, as far as the response depends on them.
#[derive(Default)]
pub(super) struct GeminiConversation {
    pub(super) texts: Vec<String>,
    pub(super) media: Vec<Media>,
    pub(super) turn: Turn,
    /// The texts of the user's last content.
    pub(super) prompt: String,
    /// The number of function calls so far.
    pub(super) calls: usize,
    /// The previous content's function calls that have no response yet.
    pending: Vec<PendingCall>,
}

struct PendingCall {
    name: String,
    /// Optional in Gemini's API.
    id: Option<String>,
}

/// The members of a part that exclude each other.
const PART_KINDS: [&str; 7] = [
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
];

/// Gemini accepts these in place of a signature (its guide "Thought signatures").
const SIGNATURE_PLACEHOLDERS: [&str; 2] = [
    "context_engineering_is_the_way_to_go",
    "skip_thought_signature_validator",
];

/// Reads the contents. With `signatures_required`, the first function call of a content needs a signature.
pub(super) fn read_conversation(
    contents: &[Value],
    signatures_required: bool,
) -> Result<GeminiConversation, RequestError> {
    if contents.is_empty() {
        return Err(RequestError::at("contents", "contents is not specified"));
    }
    let mut conversation = GeminiConversation::default();
    for (index, content) in contents.iter().enumerate() {
        let field = format!("contents[{index}]");
        let parts = array_member(content, "parts");
        if parts.is_empty() {
            return Err(RequestError::at(
                format!("{field}.parts"),
                "must include at least one parts field",
            ));
        }
        for (index, part) in parts.iter().enumerate() {
            check_part(&format!("{field}.parts[{index}]"), part)?;
        }
        if str_member(content, "role") == Some("model") {
            read_model(&mut conversation, &field, parts, signatures_required)?;
        } else {
            read_user(&mut conversation, &field, parts)?;
        }
    }
    match conversation.pending.is_empty() {
        true => Ok(conversation),
        false => Err(response_count_mismatch(&format!(
            "contents[{}]",
            contents.len() - 1
        ))),
    }
}

fn response_count_mismatch(field: &str) -> RequestError {
    let reason = "the number of function response parts must equal the number of function call parts \
        of the function call turn";
    RequestError::at(field, reason)
}

fn check_part(field: &str, part: &Value) -> Result<(), RequestError> {
    let kinds = PART_KINDS
        .iter()
        .filter(|kind| part.get(**kind).is_some())
        .count();
    if kinds != 1 {
        let reason = "required oneof field 'data' must have one initialized field";
        return Err(RequestError::at(format!("{field}.data"), reason));
    }
    let Some(signature) = str_member(part, "thoughtSignature") else {
        return Ok(());
    };
    if is_own_signature(&standard_base64(signature), DIALECT)
        || SIGNATURE_PLACEHOLDERS.contains(&signature)
    {
        return Ok(());
    }
    Err(RequestError::at(
        format!("{field}.thought_signature"),
        "Thought signature is not valid",
    ))
}

fn read_model(
    conversation: &mut GeminiConversation,
    field: &str,
    parts: &[Value],
    signatures_required: bool,
) -> Result<(), RequestError> {
    if !conversation.pending.is_empty() {
        return Err(response_count_mismatch(field));
    }
    let calls = parts
        .iter()
        .enumerate()
        .filter(|(_, part)| part.get("functionCall").is_some());
    for (place, (index, part)) in calls.enumerate() {
        let call = &part["functionCall"];
        if conversation.texts.is_empty() && place == 0 {
            let reason = "a function call turn comes immediately after a user turn or a function response turn";
            return Err(RequestError::at(field, reason));
        }
        if signatures_required && place == 0 && part.get("thoughtSignature").is_none() {
            let reason = "Function call is missing a thought_signature";
            return Err(RequestError::at(
                format!("{field}.parts[{index}].thought_signature"),
                reason,
            ));
        }
        conversation.pending.push(PendingCall {
            name: str_member(call, "name").unwrap_or_default().to_owned(),
            id: str_member(call, "id").map(str::to_owned),
        });
        conversation.calls += 1;
    }
    if parts
        .iter()
        .any(|part| part.get("functionResponse").is_some())
    {
        return Err(RequestError::at(
            field,
            "only a user content may have function responses",
        ));
    }
    let text = join_texts(parts);
    conversation.texts.push(text.clone());
    (conversation.turn, conversation.media) = (Turn::Prompt(text), Vec::new());
    Ok(())
}

fn read_user(
    conversation: &mut GeminiConversation,
    field: &str,
    parts: &[Value],
) -> Result<(), RequestError> {
    let (mut results, mut media) = (Vec::new(), Vec::new());
    for (index, part) in parts.iter().enumerate() {
        let field = format!("{field}.parts[{index}]");
        if part.get("functionCall").is_some() {
            return Err(RequestError::at(
                field,
                "only a model content may have function calls",
            ));
        }
        if let Some(response) = part.get("functionResponse") {
            let field = format!("{field}.function_response");
            results.push(read_function_response(
                &mut conversation.pending,
                &field,
                response,
            )?);
            for inner in array_member(response, "parts") {
                media.extend(read_media(&field, inner)?);
            }
        }
        media.extend(read_media(&field, part)?);
    }
    if !conversation.pending.is_empty() {
        return Err(response_count_mismatch(field));
    }
    let text = join_texts(parts);
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

/// Reads a function response. It matches an open call by its name and, if it has one, its id.
fn read_function_response(
    pending: &mut Vec<PendingCall>,
    field: &str,
    response: &Value,
) -> Result<String, RequestError> {
    let (name, id) = (
        str_member(response, "name").unwrap_or_default(),
        str_member(response, "id"),
    );
    let matches_call =
        |call: &PendingCall| call.name == name && (id.is_none() || id == call.id.as_deref());
    let Some(place) = pending.iter().position(matches_call) else {
        let reason = format!("the previous turn has no function call for this response: {name}");
        return Err(RequestError::at(format!("{field}.name"), reason));
    };
    pending.remove(place);
    let result = &response["response"];
    let output = ["output", "result", "error"]
        .into_iter()
        .find_map(|name| result.get(name));
    Ok(match output.unwrap_or(result) {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}

/// Reads an image or document part; returns nothing for other parts.
fn read_media(field: &str, part: &Value) -> Result<Option<Media>, RequestError> {
    let kind = |media_type: &str| {
        if media_type.starts_with("image/") {
            "image"
        } else {
            "document"
        }
    };
    if let Some(file) = part.get("fileData") {
        return Ok(Some(Media {
            kind: kind(str_member(file, "mimeType").unwrap_or("image/")),
            label: str_member(file, "fileUri").unwrap_or_default().to_owned(),
            bytes: None,
        }));
    }
    let Some(data) = part.get("inlineData") else {
        return Ok(None);
    };
    let media_type = str_member(data, "mimeType").unwrap_or_default();
    if !media_type.contains('/') {
        return Err(RequestError::at(
            format!("{field}.inline_data.mime_type"),
            "Unsupported MIME type",
        ));
    }
    let bytes = standard_base64(str_member(data, "data").unwrap_or_default());
    let read = read_base64(kind(media_type), media_type, &bytes);
    read.map(Some)
        .map_err(|reason| RequestError::at(format!("{field}.inline_data.data"), reason))
}

/// Converts base64 to the standard alphabet with padding. JSON of protocol buffers allows both alphabets,
/// with or without padding; Google's Python SDK writes the URL-safe one.
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

/// Joins the texts of a content, without thoughts.
pub(super) fn content_text(content: &Value) -> String {
    join_texts(array_member(content, "parts"))
}

fn join_texts(parts: &[Value]) -> String {
    let visible = parts
        .iter()
        .filter(|part| part["thought"] != Value::Bool(true));
    visible
        .filter_map(|part| str_member(part, "text"))
        .collect::<Vec<_>>()
        .join("\n")
}
