//! Encodes requests.

use serde_json::{Map, Value, json};

use crate::ir::{Format, Part, Request, Role, Sampling, TranslationError, TranslationReport, Turn};
use crate::json::to_vec;
use crate::openai_chat::{encode_sampling, encode_stop};
use crate::traits::Traits;

/// Encodes a request for a text completion. The API can only continue one text.
///
/// # Errors
/// If the dialect cannot express something whose loss would make the response wrong.
pub(crate) fn encode_request(
    request: &Request,
    _traits: &Traits,
    report: &mut TranslationReport,
) -> Result<Vec<u8>, TranslationError> {
    if !request.tools.is_empty() {
        return Err(TranslationError::new(
            "tools",
            "the provider's dialect has no tools",
        ));
    }
    if request.format != Format::Text {
        return Err(TranslationError::new(
            "response_format",
            "the provider's dialect has no response formats",
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
    encode_sampling(&request.sampling, report, &mut put);
    put("stop", encode_stop(&request.stop, report));
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
    Ok(to_vec(&body))
}

/// Returns the prompt for a conversation of one user's turn.
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
            "the provider's dialect has no conversations; send one message of the user",
        ));
    };
    if !request.system.is_empty() {
        report.warn("system", "changed: moved to the beginning of the prompt");
    }
    let texts = request.system.iter().chain(parts).map(|part| match part {
        Part::Text { text, .. } => Ok(text.as_str()),
        _ => Err(TranslationError::new(
            "messages",
            "the provider's dialect has only text; send no other parts",
        )),
    });
    let texts: Vec<&str> = texts.collect::<Result<_, _>>()?;
    Ok(texts.join("\n\n"))
}

fn tokens_max(sampling: &Sampling, report: &mut TranslationReport) -> u64 {
    sampling.tokens_max.unwrap_or_else(|| {
        report.warn(
            "max_tokens",
            "changed: 1024, because the provider's default is 16",
        );
        TOKENS_MAX_DEFAULT
    })
}

/// The maximum length of a response in tokens, if the client sets no limit. The API's own default of 16
/// would truncate almost every response. This is a quarter of the context of the last models of this API.
const TOKENS_MAX_DEFAULT: u64 = 1024;
