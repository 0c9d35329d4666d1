//! Between any two dialects: the one place that asks which dialect it is. What a dialect knows is in
//! its own module; here is only who is asked.

use std::borrow::Cow;

use bytes::Bytes;

use crate::ir::{
    Event, EventDecoder, EventEncoder, FinishReason, Frame, Malformed, PartStart, Request,
    Response, ResponseContext, TranslationError, TranslationReport,
};
use crate::{
    BodyCheck, Dialect, ErrorBody, EventClass, ProviderError, RequestHead, Usage, anthropic,
    gemini, openai_chat, openai_completions, openai_responses,
};

/// Watches the events of a stream that is relayed in its own dialect. It holds a few words, however
/// long the stream is.
pub trait Observer: Send {
    /// Says what an event means, by its name and its data.
    fn observe(&mut self, event_name: &str, data: &[u8]) -> EventClass;

    /// What the stream cost, as last reported.
    fn usage(&self) -> Option<Usage>;

    /// Whether there was any content. A stream that completes without is an empty answer.
    fn has_content(&self) -> bool;

    /// Whether the stream came to the end that its dialect demands. One that ends otherwise was cut
    /// off.
    fn completed(&self) -> bool;
}

/// Each dialect's observer has these as methods of its own, with the same meaning.
macro_rules! observers {
    ($($dialect:ident)*) => {$(
        impl Observer for $dialect::StreamObserver {
            fn observe(&mut self, event_name: &str, data: &[u8]) -> EventClass {
                Self::observe(self, event_name, data)
            }

            fn usage(&self) -> Option<Usage> {
                Self::usage(self)
            }

            fn has_content(&self) -> bool {
                Self::has_content(self)
            }

            fn completed(&self) -> bool {
                Self::completed(self)
            }
        }
    )*};
}

observers! { anthropic gemini openai_chat openai_responses }

/// Asks a dialect's module for a function of the same name.
macro_rules! delegate {
    ($dialect:expr, $function:ident ( $($argument:expr),* )) => {
        match $dialect {
            Dialect::AnthropicMessages => anthropic::$function($($argument),*),
            Dialect::Gemini => gemini::$function($($argument),*),
            Dialect::OpenaiChat => openai_chat::$function($($argument),*),
            Dialect::OpenaiCompletions => openai_completions::$function($($argument),*),
            Dialect::OpenaiResponses => openai_responses::$function($($argument),*),
        }
    };
}

impl Dialect {
    /// An observer at the beginning of a stream.
    #[must_use]
    pub fn observer(self) -> Box<dyn Observer> {
        match self {
            Self::AnthropicMessages => Box::new(anthropic::StreamObserver::new()),
            Self::Gemini => Box::new(gemini::StreamObserver::new()),
            // A chunk of text completions is one of a chat's, with `text` for `delta`.
            Self::OpenaiChat | Self::OpenaiCompletions => {
                Box::new(openai_chat::StreamObserver::new())
            }
            Self::OpenaiResponses => Box::new(openai_responses::StreamObserver::new()),
        }
    }

    /// Judges a whole answer with a status that promises success.
    #[must_use]
    pub fn check_body(self, body: &[u8]) -> BodyCheck {
        delegate!(self, check_body(body))
    }

    /// An error as this dialect's API answers it.
    #[must_use]
    pub fn render_error(self, error: &ErrorBody<'_>) -> Bytes {
        delegate!(self, render_error(error))
    }

    /// The one event that ends a stream that failed after it was committed.
    #[must_use]
    pub fn render_stream_error(self, error: &ErrorBody<'_>) -> Bytes {
        delegate!(self, render_stream_error(error))
    }

    /// The words that this dialect's API has for a status: the kind, and the code if there is one.
    #[must_use]
    pub fn error_kind(self, status: u16) -> (&'static str, Option<&'static str>) {
        delegate!(self, error_kind(status))
    }

    /// Reads a client's request.
    ///
    /// # Errors
    /// If it is not what the dialect says, or asks for what no other dialect can give.
    pub fn decode_request(
        self,
        body: &[u8],
        head: &RequestHead<'_>,
        report: &mut TranslationReport,
    ) -> Result<Request, TranslationError> {
        delegate!(self, decode_request(body, head, report))
    }

    /// Writes a request for a provider.
    ///
    /// # Errors
    /// If the dialect cannot say what must not be left out.
    pub fn encode_request(
        self,
        request: &Request,
        report: &mut TranslationReport,
    ) -> Result<Vec<u8>, TranslationError> {
        delegate!(self, encode_request(request, report))
    }

    /// Reads a provider's whole answer.
    ///
    /// # Errors
    /// If it is no answer.
    pub fn decode_response(self, body: &[u8]) -> Result<Response, Malformed> {
        delegate!(self, decode_response(body))
    }

    /// Writes a whole answer for a client.
    #[must_use]
    pub fn encode_response(
        self,
        response: &Response,
        response_context: &ResponseContext,
    ) -> Vec<u8> {
        delegate!(self, encode_response(response, response_context))
    }

    /// Whether its API counts the tokens of a request.
    #[must_use]
    pub const fn has_token_count(self) -> bool {
        matches!(self, Self::AnthropicMessages | Self::Gemini)
    }

    /// Whether its API makes vectors of texts. OpenAI's does, whichever of its dialects a client
    /// speaks otherwise.
    #[must_use]
    pub const fn has_embeddings(self) -> bool {
        matches!(self, Self::Gemini | Self::OpenaiChat)
    }

    /// A provider's count of tokens; none if this is no such answer.
    #[must_use]
    pub fn decode_count(self, body: &[u8]) -> Option<u64> {
        match self {
            Self::AnthropicMessages => anthropic::decode_count(body),
            Self::Gemini => gemini::decode_count(body),
            Self::OpenaiChat | Self::OpenaiCompletions | Self::OpenaiResponses => None,
        }
    }

    /// A count of tokens for a client. OpenAI's dialects have none; theirs is Anthropic's.
    #[must_use]
    pub fn encode_count(self, tokens: u64) -> Vec<u8> {
        match self {
            Self::Gemini => gemini::encode_count(tokens),
            _ => anthropic::encode_count(tokens),
        }
    }

    /// The event that ends a stream in this dialect, where a provider that said why its answer ended
    /// may have forgotten it. None where there is no such event, or nothing is known without it.
    #[must_use]
    pub const fn missing_terminator(self) -> Option<&'static [u8]> {
        match self {
            Self::AnthropicMessages => {
                Some(b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n")
            }
            Self::OpenaiChat | Self::OpenaiCompletions => Some(b"data: [DONE]\n\n"),
            Self::Gemini | Self::OpenaiResponses => None,
        }
    }

    /// Reads a provider's stream.
    #[must_use]
    pub fn decoder(self) -> Box<dyn EventDecoder> {
        delegate!(self, decoder())
    }

    /// Writes a client's stream.
    #[must_use]
    pub fn encoder(self, response_context: ResponseContext) -> Box<dyn EventEncoder> {
        delegate!(self, encoder(response_context))
    }
}

/// Turns the events of a provider's stream into those of its client's.
pub struct Translator {
    decoder: Box<dyn EventDecoder>,
    encoder: Box<dyn EventEncoder>,
    events: Vec<Event>,
    usage: Option<Usage>,
    content: bool,
    end: StreamEnd,
}

/// How a translated stream has ended so far.
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
            decoder: from.decoder(),
            encoder: to.encoder(response_context),
            events: Vec::new(),
            usage: None,
            content: false,
            end: StreamEnd::Open,
        }
    }

    /// Translates one event, and says what it means. Of an error nothing is written: until the stream
    /// is committed another credential may do, and after it [`Self::fail`] tells it.
    pub fn translate_event(&mut self, name: &str, data: &[u8], out: &mut Vec<Frame>) -> EventClass {
        self.events.clear();
        let read = self.decoder.event(name, data, &mut self.events);
        let class = self.write(false, out);
        match read {
            Ok(()) => class,
            Err(Malformed(_)) if matches!(class, EventClass::Error(_)) => class,
            Err(Malformed(_)) => EventClass::Malformed,
        }
    }

    /// Says that the provider's stream has ended, and writes what it forgot.
    pub fn finish(&mut self, out: &mut Vec<Frame>) -> EventClass {
        self.events.clear();
        self.decoder.finish(&mut self.events);
        self.write(true, out)
    }

    /// Writes a whole answer as a stream.
    pub fn translate_response(&mut self, response: &Response, out: &mut Vec<Frame>) -> EventClass {
        self.events = response.events();
        self.write(true, out)
    }

    /// Ends a committed stream with an error.
    pub fn fail(&mut self, error: &ProviderError, out: &mut Vec<Frame>) {
        if self.end == StreamEnd::Open {
            self.end = StreamEnd::Failed;
            self.encoder.event(&Event::Error(error.clone()), out);
        }
    }

    /// What the stream cost, as last reported.
    #[must_use]
    pub const fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// Whether the client has all of an answer with something in it.
    #[must_use]
    pub fn completed(&self) -> bool {
        self.end == StreamEnd::Done && self.content
    }

    /// Writes the events that were read, up to the first error or the end.
    fn write(&mut self, reported: bool, out: &mut Vec<Frame>) -> EventClass {
        let mut class = EventClass::Preamble;
        let mut events = std::mem::take(&mut self.events);
        let empty = self.is_empty_end(&events, reported);
        for event in events.drain(..) {
            match &event {
                Event::Error(error) => return EventClass::Error(error.clone()),
                // These come empty, and what fills them may yet be an error.
                Event::PartStart(
                    PartStart::Text | PartStart::Refusal | PartStart::Reasoning { redacted: false },
                ) => {}
                Event::Finish(_) if empty => {}
                Event::PartStart(_) | Event::Delta(_) | Event::Finish(_) => {
                    self.content = true;
                    class = EventClass::Content;
                }
                Event::Usage(usage) => self.usage = Some(*usage),
                Event::Done | Event::PartEnd | Event::Start { .. } => {}
            }
            self.encoder.event(&event, out);
            if event == Event::Done {
                self.end = StreamEnd::Done;
                return EventClass::Done;
            }
        }
        self.events = events;
        class
    }

    /// Whether these events end a stream in which nothing was said, not even why it ends: the decoder
    /// makes up a reason then. One that the provider `told` of comes before the end.
    fn is_empty_end(&self, events: &[Event], reported: bool) -> bool {
        let stops = events.contains(&Event::Finish(FinishReason::Stop));
        !reported && !self.content && stops && events.last() == Some(&Event::Done)
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

/// A provider's error answer as the client's dialect words it.
#[must_use]
pub fn translate_error(to: Dialect, status: u16, error: &ProviderError) -> Bytes {
    let (kind, code) = to.error_kind(status);
    let message = match error.message.as_str() {
        "" => Cow::Owned(format!("the provider answered {status}")),
        message => Cow::Borrowed(message),
    };
    to.render_error(&ErrorBody {
        message: &message,
        kind,
        code: error.code.as_deref().or(code),
        param: error.param.as_deref(),
        cooldown: None,
    })
}

#[cfg(test)]
mod tests;
