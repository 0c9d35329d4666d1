//! A stream relayed byte for byte: whole events go on as they came, and the host only watches.

use std::collections::VecDeque;

use bytes::Bytes;
use jackfield_dialect::sse::SseReader;
use jackfield_dialect::{Dialect, EventClass, Observer, Usage};

use crate::classify;
use crate::exchange::{EMPTY, MALFORMED, Polled, StreamError};
use crate::limits::CLOSE_TIMEOUT;
use crate::source::{Chunk, Source};

/// A stream of server-sent events on its way to the client.
pub(crate) struct Relay {
    pub(crate) source: Source,
    reader: SseReader,
    dialect: Dialect,
    watch: Box<dyn Observer>,
    committed: bool,
    done: bool,
}

impl Relay {
    pub(crate) fn new(source: Source, dialect: Dialect) -> Self {
        let reader = SseReader::default();
        Self {
            source,
            reader,
            dialect,
            watch: dialect.codec().observer(),
            committed: false,
            done: false,
        }
    }

    /// From now on what comes is the client's, the provider's own error included.
    pub(crate) fn commit(&mut self) {
        self.committed = true;
    }

    /// What the stream cost, as last reported.
    pub(crate) fn usage(&self) -> Option<Usage> {
        self.watch.usage()
    }

    /// Pulls once. Only whole events go on: a client can do nothing with half of one, and when the
    /// provider breaks off inside one, the error event that follows must stand on its own.
    pub(crate) async fn poll(&mut self, out: &mut VecDeque<Bytes>) -> Result<Polled, StreamError> {
        let chunk = match self.source.next_chunk().await {
            Ok(Chunk::Bytes(chunk)) => chunk,
            Ok(Chunk::Silence) => {
                out.push_back(Bytes::from_static(KEEP_ALIVE_COMMENT));
                return Ok(Polled::Buffered);
            }
            Ok(Chunk::End) => return self.finish(out),
            // It had said that it was over; how it closes is its own business.
            Err(_) if self.done => return Ok(Polled::End),
            Err(error) => return Err(error.into()),
        };
        let before = self.reader.buffered_len();
        self.reader.push(chunk.clone());
        let mut batch = Batch::default();
        let read = self.read(false, |raw| batch.add(raw));
        batch.forward(before, &chunk, out);
        let quiet = self.reader.take_comments();
        if !quiet.is_empty() {
            out.push_back(quiet);
        }
        read
    }

    /// Gives on the events that are complete, up to one that must not be.
    fn read(&mut self, ended: bool, mut emit: impl FnMut(Bytes)) -> Result<Polled, StreamError> {
        let mut polled = Polled::Buffered;
        loop {
            let event = if ended {
                self.reader.finish()
            } else {
                self.reader.next_event()
            };
            let Some(event) =
                event.map_err(|error| StreamError::invalid_response(&error.to_string()))?
            else {
                break;
            };
            // What comes after the end is read by nobody.
            if !self.done {
                match self.watch.observe(event.name(), &event.data) {
                    EventClass::Content => polled = Polled::Content,
                    EventClass::Done => self.mark_done()?,
                    EventClass::Error(error) if self.committed => {
                        // The provider's own error event ends the client's stream: one is enough.
                        emit(event.raw);
                        return Err(StreamError::AlreadySent(classify::stream_error(error)));
                    }
                    EventClass::Error(error) => {
                        return Err(StreamError::Upstream(classify::stream_error(error)));
                    }
                    EventClass::Malformed => return Err(StreamError::invalid_response(MALFORMED)),
                    EventClass::Preamble => {}
                }
            }
            emit(event.raw);
        }
        Ok(if self.done { Polled::Complete } else { polled })
    }

    fn is_complete(&self) -> bool {
        self.watch.completed() && self.watch.has_content()
    }

    fn mark_done(&mut self) -> Result<(), StreamError> {
        if !self.is_complete() {
            return Err(StreamError::invalid_response(EMPTY));
        }
        self.done = true;
        self.source.end_within(CLOSE_TIMEOUT);
        Ok(())
    }

    fn finish(&mut self, out: &mut VecDeque<Bytes>) -> Result<Polled, StreamError> {
        self.read(true, |raw| out.push_back(raw))?;
        let rest = self.reader.take_buffered();
        let is_valid = self.done || self.read_rest(&rest)?;
        if !self.is_complete() {
            return Err(StreamError::ended_early());
        }
        let rest = Some(rest).filter(|rest| is_valid && !rest.is_empty());
        match (self.dialect.codec().missing_terminator(), self.done) {
            (Some(end), false) => {
                // What the provider did not end itself is ended first.
                out.extend(rest.map(|rest| Bytes::from([&rest[..], b"\n\n"].concat())));
                out.push_back(Bytes::from_static(end));
            }
            _ => out.extend(rest),
        }
        Ok(Polled::End)
    }

    /// Whether what stands behind the last event may go on. Some providers close without the blank
    /// line that makes an event of it, which most clients forgive; half an event would break them.
    fn read_rest(&mut self, rest: &Bytes) -> Result<bool, StreamError> {
        let mut whole = SseReader::default();
        whole.push([rest, &b"\n\n"[..]].concat().into());
        let Ok(Some(event)) = whole.next_event() else {
            return Ok(true);
        };
        match self.watch.observe(event.name(), &event.data) {
            EventClass::Content | EventClass::Preamble => Ok(true),
            EventClass::Done => {
                // It is not forgotten then.
                self.done = true;
                Ok(true)
            }
            EventClass::Error(error) => Err(StreamError::Upstream(classify::stream_error(error))),
            EventClass::Malformed => Ok(false),
        }
    }
}

/// A comment: nothing that a client reads.
pub(crate) const KEEP_ALIVE_COMMENT: &[u8] = b": keep-alive\n\n";

/// The events of one chunk, to be sent on as few pieces: all that lie inside the chunk are one slice
/// of it.
#[derive(Default)]
struct Batch {
    /// The first event, which may have begun in an earlier chunk.
    first: Option<Bytes>,
    /// The bytes of all events.
    bytes: usize,
}

impl Batch {
    fn add(&mut self, raw: Bytes) {
        self.bytes += raw.len();
        self.first.get_or_insert(raw);
    }

    /// `before`: how many bytes were waiting when the chunk came.
    fn forward(self, before: usize, chunk: &Bytes, out: &mut VecDeque<Bytes>) {
        let Some(first) = self.first else { return };
        if before == 0 {
            return out.push_back(chunk.slice(..self.bytes));
        }
        let others = first.len().saturating_sub(before)..self.bytes - before;
        out.push_back(first);
        if !others.is_empty() {
            out.push_back(chunk.slice(others));
        }
    }
}

#[cfg(test)]
mod tests;
