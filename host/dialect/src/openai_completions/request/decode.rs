//! Decodes requests.

use serde_json::Value;

use crate::RequestHead;
use crate::ir::{ObjectReader, Part, Request, Role, TranslationError, TranslationReport, Turn};
use crate::json;
use crate::openai_chat::{decode_sampling, decode_stop, include_usage, reject_multiple};

/// Decodes a request for a text completion (<https://platform.openai.com/docs/api-reference/completions>).
/// The prompt becomes a user's turn.
///
/// # Errors
/// If the request is not valid in the API, or needs something that no other dialect has.
pub(crate) fn decode_request(
    body: &[u8],
    head: &RequestHead<'_>,
    report: &mut TranslationReport,
) -> Result<Request, TranslationError> {
    let mut fields = ObjectReader::from_body(body)?;
    fields.skip("model");
    fields.skip("stream");
    reject_multiple(&mut fields, "n")?;
    reject_multiple(&mut fields, "best_of")?;
    if fields.flag("echo")? == Some(true) {
        return Err(TranslationError::new(
            "echo",
            "the model's provider does not repeat the prompt",
        ));
    }
    if fields
        .string("suffix")?
        .is_some_and(|suffix| !suffix.is_empty())
    {
        return Err(TranslationError::new(
            "suffix",
            "the model's provider can only continue a text",
        ));
    }
    let prompt = decode_prompt(&mut fields)?;
    let request = Request {
        model: head.model.clone().into_owned(),
        stream: head.stream,
        include_usage: include_usage(&mut fields, report)?,
        turns: vec![Turn {
            role: Role::User,
            parts: vec![Part::text(prompt)],
        }],
        stop: decode_stop(&mut fields)?,
        sampling: decode_sampling(&mut fields, report)?,
        user: fields.string("user")?,
        ..Request::default()
    };
    fields.warn_unread(report);
    Ok(request)
}

/// Takes the member `prompt`: one text, or a list of one text.
fn decode_prompt(fields: &mut ObjectReader) -> Result<String, TranslationError> {
    let prompt = match fields.take("prompt") {
        Some(Value::Array(mut prompts)) => match prompts.pop() {
            Some(prompt) if prompts.is_empty() => Some(prompt),
            _ => {
                return Err(TranslationError::new(
                    "prompt",
                    "must be one text; send one request for each text",
                ));
            }
        },
        prompt => prompt,
    };
    let prompt = prompt.ok_or_else(|| TranslationError::new("prompt", "missing"))?;
    match json::into_string(prompt) {
        Some(prompt) if prompt.is_empty() => {
            Err(TranslationError::new("prompt", "must not be empty"))
        }
        Some(prompt) => Ok(prompt),
        None => Err(TranslationError::new(
            "prompt",
            "must be text: tokens are not portable between providers",
        )),
    }
}
