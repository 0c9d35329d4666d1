//! Whole bodies of good status: checked, and translated for the client.

use bytes::Bytes;
use jackfield_dialect::{BodyCheck, ProviderError, Usage};

use super::stream::StreamError;
use super::writer::StreamWriter;
use crate::call::{Operation, StreamFraming};
use crate::classify;
use crate::limits::TRANSLATED_INLINE_BYTES_MAX;
use crate::negotiation::NegotiatedCall;

/// A body for the client.
pub(super) struct WholeBody {
    pub(super) body: Bytes,
    /// What the provider reported.
    pub(super) usage: Option<Usage>,
}

/// Checks and translates a body, or writes it as a stream where the client wants one. Large bodies are
/// translated on the blocking pool.
///
/// # Errors
/// When the body is an error, is empty or malformed, or cannot be translated.
pub(super) async fn translate_body(
    negotiated: &NegotiatedCall,
    body: Bytes,
) -> Result<WholeBody, StreamError> {
    let is_translated = negotiated.translation().is_some();
    // A body that is not translated is small: `BufferedStream` passes larger ones on unchecked.
    if !is_translated || body.len() <= TRANSLATED_INLINE_BYTES_MAX {
        return translate_for_client(negotiated, body);
    }
    let negotiated = negotiated.clone();
    let translated =
        tokio::task::spawn_blocking(move || translate_for_client(&negotiated, body)).await;
    translated.unwrap_or_else(|_| {
        Err(StreamError::invalid_response(
            "the translation of the response failed in the host",
        ))
    })
}

fn translate_for_client(
    negotiated: &NegotiatedCall,
    body: Bytes,
) -> Result<WholeBody, StreamError> {
    match negotiated.call().stream {
        Some(framing) if negotiated.translation().is_some() => {
            translate_as_stream(negotiated, &body, framing)
        }
        // The client gets the items of an array; this response is the only one.
        Some(StreamFraming::Array) => {
            let whole = translate_whole(negotiated, body)?;
            let body = [b"[", &whole.body[..], b"]"].concat().into();
            Ok(WholeBody { body, ..whole })
        }
        Some(StreamFraming::Events) | None => translate_whole(negotiated, body),
    }
}

/// Checks a body and translates it as one.
///
/// # Errors
/// As [`translate_body`].
pub(super) fn translate_whole(
    negotiated: &NegotiatedCall,
    body: Bytes,
) -> Result<WholeBody, StreamError> {
    let usage = check_body(negotiated, &body)?;
    let body = match negotiated.translation() {
        None => body,
        Some(translation) => translation
            .translate_response(&body)
            .map_err(|error| StreamError::invalid_response(&error.to_string()))?
            .into(),
    };
    Ok(WholeBody { body, usage })
}

/// Writes a body as the stream that the client wants. The provider did not stream.
fn translate_as_stream(
    negotiated: &NegotiatedCall,
    body: &Bytes,
    framing: StreamFraming,
) -> Result<WholeBody, StreamError> {
    let usage = check_body(negotiated, body)?;
    let response = negotiated
        .upstream_dialect()
        .codec()
        .decode_response(body)
        .map_err(|error| StreamError::invalid_response(&error.to_string()))?;
    let mut written = Vec::new();
    StreamWriter::new(negotiated, framing).write_whole(&response, &mut written);
    Ok(WholeBody {
        body: written.into(),
        usage,
    })
}

/// Checks a body of good status, and returns its usage.
fn check_body(negotiated: &NegotiatedCall, body: &[u8]) -> Result<Option<Usage>, StreamError> {
    let check = match negotiated.call().operation {
        Operation::Generate => negotiated.upstream_dialect().codec().check_body(body),
        Operation::CountTokens | Operation::Embed(_) => check_object(body),
    };
    match check {
        BodyCheck::Complete { usage, .. } => Ok(usage),
        BodyCheck::Error(error) => Err(StreamError::Upstream(classify::stream_error(error))),
        BodyCheck::Empty => Err(StreamError::invalid_response(
            "the provider's response was empty",
        )),
        BodyCheck::Malformed => Err(StreamError::invalid_response(
            "the provider's response was malformed",
        )),
    }
}

/// Checks the body of an operation without content: a JSON object that is not an error.
fn check_object(body: &[u8]) -> BodyCheck {
    if body.trim_ascii().is_empty() {
        return BodyCheck::Empty;
    }
    if let Some(error) = ProviderError::read(body) {
        return BodyCheck::Error(error);
    }
    match serde_json::from_slice::<&serde_json::value::RawValue>(body) {
        Ok(raw) if raw.get().starts_with('{') => BodyCheck::Complete { usage: None },
        _ => BodyCheck::Malformed,
    }
}
