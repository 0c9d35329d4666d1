//! Decodes a client's request.

mod config;
mod contents;
mod tools;

use serde_json::Value;

use super::members::{self, nested, object};
use crate::RequestHead;
use crate::ir::{Part, Request, TranslationError, TranslationReport};

/// Decodes a `GenerateContentRequest`, or a `CountTokensRequest` of either form. `head` has the model, and
/// whether the response is streamed.
///
/// # Errors
/// If the body is not valid, or needs something that only Google has.
pub(crate) fn decode_request(
    body: &[u8],
    head: &RequestHead<'_>,
    report: &mut TranslationReport,
) -> Result<Request, TranslationError> {
    let mut fields = members::body(body)?;
    if let Some(inner) = nested(&mut fields, "generateContentRequest")? {
        fields.warn_unread(report);
        fields = inner;
    }
    // Some clients repeat the model of the path.
    fields.skip("model");
    if fields.peek("cachedContent").is_some() {
        return Err(fields.error(
            "cachedContent",
            "content cached at Google is not available to other providers; send it in `contents`",
        ));
    }
    let mut request = Request {
        model: head.model.clone().into_owned(),
        stream: head.stream,
        include_usage: true,
        ..Request::default()
    };
    if let Some(value) = fields.take("systemInstruction") {
        request.system = system(value, &fields.member_path("systemInstruction"), report)?;
    }
    let Some(contents) = fields.take("contents") else {
        return Err(fields.error("contents", "missing"));
    };
    request.turns = contents::decode(contents, &fields.member_path("contents"), report)?;
    request.tools = tools::decode(&mut fields, report)?;
    tools::decode_choice(&mut fields, &mut request, report)?;
    if let Some(config) = nested(&mut fields, "generationConfig")? {
        config::decode(config, &mut request, report)?;
    }
    fields.warn_unread(report);
    Ok(request)
}

/// Decodes the instructions: a content, one part, or a text.
fn system(
    value: Value,
    path: &str,
    report: &mut TranslationReport,
) -> Result<Vec<Part>, TranslationError> {
    let parts = contents::parts_of(value, path, report)?;
    let mut system = Vec::new();
    for (index, part) in parts.into_iter().enumerate() {
        let mut fields = object(part, format!("{path}.parts[{index}]"))?;
        let text = fields.string("text")?;
        let text = text.ok_or_else(|| fields.error("text", "instructions must be text"))?;
        fields.warn_unread(report);
        system.push(Part::text(text));
    }
    Ok(system)
}
