//! Encodes `contents`: the conversation.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::gemini::DIALECT;
use crate::gemini::{media, reasoning};
use crate::ir::tool_text::arguments_object;
use crate::ir::{
    Part, ReasoningPart, Request, Role, ToolCall, ToolResult, TranslationError, TranslationReport,
    loss,
};
use crate::json::object;
use crate::traits::ImagePlaces;

/// Encodes all turns except those of [`Role::System`].
///
/// # Errors
/// If a part cannot be translated, or a tool result has no tool call before it.
pub(crate) fn encode(
    request: &Request,
    images: ImagePlaces,
    report: &mut TranslationReport,
) -> Result<Vec<Value>, TranslationError> {
    let mut contents: Vec<Value> = Vec::new();
    // Results in OpenAI's dialects have only the call's id. This API requires the name too.
    let mut names = HashMap::new();
    let mut add = |role: &str, parts: Vec<Value>| {
        // A turn is empty if all of its parts are reasoning that only another provider can read.
        if !parts.is_empty() {
            contents.push(object! {"role": role, "parts": parts});
        }
    };
    for turn in &request.turns {
        match turn.role {
            Role::System => {}
            Role::Assistant => add("model", model_parts(&turn.parts, &mut names, report)?),
            Role::User => {
                let mut user = user_parts(&turn.parts, &names, images, report)?;
                // The API counts the parts after several calls: with others among them, it rejects the results
                // (google-gemini/gemini-cli#16135).
                if user.results.len() > 1 {
                    add("user", std::mem::take(&mut user.results));
                }
                user.results.append(&mut user.others);
                add("user", user.results);
            }
        }
    }
    Ok(contents)
}

fn model_parts<'a>(
    parts: &'a [Part],
    names: &mut HashMap<&'a str, &'a str>,
    report: &mut TranslationReport,
) -> Result<Vec<Value>, TranslationError> {
    let mut written = Vec::new();
    // Of parallel calls only the first one has the signature of the step.
    let mut first = true;
    // Gemini signs the part after shown reasoning, not the reasoning. Unsigned reasoning in a signed turn is
    // no loss, so it gets no warning.
    let signed = parts.iter().any(|part| own_signature(part).is_some());
    for part in parts {
        match part {
            Part::Reasoning(reasoning) => written.extend(reasoning_part(reasoning, signed, report)),
            Part::ToolCall(call) => {
                names.insert(&call.id, &call.name);
                written.push(function_call(call, first, report));
                first = false;
            }
            other => written.extend(plain_part(other, report)?),
        }
    }
    Ok(written)
}

/// The encoded parts of a user's turn.
#[derive(Default)]
struct UserParts {
    results: Vec<Value>,
    /// All others, which follow the results.
    others: Vec<Value>,
}

fn user_parts(
    parts: &[Part],
    names: &HashMap<&str, &str>,
    images: ImagePlaces,
    report: &mut TranslationReport,
) -> Result<UserParts, TranslationError> {
    let mut encoded = UserParts::default();
    for part in parts {
        match part {
            Part::ToolResult(result) => {
                let result = function_response(result, names, images, &mut encoded.others, report)?;
                encoded.results.push(result);
            }
            Part::Reasoning(_) | Part::ToolCall(_) => report.warn_dropped(loss::CONTENT),
            other => encoded.others.extend(plain_part(other, report)?),
        }
    }
    Ok(encoded)
}

/// Encodes a part that turns of both roles may have; `None` if it is empty.
fn plain_part(
    part: &Part,
    report: &mut TranslationReport,
) -> Result<Option<Value>, TranslationError> {
    Ok(match part {
        Part::Text { text, citations } => {
            if !citations.is_empty() {
                report.warn_dropped(loss::CITATIONS);
            }
            text_part(text)
        }
        Part::Refusal(text) => text_part(text),
        other => media::encode(other, report)?,
    })
}

fn text_part(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| json!({"text": text}))
}

/// Returns the signature of a part if it is Gemini's.
fn own_signature(part: &Part) -> Option<&str> {
    let signature = match part {
        Part::Reasoning(reasoning) => reasoning.signature.as_ref(),
        Part::ToolCall(call) => call.signature.as_ref(),
        _ => None,
    };
    signature?.data_for(DIALECT)
}

/// Encodes reasoning with its signature; `None` without one, because the API ignores unsigned reasoning.
fn reasoning_part(
    reasoning: &ReasoningPart,
    signed: bool,
    report: &mut TranslationReport,
) -> Option<Value> {
    let signature = reasoning.signature.as_ref();
    let Some(own) = signature.and_then(|signature| signature.data_for(DIALECT)) else {
        if !signed || signature.is_some() {
            report.warn(loss::REASONING, loss::REASONING_DROPPED);
        }
        return None;
    };
    let mut part = json!({"text": reasoning.text, "thoughtSignature": own});
    if reasoning.redacted || !reasoning.text.is_empty() {
        part["thought"] = true.into();
    }
    Some(part)
}

fn function_call(call: &ToolCall, first: bool, report: &mut TranslationReport) -> Value {
    let args = arguments_object(&call.arguments);
    let call_of = object! {"id": call.id.as_str(), "name": call.name.as_str(), "args": args};
    let mut part = object! {"functionCall": call_of};
    let own = call.signature.as_ref();
    let own = own.and_then(|signature| signature.data_for(DIALECT));
    if own.is_none() && call.signature.is_some() {
        report.warn(loss::CALL_SIGNATURE, loss::CALL_SIGNATURE_DROPPED);
    }
    if let Some(signature) = own.or(first.then_some(reasoning::PLACEHOLDER)) {
        part["thoughtSignature"] = signature.into();
    }
    part
}

/// Whether the API takes media inside of a result: data of these types
/// (<https://ai.google.dev/gemini-api/docs/function-calling>).
fn may_be_inside(media: &Value) -> bool {
    let media_type = media["inlineData"]["mimeType"].as_str();
    media_type.is_some_and(|kind| {
        kind.starts_with("image/") || ["application/pdf", "text/plain"].contains(&kind)
    })
}

/// The text of a result that is after it.
const BESIDE_TEXT: &str = "(The result follows.)";

fn function_response(
    result: &ToolResult,
    names: &HashMap<&str, &str>,
    images: ImagePlaces,
    beside: &mut Vec<Value>,
    report: &mut TranslationReport,
) -> Result<Value, TranslationError> {
    let known = || names.get(result.call_id.as_str()).copied();
    let name = result
        .name
        .as_deref()
        .or_else(known)
        .ok_or_else(|| TranslationError::new("tool_call_id", ToolResult::UNKNOWN_CALL))?;
    let mut texts = Vec::new();
    let mut inline = Vec::new();
    let mut is_beside = false;
    for part in &result.parts {
        match part {
            Part::Text { text, .. } | Part::Refusal(text) => texts.push(text.as_str()),
            other => {
                let Some(media) = media::encode(other, report)? else {
                    continue;
                };
                if images == ImagePlaces::Everywhere && may_be_inside(&media) {
                    inline.push(media);
                } else {
                    report.warn(
                        loss::TOOL_RESULT,
                        "changed: what is not text is sent after the result, not inside of it",
                    );
                    beside.push(media);
                    is_beside = true;
                }
            }
        }
    }
    // The API documents these two names for a result and for a failure.
    let key = if result.is_error { "error" } else { "output" };
    let mut response = json!({
        "id": result.call_id,
        "name": name,
        "response": {},
    });
    if is_beside && texts.is_empty() {
        texts.push(BESIDE_TEXT);
    }
    // Only the name of this member marks a failure, so a failure has it even without a text.
    if !texts.is_empty() || result.is_error {
        response["response"][key] = texts.join("\n").into();
    }
    if !inline.is_empty() {
        response["parts"] = inline.into();
    }
    Ok(object! {"functionResponse": response})
}
