//! Decodes requests for content and for token counts.

mod messages;

use serde_json::Value;

use super::{SERVICE_TIERS, cache_control};
use crate::RequestHead;
use crate::anthropic::billing_header::without_billing_header;
use crate::anthropic::{reasoning, tools};
use crate::ir::{ObjectReader, Part, Request, Sampling, TranslationError, TranslationReport};

/// Decodes a request. Requests for token counts have no `max_tokens`; without it, the limit is the
/// provider's.
///
/// # Errors
/// If a member is not valid in the API, or needs something that no other provider has.
pub(crate) fn decode_request(
    body: &[u8],
    head: &RequestHead<'_>,
    report: &mut TranslationReport,
) -> Result<Request, TranslationError> {
    let mut fields = ObjectReader::from_body(body)?;
    fields.skip("model");
    fields.skip("stream");
    reject_provider_state(&mut fields)?;
    cache_control::drop(&mut fields, report);
    let mut request = Request {
        model: head.model.to_string(),
        stream: head.stream,
        include_usage: true,
        system: decode_system(&mut fields, report)?,
        ..Request::default()
    };
    messages::decode(&mut fields, &mut request, report)?;
    tools::decode(&mut fields, &mut request, report)?;
    reasoning::decode(&mut fields, &mut request, report)?;
    request.sampling = decode_sampling(&mut fields)?;
    request.stop = fields.strings("stop_sequences")?;
    if let Some(mut metadata) = fields.object("metadata")? {
        request.user = metadata.string("user_id")?;
        metadata.warn_unread(report);
    }
    if let Some(tier) = fields.string("service_tier")? {
        let known = SERVICE_TIERS.iter().find(|(name, _)| *name == tier);
        let error = || fields.error("service_tier", "must be auto or standard_only");
        let (_, tier) = *known.ok_or_else(error)?;
        request
            .openai
            .insert("service_tier".to_owned(), tier.into());
    }
    fields.warn_unread(report);
    Ok(request)
}

/// Rejects members whose loss would make the response wrong: a conversation that the provider stores,
/// and the region where the model runs.
fn reject_provider_state(fields: &mut ObjectReader) -> Result<(), TranslationError> {
    if fields.take("thread").is_some() {
        let what = "other providers do not have the conversation; send all of it in `messages`";
        return Err(fields.error("thread", what));
    }
    match fields.string("inference_geo")?.as_deref() {
        None | Some("global") => Ok(()),
        Some(_) => Err(fields.error("inference_geo", "no other provider can guarantee it")),
    }
}

fn decode_system(
    fields: &mut ObjectReader,
    report: &mut TranslationReport,
) -> Result<Vec<Part>, TranslationError> {
    if let Some(Value::String(_)) = fields.peek("system") {
        let text = fields.required_string("system")?;
        let text = without_billing_header(&text, report).to_owned();
        return Ok(messages::non_empty_text(text).into_iter().collect());
    }
    let mut parts = Vec::new();
    for mut block in fields.objects("system")? {
        if block.required_string("type")? != "text" {
            return Err(block.error("type", "must be text"));
        }
        cache_control::drop(&mut block, report);
        let text = block.required_string("text")?;
        let text = without_billing_header(&text, report).to_owned();
        parts.extend(messages::non_empty_text(text));
        block.warn_unread(report);
    }
    Ok(parts)
}

fn decode_sampling(fields: &mut ObjectReader) -> Result<Sampling, TranslationError> {
    let tokens_max = fields.count("max_tokens")?;
    if tokens_max == Some(0) {
        let what = "must be 1 or more: 0 only fills a cache, which other providers do not have";
        return Err(fields.error("max_tokens", what));
    }
    Ok(Sampling {
        temperature: fields.number("temperature")?,
        top_p: fields.number("top_p")?,
        top_k: fields.count("top_k")?,
        tokens_max,
        ..Sampling::default()
    })
}
