//! Decodes requests.

mod content;
mod messages;
mod tools;

use serde_json::Value;

use self::messages::ConversationReader;
use crate::RequestHead;
use crate::ir::{
    Effort, Format, ObjectReader, Reasoning, Request, Sampling, ToolChoice, TranslationError,
    TranslationReport,
};

/// Decodes a request for a chat completion (<https://platform.openai.com/docs/api-reference/chat/create>).
/// This includes deprecated members, and some members of other providers that clients use.
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
    reject_unsupported(&mut fields)?;
    let mut conversation = ConversationReader::default();
    let messages = fields.objects("messages")?;
    if messages.is_empty() {
        return Err(TranslationError::new("messages", "must not be empty"));
    }
    for (index, message) in messages.into_iter().enumerate() {
        conversation.message(index, message, report)?;
    }
    // At the top it means the whole prompt.
    let mut cache = content::cache_mark(&mut fields);
    let tools = tools::decode_tools(&mut fields, &mut cache, report)?;
    let request = Request {
        model: head.model.clone().into_owned(),
        stream: head.stream,
        include_usage: include_usage(&mut fields, report)?,
        system: conversation.system,
        turns: conversation.turns,
        tools,
        cache,
        tool_choice: decode_tool_choice(&mut fields, report)?,
        parallel_tools: fields.flag("parallel_tool_calls")?,
        format: decode_format(&mut fields, report)?,
        stop: decode_stop(&mut fields)?,
        sampling: decode_sampling(&mut fields, report)?,
        reasoning: decode_reasoning(&mut fields, report)?,
        user: fields.string("user")?,
        openai: OPENAI_MEMBERS
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), fields.take(name)?)))
            .collect(),
        ..Request::default()
    };
    if fields.peek("logprobs") == Some(&Value::Bool(false)) {
        fields.skip("logprobs");
    }
    fields.warn_unread(report);
    Ok(request)
}

/// Takes the member `stop`: the stop sequences, one or several.
pub(crate) fn decode_stop(fields: &mut ObjectReader) -> Result<Vec<String>, TranslationError> {
    if let Some(Value::String(_)) = fields.peek("stop") {
        return Ok(fields.string("stop")?.into_iter().collect());
    }
    fields.strings("stop")
}

/// Takes the member `stream_options`: whether the stream should have the usage.
pub(crate) fn include_usage(
    fields: &mut ObjectReader,
    report: &mut TranslationReport,
) -> Result<bool, TranslationError> {
    let Some(mut options) = fields.object("stream_options")? else {
        return Ok(false);
    };
    let include = options.flag("include_usage")?.unwrap_or(false);
    if options.flag("include_obfuscation")? == Some(true) {
        report.warn_dropped("stream_options.include_obfuscation");
    }
    options.warn_unread(report);
    Ok(include)
}

/// Takes the members about sampling.
pub(crate) fn decode_sampling(
    fields: &mut ObjectReader,
    report: &mut TranslationReport,
) -> Result<Sampling, TranslationError> {
    let older = fields.token_limit("max_tokens")?;
    let newer = fields.token_limit("max_completion_tokens")?;
    if newer.is_some() && older.is_some() && newer != older {
        report.warn("max_tokens", "dropped: `max_completion_tokens` replaces it");
    }
    Ok(Sampling {
        temperature: fields.number("temperature")?,
        top_p: fields.number("top_p")?,
        top_k: fields.count("top_k")?,
        tokens_max: newer.or(older),
        presence_penalty: fields.number("presence_penalty")?,
        frequency_penalty: fields.number("frequency_penalty")?,
        seed: fields.integer("seed")?,
    })
}

/// Rejects requests for more than one choice, in the member `name`.
pub(crate) fn reject_multiple(
    fields: &mut ObjectReader,
    name: &str,
) -> Result<(), TranslationError> {
    match fields.count(name)? {
        None | Some(1) => Ok(()),
        Some(_) => Err(TranslationError::new(
            name,
            "must be 1: the model's provider sends one choice per request",
        )),
    }
}

fn reject_unsupported(fields: &mut ObjectReader) -> Result<(), TranslationError> {
    reject_multiple(fields, "n")?;
    let modalities = fields.list("modalities")?;
    if modalities.iter().any(|modality| modality != "text") {
        return Err(TranslationError::new(
            "modalities",
            "the model's provider sends text only",
        ));
    }
    // The member has the voice of an audio response.
    if fields.take("audio").is_some() {
        return Err(TranslationError::new(
            "audio",
            "the model's provider sends text only",
        ));
    }
    Ok(())
}

fn decode_tool_choice(
    fields: &mut ObjectReader,
    report: &mut TranslationReport,
) -> Result<Option<ToolChoice>, TranslationError> {
    let deprecated = tools::decode_function_choice(fields, report)?;
    Ok(tools::decode_choice(fields, report)?.or(deprecated))
}

fn decode_format(
    fields: &mut ObjectReader,
    report: &mut TranslationReport,
) -> Result<Format, TranslationError> {
    let Some(mut format) = fields.object("response_format")? else {
        return Ok(Format::Text);
    };
    let kind = format.required_string("type")?;
    let read = match kind.as_str() {
        "text" => Format::Text,
        "json_object" => Format::Json,
        "json_schema" => {
            let mut json_schema = required_object(&mut format, "json_schema")?;
            let read = Format::Schema {
                name: Some(json_schema.required_string("name")?),
                description: json_schema.string("description")?,
                schema: match json_schema.take("schema") {
                    Some(schema @ Value::Object(_)) => schema,
                    _ => return Err(json_schema.error("schema", "must be an object")),
                },
                strict: json_schema.flag("strict")?,
            };
            json_schema.warn_unread(report);
            read
        }
        _ => return Err(format.error("type", "must be text, json_object or json_schema")),
    };
    format.warn_unread(report);
    Ok(read)
}

/// Takes a required object.
fn required_object(
    fields: &mut ObjectReader,
    name: &str,
) -> Result<ObjectReader, TranslationError> {
    fields
        .object(name)?
        .ok_or_else(|| fields.error(name, "missing"))
}

/// Takes OpenAI's `reasoning_effort` and OpenRouter's `reasoning`.
fn decode_reasoning(
    fields: &mut ObjectReader,
    report: &mut TranslationReport,
) -> Result<Option<Reasoning>, TranslationError> {
    let unknown = |name: &str| {
        TranslationError::new(name, "must be none, minimal, low, medium, high or xhigh")
    };
    let effort = fields.string("reasoning_effort")?;
    let mut reasoning = match effort.as_deref().map(Effort::parse) {
        Some(None) => return Err(unknown("reasoning_effort")),
        effort => effort.flatten().map(|effort| Reasoning {
            effort: Some(effort),
            ..Reasoning::default()
        }),
    };
    let Some(mut options) = fields.object("reasoning")? else {
        return Ok(reasoning);
    };
    let read = reasoning.get_or_insert_default();
    if let Some(word) = options.string("effort")? {
        read.effort = Some(Effort::parse(&word).ok_or_else(|| unknown("reasoning.effort"))?);
    }
    read.budget_tokens = options.count("max_tokens")?;
    read.shown = options.flag("exclude")?.map(|exclude| !exclude);
    match options.flag("enabled")? {
        Some(false) => read.effort = Some(Effort::None),
        // This is OpenRouter's default.
        Some(true) if read.effort.is_none() && read.budget_tokens.is_none() => {
            read.effort = Some(Effort::Medium);
        }
        _ => {}
    }
    options.warn_unread(report);
    Ok(reasoning)
}

/// Members that both of OpenAI's newer dialects have. [`Request::openai`] keeps them as they are.
const OPENAI_MEMBERS: [&str; 9] = [
    "metadata",
    "moderation",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "verbosity",
];

#[cfg(test)]
mod tests;
