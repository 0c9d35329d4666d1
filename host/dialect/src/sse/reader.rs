//! Cuts a byte stream into events. What it finds never depends on how the bytes were split.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr2;

use super::block::EventBlock;

/// The longest event taken by default, in bytes, its comments included. A chat event is a few hundred
/// bytes; what is long are pictures, sent as one event in base64: this holds 24 MiB of pixels, more
/// than image models answer with today. A stream holds that much only while such an event arrives.
pub const EVENT_BYTES_MAX: usize = 32 << 20;

/// One event, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SseEvent {
    name: Bytes,
    /// The values of its `data` lines, joined by line feeds. It is a slice of `raw` where there is one
    /// such line. Not checked to be UTF-8.
    pub data: Bytes,
    /// All its bytes, from the end of the event before it to the blank line that ends it: comments
    /// and keep-alives before it are part of it.
    pub raw: Bytes,
}

impl SseEvent {
    /// The value of its `translate_event` line; empty where it has none.
    #[must_use]
    pub fn name(&self) -> &str {
        std::str::from_utf8(&self.name).unwrap_or_default()
    }
}

/// Reads events out of a stream: push what arrives, then take events until there is none.
///
/// All bytes come out again, in order: as [`SseEvent::raw`], as quiet bytes, or as the rest.
#[derive(Debug)]
pub struct SseReader {
    event_bytes_max: usize,
    /// The beginning of the event under way, from chunks before this one.
    tail: BytesMut,
    /// What arrived last, from the first byte that is not in `tail`.
    chunk: Bytes,
    /// How much of the chunk was looked at.
    scanned: usize,
    /// The blocks without an event at the beginning of what is held, in bytes.
    comment_bytes: usize,
    /// Whether the line under way has no bytes so far.
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
    /// A reader at the beginning of a stream, that takes events of at most so many bytes.
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

    /// Takes what arrived. The reader is bounded by the longest event only if [`Reader::next_event`]
    /// is called until it answers none, before more is pushed.
    pub fn push(&mut self, chunk: Bytes) {
        if self.chunk.is_empty() {
            self.chunk = chunk;
            return;
        }
        let mut joined = BytesMut::from(std::mem::take(&mut self.chunk));
        joined.extend_from_slice(&chunk);
        self.chunk = joined.freeze();
    }

    /// The next complete event; none if it needs more bytes. After a lone carriage return at the end
    /// it does: a line feed may follow.
    ///
    /// # Errors
    ///
    /// If an event is longer than allowed; from then on always.
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

    /// Says that the stream has ended, and answers the next event, like [`Reader::next_event`]; call it
    /// until it answers none. An event without its blank line is dropped, as the standard demands and
    /// clients do: its bytes are the rest.
    ///
    /// # Errors
    ///
    /// As [`Reader::next_event`].
    pub fn finish(&mut self) -> Result<Option<SseEvent>, SseError> {
        self.stream_ended = true;
        self.next_event()
    }

    /// Takes the complete blocks that are no event (comments, keep-alives), so that they can be sent
    /// on without waiting for the next event; they will not be part of it. To be called once
    /// [`Reader::next_event`] has answered none; empty if there are none.
    pub fn take_comments(&mut self) -> Bytes {
        let comment_bytes = std::mem::take(&mut self.comment_bytes);
        self.tail
            .split_to(comment_bytes.min(self.tail.len()))
            .freeze()
    }

    /// Takes all bytes that were pushed and did not come out as events. The reader is empty then, and
    /// stands in the middle of an event if there were any.
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

    /// How many bytes were pushed and did not come out.
    #[must_use]
    pub fn buffered_len(&self) -> usize {
        self.tail.len() + self.chunk.len()
    }

    /// Looks for the end of the block under way: how much of the chunk belongs to it.
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

    /// Reads the block that ends there, and takes it out with what is before it if it is an event.
    fn take_block(&mut self, end: usize) -> Option<SseEvent> {
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

/// Why a stream cannot be read on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// An event is longer than the reader takes.
    #[error("reading a server-sent event: it is longer than {bytes_max} bytes")]
    EventTooLong {
        /// The most that the reader takes, in bytes.
        bytes_max: usize,
    },
}

/// The name as UTF-8, mended where it is not, as the standard's decoder does.
fn valid_name(bytes: Bytes) -> Bytes {
    match String::from_utf8_lossy(&bytes) {
        std::borrow::Cow::Borrowed(_) => bytes,
        std::borrow::Cow::Owned(mended) => mended.into(),
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
