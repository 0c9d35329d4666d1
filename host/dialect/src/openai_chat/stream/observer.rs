//! Watches a stream of chunks go by: whether it has content yet, whether it fails, how it ends.

use crate::openai_chat::response::check::{decode_usage, failure, reason_text};
use crate::openai_chat::response::chunk::ChunkScan;
use crate::{EventClass, ProviderError, Usage};

/// Watches one stream. It holds a few words, however long the stream is.
#[derive(Clone, Debug, Default)]
pub(crate) struct StreamObserver {
    content: bool,
    done: bool,
    /// The choices that there are, and those that finished: a bit an index.
    seen: u128,
    finished: u128,
    finish_reason: Option<String>,
    usage: Option<Usage>,
}

impl StreamObserver {
    /// An observer at the beginning of a stream.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Says what an event means, by its name and its data. One pass over the data; nothing is allocated
    /// but the finish reason, and what an error says.
    pub(crate) fn observe(&mut self, event_name: &str, data: &[u8]) -> EventClass {
        let Ok(text) = std::str::from_utf8(data.trim_ascii()) else {
            return EventClass::Malformed;
        };
        // The clients stop at anything that begins so.
        if text.starts_with(DONE) {
            self.done = true;
            return EventClass::Done;
        }
        if event_name == "error" {
            return EventClass::Error(decode_error(text));
        }
        let Some(chunk) = ChunkScan::decode(text) else {
            return ProviderError::read(data).map_or(EventClass::Malformed, EventClass::Error);
        };
        if let Some(error) = failure(&chunk) {
            return EventClass::Error(error);
        }
        if chunk.choices.is_none() && chunk.is_error_object() {
            return EventClass::Error(decode_error(text));
        }
        self.record(&chunk)
    }

    /// What the stream cost, as last reported.
    #[must_use]
    pub(crate) const fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// Whether there was any content. A stream that completes without is an empty answer.
    #[must_use]
    pub(crate) const fn has_content(&self) -> bool {
        self.content
    }

    /// Whether the stream came to its end: it said `[DONE]`, or every choice seen said why it finished,
    /// after which some providers just close. One that ends otherwise was cut off.
    #[must_use]
    pub(crate) const fn completed(&self) -> bool {
        self.done || (self.seen != 0 && self.seen == self.finished)
    }

    fn record(&mut self, chunk: &ChunkScan<'_>) -> EventClass {
        if let Some(usage) = decode_usage(chunk) {
            self.usage = Some(usage);
        }
        let Some(choices) = &chunk.choices else {
            return EventClass::Preamble;
        };
        self.seen |= choices.seen;
        self.finished |= choices.finished;
        if let Some(raw) = choices.finish_reason {
            self.finish_reason = reason_text(raw);
        }
        self.content |= choices.content;
        if choices.content {
            EventClass::Content
        } else {
            EventClass::Preamble
        }
    }
}

fn decode_error(text: &str) -> ProviderError {
    ProviderError::read(text.as_bytes()).unwrap_or_else(|| ProviderError::from_message(text))
}

/// The data of the event that ends a stream.
const DONE: &str = "[DONE]";

#[cfg(test)]
mod tests;
