//! Builds a whole response from the events of a stream, for providers that stream unasked.

use crate::ir::{Event, EventDecoder, Part, Response};
use crate::{Dialect, EventClass, Usage};

/// Collects the events of one stream.
pub struct Collector {
    decoder: Box<dyn EventDecoder>,
    events: Vec<Event>,
    response: ResponseBuilder,
}

/// Builds a whole response from events.
#[derive(Debug, Default)]
pub struct ResponseBuilder {
    response: Response,
    open: Option<Part>,
    is_done: bool,
}

impl ResponseBuilder {
    /// Adds the next event. An error ends the events, and is the caller's matter.
    pub fn add(&mut self, event: Event) {
        match event {
            Event::Start { id, model } => {
                self.response.id = id;
                self.response.model = model;
            }
            Event::PartStart(start) => self.open = Some(start.into_part()),
            Event::Delta(delta) => delta.append_to(self.open.as_mut()),
            Event::PartEnd => self.response.parts.extend(self.open.take()),
            Event::Usage(usage) => self.response.usage = Some(usage),
            Event::Finish(finish) => self.response.finish = finish,
            Event::Done => self.is_done = true,
            Event::Error(_) => {}
        }
    }

    /// The usage, as last reported.
    #[must_use]
    pub const fn usage(&self) -> Option<Usage> {
        self.response.usage
    }

    /// Returns the response; `None` before [`Event::Done`].
    #[must_use]
    pub fn finish(self) -> Option<Response> {
        self.is_done.then_some(self.response)
    }
}

impl Collector {
    /// A collector at the beginning of a stream in the provider's dialect.
    #[must_use]
    pub fn new(from: Dialect) -> Self {
        Self {
            decoder: from.codec().decoder(),
            events: Vec::new(),
            response: ResponseBuilder::default(),
        }
    }

    /// Adds an event, and classifies it. Nothing may be added after an error.
    pub fn event(&mut self, name: &str, data: &[u8]) -> EventClass {
        let class = self.decoder.event(name, data, &mut self.events);
        self.collect();
        class.unwrap_or(EventClass::Malformed)
    }

    /// Ends the stream. `None` if it was cut off, or had no content.
    #[must_use]
    pub fn finish(mut self) -> Option<Response> {
        self.decoder.finish(&mut self.events);
        self.collect();
        let has_content = self.decoder.has_content();
        self.response.finish().filter(|_| has_content)
    }

    fn collect(&mut self) {
        for event in self.events.drain(..) {
            // The class of an error event says it.
            self.response.add(event);
        }
    }
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut collector = out.debug_struct("Collector");
        collector.field("is_done", &self.response.is_done);
        collector.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Translator;
    use crate::ir::{Citation, FinishReason, Frame, ResponseContext, ToolCall};

    fn response() -> Response {
        let citation = Citation {
            url: Some("https://example.test/".to_owned()),
            title: Some("title".to_owned()),
            quoted: None,
            span: None,
            raw: serde_json::Value::Null,
        };
        Response {
            id: "id".to_owned(),
            model: "model".to_owned(),
            parts: vec![
                Part::Text {
                    text: "hello".to_owned(),
                    citations: vec![citation],
                },
                Part::ToolCall(ToolCall {
                    id: "call-1".to_owned(),
                    name: "tool".to_owned(),
                    arguments: r#"{"a":1}"#.to_owned(),
                    signature: None,
                }),
            ],
            finish: FinishReason::ToolCalls,
            usage: Some(Usage {
                input: 3,
                output: 4,
                ..Usage::default()
            }),
        }
    }

    #[test]
    fn collects_the_events_of_a_response_into_the_same_response() {
        let response = response();
        let mut collector = Collector::new(Dialect::OpenaiChat);
        collector.events = response.events();
        collector.collect();
        assert_eq!(collector.response.finish(), Some(response));
    }

    #[test]
    fn collects_streams_of_all_dialects() {
        for dialect in Dialect::ALL {
            let context = ResponseContext {
                include_usage: true,
                ..ResponseContext::default()
            };
            let text = Response {
                parts: vec![Part::text("hello")],
                finish: FinishReason::Stop,
                ..response()
            };
            let mut frames: Vec<Frame> = Vec::new();
            let mut translator = Translator::new(dialect, dialect, context);
            translator.translate_response(&text, &mut frames);
            let mut collector = Collector::new(dialect);
            let mut cut_off = Collector::new(dialect);
            for (index, frame) in frames.iter().enumerate() {
                let class = collector.event(&frame.name, &frame.data);
                assert_ne!(class, EventClass::Malformed, "{dialect}");
                if index == 0 {
                    cut_off.event(&frame.name, &frame.data);
                }
            }
            let collected = collector.finish();
            assert_eq!(
                collected.map(|one| one.parts),
                Some(text.parts),
                "{dialect}"
            );
            // Gemini's response may be one event.
            assert!(frames.len() < 3 || cut_off.finish().is_none(), "{dialect}");
        }
    }
}
