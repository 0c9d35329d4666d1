//! Watches a stream go by: whether it has content yet, whether it fails, how it ends.

use serde_json::value::RawValue;

use crate::anthropic::response::decode::{decode_error, reason_text};
use crate::anthropic::usage::TokenCounts;
use crate::json::{is_void, members, string};
use crate::{EventClass, ProviderError, Usage};

/// Watches one stream. It holds a few words, however long the stream is.
#[derive(Clone, Debug, Default)]
pub struct StreamObserver {
    content: bool,
    done: bool,
    finish_reason: Option<String>,
    counts: TokenCounts,
}

impl StreamObserver {
    /// An observer at the beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says what an event means, by its name and its data. The data says it too, and is believed more:
    /// Anthropic's SDKs act on it.
    pub fn observe(&mut self, event_name: &str, data: &[u8]) -> EventClass {
        let Ok(text) = std::str::from_utf8(data.trim_ascii()) else {
            return EventClass::Malformed;
        };
        match event_name {
            "ping" => return EventClass::Preamble,
            "error" => return EventClass::Error(decode_error(text)),
            _ => {}
        }
        let names = [
            "type",
            "delta",
            "content_block",
            "message",
            "usage",
            "error",
        ];
        let Ok(found) = members(text, names) else {
            return ProviderError::read(data).map_or(EventClass::Malformed, EventClass::Error);
        };
        let [kind, delta, block, message, usage, error] = found.values;
        if let Some(error) = error.and_then(ProviderError::from_member) {
            return EventClass::Error(error);
        }
        usage.into_iter().for_each(|usage| self.counts.merge(usage));
        let kind = kind.and_then(string);
        match kind.as_deref().unwrap_or(event_name) {
            "content_block_delta" => self.classify_content(delta.is_some_and(delta_has_content)),
            "content_block_start" => self.classify_content(block.is_some_and(block_has_content)),
            "error" => EventClass::Error(decode_error(text)),
            "message_delta" => {
                let reason = delta.and_then(|delta| member(delta, "stop_reason"));
                let reason = reason.and_then(reason_text);
                let ends = reason.is_some();
                self.finish_reason = reason.or(self.finish_reason.take());
                self.classify_content(ends)
            }
            "message_start" => {
                let usage = message.and_then(|message| member(message, "usage"));
                usage.into_iter().for_each(|usage| self.counts.merge(usage));
                EventClass::Preamble
            }
            "message_stop" => {
                self.done = true;
                EventClass::Done
            }
            _ => EventClass::Preamble,
        }
    }

    /// What the stream cost, as last reported.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.counts.usage()
    }

    /// Why the answer ended; at most [`ProviderError::CODE_BYTES_MAX`].
    #[must_use]
    pub fn finish_reason(&self) -> Option<&str> {
        self.finish_reason.as_deref()
    }

    /// Whether there was any content. A stream that completes without is an empty answer.
    #[must_use]
    pub const fn has_content(&self) -> bool {
        self.content
    }

    /// Whether the stream came to its end: it said so, or it said why it ended, after which some
    /// providers just close. One that ends otherwise was cut off.
    #[must_use]
    pub const fn completed(&self) -> bool {
        self.done || self.finish_reason.is_some()
    }

    fn classify_content(&mut self, content: bool) -> EventClass {
        self.content |= content;
        if content {
            EventClass::Content
        } else {
            EventClass::Preamble
        }
    }
}

/// Whether a delta has anything beside its type: the kinds of deltas grow, and to hold back one that a
/// list does not know would hold back the whole answer.
fn delta_has_content(delta: &RawValue) -> bool {
    let names = [
        "text",
        "thinking",
        "partial_json",
        "signature",
        "citation",
        "type",
    ];
    let Ok(found) = members(delta.get(), names) else {
        return false;
    };
    let [text, thinking, arguments, signature, citation, kind] = found.values;
    let known = [text, thinking, arguments, signature, citation];
    let kind = kind.map_or("", RawValue::get);
    let is_known = KNOWN_DELTAS.contains(&kind.trim_matches('"'));
    !is_known || known.into_iter().flatten().any(|value| !is_void(value))
}

/// Whether a block is content from its beginning: text and thinking come empty and are filled later.
fn block_has_content(block: &RawValue) -> bool {
    let Ok(found) = members(block.get(), ["type", "text", "thinking"]) else {
        return false;
    };
    let [kind, text, thinking] = found.values;
    match kind.map_or("", RawValue::get) {
        "\"text\"" => text.is_some_and(|text| !is_void(text)),
        "\"thinking\"" => thinking.is_some_and(|thinking| !is_void(thinking)),
        _ => true,
    }
}

fn member<'a>(raw: &'a RawValue, name: &'static str) -> Option<&'a RawValue> {
    members(raw.get(), [name]).ok()?.values[0]
}

const KNOWN_DELTAS: [&str; 5] = [
    "citations_delta",
    "input_json_delta",
    "signature_delta",
    "text_delta",
    "thinking_delta",
];
