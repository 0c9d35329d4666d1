//! Reads a provider's stream.

mod items;
mod open_item;

use serde_json::Value;
use serde_json::value::RawValue;

use self::items::{ItemEvent, Items};
use crate::ProviderError;
use crate::ir::{Event, FinishReason, Malformed};
use crate::json::{is_void, members, string};
use crate::limits::CODE_BYTES_MAX;
use crate::openai_responses::response::decode::{ResponseView, finish};
use crate::stream::{self, Sink, Text};

/// What is known of a stream so far.
#[derive(Default)]
pub(super) struct ResponsesReader {
    started: bool,
    /// The items, if the sink keeps events: they follow from the items, not from single events.
    items: Items,
}

/// The members of an event.
struct EventView<'a> {
    kind: Option<&'a RawValue>,
    response: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
    item: ItemEvent<'a>,
}

impl<'a> EventView<'a> {
    /// Finds the members in one pass; `None` if the text is not a JSON object.
    fn read(text: &'a str) -> Option<Self> {
        let names = [
            "type",
            "response",
            "error",
            "item",
            "delta",
            "annotation",
            "output_index",
            "content_index",
            "summary_index",
        ];
        let [
            kind,
            response,
            error,
            item,
            delta,
            annotation,
            output_index,
            content_index,
            summary_index,
        ] = members(text, names).ok()?.values;
        Some(Self {
            kind,
            response,
            error,
            item: ItemEvent {
                item,
                delta,
                annotation,
                output_index: index(output_index),
                content_index: index(content_index),
                summary_index: index(summary_index),
            },
        })
    }
}

fn index(raw: Option<&RawValue>) -> u64 {
    raw.and_then(|raw| raw.get().parse().ok()).unwrap_or(0)
}

impl stream::Reader for ResponsesReader {
    fn read(&mut self, name: &str, text: &str, sink: &mut impl Sink) -> Result<(), Malformed> {
        // The API does not send it, but some providers of its dialect do, after the end.
        if text == "[DONE]" {
            return Ok(());
        }
        let Some(event) = EventView::read(text) else {
            return stream::read_other(text, sink);
        };
        if let Some(error) = event.error.and_then(ProviderError::from_member) {
            sink.error(error);
            return Ok(());
        }
        let kind = event.kind.and_then(string).unwrap_or(name.into());
        match &*kind {
            "" => return stream::read_other(text, sink),
            "error" => sink.error(decode_error(text)),
            "response.failed" | "response.cancelled" => sink.error(failure(event.response)),
            "response.created" | "response.in_progress" | "response.queued" => {
                self.start(event.response, sink);
            }
            "response.completed" | "response.incomplete" => return self.end(event.response, sink),
            kind => {
                if kind.starts_with("response.output_item.") {
                    self.start(None, sink);
                }
                let items = &mut self.items;
                return sink.decode(is_content(kind, &event.item), |out| {
                    items.read(kind, &event.item, out)
                });
            }
        }
        Ok(())
    }

    fn finish(&mut self, _sink: &mut impl Sink) {
        // The last event holds the finish reason, so nothing can be synthesized without it.
    }
}

impl ResponsesReader {
    fn start(&mut self, response: Option<&RawValue>, sink: &mut impl Sink) {
        if self.started {
            return;
        }
        self.started = true;
        sink.event(|| {
            let found = response.and_then(|raw| members(raw.get(), ["id", "model"]).ok());
            let [id, model] = found.map_or([None; 2], |found| found.values);
            Event::Start {
                id: Text::from(id).decode().into_owned(),
                model: Text::from(model).decode().into_owned(),
            }
        });
    }

    fn end(&mut self, response: Option<&RawValue>, sink: &mut impl Sink) -> Result<(), Malformed> {
        let view = response.and_then(|raw| ResponseView::decode(raw.get()));
        let view = view.ok_or(Malformed("the last event has no response"))?;
        if let Some(error) = view.failure() {
            sink.error(error);
            return Ok(());
        }
        self.start(response, sink);
        let (items, mut reason) = (&mut self.items, FinishReason::Stop);
        sink.decode(view.has_content(), |out| {
            let response: Value = items::value(response);
            items.end(&response, out)?;
            reason = finish(&response, &items.state);
            Ok(())
        })?;
        if let Some(usage) = view.usage() {
            sink.usage(usage);
        }
        if view.has_reason() {
            sink.finish(|| reason);
        } else {
            // A mere status is no content: a completed response may be empty.
            sink.event(|| Event::Finish(reason));
        }
        sink.done();
        Ok(())
    }
}

/// Whether an event holds a part of the response.
fn is_content(kind: &str, event: &ItemEvent<'_>) -> bool {
    match kind {
        // Messages and reasoning begin empty; a call begins with its name.
        "response.output_item.added" => event.item.is_some_and(|item| {
            let found = members(item.get(), ["type"]).ok();
            let kind = found.and_then(|found| found.values[0]);
            kind.is_some_and(|kind| !matches!(kind.get(), "\"message\"" | "\"reasoning\""))
        }),
        "response.output_text.annotation.added"
        | "response.image_generation_call.partial_image" => true,
        kind if kind.ends_with(".delta") => event.delta.is_some_and(|delta| !is_void(delta)),
        kind => kind.starts_with("response.") && kind.ends_with(".done"),
    }
}

/// Reads an event of the type `error`, whose message and code are beside the type.
fn decode_error(text: &str) -> ProviderError {
    let names = ["message", "code", "param"];
    let Ok(found) = members(text, names) else {
        return ProviderError::from_message(text);
    };
    let [message, code, param] = found.values;
    let word = |raw: Option<&RawValue>| {
        let word = raw.and_then(string).filter(|word| !word.is_empty())?;
        Some(crate::truncate(&word, CODE_BYTES_MAX).to_owned())
    };
    let message = message.and_then(string).unwrap_or_default();
    ProviderError {
        code: word(code),
        param: word(param),
        ..ProviderError::from_message(&message)
    }
}

fn failure(response: Option<&RawValue>) -> ProviderError {
    let error = response.and_then(|raw| ResponseView::decode(raw.get())?.failure());
    error.unwrap_or_else(|| ProviderError::from_message("the response failed"))
}
