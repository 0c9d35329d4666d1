//! Splits a provider's bytes into the frames that a plugin reads. The result never depends on how the
//! bytes were split into chunks.

mod event_stream;
mod json_array;

use bytes::{Bytes, BytesMut};
use jackfield_dialect::sse::SseReader;
use memchr::memchr;

use self::event_stream::EventStreamReader;
use self::json_array::JsonArrayReader;
use super::stream::StreamError;
use crate::limits::WHOLE_RESPONSE_BYTES_MAX;
use crate::plan::{Frame, Framing, ResponseMode};

/// Splits bytes into frames.
pub(super) enum FrameSplitter {
    AwsEventStream(EventStreamReader),
    JsonArray(JsonArrayReader),
    Lines(BytesMut),
    Raw,
    Sse(Box<SseReader>),
    Whole(BytesMut),
}

impl FrameSplitter {
    pub(super) fn new(mode: ResponseMode) -> Self {
        match mode {
            ResponseMode::Frames(Framing::AwsEventStream) => {
                Self::AwsEventStream(EventStreamReader::default())
            }
            ResponseMode::Frames(Framing::JsonArray) => Self::JsonArray(JsonArrayReader::default()),
            ResponseMode::Frames(Framing::Lines) => Self::Lines(BytesMut::new()),
            ResponseMode::Frames(Framing::Raw) => Self::Raw,
            ResponseMode::Frames(Framing::Sse) => Self::Sse(Box::default()),
            // A relayed response has no frames; one frame would still be right.
            ResponseMode::Whole | ResponseMode::Relay => Self::Whole(BytesMut::new()),
        }
    }

    /// Returns the length of the frame that is not complete, in bytes.
    pub(super) fn held_bytes(&self) -> usize {
        match self {
            Self::Lines(buffer) | Self::Whole(buffer) => buffer.len(),
            Self::AwsEventStream(reader) => reader.held_bytes(),
            Self::JsonArray(reader) => reader.held_bytes(),
            Self::Raw => 0,
            Self::Sse(reader) => reader.buffered_len(),
        }
    }

    /// Appends the frames that `chunk` completes; no chunk is the end of the body.
    ///
    /// # Errors
    /// When a frame is longer than the limit, or the bytes are not of the framing.
    pub(super) fn split(
        &mut self,
        chunk: Option<Bytes>,
        frames: &mut Vec<Frame>,
    ) -> Result<(), StreamError> {
        match (self, chunk) {
            (Self::AwsEventStream(reader), Some(chunk)) => reader.push(&chunk, frames)?,
            (Self::AwsEventStream(reader), None) => reader.finish()?,
            (Self::JsonArray(reader), Some(chunk)) => reader.push(&chunk, frames)?,
            (Self::JsonArray(reader), None) => reader.finish()?,
            (Self::Raw, Some(chunk)) => frames.push(unnamed(chunk)),
            (Self::Raw, None) => {}
            (Self::Whole(buffer), Some(chunk)) => {
                buffer.extend_from_slice(&chunk);
                check_size(buffer.len())?;
            }
            (Self::Whole(buffer), None) => frames.push(unnamed(buffer.split().freeze())),
            (Self::Lines(buffer), Some(chunk)) => {
                let mut chunk = chunk;
                while let Some(end) = memchr(b'\n', &chunk) {
                    buffer.extend_from_slice(&chunk.split_to(end + 1));
                    frames.push(line(buffer.split()));
                }
                buffer.extend_from_slice(&chunk);
                check_size(buffer.len())?;
            }
            (Self::Lines(buffer), None) if buffer.is_empty() => {}
            (Self::Lines(buffer), None) => frames.push(line(buffer.split())),
            (Self::Sse(reader), chunk) => split_events(reader, chunk, frames)?,
        }
        Ok(())
    }
}

fn unnamed(data: Bytes) -> Frame {
    Frame {
        name: String::new(),
        data,
    }
}

fn line(mut line: BytesMut) -> Frame {
    let end = line.strip_suffix(b"\n").unwrap_or(&line);
    let length = end.strip_suffix(b"\r").unwrap_or(end).len();
    line.truncate(length);
    unnamed(line.freeze())
}

fn split_events(
    reader: &mut SseReader,
    chunk: Option<Bytes>,
    frames: &mut Vec<Frame>,
) -> Result<(), StreamError> {
    let mut ended = false;
    match chunk {
        Some(chunk) => reader.push(chunk),
        None => ended = true,
    }
    loop {
        let event = if ended {
            reader.finish()
        } else {
            reader.next_event()
        };
        match event {
            Ok(Some(event)) => {
                frames.push(Frame {
                    name: event.name().to_owned(),
                    data: event.data.clone(),
                });
            }
            Ok(None) => return Ok(()),
            Err(error) => return Err(StreamError::invalid_response(&error.to_string())),
        }
    }
}

/// Checks the length of a body that is held in memory.
///
/// # Errors
/// When it is longer than [`WHOLE_RESPONSE_BYTES_MAX`].
pub(super) fn check_size(bytes: usize) -> Result<(), StreamError> {
    if bytes <= WHOLE_RESPONSE_BYTES_MAX {
        return Ok(());
    }
    let limit_mib = WHOLE_RESPONSE_BYTES_MAX >> 20;
    Err(StreamError::invalid_response(&format!(
        "the response is larger than {limit_mib} MiB"
    )))
}

#[cfg(test)]
mod tests;
