//! Splits a byte stream into events. The result does not depend on how the bytes are split into chunks.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr2;

use super::block::EventBlock;
use crate::json::lossy_text;
use crate::limits::EVENT_BYTES_MAX;

/// One event, as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SseEvent {
    name: Bytes,
    /// The values of its `data` lines, joined by line feeds. It is a slice of `raw` if there is one
    /// such line. Not checked to be UTF-8.
    pub data: Bytes,
    /// All its bytes, from the end of the event before it to the blank line that ends it: comments
    /// and keep-alives before it are part of it.
    pub raw: Bytes,
}

impl SseEvent {
    /// The value of the `event` line; empty if there is none.
    #[must_use]
    pub fn name(&self) -> &str {
        std::str::from_utf8(&self.name).unwrap_or_default()
    }
}

/// Reads the events of a stream: push what arrives, then take events until there is none.
///
/// All bytes come out again, in order: as [`SseEvent::raw`], as comments, or as the buffered rest.
#[derive(Debug)]
pub struct SseReader {
    event_bytes_max: usize,
    /// The beginning of the current event, from earlier chunks.
    tail: BytesMut,
    /// What arrived last, from the first byte that is not in `tail`.
    chunk: Bytes,
    /// How many bytes of the chunk were scanned.
    scanned: usize,
    /// The length of the blocks without an event at the beginning of the buffer, in bytes.
    comment_bytes: usize,
    /// Whether the current line has no bytes so far.
    line_is_empty: bool,
    /// Whether the last byte was a carriage return: a line feed now belongs to it.
    after_cr: bool,
    /// Whether a byte order mark may still come.
    at_start: bool,
    stream_ended: bool,
    failed: bool,
}

impl Default for SseReader {
    fn default() -> Self {
        Self::new(EVENT_BYTES_MAX)
    }
}

impl SseReader {
    /// A reader at the beginning of a stream, for events of at most `event_bytes_max` bytes.
    #[must_use]
    pub fn new(event_bytes_max: usize) -> Self {
        Self {
            event_bytes_max,
            tail: BytesMut::new(),
            chunk: Bytes::new(),
            scanned: 0,
            comment_bytes: 0,
            line_is_empty: true,
            after_cr: false,
            at_start: true,
            stream_ended: false,
            failed: false,
        }
    }

    /// Adds a chunk. The reader holds at most one event if [`SseReader::next_event`] is called until it
    /// returns `None` before more is pushed.
    pub fn push(&mut self, chunk: Bytes) {
        if self.chunk.is_empty() {
            self.chunk = chunk;
            return;
        }
        let mut joined = BytesMut::from(std::mem::take(&mut self.chunk));
        joined.extend_from_slice(&chunk);
        self.chunk = joined.freeze();
    }

    /// Returns the next complete event; `None` if it needs more bytes. It does after a lone carriage
    /// return at the end: a line feed may follow.
    ///
    /// # Errors
    ///
    /// If an event is too long; from then on always.
    pub fn next_event(&mut self) -> Result<Option<SseEvent>, SseError> {
        while !self.failed {
            let end = self.scan();
            if self.tail.len() + end.unwrap_or(self.chunk.len()) > self.event_bytes_max {
                self.failed = true;
                break;
            }
            let Some(end) = end else {
                self.tail.extend_from_slice(&self.chunk);
                self.chunk = Bytes::new();
                self.scanned = 0;
                return Ok(None);
            };
            if let Some(event) = self.take_block(end) {
                return Ok(Some(event));
            }
        }
        Err(SseError::EventTooLong {
            bytes_max: self.event_bytes_max,
        })
    }

    /// Ends the stream and returns the next event, like [`SseReader::next_event`]; call it until it
    /// returns `None`. An event without its blank line is dropped, as the standard requires and clients
    /// do: its bytes remain buffered.
    ///
    /// # Errors
    ///
    /// As [`SseReader::next_event`].
    pub fn finish(&mut self) -> Result<Option<SseEvent>, SseError> {
        self.stream_ended = true;
        self.next_event()
    }

    /// Takes the complete blocks that are no event (comments, keep-alives), so that they can be
    /// forwarded before the next event; they are not part of it then. Call it after
    /// [`SseReader::next_event`] returned `None`. Empty if there are none.
    pub fn take_comments(&mut self) -> Bytes {
        let comment_bytes = std::mem::take(&mut self.comment_bytes);
        self.tail
            .split_to(comment_bytes.min(self.tail.len()))
            .freeze()
    }

    /// Takes all bytes that were pushed and did not come out. The reader is empty then; if there were
    /// any, it is in the middle of an event.
    pub fn take_buffered(&mut self) -> Bytes {
        let chunk = std::mem::take(&mut self.chunk);
        self.scanned = 0;
        self.comment_bytes = 0;
        if self.tail.is_empty() {
            return chunk;
        }
        self.tail.extend_from_slice(&chunk);
        self.tail.split().freeze()
    }

    /// The number of bytes that were pushed and did not come out.
    #[must_use]
    pub fn buffered_len(&self) -> usize {
        self.tail.len() + self.chunk.len()
    }

    /// Finds the end of the current block: how many bytes of the chunk belong to it.
    fn scan(&mut self) -> Option<usize> {
        loop {
            if self.after_cr {
                match self.chunk.get(self.scanned) {
                    Some(b'\n') => self.scanned += 1,
                    None if !self.stream_ended => return None,
                    _ => {}
                }
                self.after_cr = false;
            } else {
                let ahead = self.chunk.get(self.scanned..).unwrap_or_default();
                let Some(length) = memchr2(b'\n', b'\r', ahead) else {
                    self.line_is_empty &= ahead.is_empty();
                    self.scanned = self.chunk.len();
                    return None;
                };
                self.line_is_empty &= length == 0;
                self.after_cr = ahead[length] == b'\r';
                self.scanned += length + 1;
                if self.after_cr {
                    continue;
                }
            }
            if self.line_is_empty {
                return Some(self.scanned);
            }
            self.line_is_empty = true;
        }
    }

    /// Reads the block that ends at `end`. If it is an event, takes it with all bytes before it.
    fn take_block(&mut self, end: usize) -> Option<SseEvent> {
        // The standard ignores a byte order mark only at the beginning of a stream.
        let first = std::mem::take(&mut self.at_start);
        if !self.tail.is_empty() {
            self.tail.extend_from_slice(&self.chunk[..end]);
            self.chunk.advance(end);
            self.scanned = 0;
        }
        let held = if self.tail.is_empty() {
            &self.chunk[..end]
        } else {
            &self.tail[..]
        };
        let mark = if first && held.starts_with(BYTE_ORDER_MARK) {
            BYTE_ORDER_MARK.len()
        } else {
            0
        };
        let start = self.comment_bytes + mark;
        let block = EventBlock::read(&held[start..]);
        if !block.is_event() {
            // The block stays in the buffer, because every byte must come out again.
            self.comment_bytes = held.len();
            return None;
        }
        self.comment_bytes = 0;
        let raw = if self.tail.is_empty() {
            self.scanned = 0;
            self.chunk.split_to(end)
        } else {
            self.tail.split().freeze()
        };
        let lines = raw.slice(start..);
        Some(SseEvent {
            name: valid_name(lines.slice(block.name.clone())),
            data: block.data(&lines),
            raw,
        })
    }
}

/// Why reading a stream failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// An event is too long.
    #[error("reading a server-sent event: it is longer than {bytes_max} bytes")]
    EventTooLong {
        /// The limit in bytes.
        bytes_max: usize,
    },
}

/// Returns the name as UTF-8; invalid bytes are replaced, as the standard requires.
fn valid_name(bytes: Bytes) -> Bytes {
    match lossy_text(&bytes) {
        std::borrow::Cow::Borrowed(_) => bytes,
        std::borrow::Cow::Owned(mended) => mended.into(),
    }
}

pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
