//! Reads a client's request.

mod config;
mod contents;
mod tools;

use serde_json::Value;

use super::{members, nested, object};
use crate::Asked;
use crate::interlingua::{Notes, Part, Refusal, Request};

/// Reads a `GenerateContentRequest`, or a `CountTokensRequest` of either form. The model and whether the
/// answer is streamed are the path's, in `asked`.
///
/// # Errors
/// If the body is not what the API documents, or asks for what another provider cannot give.
pub fn decode_request(
    body: &[u8],
    asked: &Asked<'_>,
    notes: &mut Notes,
) -> Result<Request, Refusal> {
    let mut fields = members::body(body)?;
    if let Some(inner) = nested(&mut fields, "generateContentRequest")? {
        fields.warn_of_rest(notes);
        fields = inner;
    }
    // Some clients repeat what the path says.
    fields.skip("model");
    if fields.peek("cachedContent").is_some() {
        return Err(fields.refusal(
            "cachedContent",
            "a prompt that is kept with Google; send it in `contents`",
        ));
    }
    let mut request = Request {
        model: asked.model.clone().into_owned(),
        stream: asked.stream,
        include_usage: true,
        ..Request::default()
    };
    if let Some(value) = fields.take("systemInstruction") {
        request.system = system(value, &fields.at("systemInstruction"), notes)?;
    }
    let Some(contents) = fields.take("contents") else {
        return Err(fields.refusal("contents", "missing"));
    };
    request.turns = contents::decode(contents, &fields.at("contents"), notes)?;
    request.tools = tools::decode(&mut fields, notes)?;
    tools::decode_choice(&mut fields, &mut request, notes)?;
    if let Some(config) = nested(&mut fields, "generationConfig")? {
        config::decode(config, &mut request, notes)?;
    }
    fields.warn_of_rest(notes);
    Ok(request)
}

/// The instructions: a content, its parts, or a text.
fn system(value: Value, path: &str, notes: &mut Notes) -> Result<Vec<Part>, Refusal> {
    let parts = contents::parts_of(value, path, notes)?;
    let mut system = Vec::new();
    for (index, part) in parts.into_iter().enumerate() {
        let mut fields = object(part, format!("{path}.parts[{index}]"))?;
        let text = fields.string("text")?;
        let text = text.ok_or_else(|| fields.refusal("text", "instructions must be text"))?;
        fields.warn_of_rest(notes);
        system.push(Part::text(text));
    }
    Ok(system)
}
