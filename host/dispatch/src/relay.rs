//! A stream relayed byte for byte: whole events go on as they came, and the host only watches.

use std::collections::VecDeque;

use bytes::Bytes;
use jackfield_dialect::sse::Reader;
use jackfield_dialect::{Dialect, Observed};

use crate::classify;
use crate::exchange::{Broke, Step};
use crate::limits::CLOSING;
use crate::source::Source;
use crate::watch::Watch;

/// A stream of server-sent events on its way to the client.
pub(crate) struct Relay {
    pub(crate) source: Source,
    reader: Reader,
    watch: Watch,
    committed: bool,
    done: bool,
}

impl Relay {
    pub(crate) fn new(source: Source, dialect: Dialect) -> Self {
        let reader = Reader::default();
        Self {
            source,
            reader,
            watch: Watch::new(dialect),
            committed: false,
            done: false,
        }
    }

    /// From now on what comes is the client's, malformed or not.
    pub(crate) fn commit(&mut self) {
        self.committed = true;
    }

    /// Pulls once. Only whole events go on: a client can do nothing with half of one, and when the
    /// provider breaks off inside one, the error event that follows must stand on its own.
    pub(crate) async fn step(&mut self, out: &mut VecDeque<Bytes>) -> Result<Step, Broke> {
        let next = self.source.next().await;
        let chunk = match next {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return self.finish(out),
            // It had said that it was over; how it closes is its own business.
            Err(_) if self.done => return Ok(Step::Over),
            Err(error) => return Err(Broke::Failed(classify::transport(error.to_string()))),
        };
        let before = self.reader.rest_len();
        self.reader.push(chunk.clone());
        let mut batch = Batch::default();
        let read = self.read(&mut batch);
        batch.forward(before, &chunk, out);
        let quiet = self.reader.take_quiet();
        if !quiet.is_empty() {
            out.push_back(quiet);
        }
        read
    }

    fn read(&mut self, batch: &mut Batch) -> Result<Step, Broke> {
        let mut step = Step::Held;
        while let Some(event) = self.reader.next_event().map_err(too_long)? {
            let observed = self.watch.observe(event.name(), &event.data);
            match observed {
                Observed::Error(error) if !self.committed => {
                    return Err(Broke::Failed(classify::inside(error)));
                }
                Observed::Malformed if !self.committed => {
                    return Err(Broke::Failed(classify::useless(
                        "the provider's stream made no sense",
                    )));
                }
                _ => batch.add(event.raw),
            }
            match observed {
                // The provider's own error event ends the client's stream: one is enough.
                Observed::Error(error) => return Err(Broke::Told(classify::inside(error))),
                Observed::Done => self.done(),
                Observed::Content => step = Step::Content,
                Observed::Malformed | Observed::Preamble => {}
            }
        }
        if self.done && self.watch.completed() {
            Ok(Step::Complete)
        } else {
            Ok(step)
        }
    }

    fn done(&mut self) {
        if !self.done {
            self.done = true;
            self.source.end_within(CLOSING);
        }
    }

    fn finish(&mut self, out: &mut VecDeque<Bytes>) -> Result<Step, Broke> {
        while let Some(event) = self.reader.finish().map_err(too_long)? {
            if self.watch.observe(event.name(), &event.data) == Observed::Done {
                self.done = true;
            }
            out.push_back(event.raw);
        }
        let rest = self.reader.take_rest();
        if self.ends_with_done(&rest) || self.watch.completed() {
            out.extend(Some(rest).filter(|rest| !rest.is_empty()));
            return Ok(Step::Over);
        }
        Err(Broke::Failed(classify::transport(ENDED_EARLY.to_owned())))
    }

    /// Some providers close after `data: [DONE]` without the blank line that makes it an event.
    fn ends_with_done(&mut self, rest: &Bytes) -> bool {
        let mut whole = Reader::default();
        whole.push([rest, &b"\n\n"[..]].concat().into());
        let Ok(Some(event)) = whole.next_event() else {
            return self.done;
        };
        self.watch.observe(event.name(), &event.data) == Observed::Done && self.watch.completed()
    }
}

const ENDED_EARLY: &str = "the provider's stream ended before it was complete";

fn too_long(error: impl std::fmt::Display) -> Broke {
    Broke::Failed(classify::useless(&error.to_string()))
}

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
