//! An event stream forwarded byte for byte. The host only observes the events.

use std::collections::VecDeque;

use bytes::Bytes;
use jackfield_dialect::sse::SseReader;
use jackfield_dialect::{Dialect, EventClass, Observer, Usage};

use super::source::{Chunk, Source};
use super::stream::{Polled, ReplyStream, StreamError, judge};
use super::writer::StreamWriter;
use crate::call::StreamFraming;
use crate::limits::{CLOSE_TIMEOUT, KEEP_ALIVE_INTERVAL};
use crate::signatures::SignatureRecorder;

/// A stream of server-sent events for a client of the provider's dialect.
pub(crate) struct Relay {
    source: Source,
    reader: SseReader,
    dialect: Dialect,
    observer: Box<dyn Observer>,
    recorder: SignatureRecorder,
    committed: bool,
    done: bool,
}

impl Relay {
    pub(crate) fn new(source: Source, recorder: SignatureRecorder) -> Self {
        let dialect = recorder.dialect;
        Self {
            source,
            reader: SseReader::default(),
            dialect,
            observer: dialect.codec().observer(),
            recorder,
            committed: false,
            done: false,
        }
    }

    /// Emits the complete events, up to one that the client must not get.
    fn forward_events(
        &mut self,
        ended: bool,
        mut emit: impl FnMut(Bytes),
    ) -> Result<Polled, StreamError> {
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
            // Events after the end are forwarded unread.
            if !self.done {
                self.recorder.record(&event.data);
                let class = self.observer.observe(event.name(), &event.data);
                let is_error = matches!(class, EventClass::Error(_));
                match judge(class, || self.is_complete()) {
                    Ok(judged) => polled = polled.max(judged),
                    Err(error) if is_error && self.committed => {
                        // The provider's own error event ends the client's stream: one is enough.
                        return Err(error.with_event(event.raw));
                    }
                    Err(error) => return Err(error),
                }
                if polled == Polled::Complete {
                    self.done = true;
                    self.source.end_within(CLOSE_TIMEOUT);
                }
            }
            emit(event.raw);
        }
        Ok(if self.done { Polled::Complete } else { polled })
    }

    fn is_complete(&self) -> bool {
        self.observer.completed() && self.observer.has_content()
    }

    fn finish(&mut self, queue: &mut VecDeque<Bytes>) -> Result<Polled, StreamError> {
        self.forward_events(true, |raw| queue.push_back(raw))?;
        let rest = self.reader.take_buffered();
        let is_valid = self.done || self.check_rest(&rest)?;
        if !self.is_complete() {
            return Err(StreamError::ended_early());
        }
        let rest = Some(rest).filter(|rest| is_valid && !rest.is_empty());
        match (self.dialect.codec().missing_terminator(), self.done) {
            (Some(end), false) => {
                // The blank line that the provider left out, so that the end is an event of its own.
                queue.extend(rest.map(|rest| Bytes::from([&rest[..], b"\n\n"].concat())));
                queue.push_back(Bytes::from_static(end));
            }
            _ => queue.extend(rest),
        }
        Ok(Polled::End)
    }

    /// Returns whether the bytes after the last event may go on. Some providers close without the blank
    /// line after the last event, which most clients forgive; half an event would break them.
    fn check_rest(&mut self, rest: &Bytes) -> Result<bool, StreamError> {
        let mut whole = SseReader::default();
        whole.push([rest, &b"\n\n"[..]].concat().into());
        let Ok(Some(event)) = whole.next_event() else {
            return Ok(true);
        };
        let class = self.observer.observe(event.name(), &event.data);
        if class == EventClass::Malformed {
            return Ok(false);
        }
        self.done = judge(class, || self.is_complete())? == Polled::Complete;
        Ok(true)
    }
}

impl ReplyStream for Relay {
    /// Forwards whole events only: a client cannot use half of one, and an error event after a broken
    /// connection must stand on its own.
    async fn poll(&mut self, queue: &mut VecDeque<Bytes>) -> Result<Polled, StreamError> {
        let chunk = match self.source.next_chunk().await {
            Ok(Chunk::Bytes(chunk)) => chunk,
            Ok(Chunk::Silence) => {
                queue.push_back(Bytes::from_static(self.dialect.codec().keep_alive()));
                return Ok(Polled::Buffered);
            }
            Ok(Chunk::End) => return self.finish(queue),
            // The response was complete: a connection that breaks now loses nothing.
            Err(_) if self.done => return Ok(Polled::End),
            Err(error) => return Err(error.into()),
        };
        let before = self.reader.buffered_len();
        self.reader.push(chunk.clone());
        let mut batch = Batch::default();
        let polled = self.forward_events(false, |raw| batch.add(raw));
        batch.forward(before, &chunk, queue);
        // Providers send comments as keep-alives: with the next event they would come too late.
        let comments = self.reader.take_comments();
        if !comments.is_empty() {
            queue.push_back(comments);
        }
        polled
    }

    fn source(&self) -> &Source {
        &self.source
    }

    fn source_mut(&mut self) -> &mut Source {
        &mut self.source
    }

    fn held_bytes(&self) -> usize {
        self.reader.buffered_len()
    }

    fn usage(&self) -> Option<Usage> {
        self.observer.usage()
    }

    fn on_commit(&mut self) {
        self.committed = true;
        self.source.enable_keep_alive(KEEP_ALIVE_INTERVAL);
    }

    fn fail(&mut self, message: &str) -> Option<Bytes> {
        let mut writer = StreamWriter::same_dialect(self.dialect, StreamFraming::Events);
        Some(writer.fail(message))
    }
}

/// The events of one chunk, forwarded in as few pieces as possible: those that lie inside the chunk
/// are one slice of it.
#[derive(Default)]
struct Batch {
    /// The first event. It may have begun in an earlier chunk.
    first: Option<Bytes>,
    /// The length of all events, in bytes.
    bytes: usize,
}

impl Batch {
    fn add(&mut self, raw: Bytes) {
        self.bytes += raw.len();
        self.first.get_or_insert(raw);
    }

    /// Appends the events to `queue`. `before` bytes of the first one came with earlier chunks.
    fn forward(self, before: usize, chunk: &Bytes, queue: &mut VecDeque<Bytes>) {
        let Some(first) = self.first else { return };
        if before == 0 {
            return queue.push_back(chunk.slice(..self.bytes));
        }
        let others = first.len().saturating_sub(before)..self.bytes - before;
        queue.push_back(first);
        if !others.is_empty() {
            queue.push_back(chunk.slice(others));
        }
    }
}

#[cfg(test)]
mod tests;
