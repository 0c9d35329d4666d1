//! A stream relayed byte for byte: whole events go on as they came, and the host only watches.

use std::collections::VecDeque;

use bytes::Bytes;
use jackfield_dialect::sse::Reader;
use jackfield_dialect::{Dialect, Observed, Observer, Usage};

use crate::classify;
use crate::exchange::{Broke, EMPTY, MALFORMED, Step};
use crate::limits::CLOSING;
use crate::source::{Came, Source};

/// A stream of server-sent events on its way to the client.
pub(crate) struct Relay {
    pub(crate) source: Source,
    reader: Reader,
    dialect: Dialect,
    watch: Box<dyn Observer>,
    committed: bool,
    done: bool,
}

impl Relay {
    pub(crate) fn new(source: Source, dialect: Dialect) -> Self {
        let reader = Reader::default();
        Self {
            source,
            reader,
            dialect,
            watch: dialect.observer(),
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
    pub(crate) async fn step(&mut self, out: &mut VecDeque<Bytes>) -> Result<Step, Broke> {
        let chunk = match self.source.came().await {
            Ok(Came::Bytes(chunk)) => chunk,
            Ok(Came::Silence) => {
                out.push_back(Bytes::from_static(KEEP_ALIVE));
                return Ok(Step::Held);
            }
            Ok(Came::End) => return self.finish(out),
            // It had said that it was over; how it closes is its own business.
            Err(_) if self.done => return Ok(Step::Over),
            Err(stopped) => return Err(stopped.into()),
        };
        let before = self.reader.rest_len();
        self.reader.push(chunk.clone());
        let mut batch = Batch::default();
        let read = self.read(false, |raw| batch.add(raw));
        batch.forward(before, &chunk, out);
        let quiet = self.reader.take_quiet();
        if !quiet.is_empty() {
            out.push_back(quiet);
        }
        read
    }

    /// Gives on the events that are complete, up to one that must not be.
    fn read(&mut self, ended: bool, mut give: impl FnMut(Bytes)) -> Result<Step, Broke> {
        let mut step = Step::Held;
        loop {
            let event = if ended {
                self.reader.finish()
            } else {
                self.reader.next_event()
            };
            let Some(event) = event.map_err(|error| Broke::useless(&error.to_string()))? else {
                break;
            };
            // What comes after the end is read by nobody.
            if !self.done {
                match self.watch.observe(event.name(), &event.data) {
                    Observed::Content => step = Step::Content,
                    Observed::Done => self.done()?,
                    Observed::Error(error) if self.committed => {
                        // The provider's own error event ends the client's stream: one is enough.
                        give(event.raw);
                        return Err(Broke::Told(classify::inside(error)));
                    }
                    Observed::Error(error) => return Err(Broke::Failed(classify::inside(error))),
                    Observed::Malformed => return Err(Broke::useless(MALFORMED)),
                    Observed::Preamble => {}
                }
            }
            give(event.raw);
        }
        Ok(if self.done { Step::Complete } else { step })
    }

    fn whole(&self) -> bool {
        self.watch.completed() && self.watch.has_content()
    }

    fn done(&mut self) -> Result<(), Broke> {
        if !self.whole() {
            return Err(Broke::useless(EMPTY));
        }
        self.done = true;
        self.source.end_within(CLOSING);
        Ok(())
    }

    fn finish(&mut self, out: &mut VecDeque<Bytes>) -> Result<Step, Broke> {
        self.read(true, |raw| out.push_back(raw))?;
        let rest = self.reader.take_rest();
        let makes_sense = self.done || self.read_rest(&rest)?;
        if !self.whole() {
            return Err(Broke::ended_early());
        }
        let rest = Some(rest).filter(|rest| makes_sense && !rest.is_empty());
        match (self.dialect.forgotten_end(), self.done) {
            (Some(end), false) => {
                // What the provider did not end itself is ended first.
                out.extend(rest.map(|rest| Bytes::from([&rest[..], b"\n\n"].concat())));
                out.push_back(Bytes::from_static(end));
            }
            _ => out.extend(rest),
        }
        Ok(Step::Over)
    }

    /// Whether what stands behind the last event may go on. Some providers close without the blank
    /// line that makes an event of it, which most clients forgive; half an event would break them.
    fn read_rest(&mut self, rest: &Bytes) -> Result<bool, Broke> {
        let mut whole = Reader::default();
        whole.push([rest, &b"\n\n"[..]].concat().into());
        let Ok(Some(event)) = whole.next_event() else {
            return Ok(true);
        };
        match self.watch.observe(event.name(), &event.data) {
            Observed::Content | Observed::Preamble => Ok(true),
            Observed::Done => {
                // It is not forgotten then.
                self.done = true;
                Ok(true)
            }
            Observed::Error(error) => Err(Broke::Failed(classify::inside(error))),
            Observed::Malformed => Ok(false),
        }
    }
}

/// A comment: nothing that a client reads.
pub(crate) const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";

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
