//! A stream whose events are read and written anew: translated for a client of another dialect, or
//! framed as one JSON array.

use std::collections::VecDeque;

use bytes::Bytes;
use jackfield_dialect::Observed;
use jackfield_dialect::sse::{Event, Reader, SseError};

use crate::classify;
use crate::exchange::{Broke, EMPTY, MALFORMED, Step};
use crate::limits::CLOSING;
use crate::source::{Came, Source};
use crate::writer::Writer;

/// A stream on its way to a client that does not get it as it came.
pub(crate) struct Retold {
    pub(crate) source: Source,
    pub(crate) writer: Writer,
    reader: Reader,
    done: bool,
}

impl Retold {
    pub(crate) fn new(source: Source, writer: Writer) -> Self {
        Self {
            source,
            writer,
            reader: Reader::default(),
            done: false,
        }
    }

    /// Pulls once.
    pub(crate) async fn step(&mut self, out: &mut VecDeque<Bytes>) -> Result<Step, Broke> {
        let chunk = match self.source.came().await {
            Ok(Came::Bytes(chunk)) => chunk,
            Ok(Came::Silence) => {
                out.push_back(self.writer.keep_alive());
                return Ok(Step::Held);
            }
            Ok(Came::End) => return self.finish(out),
            // It had said that it was over; how it closes is its own business.
            Err(_) if self.done => return Ok(Step::Over),
            Err(stopped) => return Err(stopped.into()),
        };
        // What comes after the end is read by nobody.
        if self.done {
            return Ok(Step::Complete);
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

    fn read(&mut self, written: &mut Vec<u8>) -> Result<Step, Broke> {
        let mut step = Step::Held;
        while let Some(event) = self.reader.next_event().map_err(|error| too_long(&error))? {
            if self.take(&event, written)? {
                step = Step::Content;
            }
        }
        Ok(if self.done { Step::Complete } else { step })
    }

    /// Writes an event; whether it has content.
    fn take(&mut self, event: &Event, written: &mut Vec<u8>) -> Result<bool, Broke> {
        if self.done {
            return Ok(false);
        }
        match self.writer.event(event.name(), &event.data, written) {
            Observed::Content => return Ok(true),
            Observed::Preamble => {}
            Observed::Done if self.writer.completed() => {
                self.done = true;
                self.source.end_within(CLOSING);
            }
            Observed::Done => return Err(Broke::useless(EMPTY)),
            Observed::Error(error) => return Err(Broke::Failed(classify::inside(error))),
            Observed::Malformed => return Err(Broke::useless(MALFORMED)),
        }
        Ok(false)
    }

    /// The provider has closed. Some do without the blank line that makes an event of the last one,
    /// and some without the end that their dialect demands.
    fn finish(&mut self, out: &mut VecDeque<Bytes>) -> Result<Step, Broke> {
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
            return Err(Broke::ended_early());
        }
        if !written.is_empty() {
            out.push_back(written.into());
        }
        Ok(Step::Over)
    }
}

fn too_long(error: &SseError) -> Broke {
    Broke::useless(&error.to_string())
}
