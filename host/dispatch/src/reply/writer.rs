//! Writes a provider's events for the client: in the same dialect or translated, as server-sent events
//! or as one JSON array.

use bytes::Bytes;
use jackfield_dialect::ArrayWriter;
use jackfield_dialect::ir::{Event, Frame, Response};
use jackfield_dialect::{
    Dialect, ErrorBody, ErrorPlace, EventClass, Observer, ProviderError, Translator, Usage, sse,
    translate_reported_error,
};

use crate::call::StreamFraming;
use crate::negotiation::NegotiatedCall;
use crate::signatures::SignatureRecorder;

/// Writes one stream for the client.
pub(crate) struct StreamWriter {
    dialect: Dialect,
    mode: Mode,
    /// `None` for server-sent events.
    array: Option<ArrayWriter>,
    /// The translation of one event. A field, so that events share its allocation.
    frames: Vec<Frame>,
    /// `None` for events that no provider sent.
    recorder: Option<SignatureRecorder>,
    /// The error that the provider reported, if it did.
    reported: Option<ProviderError>,
    /// The provider's end event was written.
    done: bool,
}

/// Whether events are only framed or also translated.
enum Mode {
    /// The client speaks the provider's dialect.
    SameDialect(Box<dyn Observer>),
    /// Each event is translated.
    Translated(Box<Translator>),
}

impl StreamWriter {
    /// A writer for the client of a call.
    pub(crate) fn new(negotiated: &NegotiatedCall, framing: StreamFraming) -> Self {
        let dialect = negotiated.call().dialect;
        let writer = match negotiated.translation().and_then(|it| it.translator()) {
            None => Self::same_dialect(dialect, framing),
            Some(translator) => {
                Self::with_mode(dialect, Mode::Translated(Box::new(translator)), framing)
            }
        };
        Self {
            recorder: Some(negotiated.recorder().clone()),
            ..writer
        }
    }

    /// A writer of the client's stream for a response that is no stream.
    pub(super) fn of_whole(negotiated: &NegotiatedCall, framing: StreamFraming) -> Option<Self> {
        let translator = negotiated.response_translation().translator()?;
        let mode = Mode::Translated(Box::new(translator));
        Some(Self::with_mode(negotiated.call().dialect, mode, framing))
    }

    /// A writer of the client's stream for events of the common form.
    pub(super) fn of_events(negotiated: &NegotiatedCall, framing: StreamFraming) -> Option<Self> {
        Some(Self {
            recorder: Some(negotiated.recorder().clone()),
            ..Self::of_whole(negotiated, framing)?
        })
    }

    /// A writer for a client of the provider's dialect.
    pub(super) fn same_dialect(dialect: Dialect, framing: StreamFraming) -> Self {
        Self::with_mode(
            dialect,
            Mode::SameDialect(dialect.codec().observer()),
            framing,
        )
    }

    fn with_mode(dialect: Dialect, mode: Mode, framing: StreamFraming) -> Self {
        let array = match framing {
            StreamFraming::Array => Some(ArrayWriter::new()),
            StreamFraming::Events => None,
        };
        Self {
            dialect,
            mode,
            array,
            frames: Vec::new(),
            recorder: None,
            reported: None,
            done: false,
        }
    }

    /// Writes one of the provider's events, and returns what it means. An error event is not written:
    /// before the commit the call fails over, and after it [`Self::fail`] writes the error.
    pub(super) fn event(&mut self, name: &str, data: &[u8], out: &mut Vec<u8>) -> EventClass {
        if let Some(recorder) = &self.recorder {
            recorder.record(data);
        }
        let class = match &mut self.mode {
            Mode::SameDialect(observer) => {
                let class = observer.observe(name, data);
                if let EventClass::Error(error) = &class {
                    self.reported = Some(error.clone());
                    return class;
                }
                if class == EventClass::Malformed {
                    return class;
                }
                write_frame(&mut self.array, name, data, out);
                class
            }
            Mode::Translated(translator) => {
                let class = translator.translate_event(name, data, &mut self.frames);
                self.flush(out);
                class
            }
        };
        if class == EventClass::Done {
            self.done = true;
            if let Some(array) = &mut self.array {
                array.finish(out);
            }
        }
        class
    }

    /// Writes events of the common form, and returns what they mean.
    pub(super) fn write_events(&mut self, events: Vec<Event>, out: &mut Vec<u8>) -> EventClass {
        let Mode::Translated(translator) = &mut self.mode else {
            return EventClass::Malformed;
        };
        let class = translator.translate_events(events, &mut self.frames);
        if let Some(recorder) = &self.recorder {
            // In the client's dialect, in which the signatures come back.
            self.frames
                .iter()
                .for_each(|frame| recorder.record(&frame.data));
        }
        self.flush(out);
        if class == EventClass::Done {
            self.done = true;
            if let Some(array) = &mut self.array {
                array.finish(out);
            }
        }
        class
    }

    /// Writes a whole response as a stream of a translated call.
    pub(super) fn write_whole(&mut self, response: &Response, out: &mut Vec<u8>) {
        if let Mode::Translated(translator) = &mut self.mode {
            translator.translate_response(response, &mut self.frames);
            self.flush(out);
            self.finish(out);
        }
    }

    /// Writes the end that the provider left out, if the stream is complete otherwise.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        if self.done {
            return;
        }
        if let Mode::Translated(translator) = &mut self.mode {
            translator.finish(&mut self.frames);
            self.flush(out);
        }
        if !self.completed() {
            return;
        }
        match (&mut self.array, &self.mode) {
            (Some(array), _) => array.finish(out),
            (None, Mode::SameDialect(_)) => out.extend(
                self.dialect
                    .codec()
                    .missing_terminator()
                    .unwrap_or_default(),
            ),
            (None, Mode::Translated(_)) => {}
        }
    }

    /// Returns the bytes that end a committed stream with an error, in the client's dialect.
    pub(super) fn fail(&mut self, message: &str) -> Bytes {
        let mut out = Vec::new();
        match &mut self.mode {
            Mode::SameDialect(_) => {
                let place = match self.array {
                    None => ErrorPlace::Event,
                    Some(_) => ErrorPlace::Body,
                };
                let error = render_failure(self.dialect, self.reported.take(), message, place);
                match &mut self.array {
                    None => return error,
                    Some(array) => array.item(&error, &mut out),
                }
            }
            Mode::Translated(translator) => {
                let error = ProviderError {
                    message: message.to_owned(),
                    code: Some(FAILED.to_owned()),
                    ..ProviderError::default()
                };
                translator.fail(&error, &mut self.frames);
                self.flush(&mut out);
            }
        }
        // A client that parses the array as a whole needs its end to see the error.
        if let Some(array) = &mut self.array {
            array.finish(&mut out);
        }
        out.into()
    }

    /// Returns bytes that keep the connection alive and that clients ignore.
    pub(super) fn keep_alive(&self) -> Bytes {
        let framing = match self.array {
            None => StreamFraming::Events,
            Some(_) => StreamFraming::Array,
        };
        Bytes::from_static(keep_alive(self.dialect, framing))
    }

    /// Returns whether the stream reached the end that its dialect demands, with content.
    pub(super) fn completed(&self) -> bool {
        match &self.mode {
            Mode::SameDialect(observer) => observer.completed() && observer.has_content(),
            Mode::Translated(translator) => translator.completed(),
        }
    }

    /// Returns how many bytes of the response are held for a later event.
    pub(super) fn held_bytes(&self) -> usize {
        match &self.mode {
            Mode::SameDialect(_) => 0,
            Mode::Translated(translator) => translator.held_bytes(),
        }
    }

    /// Returns the usage last reported.
    pub(super) fn usage(&self) -> Option<Usage> {
        match &self.mode {
            Mode::SameDialect(observer) => observer.usage(),
            Mode::Translated(translator) => translator.usage(),
        }
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        for frame in self.frames.drain(..) {
            write_frame(&mut self.array, &frame.name, &frame.data, out);
        }
    }
}

/// Renders the error that ends a stream of the provider's dialect. If the provider reported it, its kind and code
/// remain. `message` has no secrets.
fn render_failure(
    dialect: Dialect,
    reported: Option<ProviderError>,
    message: &str,
    place: ErrorPlace,
) -> Bytes {
    if let Some(reported) = reported {
        let error = ProviderError {
            message: message.to_owned(),
            passed_on: None,
            ..reported
        };
        let (_, rendered) = translate_reported_error(dialect, dialect, BAD_GATEWAY, &error, place);
        return rendered;
    }
    let (kind, _) = dialect.codec().error_kind(BAD_GATEWAY);
    let error = ErrorBody {
        message,
        kind,
        code: Some(FAILED),
        param: None,
        cooldown: None,
    };
    match place {
        ErrorPlace::Body => dialect.codec().render_error(&error),
        ErrorPlace::Event => dialect.codec().render_stream_error(&error),
    }
}

fn write_frame(array: &mut Option<ArrayWriter>, name: &str, data: &[u8], out: &mut Vec<u8>) {
    match array {
        None => sse::write_event(name, data, out),
        Some(array) => array.item(data, out),
    }
}

/// Returns bytes that keep a stream alive and that clients ignore: between events, or between the items of
/// an array.
pub(crate) fn keep_alive(dialect: Dialect, framing: StreamFraming) -> &'static [u8] {
    match framing {
        StreamFraming::Events => dialect.codec().keep_alive(),
        // White space, which JSON allows before, between and after the items.
        StreamFraming::Array => b"\n",
    }
}

/// The status whose labels an error has that the provider did not report.
const BAD_GATEWAY: u16 = 502;

/// The code of an error that ends a committed stream.
const FAILED: &str = "upstream_failed";
