//! Reads Amazon's event stream, `application/vnd.amazon.eventstream` (Smithy specification, "Amazon Event Stream";
//! AWS, Amazon Transcribe developer guide, "Event stream encoding"). Integers are big-endian:
//!
//! ```text
//! length of the message | length of the headers | CRC of these 8 bytes     4 bytes each
//! headers, payload
//! CRC of everything before                                                 4 bytes
//! ```

use bytes::{Buf as _, Bytes, BytesMut};

use super::super::stream::StreamError;
use crate::plan::Frame;

/// Reads messages.
#[derive(Debug, Default)]
pub(in crate::reply) struct EventStreamReader(BytesMut);

impl EventStreamReader {
    /// Returns the length of the message that is not complete, in bytes.
    pub(super) fn held_bytes(&self) -> usize {
        self.0.len()
    }

    /// Appends the messages that a chunk completes.
    ///
    /// # Errors
    /// When a checksum is wrong, or a message is malformed or too long.
    pub(super) fn push(
        &mut self,
        chunk: &[u8],
        frames: &mut Vec<Frame>,
    ) -> Result<(), StreamError> {
        self.0.extend_from_slice(chunk);
        while let Some(prelude) = self.0.first_chunk::<PRELUDE_BYTES>() {
            let lengths = Lengths::parse(prelude).map_err(invalid)?;
            if self.0.len() < lengths.message {
                return Ok(());
            }
            let message = self.0.split_to(lengths.message).freeze();
            frames.push(frame(&message, lengths.headers).map_err(invalid)?);
        }
        Ok(())
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// When the last message is not complete.
    pub(super) fn finish(&self) -> Result<(), StreamError> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(invalid("its last message is cut off"))
    }
}

fn invalid(problem: &str) -> StreamError {
    StreamError::invalid_response(&format!("the event stream is invalid: {problem}"))
}

/// The lengths of a message and of its headers, in bytes.
struct Lengths {
    message: usize,
    headers: usize,
}

impl Lengths {
    /// Reads a prelude. Its checksum comes first: a wrong length would otherwise wait for bytes that never come.
    fn parse(prelude: &[u8; PRELUDE_BYTES]) -> Result<Self, &'static str> {
        let (mut fields, mut checksum) = prelude.split_at(PRELUDE_BYTES - CRC_BYTES);
        if crc32fast::hash(fields) != checksum.get_u32() {
            return Err("the checksum of a prelude is wrong");
        }
        let length = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let lengths = Self {
            message: length(fields.get_u32()),
            headers: length(fields.get_u32()),
        };
        if lengths.message > MESSAGE_BYTES_MAX || lengths.headers > HEADERS_BYTES_MAX {
            return Err("a message is longer than 24 MiB, or its headers longer than 128 KiB");
        }
        if lengths.message < FRAME_BYTES + lengths.headers {
            return Err("the lengths in a prelude contradict each other");
        }
        Ok(lengths)
    }
}

/// Returns the frame of a complete message.
fn frame(message: &Bytes, headers_length: usize) -> Result<Frame, &'static str> {
    let (checked, mut checksum) = message.split_at(message.len() - CRC_BYTES);
    if crc32fast::hash(checked) != checksum.get_u32() {
        return Err("the checksum of a message is wrong");
    }
    let payload_begins = PRELUDE_BYTES + headers_length;
    let headers = MessageHeaders::parse(&message[PRELUDE_BYTES..payload_begins])
        .ok_or("the headers of a message are malformed")?;
    let payload = message.slice(payload_begins..message.len() - CRC_BYTES);
    Ok(headers.into_frame(payload))
}

/// The headers that say what a message is (Smithy specification, "Event stream message types").
#[derive(Debug, Default)]
struct MessageHeaders {
    /// `event`, `exception` or `error`.
    message_type: String,
    event_type: String,
    exception_type: String,
    error_code: String,
    error_message: String,
}

impl MessageHeaders {
    /// Reads all headers. `None` if they are malformed.
    fn parse(mut bytes: &[u8]) -> Option<Self> {
        let mut headers = Self::default();
        while !bytes.is_empty() {
            let name_length = bytes.try_get_u8().ok()?;
            let (name, rest) = bytes.split_at_checked(name_length.into())?;
            bytes = rest;
            let value_type = bytes.try_get_u8().ok()?;
            let length = match value_type {
                // True and false.
                0 | 1 => 0,
                // Numbers of 1, 2, 4 and 8 bytes, a time of 8, and a UUID.
                2 => 1,
                3 => 2,
                4 => 4,
                5 | 8 => 8,
                9 => 16,
                // Bytes, and a text.
                6 | 7 => bytes.try_get_u16().ok()?.into(),
                _ => return None,
            };
            let (value, rest) = bytes.split_at_checked(length)?;
            bytes = rest;
            let field = match name {
                b":message-type" => &mut headers.message_type,
                b":event-type" => &mut headers.event_type,
                b":exception-type" => &mut headers.exception_type,
                b":error-code" => &mut headers.error_code,
                b":error-message" => &mut headers.error_message,
                _ => continue,
            };
            if value_type != 7 {
                return None;
            }
            std::str::from_utf8(value).ok()?.clone_into(field);
        }
        Some(headers)
    }

    /// Returns the frame: an error has its message in a header, all others have a payload.
    fn into_frame(self, payload: Bytes) -> Frame {
        match self.message_type.as_str() {
            "exception" => Frame {
                name: format!("exception:{}", self.exception_type),
                data: payload,
            },
            "error" => Frame {
                name: format!("error:{}", self.error_code),
                data: self.error_message.into(),
            },
            _ => Frame {
                name: self.event_type,
                data: payload,
            },
        }
    }
}

const CRC_BYTES: usize = 4;

/// Two lengths and a checksum.
const PRELUDE_BYTES: usize = 12;

/// The length of a message without headers and payload, in bytes.
const FRAME_BYTES: usize = PRELUDE_BYTES + CRC_BYTES;

/// The longest message, in bytes, as in Amazon's own library (awslabs/aws-c-event-stream,
/// `AWS_EVENT_STREAM_MAX_MESSAGE_SIZE`).
const MESSAGE_BYTES_MAX: usize = 24 << 20;

/// The longest headers of a message, in bytes, as there (`AWS_EVENT_STREAM_MAX_HEADERS_SIZE`).
const HEADERS_BYTES_MAX: usize = 128 << 10;

#[cfg(test)]
mod tests;
