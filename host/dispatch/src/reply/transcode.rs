//! A stream whose events are read and written anew: translated for a client of another dialect, or
//! framed as one JSON array.

use std::collections::VecDeque;

use bytes::Bytes;
use jackfield_dialect::EventClass;
use jackfield_dialect::sse::{SseError, SseEvent, SseReader};

use crate::classify;
use crate::limits::CLOSE_TIMEOUT;
use crate::reply::source::{Chunk, Source};
use crate::reply::writer::StreamWriter;
use crate::reply::{EMPTY, MALFORMED, Polled, StreamError};

/// A stream on its way to a client that does not get it as it came.
pub(crate) struct TranscodedStream {
    pub(crate) source: Source,
    pub(crate) writer: StreamWriter,
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

    /// Pulls once.
    pub(crate) async fn poll(&mut self, out: &mut VecDeque<Bytes>) -> Result<Polled, StreamError> {
        let chunk = match self.source.next_chunk().await {
            Ok(Chunk::Bytes(chunk)) => chunk,
            Ok(Chunk::Silence) => {
                out.push_back(self.writer.keep_alive());
                return Ok(Polled::Buffered);
            }
            Ok(Chunk::End) => return self.finish(out),
            // It had said that it was over; how it closes is its own business.
            Err(_) if self.done => return Ok(Polled::End),
            Err(error) => return Err(error.into()),
        };
        // What comes after the end is read by nobody.
        if self.done {
            return Ok(Polled::Complete);
        }
        self.reader.push(chunk);
        let mut written = Vec::new();
        let read = self.read(&mut written);
        // What came before an event that must not go on still does.
        if !written.is_empty() {
            out.push_back(written.into());
        }
        read
    }

    fn read(&mut self, written: &mut Vec<u8>) -> Result<Polled, StreamError> {
        let mut polled = Polled::Buffered;
        while let Some(event) = self.reader.next_event().map_err(|error| too_long(&error))? {
            if self.take(&event, written)? {
                polled = Polled::Content;
            }
        }
        Ok(if self.done { Polled::Complete } else { polled })
    }

    /// Writes an event; whether it has content.
    fn take(&mut self, event: &SseEvent, written: &mut Vec<u8>) -> Result<bool, StreamError> {
        if self.done {
            return Ok(false);
        }
        match self.writer.event(event.name(), &event.data, written) {
            EventClass::Content => return Ok(true),
            EventClass::Preamble => {}
            EventClass::Done if self.writer.completed() => {
                self.done = true;
                self.source.end_within(CLOSE_TIMEOUT);
            }
            EventClass::Done => return Err(StreamError::invalid_response(EMPTY)),
            EventClass::Error(error) => {
                return Err(StreamError::Upstream(classify::stream_error(error)));
            }
            EventClass::Malformed => return Err(StreamError::invalid_response(MALFORMED)),
        }
        Ok(false)
    }

    /// The provider has closed. Some do without the blank line that makes an event of the last one,
    /// and some without the end that their dialect demands.
    fn finish(&mut self, out: &mut VecDeque<Bytes>) -> Result<Polled, StreamError> {
        let mut written = Vec::new();
        self.reader.push(Bytes::from_static(b"\n\n"));
        let last = self.reader.finish().map_err(|error| too_long(&error))?;
        if let Some(event) = last {
            self.take(&event, &mut written)?;
        }
        if !self.done {
            self.writer.finish(&mut written);
        }
        if !self.writer.completed() {
            return Err(StreamError::ended_early());
        }
        if !written.is_empty() {
            out.push_back(written.into());
        }
        Ok(Polled::End)
    }
}

fn too_long(error: &SseError) -> StreamError {
    StreamError::invalid_response(&error.to_string())
}
