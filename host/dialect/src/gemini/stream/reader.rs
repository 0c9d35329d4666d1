//! Reads a provider's stream: each event is a `GenerateContentResponse` with the next parts.

mod parts;

use self::parts::Parts;
use crate::gemini::response::chunk::ResponseChunk;
use crate::gemini::response::finish_reason;
use crate::gemini::usage;
use crate::ir::{Event, Malformed};
use crate::limits::CODE_BYTES_MAX;
use crate::stream::{self, Sink, Text};
use crate::{ProviderError, truncate};

/// The state of one stream.
#[derive(Default)]
pub(crate) struct GeminiReader {
    started: bool,
    /// The finish reason that the provider sent last; an empty text if the sink keeps no events.
    reason: Option<String>,
    /// The parts, if the sink keeps events.
    parts: Parts,
}

impl stream::Reader for GeminiReader {
    fn read(&mut self, name: &str, text: &str, sink: &mut impl Sink) -> Result<(), Malformed> {
        // Some gateways send OpenAI's end mark too. In this dialect the finish reason ends a stream.
        if text == "[DONE]" {
            return Ok(());
        }
        if name == "error" {
            let error = ProviderError::read(text.as_bytes());
            sink.error(error.unwrap_or_else(|| ProviderError::from_message(text)));
            return Ok(());
        }
        let Some(chunk) = ResponseChunk::read(text) else {
            return stream::read_other(text, sink);
        };
        if let Some(error) = chunk.error.and_then(ProviderError::from_member) {
            sink.error(error);
            return Ok(());
        }
        if let Some(error) = chunk.failure().filter(|_| sink.fails_on_lost_call()) {
            sink.error(error);
            return Ok(());
        }
        self.chunk(&chunk, sink)
    }

    fn finish(&mut self, sink: &mut impl Sink) {
        // The reason goes out only here: some providers send parts and token counts after it.
        if self.reason.is_some() {
            self.end(sink);
        }
    }
}

impl GeminiReader {
    /// Reads a response that is no error.
    ///
    /// # Errors
    /// If a tool call has no name, or content is not valid JSON.
    pub(crate) fn chunk(
        &mut self,
        chunk: &ResponseChunk<'_>,
        sink: &mut impl Sink,
    ) -> Result<(), Malformed> {
        if !self.started {
            self.started = true;
            let id = Text::from(chunk.response_id);
            self.parts.id = sink.keep(|| parts::call_id_stem(&id.decode()));
            sink.event(|| Event::Start {
                id: id.decode().into_owned(),
                model: Text::from(chunk.model_version).decode().into_owned(),
            });
        }
        if let Some(usage) = chunk.usage_metadata.and_then(usage::decode) {
            sink.usage(usage);
        }
        let parts = &mut self.parts;
        sink.decode(chunk.has_content(), |out| match chunk.first_candidate() {
            Some(candidate) => parts.read(candidate, out),
            None => Ok(()),
        })?;
        if let Some(reason) = chunk.reason() {
            let is_complete = finish_reason::explains_empty_response(&reason)
                || finish_reason::is_failure(&reason)
                || sink.progress().has_content;
            if is_complete {
                sink.finish_seen();
            } else {
                // The host takes a response without content for a failure.
                sink.progress().is_finished = true;
            }
            let reason = || truncate(&reason, CODE_BYTES_MAX).to_owned();
            self.reason = Some(sink.keep(reason));
        }
        Ok(())
    }

    /// Ends the response, whether or not the provider sent a finish reason.
    pub(crate) fn end(&mut self, sink: &mut impl Sink) {
        let mut last = Vec::new();
        self.parts.close(&mut last);
        for event in last {
            sink.event(|| event);
        }
        let reason = self.reason.take().unwrap_or_default();
        let has_calls = self.parts.calls > 0;
        sink.event(|| Event::Finish(finish_reason::decode(&reason, has_calls)));
        sink.done();
    }
}
