//! Decodes requests.

mod conversation;
pub(crate) mod input;

use serde_json::{Map, Value, json};

use crate::RequestHead;
use crate::ir::{
    Effort, Format, ObjectReader, Part, Reasoning, Request, Sampling, TranslationError,
    TranslationReport,
};
use crate::openai_responses::tools;

/// Decodes a client's request.
///
/// # Errors
///
/// If the request is not valid in the API, or needs something that other providers do not have.
pub(crate) fn decode_request(
    body: &[u8],
    head: &RequestHead<'_>,
    report: &mut TranslationReport,
) -> Result<Request, TranslationError> {
    let mut fields = ObjectReader::from_body(body)?;
    reject_stateful(&mut fields)?;
    // `echo` needs all members as the client sent them, so it runs before they are taken.
    let mut request = Request {
        model: head.model.clone().into_owned(),
        stream: head.stream,
        include_usage: true,
        echo: echo(&fields),
        ..Request::default()
    };
    let instructions = fields.string("instructions")?;
    request
        .system
        .extend(instructions.filter(|it| !it.is_empty()).map(Part::text));
    request.tools = tools::decode(&mut fields, report)?;
    request.tool_choice = tools::decode_choice(&mut fields, report)?;
    request.parallel_tools = fields.flag("parallel_tool_calls")?;
    let input = input::decode(&mut fields, report)?;
    request.system.extend(input.system);
    request.turns = input.turns;
    request.tools.extend(input.tools);
    request.sampling = Sampling {
        temperature: fields.number("temperature")?,
        top_p: fields.number("top_p")?,
        tokens_max: fields.token_limit("max_output_tokens")?,
        ..Sampling::default()
    };
    request.reasoning = decode_reasoning(&mut fields, report)?;
    decode_text(&mut fields, &mut request, report)?;
    request.user = fields.string("user")?;
    for name in OPENAI_MEMBERS {
        if let Some(value) = fields.take(name) {
            request.openai.insert(name.to_owned(), value);
        }
    }
    skip_ignored(&mut fields, report)?;
    fields.warn_unread(report);
    Ok(request)
}

/// Members of both of OpenAI's dialects, under one name.
pub(crate) const OPENAI_MEMBERS: [&str; 7] = [
    "metadata",
    "moderation",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
];

fn reject_stateful(fields: &mut ObjectReader) -> Result<(), TranslationError> {
    for name in ["previous_response_id", "conversation", "prompt"] {
        if fields.take(name).is_some() {
            let what = "responses are not stored; send the whole input instead";
            return Err(fields.error(name, what));
        }
    }
    if fields.flag("background")? == Some(true) {
        let what = "background responses are not supported";
        return Err(fields.error("background", what));
    }
    Ok(())
}

fn decode_reasoning(
    fields: &mut ObjectReader,
    report: &mut TranslationReport,
) -> Result<Option<Reasoning>, TranslationError> {
    let Some(mut reasoning) = fields.object("reasoning")? else {
        return Ok(None);
    };
    let effort = match reasoning.string("effort")? {
        None => None,
        Some(word) => {
            let what = "must be `none`, `minimal`, `low`, `medium`, `high`, `xhigh` or `max`";
            Some(Effort::parse(&word).ok_or_else(|| reasoning.error("effort", what))?)
        }
    };
    let summary = reasoning.string("summary")?;
    let summary = summary.or(reasoning.string("generate_summary")?);
    reasoning.warn_unread(report);
    let read = Reasoning {
        effort,
        budget_tokens: None,
        // `none` is not documented, but Codex sends it.
        shown: summary.map(|word| word != "none"),
    };
    Ok((read != Reasoning::default()).then_some(read))
}

fn decode_text(
    fields: &mut ObjectReader,
    request: &mut Request,
    report: &mut TranslationReport,
) -> Result<(), TranslationError> {
    let Some(mut text) = fields.object("text")? else {
        return Ok(());
    };
    if let Some(mut format) = text.object("format")? {
        request.format = match format.required_string("type")?.as_str() {
            "text" => Format::Text,
            "json_object" => Format::Json,
            "json_schema" => Format::Schema {
                name: format.string("name")?,
                description: format.string("description")?,
                schema: match format.schema("schema")? {
                    Some(schema) => schema,
                    None => return Err(format.error("schema", "missing")),
                },
                strict: format.flag("strict")?,
            },
            _ => {
                let what = "must be `text`, `json_object` or `json_schema`";
                return Err(format.error("type", what));
            }
        };
        format.warn_unread(report);
    }
    if let Some(verbosity) = text.take("verbosity") {
        request.openai.insert("verbosity".to_owned(), verbosity);
    }
    text.warn_unread(report);
    Ok(())
}

/// Members that ask for the default, or have no effect.
fn skip_ignored(
    fields: &mut ObjectReader,
    report: &mut TranslationReport,
) -> Result<(), TranslationError> {
    for name in ["model", "stream", "background"] {
        fields.skip(name);
    }
    // One is the padding of events, the other describes the Codex client.
    fields.skip("stream_options");
    fields.skip("client_metadata");
    if fields.flag("store")? == Some(true) {
        let what = "changed: the response is not stored, so its id cannot be used later";
        report.warn("store", what);
    }
    if fields.peek("truncation").is_some_and(|it| it == "disabled") {
        fields.skip("truncation");
    }
    if fields.peek("top_logprobs").is_some_and(|it| it == 0) {
        fields.skip("top_logprobs");
    }
    let include = fields.list("include")?;
    if include.iter().any(|it| it != ENCRYPTED_CONTENT) {
        let what = "dropped: but for `reasoning.encrypted_content` the provider's dialect has nothing like it";
        report.warn("include", what);
    }
    Ok(())
}

/// The value of `include` that requests signatures.
pub(crate) const ENCRYPTED_CONTENT: &str = "reasoning.encrypted_content";

/// The members that a response repeats as the client sent them.
fn echo(fields: &ObjectReader) -> Map<String, Value> {
    let mut echo = Map::new();
    for name in ECHOED_MEMBERS {
        if let Some(value) = fields.peek(name) {
            echo.insert(name.to_owned(), value.clone());
        }
    }
    // The response holds it even if the client left it out.
    if let Some(Value::Object(text)) = echo.get_mut("text")
        && text.get("format").is_none_or(Value::is_null)
    {
        text.insert("format".to_owned(), json!({"type": "text"}));
    }
    echo
}

/// The members of a response that repeat the request.
const ECHOED_MEMBERS: [&str; 16] = [
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_p",
    "truncation",
    "user",
];
