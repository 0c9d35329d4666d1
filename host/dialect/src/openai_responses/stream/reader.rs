//! Reads the events of a provider's stream.

mod open_item;

use std::collections::{BTreeSet, VecDeque};

use serde_json::Value;

use self::open_item::OpenItem;
use super::observer;
use crate::ir::{Delta, Event, EventDecoder, Malformed, Part, PartStart};
use crate::openai_responses::response::decode::{DecodeState, finish};
use crate::openai_responses::response::item;
use crate::openai_responses::{citations, usage};
use crate::stream::{Classifying, LegacyDecoder};

/// Reads the events of a provider's stream.
#[must_use]
pub(crate) fn decoder() -> Box<dyn EventDecoder> {
    Box::new(Classifying::new(StreamDecoder::default()))
}

/// Items come one after the other as a rule, and are passed on as they come. One that begins while
/// another is open is read from its end, where it stands whole, and passed on when the other has ended.
#[derive(Debug, Default)]
struct StreamDecoder {
    started: bool,
    ended: bool,
    open: Option<OpenItem>,
    /// Whole items that wait for the open one to end.
    waiting: VecDeque<(u64, Value)>,
    waiting_bytes: usize,
    /// The places of the items that were passed on.
    handled: BTreeSet<u64>,
    state: DecodeState,
}

impl LegacyDecoder for StreamDecoder {
    fn event(&mut self, name: &str, data: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
        if self.ended {
            return Ok(());
        }
        let text = std::str::from_utf8(data.trim_ascii())
            .map_err(|_| Malformed("an event is not UTF-8"))?;
        if text == "[DONE]" {
            return Ok(());
        }
        let event: Value =
            serde_json::from_str(text).map_err(|_| Malformed("an event is not JSON"))?;
        if !event.is_object() {
            return Err(Malformed("an event is not a JSON object"));
        }
        let kind = item::text(&event, "type").unwrap_or(name);
        let fails =
            FAILURE_EVENTS.contains(&kind) || event.get("error").is_some_and(|it| !it.is_null());
        if fails && let Some(error) = observer::event_error(kind, text) {
            self.ended = true;
            out.push(Event::Error(error));
            return Ok(());
        }
        self.read(kind, &event, out)
    }

    fn finish(&mut self, _out: &mut Vec<Event>) {
        // Why an answer ends is told by its last event, or not at all.
        self.ended = true;
    }
}

impl StreamDecoder {
    fn read(&mut self, kind: &str, event: &Value, out: &mut Vec<Event>) -> Result<(), Malformed> {
        match kind {
            "response.created" | "response.in_progress" | "response.queued" => {
                self.start(event.get("response"), out);
            }
            "response.completed" | "response.incomplete" => {
                let response = event.get("response");
                self.end(
                    response.ok_or(Malformed("the last event has no response"))?,
                    out,
                )?;
            }
            "response.output_item.added" => self.add(event, out)?,
            "response.output_item.done" => self.close(event, out)?,
            kind => self.delta(kind, event, out),
        }
        Ok(())
    }

    fn start(&mut self, response: Option<&Value>, out: &mut Vec<Event>) {
        if !self.started {
            self.started = true;
            let word = |name| response.and_then(|it| item::text(it, name));
            out.push(Event::Start {
                id: word("id").unwrap_or_default().to_owned(),
                model: word("model").unwrap_or_default().to_owned(),
            });
        }
    }

    fn add(&mut self, event: &Value, out: &mut Vec<Event>) -> Result<(), Malformed> {
        self.start(None, out);
        let output_index = output_index(event);
        if self.open.is_none()
            && !self.handled.contains(&output_index)
            && let Some(item) = event.get("item")
        {
            self.open = OpenItem::of(output_index, item);
            if let Some(open) = &mut self.open {
                open.begin_call(item, &mut self.state, out)?;
            }
        }
        Ok(())
    }

    fn close(&mut self, event: &Value, out: &mut Vec<Event>) -> Result<(), Malformed> {
        self.start(None, out);
        let Some(item) = event.get("item") else {
            return Ok(());
        };
        let output_index = output_index(event);
        match self.open.take() {
            Some(open) if open.output_index == output_index => {
                self.mark_handled(output_index)?;
                open.end(item, &mut self.state, out)?;
                while let Some((output_index, item)) = self.waiting.pop_front() {
                    self.emit_item(output_index, &item, out)?;
                }
                self.waiting_bytes = 0;
                Ok(())
            }
            Some(open) => {
                self.open = Some(open);
                self.queue(output_index, item)
            }
            None => self.emit_item(output_index, item, out),
        }
    }

    fn queue(&mut self, output_index: u64, item: &Value) -> Result<(), Malformed> {
        self.waiting_bytes += item.to_string().len();
        if self.waiting_bytes > WAITING_BYTES_MAX {
            return Err(Malformed("too many items end before an earlier one"));
        }
        self.waiting.push_back((output_index, item.clone()));
        Ok(())
    }

    fn mark_handled(&mut self, output_index: u64) -> Result<bool, Malformed> {
        if self.handled.len() >= ITEMS_MAX {
            return Err(Malformed("there are too many items"));
        }
        Ok(self.handled.insert(output_index))
    }

    /// Passes on an item of which nothing was passed on before.
    fn emit_item(
        &mut self,
        output_index: u64,
        item: &Value,
        out: &mut Vec<Event>,
    ) -> Result<(), Malformed> {
        if !self.mark_handled(output_index)? {
            return Ok(());
        }
        let mut parts = Vec::new();
        let index = usize::try_from(output_index).unwrap_or_default();
        item::decode(item, index, &mut self.state.signature, &mut parts)?;
        for part in parts {
            open_item::emit_part(part, &mut self.state, out);
        }
        Ok(())
    }

    /// A piece of the open item. Pieces of others are passed over: they end in a whole.
    fn delta(&mut self, kind: &str, event: &Value, out: &mut Vec<Event>) {
        let at = output_index(event);
        let Some(open) = self.open.as_mut().filter(|open| open.output_index == at) else {
            return;
        };
        let delta = item::text(event, "delta").filter(|delta| !delta.is_empty());
        let part = |name: &str| event.get(name).and_then(Value::as_u64).unwrap_or(0);
        match (kind, delta) {
            ("response.output_text.delta", Some(delta)) => {
                open.text(part("content_index"), delta, &mut self.state, out);
            }
            ("response.refusal.delta", Some(delta)) => {
                open.refusal(part("content_index"), delta, &mut self.state, out);
            }
            ("response.reasoning_summary_text.delta", Some(delta)) => {
                open.reasoning(
                    open_item::ReasoningSource::Summary,
                    part("summary_index"),
                    delta,
                    out,
                );
            }
            ("response.reasoning_text.delta", Some(delta)) => {
                open.reasoning(
                    open_item::ReasoningSource::Content,
                    part("content_index"),
                    delta,
                    out,
                );
            }
            ("response.function_call_arguments.delta", Some(delta)) => open.arguments(delta, out),
            ("response.custom_tool_call_input.delta", Some(delta)) => open.input(delta, out),
            ("response.output_text.annotation.added", _) => {
                if let Some(raw) = event.get("annotation").filter(|it| it.is_object()) {
                    let citation = citations::decode(raw);
                    open.citation(part("content_index"), citation, &mut self.state, out);
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, response: &Value, out: &mut Vec<Event>) -> Result<(), Malformed> {
        self.start(Some(response), out);
        if let Some(open) = self.open.take() {
            let index = usize::try_from(open.output_index).unwrap_or(usize::MAX);
            let item = response.get("output").and_then(|output| output.get(index));
            self.mark_handled(open.output_index)?;
            open.end(item.unwrap_or(&Value::Null), &mut self.state, out)?;
        }
        while let Some((output_index, item)) = self.waiting.pop_front() {
            self.emit_item(output_index, &item, out)?;
        }
        let output = response.get("output").and_then(Value::as_array);
        for (output_index, item) in (0..).zip(output.into_iter().flatten()) {
            self.emit_item(output_index, item, out)?;
        }
        if let Some(usage) = response.get("usage").and_then(usage::decode) {
            out.push(Event::Usage(usage));
        }
        out.push(Event::Finish(finish(response, &self.state)));
        out.push(Event::Done);
        self.ended = true;
        Ok(())
    }
}

/// Which item of the output an event is about.
fn output_index(event: &Value) -> u64 {
    let index = event.get("output_index").and_then(Value::as_u64);
    index.unwrap_or(0)
}

/// The events that report a failure.
const FAILURE_EVENTS: [&str; 3] = ["error", "response.failed", "response.cancelled"];

/// The most that waits for an item to end, in bytes: as much as one event may have.
const WAITING_BYTES_MAX: usize = crate::sse::EVENT_BYTES_MAX;

/// The most items that a response may have. A model that searches the web makes some hundreds.
const ITEMS_MAX: usize = 1 << 14;
