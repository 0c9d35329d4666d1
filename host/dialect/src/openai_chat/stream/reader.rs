//! Reads a provider's stream.

mod calls;
mod parts;

use self::parts::PartTracker;
use crate::ir::{Event, Malformed};
use crate::limits::STREAM_NAME_BYTES_MAX;
use crate::openai_chat::response::chunk::{Choices, ChunkScan};
use crate::openai_chat::response::message;
use crate::stream::{self, Sink};
use crate::{ProviderError, truncate};

/// What is known of a stream so far. It serves chat completions and text completions.
#[derive(Default)]
pub(super) struct ChatReader {
    /// The id and the model, until the first event is built.
    id: String,
    model: String,
    stage: Stage,
    /// The choices that the stream has, and those that have a finish reason: bit n stands for the index n.
    seen: u128,
    finished: u128,
    /// The parts, if the sink keeps events.
    parts: PartTracker,
}

/// How far the stream is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Nothing of the response came yet.
    #[default]
    Before,
    Started,
    /// The finish reason of the first choice came.
    Finished,
}

impl stream::Reader for ChatReader {
    fn read(&mut self, name: &str, text: &str, sink: &mut impl Sink) -> Result<(), Malformed> {
        // OpenAI's clients stop at any data that begins so.
        if text.starts_with("[DONE]") {
            return self.done(sink);
        }
        if name == "error" {
            sink.error(decode_error(text));
            return Ok(());
        }
        let Some(chunk) = ChunkScan::decode(text) else {
            // It may also be an object whose `choices` are malformed.
            let result = stream::read_other(text, sink);
            return result.map_err(|_| Malformed("an event is not a chunk"));
        };
        if let Some(error) = chunk.failure() {
            sink.error(error);
            return Ok(());
        }
        if chunk.is_error_object() {
            sink.error(decode_error(text));
            return Ok(());
        }
        self.chunk(&chunk, sink)
    }

    fn finish(&mut self, sink: &mut impl Sink) {
        // Some providers close the connection after the finish reason, without `[DONE]`.
        if self.stage == Stage::Finished {
            sink.done();
        }
    }
}

impl ChatReader {
    fn chunk(&mut self, chunk: &ChunkScan<'_>, sink: &mut impl Sink) -> Result<(), Malformed> {
        if self.stage == Stage::Before {
            let members = [(chunk.id(), &mut self.id), (chunk.model(), &mut self.model)];
            for (text, saved) in members {
                // Azure's first chunk has neither: it holds only the results of its filters.
                if saved.is_empty() {
                    *saved =
                        sink.keep(|| truncate(&text.decode(), STREAM_NAME_BYTES_MAX).to_owned());
                }
            }
        }
        if let Some(choices) = &chunk.choices {
            self.choices(choices, sink)?;
        }
        if let Some(usage) = chunk.usage() {
            self.start(sink);
            sink.usage(usage);
        }
        Ok(())
    }

    fn choices(&mut self, choices: &Choices<'_>, sink: &mut impl Sink) -> Result<(), Malformed> {
        // `first` falls back to another choice, but a chunk may hold a later choice alone.
        let first = choices.first().filter(|choice| choice.index() == 0);
        if first.is_some() {
            self.start(sink);
        }
        let first = first.filter(|_| self.stage != Stage::Finished);
        let parts = &mut self.parts;
        // The other choices are content for the client of a relayed stream only.
        sink.decode(choices.content, |out| {
            let Some(choice) = first else { return Ok(()) };
            if let Some(content) = choice.content() {
                parts.delta(&message::decode(content)?, out)?;
            }
            parts.text(&choice.text().decode(), out);
            if choice.finish_reason().is_some() {
                // No part is open at the end.
                parts.close_all(out);
            }
            parts.check()
        })?;
        if let Some(choice) = first.filter(|choice| choice.finish_reason().is_some()) {
            self.stage = Stage::Finished;
            let kinds = self.parts.kinds;
            sink.finish(|| kinds.finish(choice).unwrap_or_default());
        }
        // A stream without `[DONE]` is complete when every choice has a finish reason.
        self.seen |= choices.seen;
        self.finished |= choices.finished;
        sink.progress().is_finished = self.seen != 0 && self.seen == self.finished;
        Ok(())
    }

    fn start(&mut self, sink: &mut impl Sink) {
        if self.stage == Stage::Before {
            self.stage = Stage::Started;
            sink.event(|| Event::Start {
                id: std::mem::take(&mut self.id),
                model: std::mem::take(&mut self.model),
            });
        }
    }

    fn done(&mut self, sink: &mut impl Sink) -> Result<(), Malformed> {
        self.start(sink);
        if self.stage == Stage::Started {
            let parts = &mut self.parts;
            sink.decode(false, |out| {
                parts.close_all(out);
                parts.check()
            })?;
            let kinds = self.parts.kinds;
            // The provider sent no reason, so this one is no content: the response may be empty.
            sink.event(|| Event::Finish(kinds.default_finish()));
        }
        sink.done();
        Ok(())
    }
}

/// Reads the error in an event that can be nothing else.
fn decode_error(text: &str) -> ProviderError {
    ProviderError::read(text.as_bytes()).unwrap_or_else(|| ProviderError::from_message(text))
}
