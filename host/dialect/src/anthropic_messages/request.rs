//! Reads a client's request, for an answer or for a count of its tokens.

use serde_json::Value;

use super::{content, offer, thinking};
use crate::Asked;
use crate::interlingua::{Fields, Notes, Part, Refusal, Request, Sampling};

/// Reads a request's body. A request for a count has no `max_tokens`; a request for an answer without
/// one leaves it to the provider.
///
/// # Errors
/// If a member is not what the API says it is, or asks for what no other provider can do.
pub fn decode_request(
    body: &[u8],
    asked: &Asked<'_>,
    notes: &mut Notes,
) -> Result<Request, Refusal> {
    let mut fields = Fields::of_body(body)?;
    fields.skip("model");
    fields.skip("stream");
    refuse_what_is_elsewhere(&mut fields)?;
    drop_cache_control(&mut fields, notes);
    let mut request = Request {
        model: asked.model.to_string(),
        stream: asked.stream,
        include_usage: true,
        system: system(&mut fields, notes)?,
        ..Request::default()
    };
    content::read(&mut fields, &mut request, notes)?;
    offer::read(&mut fields, &mut request, notes)?;
    thinking::read(&mut fields, &mut request, notes)?;
    request.sampling = sampling(&mut fields)?;
    request.stop = texts(&mut fields, "stop_sequences")?;
    if let Some(mut metadata) = fields.object("metadata")? {
        request.user = metadata.string("user_id")?;
        metadata.warn_of_rest(notes);
    }
    if let Some(tier) = fields.string("service_tier")? {
        // OpenAI's words for the same two.
        let tier = match tier.as_str() {
            "auto" => "auto",
            "standard_only" => "default",
            _ => return Err(fields.refusal("service_tier", "must be auto or standard_only")),
        };
        request
            .openai
            .insert("service_tier".to_owned(), tier.into());
    }
    fields.warn_of_rest(notes);
    Ok(request)
}

/// Refuses what would be answered wrongly without: a conversation that the provider keeps, and a promise
/// about the place where the model runs.
fn refuse_what_is_elsewhere(fields: &mut Fields) -> Result<(), Refusal> {
    if fields.take("thread").is_some() {
        let what = "other providers know nothing of the conversation: send all of it in messages";
        return Err(fields.refusal("thread", what));
    }
    match fields.string("inference_geo")?.as_deref() {
        None | Some("global") => Ok(()),
        Some(_) => Err(fields.refusal("inference_geo", "no other provider can promise it")),
    }
}

/// Other providers cache what they like. One warning stands for all places.
pub(super) fn drop_cache_control(fields: &mut Fields, notes: &mut Notes) {
    if fields.take("cache_control").is_some() {
        notes.dropped("cache_control");
    }
}

fn system(fields: &mut Fields, notes: &mut Notes) -> Result<Vec<Part>, Refusal> {
    if let Some(Value::String(text)) = fields.peek("system") {
        let text = text.clone();
        fields.skip("system");
        return Ok(content::some_text(text).into_iter().collect());
    }
    let mut parts = Vec::new();
    for mut block in fields.objects("system")? {
        if block.needed_string("type")? != "text" {
            return Err(block.refusal("type", "must be text"));
        }
        drop_cache_control(&mut block, notes);
        parts.extend(content::some_text(block.needed_string("text")?));
        block.warn_of_rest(notes);
    }
    Ok(parts)
}

fn sampling(fields: &mut Fields) -> Result<Sampling, Refusal> {
    let tokens_max = fields.count("max_tokens")?;
    if tokens_max == Some(0) {
        let what = "must be 1 or more: 0 warms a cache that other providers do not have";
        return Err(fields.refusal("max_tokens", what));
    }
    Ok(Sampling {
        temperature: fields.number("temperature")?,
        top_p: fields.number("top_p")?,
        top_k: fields.count("top_k")?,
        tokens_max,
        ..Sampling::default()
    })
}

fn texts(fields: &mut Fields, name: &str) -> Result<Vec<String>, Refusal> {
    let list = fields.list(name)?;
    let text = |value| match value {
        Value::String(text) => Ok(text),
        _ => Err(fields.refusal(name, "must be an array of strings")),
    };
    list.into_iter().map(text).collect()
}
