//! A stream whose events are rewritten: translated for a client of another dialect, or framed as one
//! JSON array.

use std::collections::VecDeque;

use bytes::Bytes;
use jackfield_dialect::Usage;
use jackfield_dialect::sse::{SseError, SseEvent, SseReader};

use super::source::{Chunk, Source};
use super::stream::{Polled, ReplyStream, StreamError, judge};
use super::writer::StreamWriter;
use crate::limits::{CLOSE_TIMEOUT, KEEP_ALIVE_INTERVAL};

/// A stream of server-sent events, rewritten for the client.
pub(crate) struct TranscodedStream {
    source: Source,
    writer: StreamWriter,
    reader: SseReader,
    done: bool,
}

impl TranscodedStream {
    pub(crate) fn new(source: Source, writer: StreamWriter) -> Self {
        Self {
            source,
            writer,
            reader: SseReader::default(),
            done: false,
        }
    }

    fn write_events(&mut self, written: &mut Vec<u8>) -> Result<Polled, StreamError> {
        let mut polled = Polled::Buffered;
        while let Some(event) = self.reader.next_event().map_err(|error| too_long(&error))? {
            polled = polled.max(self.write_event(&event, written)?);
        }
        Ok(polled)
    }

    fn write_event(
        &mut self,
        event: &SseEvent,
        written: &mut Vec<u8>,
    ) -> Result<Polled, StreamError> {
        if self.done {
            return Ok(Polled::Complete);
        }
        let class = self.writer.event(event.name(), &event.data, written);
        let polled = judge(class, || self.writer.completed())?;
        if polled == Polled::Complete {
            self.done = true;
            self.source.end_within(CLOSE_TIMEOUT);
        }
        Ok(polled)
    }

    /// Writes what is left when the provider has closed. Some providers close without the blank line
    /// after the last event, and some without the end event that their dialect demands.
    fn finish(&mut self, queue: &mut VecDeque<Bytes>) -> Result<Polled, StreamError> {
        let mut written = Vec::new();
        self.reader.push(Bytes::from_static(b"\n\n"));
        let last = self.reader.finish().map_err(|error| too_long(&error))?;
        if let Some(event) = last {
            self.write_event(&event, &mut written)?;
        }
        if !self.done {
            self.writer.finish(&mut written);
        }
        if !self.writer.completed() {
            return Err(StreamError::ended_early());
        }
        if !written.is_empty() {
            queue.push_back(written.into());
        }
        Ok(Polled::End)
    }
}

impl ReplyStream for TranscodedStream {
    async fn poll(&mut self, queue: &mut VecDeque<Bytes>) -> Result<Polled, StreamError> {
        let chunk = match self.source.next_chunk().await {
            Ok(Chunk::Bytes(chunk)) => chunk,
            Ok(Chunk::Silence) => {
                queue.push_back(self.writer.keep_alive());
                return Ok(Polled::Buffered);
            }
            Ok(Chunk::End) => return self.finish(queue),
            // The response was complete: a connection that breaks now loses nothing.
            Err(_) if self.done => return Ok(Polled::End),
            Err(error) => return Err(error.into()),
        };
        // Bytes after the end event are read to keep the connection usable, and dropped.
        if self.done {
            return Ok(Polled::Complete);
        }
        self.reader.push(chunk);
        let mut written = Vec::new();
        let polled = self.write_events(&mut written);
        // Events before one that fails are still the client's.
        if !written.is_empty() {
            queue.push_back(written.into());
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
        self.reader.buffered_len() + self.writer.held_bytes()
    }

    fn usage(&self) -> Option<Usage> {
        self.writer.usage()
    }

    fn on_commit(&mut self) {
        self.source.enable_keep_alive(KEEP_ALIVE_INTERVAL);
    }

    fn fail(&mut self, message: &str) -> Option<Bytes> {
        Some(self.writer.fail(message))
    }
}

fn too_long(error: &SseError) -> StreamError {
    StreamError::invalid_response(&error.to_string())
}
