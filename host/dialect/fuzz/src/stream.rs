//! Translates a provider's stream to every client's dialect.

use bytes::Bytes;
use jackfield_dialect::ir::{Event, EventDecoder, EventEncoder, Frame, Malformed};
use jackfield_dialect::sse::{self, SseReader, write_event};
use jackfield_dialect::{Dialect, Observer, ProviderError};

use crate::order::Order;
use crate::{bound, response_context};

pub(crate) fn check(dialect: Dialect, data: &[u8]) {
    let mut reading = Reading::new(dialect);
    // Also decode the whole input as the data of a single event.
    Reading::new(dialect).take("", data);
    Reading::new(dialect).take("error", data);
    let whole = each(data, |event| reading.take(event.name(), &event.data));
    if !whole {
        return;
    }
    if reading.malformed.is_none() {
        reading.finish();
    }
    for to in Dialect::ALL {
        let mut writing = Writing::new(to, data);
        for event in &reading.events {
            writing.put(event);
        }
        let ended = reading.order.is_over();
        if !ended {
            writing.put(&Event::Error(ProviderError::default()));
        }
        writing.assert_silent();
        bound::hold("stream", data.len(), writing.out.len());
        writing.read_again(reading.has_finish, reading.order.done());
    }
}

/// Calls `take` for each event of a stream. Returns `false` if there is no event.
fn each(data: &[u8], mut take: impl FnMut(&sse::SseEvent)) -> bool {
    let (mut reader, mut any) = (SseReader::default(), false);
    reader.push(Bytes::copy_from_slice(data));
    while let Ok(Some(event)) = reader.next_event() {
        any = true;
        take(&event);
    }
    any
}

/// Decodes a stream and checks the order of its events.
struct Reading {
    decoder: Box<dyn EventDecoder>,
    observer: Box<dyn Observer>,
    order: Order,
    events: Vec<Event>,
    malformed: Option<Malformed>,
    /// Whether the decoder returned a finish reason.
    has_finish: bool,
}

impl Reading {
    fn new(dialect: Dialect) -> Self {
        Self {
            decoder: dialect.codec().decoder(),
            observer: dialect.codec().observer(),
            order: Order::default(),
            events: Vec::new(),
            malformed: None,
            has_finish: false,
        }
    }

    fn take(&mut self, name: &str, data: &[u8]) {
        let _ = self.observer.observe(name, data);
        if self.malformed.is_none() {
            let known = self.events.len();
            let read = self.decoder.event(name, data, &mut self.events);
            self.malformed = read.err();
            self.hold(known);
        }
    }

    fn finish(&mut self) {
        let (known, has_finish) = (self.events.len(), self.order.has_finish());
        self.decoder.finish(&mut self.events);
        self.hold(known);
        // Some decoders return the finish reason only here, because content may follow it in the stream.
        assert!(
            self.order.is_over() || !has_finish,
            "a finish reason without an end"
        );
    }

    /// Checks the order of the events from index `known` on.
    fn hold(&mut self, known: usize) {
        for event in &self.events[known..] {
            self.order.take(event);
            self.has_finish |= matches!(event, Event::Finish(_));
        }
    }
}

/// Encodes a stream.
struct Writing {
    to: Dialect,
    encoder: Box<dyn EventEncoder>,
    out: Vec<u8>,
}

impl Writing {
    fn new(to: Dialect, data: &[u8]) -> Self {
        Self {
            to,
            encoder: to.codec().encoder(response_context(data)),
            out: Vec::new(),
        }
    }

    fn put(&mut self, event: &Event) {
        let mut frames: Vec<Frame> = Vec::new();
        self.encoder.event(event, &mut frames);
        for frame in frames {
            write_event(&frame.name, &frame.data, &mut self.out);
        }
    }

    /// Asserts that the encoder writes nothing after the end.
    fn assert_silent(&mut self) {
        let length = self.out.len();
        self.put(&Event::Done);
        self.put(&Event::Error(ProviderError::default()));
        assert_eq!(self.out.len(), length, "{}: output after the end", self.to);
    }

    /// Asserts that the output is a valid stream of its dialect.
    fn read_again(&self, has_finish: bool, done: bool) {
        let mut reading = Reading::new(self.to);
        each(&self.out, |event| reading.take(event.name(), &event.data));
        let shown = || String::from_utf8_lossy(&self.out);
        let malformed = &reading.malformed;
        assert!(
            malformed.is_none(),
            "{}: {malformed:?}\n{}",
            self.to,
            shown()
        );
        reading.finish();
        assert_eq!(reading.order.done(), done, "{}: {}", self.to, shown());
        // Some observers count a stream as complete that failed after its finish reason.
        let completed = reading.observer.completed();
        assert!(completed || !done, "{}: {}", self.to, shown());
        assert!(done || has_finish || !completed, "{}: {}", self.to, shown());
    }
}
