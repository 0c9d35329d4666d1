//! Encodes a request for a provider.

mod config;
pub(crate) mod contents;
mod tools;

use serde_json::{Map, Value, json};

pub(crate) use config::thinking as thinking_config;

use crate::ir::{Part, Request, Role, ToolChoice, TranslationError, TranslationReport, loss};
use crate::json::object;
use crate::json::to_vec;
use crate::traits::Traits;

/// Encodes a `GenerateContentRequest`. The model, and whether the response is streamed, are in the URL.
///
/// # Errors
/// If the request has something that the API cannot express and that the response depends on.
pub(crate) fn encode_request(
    request: &Request,
    traits: &Traits,
    report: &mut TranslationReport,
) -> Result<Vec<u8>, TranslationError> {
    body(request, traits, report).map(|body| to_vec(&body))
}

/// Builds the members of a `GenerateContentRequest`, in Google's order.
///
/// # Errors
/// As [`encode_request`].
pub(crate) fn body(
    request: &Request,
    traits: &Traits,
    report: &mut TranslationReport,
) -> Result<Map<String, Value>, TranslationError> {
    let mut body = Map::new();
    let mut system = system(request, report)?;
    let mut contents = contents::encode(request, traits.images, report)?;
    if contents.is_empty() && !system.is_empty() {
        report.warn("system", loss::SYSTEM_AS_USER);
        contents.push(object! {"role": "user", "parts": std::mem::take(&mut system)});
    }
    match contents.first() {
        None => return Err(TranslationError::empty_conversation()),
        // The API rejects a call that does not come after a user's turn or a result.
        Some(first) if first["role"] == "model" => {
            report.warn("messages", loss::FIRST_USER_ADDED);
            let parts = vec![json!({"text": loss::FIRST_USER_TEXT})];
            contents.insert(0, object! {"role": "user", "parts": parts});
        }
        Some(_) => {}
    }
    body.insert("contents".to_owned(), contents.into());
    if !system.is_empty() {
        body.insert("systemInstruction".to_owned(), object! {"parts": system});
    }
    if let Some(tools) = tools::encode(request) {
        body.insert("tools".to_owned(), tools);
    }
    if request.tools.is_empty() {
        if request
            .tool_choice
            .as_ref()
            .is_some_and(ToolChoice::requires_call)
        {
            report.warn("tool_choice", loss::NO_TOOLS);
        }
    } else if let Some(choice) = tools::encode_choice(request) {
        body.insert(
            "toolConfig".to_owned(),
            json!({"functionCallingConfig": choice}),
        );
    }
    let config = config::encode(request, traits, report);
    if !config.is_empty() {
        body.insert("generationConfig".to_owned(), config.into());
    }
    if request.parallel_tools == Some(false) {
        report.warn_dropped("parallel_tool_calls");
    }
    if request.user.is_some() {
        report.warn_dropped("user");
    }
    for (name, value) in &request.openai {
        // `false` switches off what this API does not do anyway, so it is no loss.
        if *value != Value::Bool(false) {
            report.warn_dropped(name.as_str());
        }
    }
    Ok(body)
}

/// Encodes the instructions. Those inside of the conversation are moved to the end of the others.
fn system(
    request: &Request,
    report: &mut TranslationReport,
) -> Result<Vec<Value>, TranslationError> {
    let later = request
        .turns
        .iter()
        .filter(|turn| turn.role == Role::System);
    let mut later = later.flat_map(|turn| &turn.parts).peekable();
    if later.peek().is_some() {
        report.warn(loss::INSTRUCTIONS, loss::INSTRUCTIONS_MOVED);
    }
    let parts = request.system.iter().chain(later);
    parts
        .filter_map(|part| match part {
            Part::Text { text, .. } if text.is_empty() => None,
            Part::Text { text, .. } => Some(Ok(json!({"text": text}))),
            _ => Some(Err(TranslationError::new(
                "system",
                "instructions must be text",
            ))),
        })
        .collect()
}
