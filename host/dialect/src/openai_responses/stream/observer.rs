//! Watches a stream go by: whether it has content yet, whether it fails, how it ends.

use serde_json::value::RawValue;

use crate::json::{is_void, members, string};
use crate::openai_responses::response::decode::ResponseView;
use crate::{EventClass, ProviderError, Usage};

/// Watches one stream. It holds a few words, however long the stream is.
#[derive(Clone, Debug, Default)]
pub(crate) struct StreamObserver {
    content: bool,
    done: bool,
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
        // The API does not send it, but some that speak its dialect do, after the end.
        if text == "[DONE]" {
            return if self.done {
                EventClass::Done
            } else {
                EventClass::Preamble
            };
        }
        let names = ["type", "delta", "item", "response", "error"];
        let Ok(found) = members(text, names) else {
            return ProviderError::read(data).map_or(EventClass::Malformed, EventClass::Error);
        };
        let [kind, delta, item, response, error] = found.values;
        if let Some(error) = error.and_then(ProviderError::from_member) {
            return EventClass::Error(error);
        }
        let kind = kind.and_then(string).unwrap_or(event_name.into());
        match &*kind {
            "" => ProviderError::read(data).map_or(EventClass::Malformed, EventClass::Error),
            "error" => EventClass::Error(decode_error(text)),
            "response.failed" | "response.cancelled" => EventClass::Error(failure(response)),
            "response.completed" | "response.incomplete" => self.end(response),
            kind => self.record(is_content(kind, delta, item)),
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

    /// Whether the stream came to its end. One that ends otherwise was cut off.
    #[must_use]
    pub(crate) const fn completed(&self) -> bool {
        self.done
    }

    fn record(&mut self, content: bool) -> EventClass {
        self.content |= content;
        if content {
            EventClass::Content
        } else {
            EventClass::Preamble
        }
    }

    fn end(&mut self, response: Option<&RawValue>) -> EventClass {
        let Some(seen) = response.and_then(|raw| ResponseView::decode(raw.get())) else {
            return EventClass::Malformed;
        };
        if let Some(error) = seen.failure() {
            return EventClass::Error(error);
        }
        self.done = true;
        self.content |= seen.has_content();
        self.finish_reason = seen.finish_reason();
        self.usage = seen.usage().or(self.usage);
        EventClass::Done
    }
}

/// Whether an event brings a part of the answer.
fn is_content(kind: &str, delta: Option<&RawValue>, item: Option<&RawValue>) -> bool {
    match kind {
        // A message and a thought begin empty; a call has its name.
        "response.output_item.added" => item.is_some_and(|item| {
            let kind = members(item.get(), ["type"])
                .ok()
                .and_then(|it| it.values[0]);
            kind.is_some_and(|kind| !matches!(kind.get(), "\"message\"" | "\"reasoning\""))
        }),
        "response.output_text.annotation.added"
        | "response.image_generation_call.partial_image" => true,
        kind if kind.ends_with(".delta") => delta.is_some_and(|delta| !is_void(delta)),
        kind => kind.starts_with("response.") && kind.ends_with(".done"),
    }
}

/// An event of the type `error` has its words beside the type.
fn decode_error(text: &str) -> ProviderError {
    let names = ["message", "code", "param"];
    let Ok(found) = members(text, names) else {
        return ProviderError::from_message(text);
    };
    let [message, code, param] = found.values;
    let word = |raw: Option<&RawValue>| {
        let word = raw.and_then(string).filter(|word| !word.is_empty())?;
        Some(crate::truncate(&word, ProviderError::CODE_BYTES_MAX).to_owned())
    };
    let message = message.and_then(string).unwrap_or_default();
    ProviderError {
        code: word(code),
        param: word(param),
        ..ProviderError::from_message(&message)
    }
}

/// What an event that reports a failure says; none of other events.
pub(crate) fn event_error(kind: &str, data: &str) -> Option<ProviderError> {
    let [response, error] = members(data, ["response", "error"]).ok()?.values;
    if let Some(error) = error.and_then(ProviderError::from_member) {
        return Some(error);
    }
    match kind {
        "error" => Some(decode_error(data)),
        "response.failed" | "response.cancelled" => Some(failure(response)),
        _ => None,
    }
}

fn failure(response: Option<&RawValue>) -> ProviderError {
    let error_member = response.and_then(|raw| ResponseView::decode(raw.get())?.failure());
    error_member.unwrap_or_else(|| ProviderError::from_message("the response failed"))
}
