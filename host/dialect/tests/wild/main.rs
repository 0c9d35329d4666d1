//! What providers and clients really send, from public reports: streams and whole responses of each provider dialect,
//! read by clients of the other dialects.

mod calls;
mod ends;
mod numbers;
mod texts;

use jackfield_dialect::traits::Traits;
use std::error::Error;

use jackfield_dialect::ir::ResponseContext;
use jackfield_dialect::{
    Dialect, EventClass, RequestHead, TranslatedRequest, TranslationInput, Translator,
};
use serde_json::Value;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The dialects of chats.
const DIALECTS: [Dialect; 4] = [
    Dialect::AnthropicMessages,
    Dialect::Gemini,
    Dialect::OpenaiChat,
    Dialect::OpenaiResponses,
];

/// Translates the events of a stream. Returns the data for the client, or the class of the event that failed.
fn translate_stream(
    provider: Dialect,
    client: Dialect,
    events: &[String],
) -> Result<Vec<Value>, EventClass> {
    let mut translator = Translator::new(provider, client, context());
    let mut frames = Vec::new();
    for event in events {
        let class = translator.translate_event("", event.as_bytes(), &mut frames);
        if matches!(class, EventClass::Error(_) | EventClass::Malformed) {
            return Err(class);
        }
    }
    translator.finish(&mut frames);
    assert!(translator.completed(), "{provider} to {client}: incomplete");
    let data = frames.iter().map(|frame| &*frame.data);
    Ok(data
        .filter_map(|data| serde_json::from_slice(data).ok())
        .collect())
}

/// Translates a whole response.
fn translate_whole(provider: Dialect, client: Dialect, body: &str) -> Outcome<Value> {
    let response = provider.codec().decode_response(body.as_bytes())?;
    let body = client.codec().encode_response(&response, &context());
    Ok(serde_json::from_slice(&body)?)
}

/// Translates a client's request. Returns the provider's body, and the fields of the warnings.
fn translate_request(
    client: Dialect,
    provider: Dialect,
    body: &str,
) -> Outcome<(Value, Vec<String>)> {
    let translated = translated(client, provider, body)?;
    let warnings = translated.warnings.iter();
    let fields = warnings.map(|warning| warning.field.to_string());
    Ok((serde_json::from_slice(&translated.body)?, fields.collect()))
}

/// Translates a client's request. Returns the provider's body as a text.
fn translate_request_text(client: Dialect, provider: Dialect, body: &str) -> Outcome<String> {
    let translated = translated(client, provider, body)?;
    Ok(String::from_utf8(translated.body.to_vec())?)
}

fn translated(client: Dialect, provider: Dialect, body: &str) -> Outcome<TranslatedRequest> {
    let head = RequestHead::from_path("m", false)?;
    let source = TranslationInput {
        dialect: client,
        body: body.as_bytes(),
        head: &head,
        model: "claude-sonnet-4-5",
        traits: &Traits::everything(),
        thinking: None,
        id: "call-1",
        created: 0,
    };
    Ok(TranslatedRequest::translate_content(&source, provider)?)
}

fn context() -> ResponseContext {
    ResponseContext {
        id: "r1".to_owned(),
        model: "m".to_owned(),
        ..ResponseContext::default()
    }
}
