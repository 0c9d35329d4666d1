//! Reads a provider's stream of chunks into events.

mod parts;

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use self::parts::PartTracker;
use crate::ir::{Event, EventDecoder, Malformed};
use crate::openai_chat::response::finish_reason::PartKinds;
use crate::openai_chat::response::message;
use crate::openai_chat::usage;
use crate::stream::{Classifying, LegacyDecoder};
use crate::{ProviderError, truncate};

/// Reads the stream of a chat completion, or of a text completion.
#[must_use]
pub(crate) fn decoder() -> Box<dyn EventDecoder> {
    Box::new(Classifying::new(StreamDecoder::default()))
}

#[derive(Debug, Default)]
struct StreamDecoder {
    id: String,
    model: String,
    stage: Stage,
    /// What is said so far, and the part that is open.
    parts: PartTracker,
}

/// How far the stream is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Nothing of the answer came yet.
    #[default]
    Before,
    Started,
    /// It said why it ends.
    Finished,
    /// It is over, well or not.
    Ended,
}

impl LegacyDecoder for StreamDecoder {
    fn event(&mut self, name: &str, data: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
        if self.stage == Stage::Ended {
            return Ok(());
        }
        let data = data.trim_ascii();
        if data.starts_with(DONE) {
            self.done(out);
            return Ok(());
        }
        if name == "error" {
            self.fail(decode_error(data), out);
            return Ok(());
        }
        let Ok(Value::Object(chunk)) = serde_json::from_slice(data) else {
            let error = ProviderError::read(data);
            self.fail(error.ok_or(Malformed("an event is no JSON object"))?, out);
            return Ok(());
        };
        if let Some(error) = failure(&chunk, data) {
            self.fail(error, out);
            return Ok(());
        }
        self.chunk(&chunk, out)
    }

    fn finish(&mut self, out: &mut Vec<Event>) {
        if self.stage == Stage::Finished {
            out.push(Event::Done);
        }
        self.stage = Stage::Ended;
    }
}

impl StreamDecoder {
    fn chunk(&mut self, chunk: &Map<String, Value>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        for (name, value) in [("id", &mut self.id), ("model", &mut self.model)] {
            // Azure's first chunk, of its filters alone, has neither.
            if value.is_empty() {
                truncate(message::text(chunk, name), NAME_BYTES_MAX).clone_into(value);
            }
        }
        if let Some(choice) = message::list(chunk, "choices").iter().find(is_first) {
            self.start(out);
            self.choice(choice, out)?;
        }
        let of_choice = || message::list(chunk, "choices").first()?.get("usage");
        let of_groq = || chunk.get("x_groq")?.get("usage");
        let candidates = [chunk.get("usage"), of_choice(), of_groq()]
            .into_iter()
            .flatten();
        let reported = candidates.filter(|usage| usage.is_object());
        if let Some(usage) = reported.filter_map(|it| usage::decode(&raw(it)?)).next() {
            self.start(out);
            out.push(Event::Usage(usage));
        }
        Ok(())
    }

    fn choice(&mut self, choice: &Value, out: &mut Vec<Event>) -> Result<(), Malformed> {
        if self.stage == Stage::Finished {
            return Ok(());
        }
        // `encode_message`: a whole answer in one event, which some send where they don't stream.
        let delta = ["delta", "message"]
            .into_iter()
            .find_map(|name| choice.get(name)?.as_object());
        if let Some(delta) = delta {
            self.parts.delta(delta, out)?;
        }
        if let Some(text) = choice.get("text").and_then(Value::as_str) {
            self.parts.text(text, out);
        }
        if let Some(finish) = self.parts.kinds.finish(choice) {
            self.parts.close_all(out);
            out.push(Event::Finish(finish));
            self.stage = Stage::Finished;
        }
        Ok(())
    }

    fn start(&mut self, out: &mut Vec<Event>) {
        if self.stage == Stage::Before {
            self.stage = Stage::Started;
            out.push(Event::Start {
                id: std::mem::take(&mut self.id),
                model: std::mem::take(&mut self.model),
            });
        }
    }

    fn done(&mut self, out: &mut Vec<Event>) {
        self.start(out);
        if self.stage == Stage::Started {
            self.parts.close_all(out);
            let kinds: PartKinds = self.parts.kinds;
            out.push(Event::Finish(kinds.default_finish()));
        }
        out.push(Event::Done);
        self.stage = Stage::Ended;
    }

    fn fail(&mut self, error: ProviderError, out: &mut Vec<Event>) {
        out.push(Event::Error(error));
        self.stage = Stage::Ended;
    }
}

/// Whether a choice is the first. A translated request has no other.
fn is_first(choice: &&Value) -> bool {
    choice.get("index").and_then(Value::as_u64).unwrap_or(0) == 0
}

/// What a chunk says went wrong, in any of the places that there are for it.
fn failure(chunk: &Map<String, Value>, data: &[u8]) -> Option<ProviderError> {
    let choice = message::list(chunk, "choices").first();
    let of_groq = || chunk.get("x_groq")?.get("error");
    let candidates = [
        chunk.get("error"),
        choice.and_then(|it| it.get("error")),
        of_groq(),
    ];
    let error = candidates.into_iter().flatten().find_map(|error| {
        let raw = raw(error)?;
        ProviderError::from_member(&raw)
    });
    if error.is_some() {
        return error;
    }
    let word = |name| message::text(chunk, name) == "error";
    if chunk.get("choices").is_none_or(Value::is_null) && (word("object") || word("type")) {
        return Some(decode_error(data));
    }
    // OpenRouter's word for a choice that broke off.
    let has_error_reason = choice?.get("finish_reason")? == "error";
    has_error_reason
        .then(|| ProviderError::from_message("the provider finished with the reason `error`"))
}

fn raw(value: &Value) -> Option<Box<RawValue>> {
    if value.is_null() {
        return None;
    }
    to_raw_value(value).ok()
}

fn decode_error(data: &[u8]) -> ProviderError {
    let message = || ProviderError::from_message(&String::from_utf8_lossy(data));
    ProviderError::read(data).unwrap_or_else(message)
}

/// What the data of the last event begins with.
const DONE: &[u8] = b"[DONE]";
/// The most that is kept of an id or a model's name, in bytes.
const NAME_BYTES_MAX: usize = 512;

#[cfg(test)]
mod tests;
