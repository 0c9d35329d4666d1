//! Writes what a provider's stream says as the client is owed it: in the provider's own dialect or
//! translated, as server-sent events or as one JSON array.

use bytes::Bytes;
use jackfield_dialect::ArrayWriter;
use jackfield_dialect::ir::{Frame, Response};
use jackfield_dialect::{
    Dialect, ErrorBody, EventClass, Observer, ProviderError, Translator, Usage, sse,
};

use crate::call::StreamFraming;
use crate::relay::KEEP_ALIVE_COMMENT;

/// Writes one stream.
pub(crate) struct StreamWriter {
    dialect: Dialect,
    mode: Mode,
    /// None for server-sent events.
    array: Option<ArrayWriter>,
    /// What a translation made of one event.
    frames: Vec<Frame>,
    /// The provider has said that it is over.
    done: bool,
}

/// In whose words.
enum Mode {
    /// The provider's: the client speaks its dialect.
    SameDialect(Box<dyn Observer>),
    /// The client's.
    Translated(Box<Translator>),
}

impl StreamWriter {
    /// Writes a stream for a client of the provider's own dialect.
    pub(crate) fn same_dialect(dialect: Dialect, framing: StreamFraming) -> Self {
        Self::new(
            dialect,
            Mode::SameDialect(dialect.codec().observer()),
            framing,
        )
    }

    /// Writes a stream for a client of this dialect, through a translator into it.
    pub(crate) fn translated(
        dialect: Dialect,
        translator: Translator,
        framing: StreamFraming,
    ) -> Self {
        Self::new(dialect, Mode::Translated(Box::new(translator)), framing)
    }

    fn new(dialect: Dialect, mode: Mode, framing: StreamFraming) -> Self {
        let array = match framing {
            StreamFraming::Array => Some(ArrayWriter::new()),
            StreamFraming::Events => None,
        };
        Self {
            dialect,
            mode,
            array,
            frames: Vec::new(),
            done: false,
        }
    }

    /// Writes one of the provider's events, and says what it means. An error is not written: until
    /// the commit another credential may do, and after it [`Self::fail`] tells it.
    pub(crate) fn event(&mut self, name: &str, data: &[u8], out: &mut Vec<u8>) -> EventClass {
        let class = match &mut self.mode {
            Mode::SameDialect(observer) => {
                let class = observer.observe(name, data);
                match &class {
                    EventClass::Error(_) | EventClass::Malformed => return class,
                    EventClass::Content | EventClass::Done | EventClass::Preamble => {}
                }
                write(&mut self.array, name, data, out);
                class
            }
            Mode::Translated(translator) => {
                let class = translator.translate_event(name, data, &mut self.frames);
                self.flush(out);
                class
            }
        };
        self.close_if_done(&class, out);
        class
    }

    /// Writes a whole answer as a stream.
    pub(crate) fn write_whole(&mut self, response: &Response, out: &mut Vec<u8>) {
        if let Mode::Translated(translator) = &mut self.mode {
            translator.translate_response(response, &mut self.frames);
            self.flush(out);
            self.finish(out);
        }
    }

    /// Writes what the provider forgot to say before it ended, if it is clear what that is.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
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

    /// Ends a committed stream with an error, as the client's dialect tells it.
    pub(crate) fn fail(&mut self, message: &str) -> Bytes {
        let mut out = Vec::new();
        match &mut self.mode {
            Mode::SameDialect(_) => {
                let (kind, _) = self.dialect.codec().error_kind(502);
                let error = ErrorBody {
                    message,
                    kind,
                    code: Some(FAILED),
                    param: None,
                    cooldown: None,
                };
                match &mut self.array {
                    None => return self.dialect.codec().render_stream_error(&error),
                    Some(array) => array.item(&self.dialect.codec().render_error(&error), &mut out),
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
        if let Some(array) = &mut self.array {
            array.finish(&mut out);
        }
        out.into()
    }

    /// What tells a client that its answer is still coming: nothing that it reads.
    pub(crate) fn keep_alive(&self) -> Bytes {
        match self.array {
            None => Bytes::from_static(KEEP_ALIVE_COMMENT),
            // White space between the items of an array.
            Some(_) => Bytes::from_static(b"\n"),
        }
    }

    /// Whether the stream came to the end that its dialect demands, with content in it.
    pub(crate) fn completed(&self) -> bool {
        match &self.mode {
            Mode::SameDialect(observer) => observer.completed() && observer.has_content(),
            Mode::Translated(translator) => translator.completed(),
        }
    }

    /// What the stream cost, as last reported.
    pub(crate) fn usage(&self) -> Option<Usage> {
        match &self.mode {
            Mode::SameDialect(observer) => observer.usage(),
            Mode::Translated(translator) => translator.usage(),
        }
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        for frame in self.frames.drain(..) {
            write(&mut self.array, &frame.name, &frame.data, out);
        }
    }

    fn close_if_done(&mut self, class: &EventClass, out: &mut Vec<u8>) {
        if *class != EventClass::Done {
            return;
        }
        self.done = true;
        if let Some(array) = &mut self.array {
            array.finish(out);
        }
    }
}

fn write(array: &mut Option<ArrayWriter>, name: &str, data: &[u8], out: &mut Vec<u8>) {
    match array {
        None => sse::write_event(name, data, out),
        Some(array) => array.item(data, out),
    }
}

/// The code of an error that ends a committed stream.
const FAILED: &str = "upstream_failed";
