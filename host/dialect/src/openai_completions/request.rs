//! Reads a client's request, and writes one to a provider.

use serde_json::{Map, Value, json};

use crate::RequestHead;
use crate::ir::{
    Format, ObjectReader, Part, Request, Role, Sampling, TranslationError, TranslationReport, Turn,
};
use crate::openai_chat::{
    include_usage, read_sampling, read_stop, reject_multiple, to_json, write_sampling, write_stop,
};

/// Reads a request for a text completion (<https://platform.openai.com/docs/api-reference/completions>).
/// Its prompt becomes what a user says.
///
/// # Errors
/// If it is not what the API documents, or asks for what no other dialect can give.
pub fn decode_request(
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
            "this model's provider does not repeat the prompt",
        ));
    }
    if fields
        .string("suffix")?
        .is_some_and(|suffix| !suffix.is_empty())
    {
        return Err(TranslationError::new(
            "suffix",
            "this model's provider only continues a text",
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
        stop: read_stop(&mut fields)?,
        sampling: read_sampling(&mut fields, report)?,
        user: fields.string("user")?,
        ..Request::default()
    };
    fields.warn_unread(report);
    Ok(request)
}

/// Writes a request for a text completion. All that this dialect can be asked is to continue one text.
///
/// # Errors
/// If it says something that has no place in this dialect, and whose loss would make the answer wrong.
pub fn encode_request(
    request: &Request,
    report: &mut TranslationReport,
) -> Result<Vec<u8>, TranslationError> {
    if !request.tools.is_empty() {
        return Err(TranslationError::new(
            "tools",
            "the provider only completes a text, and calls nothing",
        ));
    }
    if request.format != Format::Text {
        return Err(TranslationError::new(
            "response_format",
            "the provider only completes a text, in no format",
        ));
    }
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            body.insert(name.to_owned(), value);
        }
    };
    put("model", json!(request.model));
    put("prompt", json!(encode_prompt(request, report)?));
    if request.stream {
        put("stream", json!(true));
        put("stream_options", json!({"include_usage": true}));
    }
    put("max_tokens", json!(tokens_max(&request.sampling, report)));
    write_sampling(&request.sampling, report, &mut put);
    put("stop", write_stop(&request.stop, report));
    put("user", json!(request.user));
    if request.sampling.top_k.is_some() {
        report.warn_dropped("top_k");
    }
    if request.reasoning.is_some() {
        report.warn_dropped("reasoning");
    }
    for name in request.openai.keys() {
        report.warn_dropped(name);
    }
    Ok(to_json(&body))
}

/// One text, or a list of one.
fn decode_prompt(fields: &mut ObjectReader) -> Result<String, TranslationError> {
    let prompt = match fields.take("prompt") {
        Some(Value::Array(mut prompts)) => match prompts.pop() {
            Some(prompt) if prompts.is_empty() => Some(prompt),
            _ => {
                return Err(TranslationError::new(
                    "prompt",
                    "must be one text: send each in its own request",
                ));
            }
        },
        prompt => prompt,
    };
    match prompt {
        Some(Value::String(prompt)) if prompt.is_empty() => {
            Err(TranslationError::new("prompt", "empty"))
        }
        Some(Value::String(prompt)) => Ok(prompt),
        None => Err(TranslationError::new("prompt", "missing")),
        Some(_) => Err(TranslationError::new(
            "prompt",
            "must be text: tokens mean something to one provider only",
        )),
    }
}

/// The prompt that a conversation amounts to.
fn encode_prompt(
    request: &Request,
    report: &mut TranslationReport,
) -> Result<String, TranslationError> {
    let [
        Turn {
            role: Role::User,
            parts,
        },
    ] = request.turns.as_slice()
    else {
        return Err(TranslationError::new(
            "messages",
            "the provider only completes a text: send one message of the user",
        ));
    };
    if !request.system.is_empty() {
        report.warn("system", "changed: it stands at the prompt's beginning");
    }
    let texts = request.system.iter().chain(parts).map(|part| match part {
        Part::Text { text, .. } => Ok(text.as_str()),
        _ => Err(TranslationError::new(
            "messages",
            "the provider only completes a text: send text alone",
        )),
    });
    let texts: Vec<&str> = texts.collect::<Result<_, _>>()?;
    Ok(texts.join("\n\n"))
}

fn tokens_max(sampling: &Sampling, report: &mut TranslationReport) -> u64 {
    sampling.tokens_max.unwrap_or_else(|| {
        report.warn(
            "max_tokens",
            "changed: 1024, for the provider takes none for 16",
        );
        TOKENS_MAX_DEFAULT
    })
}

/// The most tokens of an answer where the client sets no limit. The API's own default of 16 cuts every
/// answer off; this is a quarter of what the last models for this API hold, their prompt included.
const TOKENS_MAX_DEFAULT: u64 = 1024;
