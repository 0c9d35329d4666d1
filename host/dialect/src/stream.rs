//! Reading a provider's stream: one reader for each dialect, whose pieces go into one of two sinks.
//!
//! [`Watch`] serves relayed streams: it only classifies the events, and allocates nothing. [`Events`]
//! serves translated streams: it also builds the [`Event`]s. A reader says of every piece whether it is
//! content by the method that it calls, and both sinks keep the same [`Progress`]. So both kinds of
//! streams commit, fail and end at the same events. Where they must differ, [`Sink`] has a method that
//! says why.

mod calls;
mod halves;
mod sink;
mod text;

pub(crate) use sink::{Events, Sink, Watch};
pub(crate) use text::Text;

use crate::ir::{Event, EventDecoder, Malformed};
use crate::json::lossy_text;
use crate::{EventClass, ProviderError, Usage};

/// Classifies the events of a stream that is relayed as it is. It needs constant memory, however long the
/// stream is.
pub trait Observer: Send {
    /// Classifies an event by its name and its data.
    fn observe(&mut self, event_name: &str, data: &[u8]) -> EventClass;

    /// The usage, as last reported.
    fn usage(&self) -> Option<Usage>;

    /// Whether there was any content. A stream that completes without is an empty response.
    fn has_content(&self) -> bool;

    /// Whether the stream came to its end: the event that the dialect demands, or a finish reason, after
    /// which some providers just close the connection. Any other stream was cut off.
    fn completed(&self) -> bool;
}

/// A dialect's reader of a provider's stream: what it must remember from one event to the next.
pub(crate) trait Reader: Default + Send {
    /// Reads one event. `text` is the event's data without white space around it.
    ///
    /// # Errors
    /// If the event is not valid in the dialect.
    fn read(&mut self, name: &str, text: &str, sink: &mut impl Sink) -> Result<(), Malformed>;

    /// Ends the stream, whether or not the provider sent its last event. If there was a finish reason,
    /// adds the events that are still missing, [`Event::Done`] at last.
    fn finish(&mut self, sink: &mut impl Sink);
}

/// Reads one event into a sink, and classifies it. Nothing is read after the end of the stream.
fn read(
    reader: &mut impl Reader,
    sink: &mut impl Sink,
    name: &str,
    data: &[u8],
) -> Result<EventClass, Malformed> {
    // An event after the end, such as a second end mark, must not fail a stream that is complete.
    if sink.progress().is_over {
        return Ok(EventClass::Preamble);
    }
    // A byte that is no UTF-8 must not end the stream.
    let text = lossy_text(data.trim_ascii());
    let text = sink.readable(&text);
    sink.progress().class = EventClass::Preamble;
    let result = reader.read(name, &text, sink);
    match std::mem::replace(&mut sink.progress().class, EventClass::Preamble) {
        // An error that the provider reports explains more than what is malformed beside it.
        error @ EventClass::Error(_) => Ok(error),
        class => result.map(|()| class),
    }
}

/// A reader with a sink that only watches.
#[derive(Default)]
pub(crate) struct Watching<R> {
    reader: R,
    sink: Watch,
}

impl<R: Reader> Observer for Watching<R> {
    fn observe(&mut self, event_name: &str, data: &[u8]) -> EventClass {
        read(&mut self.reader, &mut self.sink, event_name, data).unwrap_or(EventClass::Malformed)
    }

    fn usage(&self) -> Option<Usage> {
        self.sink.progress.usage
    }

    fn has_content(&self) -> bool {
        self.sink.progress.has_content
    }

    fn completed(&self) -> bool {
        self.sink.progress.is_done || self.sink.progress.is_finished
    }
}

/// A reader with a sink that keeps the events.
#[derive(Default)]
pub(crate) struct Decoding<R> {
    reader: R,
    sink: Events,
}

impl<R: Reader> EventDecoder for Decoding<R> {
    fn event(
        &mut self,
        name: &str,
        data: &[u8],
        out: &mut Vec<Event>,
    ) -> Result<EventClass, Malformed> {
        // The sink writes into the caller's list: nothing is copied.
        std::mem::swap(&mut self.sink.events, out);
        let known = self.sink.events.len();
        let class = read(&mut self.reader, &mut self.sink, name, data);
        let cut = self.sink.complete(known);
        std::mem::swap(&mut self.sink.events, out);
        match (class, cut) {
            (Ok(EventClass::Error(error)), _) => Ok(EventClass::Error(error)),
            (Ok(_), Some(error)) => Ok(EventClass::Error(error)),
            (class, _) => class,
        }
    }

    fn finish(&mut self, out: &mut Vec<Event>) {
        if !self.sink.progress.is_over {
            std::mem::swap(&mut self.sink.events, out);
            let known = self.sink.events.len();
            self.reader.finish(&mut self.sink);
            self.sink.complete(known);
            std::mem::swap(&mut self.sink.events, out);
            self.sink.progress.is_over = true;
        }
    }

    fn has_content(&self) -> bool {
        self.sink.progress.has_content
    }
}

/// Reads an event whose data is not a JSON object.
///
/// # Errors
/// If it is not an error message of another format either.
pub(crate) fn read_other(text: &str, sink: &mut impl Sink) -> Result<(), Malformed> {
    // Some servers keep a stream alive with it (NousResearch/hermes-agent#80822).
    if text == "null" {
        return Ok(());
    }
    let error = ProviderError::read(text.as_bytes());
    sink.error(error.ok_or(Malformed("an event is no JSON object"))?);
    Ok(())
}
