//! Watches a stream of responses go by: whether it has content yet, whether it fails, how it ends.

use crate::gemini::response::check::reason_text;
use crate::gemini::response::chunk::ResponseChunk;
use crate::gemini::usage;
use crate::{EventClass, ProviderError, Usage};

/// Watches one stream. It holds a few words, however long the stream is.
#[derive(Clone, Debug, Default)]
pub(crate) struct StreamObserver {
    content: bool,
    finish_reason: Option<String>,
    usage: Option<Usage>,
}

impl StreamObserver {
    /// An observer at the beginning of a stream.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Says what an event means, by its name and its data. One pass over the data; nothing is kept but
    /// the finish reason, and what an error says.
    pub(crate) fn observe(&mut self, event_name: &str, data: &[u8]) -> EventClass {
        let Ok(text) = std::str::from_utf8(data.trim_ascii()) else {
            return EventClass::Malformed;
        };
        // Some gateways end streams as OpenAI does; the decoder passes over it, too.
        if text == "[DONE]" {
            return EventClass::Preamble;
        }
        if event_name == "error" {
            let error = ProviderError::read(data);
            return EventClass::Error(error.unwrap_or_else(|| ProviderError::from_message(text)));
        }
        let Some(chunk) = ResponseChunk::read(text) else {
            return ProviderError::read(data).map_or(EventClass::Malformed, EventClass::Error);
        };
        if let Some(error) = chunk.error.and_then(ProviderError::from_member) {
            return EventClass::Error(error);
        }
        if let Some(usage) = chunk.usage_metadata.and_then(usage::decode_raw) {
            self.usage = Some(usage);
        }
        let reason = chunk.reason().and_then(reason_text);
        let is_content = chunk.has_content() || reason.is_some();
        self.content |= is_content;
        self.finish_reason = reason.or(self.finish_reason.take());
        if is_content {
            EventClass::Content
        } else {
            EventClass::Preamble
        }
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

    /// Whether the stream came to its end: it said why the answer ended. The dialect has no other mark.
    #[must_use]
    pub(crate) const fn completed(&self) -> bool {
        self.finish_reason.is_some()
    }
}
