//! Checks and decodes whole responses. A whole response has the form of one event of a stream.

use super::chunk::ResponseChunk;
use super::finish_reason;
use crate::gemini::stream::reader::GeminiReader;
use crate::gemini::usage;
use crate::ir::{Event, Malformed, Response};
use crate::json::lenient_text;
use crate::stream::Events;
use crate::{BodyCheck, ProviderError};

/// Checks a whole response whose status promises success. One pass; no content is kept.
pub(crate) fn check_body(body: &[u8]) -> BodyCheck {
    if body.trim_ascii().is_empty() {
        return BodyCheck::Empty;
    }
    let text = &*lenient_text(body);
    let Some(chunk) = ResponseChunk::read(text) else {
        return ProviderError::read(body).map_or(BodyCheck::Malformed, BodyCheck::Error);
    };
    if let Some(error) = chunk.error.and_then(ProviderError::from_member) {
        return BodyCheck::Error(error);
    }
    if let Some(error) = chunk.failure() {
        return BodyCheck::Error(error);
    }
    let reason = chunk.reason();
    if chunk.has_content() || reason.is_some_and(|it| finish_reason::explains_empty_response(&it)) {
        return BodyCheck::Complete {
            usage: chunk.usage_metadata.and_then(usage::decode),
        };
    }
    if chunk.candidates.is_some() {
        return BodyCheck::Empty;
    }
    // It may be an error in the format of another API.
    ProviderError::read(body).map_or(BodyCheck::Empty, BodyCheck::Error)
}

/// Decodes a whole response.
///
/// # Errors
/// If it is not a response, or calls a tool without a name.
pub(crate) fn decode_response(body: &[u8]) -> Result<Response, Malformed> {
    let text = &*lenient_text(body);
    let chunk = ResponseChunk::read(text).ok_or(Malformed("it is no response object"))?;
    if chunk.error.and_then(ProviderError::from_member).is_some() {
        return Err(Malformed("it is an error"));
    }
    if chunk.failure().is_some() {
        return Err(Malformed("it ended without the call that the model made"));
    }
    if chunk.candidates.is_none()
        && chunk.prompt_feedback.is_none()
        && chunk.usage_metadata.is_none()
    {
        return Err(Malformed("it is no response object"));
    }
    let (mut reader, mut sink) = (GeminiReader::default(), Events::default());
    reader.chunk(&chunk, &mut sink)?;
    reader.end(&mut sink);
    let mut response = Response::default();
    for event in sink.into_events() {
        match event {
            Event::PartStart(part_start) => response.parts.push(part_start.into_part()),
            Event::Delta(delta) => delta.append_to(response.parts.last_mut()),
            Event::Finish(reason) => response.finish = reason,
            Event::Start { id, model } => (response.id, response.model) = (id, model),
            Event::Usage(usage) => response.usage = Some(usage),
            // The end of a part is where the next one starts. Errors have returned above.
            Event::Done | Event::Error(_) | Event::PartEnd => {}
        }
    }
    Ok(response)
}
