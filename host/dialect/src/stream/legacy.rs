//! Adapts decoders that are no [`Reader`](super::Reader) yet. To be deleted with the last of them.

use crate::EventClass;
use crate::ir::{Event, EventDecoder, FinishReason, Malformed, PartStart};

/// A decoder that does not classify what it reads.
pub(crate) trait LegacyDecoder: Send {
    fn event(&mut self, name: &str, data: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed>;
    fn finish(&mut self, out: &mut Vec<Event>);
}

/// Classifies events by what was decoded.
pub(crate) struct Classifying<D> {
    decoder: D,
    content: bool,
}

impl<D> Classifying<D> {
    pub(crate) fn new(decoder: D) -> Self {
        Self {
            decoder,
            content: false,
        }
    }

    fn classify(&mut self, events: &[Event], reported: bool) -> EventClass {
        let mut class = EventClass::Preamble;
        let stops = events.contains(&Event::Finish(FinishReason::Stop));
        let empty = !reported && !self.content && stops && events.last() == Some(&Event::Done);
        for event in events {
            match event {
                Event::Error(error) => return EventClass::Error(error.clone()),
                Event::PartStart(
                    PartStart::Text | PartStart::Refusal | PartStart::Reasoning { redacted: false },
                ) => {}
                Event::Finish(_) if empty => {}
                Event::PartStart(_) | Event::Delta(_) | Event::Finish(_) => {
                    self.content = true;
                    class = EventClass::Content;
                }
                Event::Done => return EventClass::Done,
                Event::Usage(_) | Event::PartEnd | Event::Start { .. } => {}
            }
        }
        class
    }
}

impl<D: LegacyDecoder> EventDecoder for Classifying<D> {
    fn event(
        &mut self,
        name: &str,
        data: &[u8],
        out: &mut Vec<Event>,
    ) -> Result<EventClass, Malformed> {
        let known = out.len();
        let read = self.decoder.event(name, data, out);
        match self.classify(&out[known..], false) {
            error @ EventClass::Error(_) => Ok(error),
            class => read.map(|()| class),
        }
    }

    fn finish(&mut self, out: &mut Vec<Event>) {
        let known = out.len();
        self.decoder.finish(out);
        self.classify(&out[known..], true);
    }

    fn has_content(&self) -> bool {
        self.content
    }
}
