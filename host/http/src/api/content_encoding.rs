//! Content encodings of request bodies (RFC 9110, section 8.4). What a body expands to is bounded, and so
//! is each step of a stack of encodings.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::HeaderMap;
use axum::http::header::CONTENT_ENCODING;
use bytes::Bytes;
use jackfield_dispatch::{HeldMemory, MemoryFull};

use crate::content_coding::{ContentCoding, is_identity};

/// Why a body could not be decoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DecodeError {
    /// It is not what its header says, or it ended early.
    Invalid(String),
    /// There is no memory for it.
    MemoryFull(MemoryFull),
    /// It is larger than the limit.
    TooLarge,
}

/// Returns the encodings of a body in the order in which they were applied. `identity` is none.
///
/// # Errors
/// The first one that is not supported, in a form for messages, or the whole list if it is too long.
pub(super) fn codings(headers: &HeaderMap) -> Result<Vec<ContentCoding>, String> {
    let mut codings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        for name in value.as_bytes().split(|byte| *byte == b',') {
            let name = name.trim_ascii();
            if name.is_empty() || is_identity(name) {
                continue;
            }
            codings.push(ContentCoding::parse(name).ok_or_else(|| shown(name))?);
            if codings.len() > CODINGS_MAX {
                return Err(format!("a stack of more than {CODINGS_MAX}"));
            }
        }
    }
    Ok(codings)
}

/// Decodes a body. `codings` are in the order in which they were applied. It takes up to some hundred
/// milliseconds for a large body, so it must not run on a thread that serves calls.
///
/// The body is decoded twice, the first time only for its length: a buffer that grows takes up to four times
/// the memory of the body while it is copied, and a body that is too large should take none. Afterwards `held` has the
/// memory of the decoded body alone.
///
/// # Errors
/// When the body is invalid, or a step of the decoding has more than `bytes_max` bytes; and when there is no memory for
/// both bodies.
pub(super) fn decode(
    encoded: &[u8],
    codings: &[ContentCoding],
    bytes_max: usize,
    held: &mut HeldMemory,
) -> Result<Bytes, DecodeError> {
    let length = read_decoded(encoded, codings, bytes_max, |reader| {
        io::copy(reader, &mut io::sink())
    })?;
    // The length is at most the limit.
    let length = usize::try_from(length).unwrap_or(bytes_max);
    held.resize(encoded.len() + length)
        .map_err(DecodeError::MemoryFull)?;
    let mut decoded = Vec::with_capacity(length);
    read_decoded(encoded, codings, bytes_max, |reader| {
        reader.read_to_end(&mut decoded)
    })?;
    // It becomes less, for which there is always memory.
    let _ = held.resize(length);
    Ok(Bytes::from(decoded))
}

fn read_decoded<T>(
    encoded: &[u8],
    codings: &[ContentCoding],
    bytes_max: usize,
    read: impl FnOnce(&mut dyn Read) -> io::Result<T>,
) -> Result<T, DecodeError> {
    let too_large = AtomicBool::new(false);
    let result =
        layers(encoded, codings, bytes_max, &too_large).and_then(|mut reader| read(&mut *reader));
    match result {
        _ if too_large.load(Ordering::Relaxed) => Err(DecodeError::TooLarge),
        result => result.map_err(|error| DecodeError::Invalid(error.to_string())),
    }
}

/// Stacks a reader for each encoding. The last one that was applied is decoded first.
fn layers<'a>(
    encoded: &'a [u8],
    codings: &[ContentCoding],
    bytes_max: usize,
    too_large: &'a AtomicBool,
) -> io::Result<Box<dyn Read + Send + 'a>> {
    let mut reader: Box<dyn Read + Send + 'a> = Box::new(encoded);
    for coding in codings.iter().rev() {
        // Each step has the limit, not only the last one: a few bytes can expand to gigabytes of empty
        // gzip members, which take minutes and decode to nothing.
        reader = Box::new(Bounded {
            inner: coding.reader(reader)?,
            left: bytes_max,
            too_large,
        });
    }
    Ok(reader)
}

/// A reader that fails after a number of bytes.
struct Bounded<'a, R> {
    inner: R,
    left: usize,
    /// Set when the limit was reached. The error itself would be lost in a decoder that wraps it.
    too_large: &'a AtomicBool,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        match self.left.checked_sub(read) {
            Some(left) => {
                self.left = left;
                Ok(read)
            }
            None => {
                self.too_large.store(true, Ordering::Relaxed);
                Err(io::Error::other("too large"))
            }
        }
    }
}

/// Returns the name of an encoding for a message: a client can send any bytes.
fn shown(name: &[u8]) -> String {
    let shown: String = name
        .iter()
        .take(SHOWN_BYTES_MAX)
        .map(|byte| {
            if byte.is_ascii_graphic() {
                char::from(*byte)
            } else {
                '?'
            }
        })
        .collect();
    format!("`{shown}`")
}

/// Encodings of one body. Clients use one; a proxy may add another.
const CODINGS_MAX: usize = 4;

/// Longest part of a name in a message, in bytes.
const SHOWN_BYTES_MAX: usize = 64;

#[cfg(test)]
mod tests;
