//! Translation of streams and errors between any two dialects.

use bytes::Bytes;

use crate::error_class::TranslatedError;
use crate::ir::{
    CallIds, Event, EventDecoder, EventEncoder, Frame, PartStart, Response, ResponseContext,
    ToolNames,
};
use crate::{Dialect, ErrorBody, EventClass, ProviderError, Usage};

/// Translates a provider's stream into the client's dialect.
pub struct Translator {
    decoder: Box<dyn EventDecoder>,
    encoder: Box<dyn EventEncoder>,
    events: Vec<Event>,
    call_ids: CallIds,
    tool_names: ToolNames,
    usage: Option<Usage>,
    has_content: bool,
    /// The error that the provider reported.
    error: Option<ProviderError>,
    end: StreamEnd,
}

/// How a translated stream has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StreamEnd {
    Done,
    Failed,
    Open,
}

impl Translator {
    /// A translator at the beginning of a stream.
    #[must_use]
    pub fn new(from: Dialect, to: Dialect, response_context: ResponseContext) -> Self {
        Self {
            decoder: from.codec().decoder(),
            call_ids: CallIds::new(&response_context.id),
            tool_names: response_context.tool_names.clone(),
            encoder: to.codec().encoder(response_context),
            events: Vec::new(),
            usage: None,
            has_content: false,
            error: None,
            end: StreamEnd::Open,
        }
    }

    /// Translates one event, and classifies it. Nothing is written of an error: before the stream is
    /// committed, the call may go to another credential; after that, [`Self::fail`] reports it.
    pub fn translate_event(&mut self, name: &str, data: &[u8], out: &mut Vec<Frame>) -> EventClass {
        let class = self.decoder.event(name, data, &mut self.events);
        self.write(out);
        let class = class.unwrap_or(EventClass::Malformed);
        if let EventClass::Error(error) = &class {
            self.error = Some(error.clone());
        }
        class
    }

    /// Ends the provider's stream, and writes the events that are still missing.
    pub fn finish(&mut self, out: &mut Vec<Frame>) {
        self.decoder.finish(&mut self.events);
        self.write(out);
    }

    /// Writes a whole response as a stream.
    pub fn translate_response(&mut self, response: &Response, out: &mut Vec<Frame>) {
        self.events = response.events();
        self.has_content = true;
        self.write(out);
    }

    /// Writes events of the common form, and says what they mean for the stream.
    pub fn translate_events(&mut self, events: Vec<Event>, out: &mut Vec<Frame>) -> EventClass {
        let has_content = events.iter().any(Event::is_content);
        self.has_content |= has_content;
        self.events = events;
        self.write(out);
        match self.end {
            StreamEnd::Done => EventClass::Done,
            StreamEnd::Failed | StreamEnd::Open if has_content => EventClass::Content,
            StreamEnd::Failed | StreamEnd::Open => EventClass::Preamble,
        }
    }

    /// Ends a committed stream with an error. If the provider reported it, the client gets its kind and code,
    /// with the message of `error`, from which the caller removed secrets.
    pub fn fail(&mut self, error: &ProviderError, out: &mut Vec<Frame>) {
        if self.end != StreamEnd::Open {
            return;
        }
        self.end = StreamEnd::Failed;
        let mut error = error.clone();
        if let Some(reported) = self.error.take() {
            error.kind = reported.kind.or(error.kind);
            error.code = reported.code.or(error.code);
            error.param = reported.param.or(error.param);
        }
        self.encoder.event(&Event::Error(error), out);
    }

    /// The usage, as last reported.
    #[must_use]
    pub const fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// Returns how many bytes of the response are held for a later event.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.encoder.held_bytes()
    }

    /// Whether the client has a complete response that is not empty.
    #[must_use]
    pub fn completed(&self) -> bool {
        self.end == StreamEnd::Done && self.has_content
    }

    /// Writes the events that were read, up to the first error or the end.
    fn write(&mut self, out: &mut Vec<Frame>) {
        self.has_content |= self.decoder.has_content();
        for mut event in self.events.drain(..) {
            match &mut event {
                Event::PartStart(PartStart::ToolCall { id, name, .. }) => {
                    *id = self.call_ids.unique(id);
                    self.tool_names.restore(name);
                }
                // This drops the drain, which also removes the events after the error.
                Event::Error(_) => return,
                Event::Usage(usage) => self.usage = Some(*usage),
                Event::Done => self.end = StreamEnd::Done,
                _ => {}
            }
            self.encoder.event(&event, out);
        }
    }
}

impl std::fmt::Debug for Translator {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut translator = out.debug_struct("Translator");
        translator.field("ended", &self.end);
        translator.field("usage", &self.usage);
        translator.finish_non_exhaustive()
    }
}

/// Renders the body of a provider's error response in the client's dialect.
#[must_use]
pub fn translate_error(to: Dialect, status: u16, error: &ProviderError) -> Bytes {
    let (_, body) = translate_error_response(to, status, error);
    body
}

/// Translates a provider's error response into the client's dialect: its status and its body, which has the
/// status as well in some dialects. The status is the one of the error's class, so that it does not contradict
/// the body: 529 for an overload in Anthropic's dialect, 400 for a request that is too long.
#[must_use]
pub fn translate_error_response(to: Dialect, status: u16, error: &ProviderError) -> (u16, Bytes) {
    let codec = to.codec();
    let translated = TranslatedError::new(codec.errors(), Some(status), error);
    let body = translated.body();
    let fallback = format!("the provider answered {status}");
    let message = match body.message {
        "" => &fallback,
        message => message,
    };
    let rendered = codec.render_error(&ErrorBody { message, ..body });
    (translated.status, rendered)
}

/// Where a client gets an error that a provider reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorPlace {
    /// The body of an error response.
    Body,
    /// The last event of a stream.
    Event,
}

/// Renders an error that a provider reported inside of a response with a success status, for a client that gets
/// nothing else of it. A client of the provider's own dialect gets the provider's words. `status` is the host's;
/// that of the error's class replaces it.
#[must_use]
pub fn translate_reported_error(
    from: Dialect,
    to: Dialect,
    status: u16,
    error: &ProviderError,
    place: ErrorPlace,
) -> (u16, Bytes) {
    let codec = to.codec();
    let translated = if from == to {
        TranslatedError::same_dialect(codec.errors(), status, error)
    } else {
        TranslatedError::new(codec.errors(), Some(status), error)
    };
    let body = translated.body();
    let message = match body.message {
        "" => "the provider reported an error",
        message => message,
    };
    let body = ErrorBody { message, ..body };
    let rendered = match place {
        ErrorPlace::Body => codec.render_error(&body),
        ErrorPlace::Event => codec.render_stream_error(&body),
    };
    (translated.status, rendered)
}

#[cfg(test)]
mod tests;
