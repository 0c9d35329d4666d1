//! Reads a client's request into the common form.

mod content;
mod messages;
mod tools;

use serde_json::Value;

use self::messages::Conversation;
use crate::RequestHead;
use crate::interlingua::{
    Effort, ObjectReader, Format, TranslationReport, Reasoning, TranslationError, Request, Sampling, ToolChoice,
};

/// Reads a request for a chat completion (<https://platform.openai.com/docs/api-reference/chat/create>),
/// deprecated members and the few of other providers that clients use as well.
///
/// # Errors
/// If it is not what the API documents, or asks for what no other dialect can give.
pub fn decode_request(
    body: &[u8],
    asked: &RequestHead<'_>,
    notes: &mut TranslationReport,
) -> Result<Request, TranslationError> {
    let mut fields = ObjectReader::from_body(body)?;
    fields.skip("model");
    fields.skip("stream");
    refuse_what_would_be_wrong(&mut fields)?;
    let mut conversation = Conversation::default();
    let messages = fields.objects("messages")?;
    if messages.is_empty() {
        return Err(TranslationError::new("messages", "must have at least one message"));
    }
    for (index, message) in messages.into_iter().enumerate() {
        conversation.message(index, message, notes)?;
    }
    let request = Request {
        model: asked.model.clone().into_owned(),
        stream: asked.stream,
        include_usage: include_usage(&mut fields, notes)?,
        system: conversation.system,
        turns: conversation.turns,
        tools: tools::offered(&mut fields, notes)?,
        tool_choice: tool_choice(&mut fields, notes)?,
        parallel_tools: fields.flag("parallel_tool_calls")?,
        format: format(&mut fields, notes)?,
        stop: stop(&mut fields)?,
        sampling: sampling(&mut fields, notes)?,
        reasoning: reasoning(&mut fields, notes)?,
        user: fields.string("user")?,
        openai: OPENAI
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), fields.take(name)?)))
            .collect(),
        ..Request::default()
    };
    if fields.peek("logprobs") == Some(&Value::Bool(false)) {
        fields.skip("logprobs");
    }
    fields.warn_unread(notes);
    Ok(request)
}

/// The texts that end an answer: one, or several.
pub(crate) fn stop(fields: &mut ObjectReader) -> Result<Vec<String>, TranslationError> {
    if let Some(Value::String(_)) = fields.peek("stop") {
        return Ok(fields.string("stop")?.into_iter().collect());
    }
    let texts = fields.list("stop")?.into_iter().map(|text| match text {
        Value::String(text) => Ok(text),
        _ => Err(TranslationError::new(
            "stop",
            "must be a string, or an array of strings",
        )),
    });
    texts.collect()
}

/// Whether a stream is to tell its usage.
pub(crate) fn include_usage(fields: &mut ObjectReader, notes: &mut TranslationReport) -> Result<bool, TranslationError> {
    let Some(mut options) = fields.object("stream_options")? else {
        return Ok(false);
    };
    let include = options.flag("include_usage")?.unwrap_or(false);
    if options.flag("include_obfuscation")? == Some(true) {
        notes.warn_dropped("stream_options.include_obfuscation");
    }
    options.warn_unread(notes);
    Ok(include)
}

/// How the answer is drawn.
pub(crate) fn sampling(fields: &mut ObjectReader, notes: &mut TranslationReport) -> Result<Sampling, TranslationError> {
    let older = fields.count("max_tokens")?;
    let newer = fields.count("max_completion_tokens")?;
    if newer.is_some() && older.is_some() && newer != older {
        notes.warn(
            "max_tokens",
            "dropped: `max_completion_tokens` stands in its place",
        );
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

/// Refuses a number of candidates other than one.
pub(crate) fn refuse_several(fields: &mut ObjectReader, name: &str) -> Result<(), TranslationError> {
    match fields.count(name)? {
        None | Some(1) => Ok(()),
        Some(_) => Err(TranslationError::new(
            name,
            "this model's provider gives one answer a request: ask several times",
        )),
    }
}

fn refuse_what_would_be_wrong(fields: &mut ObjectReader) -> Result<(), TranslationError> {
    refuse_several(fields, "n")?;
    let modalities = fields.list("modalities")?;
    if modalities.iter().any(|modality| modality != "text") {
        return Err(TranslationError::new(
            "modalities",
            "this model's provider answers in text only",
        ));
    }
    // Says how to speak, which only an audio answer does.
    if fields.take("audio").is_some() {
        return Err(TranslationError::new(
            "audio",
            "this model's provider answers in text only",
        ));
    }
    Ok(())
}

fn tool_choice(fields: &mut ObjectReader, notes: &mut TranslationReport) -> Result<Option<ToolChoice>, TranslationError> {
    let deprecated = tools::function_choice(fields, notes)?;
    Ok(tools::choice(fields, notes)?.or(deprecated))
}

fn format(fields: &mut ObjectReader, notes: &mut TranslationReport) -> Result<Format, TranslationError> {
    let Some(mut format) = fields.object("response_format")? else {
        return Ok(Format::Text);
    };
    let kind = format.required_string("type")?;
    let read = match kind.as_str() {
        "text" => Format::Text,
        "json_object" => Format::Json,
        "json_schema" => {
            let mut wanted = needed(&mut format, "json_schema")?;
            let read = Format::Schema {
                name: Some(wanted.required_string("name")?),
                description: wanted.string("description")?,
                schema: match wanted.take("schema") {
                    Some(schema @ Value::Object(_)) => schema,
                    _ => return Err(wanted.error("schema", "must be an object")),
                },
                strict: wanted.flag("strict")?,
            };
            wanted.warn_unread(notes);
            read
        }
        _ => return Err(format.error("type", "must be text, json_object or json_schema")),
    };
    format.warn_unread(notes);
    Ok(read)
}

/// An object that must be there.
fn needed(fields: &mut ObjectReader, name: &str) -> Result<ObjectReader, TranslationError> {
    fields
        .object(name)?
        .ok_or_else(|| fields.error(name, "missing"))
}

/// OpenAI's `reasoning_effort`, and OpenRouter's `reasoning`.
fn reasoning(fields: &mut ObjectReader, notes: &mut TranslationReport) -> Result<Option<Reasoning>, TranslationError> {
    let unknown =
        |name: &str| TranslationError::new(name, "must be none, minimal, low, medium, high or xhigh");
    let effort = fields.string("reasoning_effort")?;
    let mut reasoning = match effort.as_deref().map(Effort::parse) {
        Some(None) => return Err(unknown("reasoning_effort")),
        effort => effort.flatten().map(|effort| Reasoning {
            effort: Some(effort),
            ..Reasoning::default()
        }),
    };
    let Some(mut wanted) = fields.object("reasoning")? else {
        return Ok(reasoning);
    };
    let read = reasoning.get_or_insert_default();
    if let Some(word) = wanted.string("effort")? {
        read.effort = Some(Effort::parse(&word).ok_or_else(|| unknown("reasoning.effort"))?);
    }
    read.budget_tokens = wanted.count("max_tokens")?;
    read.shown = wanted.flag("exclude")?.map(|exclude| !exclude);
    match wanted.flag("enabled")? {
        Some(false) => read.effort = Some(Effort::None),
        // OpenRouter takes it for that.
        Some(true) if read.effort.is_none() && read.budget_tokens.is_none() => {
            read.effort = Some(Effort::Medium);
        }
        _ => {}
    }
    wanted.warn_unread(notes);
    Ok(reasoning)
}

/// Members that both of OpenAI's dialects have, as [`Request::openai`] keeps them.
const OPENAI: [&str; 9] = [
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
