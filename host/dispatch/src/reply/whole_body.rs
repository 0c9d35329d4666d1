//! Whole bodies of good status: checked, and translated for the client.

use bytes::Bytes;
use jackfield_dialect::sse::{SseReader, begins_like_stream};
use jackfield_dialect::{BodyCheck, Collector, Dialect, ProviderError, Usage};
use serde_json::value::RawValue;

use super::stream::{StreamError, judge};
use super::writer::StreamWriter;
use crate::call::{Operation, StreamFraming};
use crate::large_body;
use crate::negotiation::NegotiatedCall;

/// A body for the client.
pub(super) struct WholeBody {
    pub(super) body: Bytes,
    /// What the provider reported.
    pub(super) usage: Option<Usage>,
}

/// Checks a body and writes it in the form that the client wants: translated where the dialects differ,
/// as a stream where the client wants one, as a whole where the provider streamed unasked.
/// Large bodies are rewritten on the blocking pool.
///
/// # Errors
/// When the body is an error, is empty or malformed, or cannot be translated.
pub(super) async fn translate_body(
    negotiated: &NegotiatedCall,
    body: Bytes,
) -> Result<WholeBody, StreamError> {
    if !large_body::is_large(body.len()) {
        return translate_for_client(negotiated, body);
    }
    let negotiated = negotiated.clone();
    let translated =
        large_body::work_on(body.len(), move || translate_for_client(&negotiated, body));
    translated.await.unwrap_or_else(|| {
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
        Some(framing) => translate_as_stream(negotiated, &body, framing),
        None if is_unrequested_stream(negotiated, &body) => collect_stream(negotiated, body),
        None => translate_whole(negotiated, body),
    }
}

/// Returns whether a body is a stream of events although the call requests a whole response with content.
pub(super) fn is_unrequested_stream(negotiated: &NegotiatedCall, body: &[u8]) -> bool {
    let call = negotiated.call();
    call.stream.is_none()
        && call.operation == Operation::Generate
        && begins_like_stream(body) == Some(true)
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
    if let Some(chunks) = gemini_chunks(negotiated, body) {
        return write_chunks(negotiated, &chunks, framing);
    }
    let usage = check_body(negotiated, body)?;
    let response = negotiated
        .upstream_dialect()
        .codec()
        .decode_response(body)
        .map_err(|error| StreamError::invalid_response(&error.to_string()))?;
    let mut written = Vec::new();
    if let Some(mut writer) = StreamWriter::of_whole(negotiated, framing) {
        writer.write_whole(&response, &mut written);
    }
    Ok(WholeBody {
        body: written.into(),
        usage,
    })
}

/// Returns the chunks of a Gemini stream that is not in events: the items of an array, as without
/// `alt=sse`, or a whole response, which is a valid chunk for Gemini's own clients.
fn gemini_chunks<'a>(negotiated: &NegotiatedCall, body: &'a [u8]) -> Option<Vec<&'a RawValue>> {
    if negotiated.upstream_dialect() != Dialect::Gemini {
        return None;
    }
    match body.trim_ascii_start().first()? {
        b'[' => serde_json::from_slice(body).ok(),
        b'{' if negotiated.translation().is_none() => {
            Some(vec![serde_json::from_slice(body).ok()?])
        }
        _ => None,
    }
}

fn write_chunks(
    negotiated: &NegotiatedCall,
    chunks: &[&RawValue],
    framing: StreamFraming,
) -> Result<WholeBody, StreamError> {
    let mut writer = StreamWriter::new(negotiated, framing);
    let mut written = Vec::new();
    for chunk in chunks {
        // One line: some clients read a stream line by line. JSON has line breaks only between its tokens.
        let line = chunk.get().replace(['\n', '\r'], " ");
        let class = writer.event("", line.as_bytes(), &mut written);
        judge(class, || true)?;
    }
    writer.finish(&mut written);
    if !writer.completed() {
        return Err(StreamError::invalid_response(
            "the provider's response was empty",
        ));
    }
    Ok(WholeBody {
        body: written.into(),
        usage: writer.usage(),
    })
}

/// Writes the events of a stream as the whole response that the client wants.
fn collect_stream(negotiated: &NegotiatedCall, body: Bytes) -> Result<WholeBody, StreamError> {
    negotiated.recorder().record(&body);
    let mut reader = SseReader::default();
    reader.push(body);
    // Some providers close without the blank line after the last event.
    reader.push(Bytes::from_static(b"\n\n"));
    let mut collector = Collector::new(negotiated.upstream_dialect());
    loop {
        let event = reader.finish();
        let event = event.map_err(|error| StreamError::invalid_response(&error.to_string()))?;
        let Some(event) = event else { break };
        judge(collector.event(event.name(), &event.data), || true)?;
    }
    let response = collector.finish().ok_or_else(StreamError::ended_early)?;
    let translation = negotiated.response_translation();
    let usage = response.usage;
    let body = translation.encode_response(response).unwrap_or_default();
    Ok(WholeBody {
        body: body.into(),
        usage,
    })
}

/// Checks a body of good status, and returns its usage. Records its signatures.
fn check_body(negotiated: &NegotiatedCall, body: &[u8]) -> Result<Option<Usage>, StreamError> {
    let check = match negotiated.call().operation {
        Operation::Generate => {
            negotiated.recorder().record(body);
            negotiated.upstream_dialect().codec().check_body(body)
        }
        Operation::CountTokens | Operation::Embed(_) => check_object(body),
    };
    match check {
        BodyCheck::Complete { usage, .. } => Ok(usage),
        BodyCheck::Error(error) => Err(StreamError::reported(error)),
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
    match serde_json::from_slice::<&RawValue>(body) {
        Ok(raw) if raw.get().starts_with('{') => BodyCheck::Complete { usage: None },
        _ => BodyCheck::Malformed,
    }
}
