//! The items of a streamed response, and the events that follow from them.

use std::collections::{BTreeSet, VecDeque};

use serde_json::Value;
use serde_json::value::RawValue;

use super::open_item::{self, OpenItem, ReasoningSource};
use crate::ir::{Event, Malformed};
use crate::limits::{ITEMS_MAX, WAITING_ITEMS_BYTES_MAX};
use crate::openai_responses::citations;
use crate::openai_responses::response::decode::DecodeState;
use crate::openai_responses::response::item;
use crate::stream::Text;

/// Items come one after the other as a rule, and are passed on as they come. One that begins while
/// another is open is read from its end, where it is whole, and passed on when the other has ended.
#[derive(Debug, Default)]
pub(super) struct Items {
    open: Option<OpenItem>,
    /// Whole items that wait for the open one to end, with their indexes.
    waiting: VecDeque<(u64, Value)>,
    waiting_bytes: usize,
    /// The indexes of the items that were passed on.
    handled: BTreeSet<u64>,
    pub(super) state: DecodeState,
}

/// The members of an event that concern an item.
pub(super) struct ItemEvent<'a> {
    pub(super) item: Option<&'a RawValue>,
    pub(super) delta: Option<&'a RawValue>,
    pub(super) annotation: Option<&'a RawValue>,
    pub(super) output_index: u64,
    pub(super) content_index: u64,
    pub(super) summary_index: u64,
}

impl Items {
    /// Reads one event.
    ///
    /// # Errors
    /// If there are too many items, or one of them is not valid.
    pub(super) fn read(
        &mut self,
        kind: &str,
        event: &ItemEvent<'_>,
        out: &mut Vec<Event>,
    ) -> Result<(), Malformed> {
        match (kind, event.item) {
            ("response.output_item.added", Some(item)) => {
                self.add(event.output_index, &value(Some(item)), out)
            }
            ("response.output_item.done", Some(item)) => self.close(event.output_index, item, out),
            _ => {
                self.delta(kind, event, out);
                Ok(())
            }
        }
    }

    fn add(
        &mut self,
        output_index: u64,
        item: &Value,
        out: &mut Vec<Event>,
    ) -> Result<(), Malformed> {
        if self.open.is_none() && !self.handled.contains(&output_index) {
            self.open = OpenItem::of(output_index, item);
            if let Some(open) = &mut self.open {
                open.begin_call(item, &mut self.state, out)?;
            }
        }
        Ok(())
    }

    fn close(
        &mut self,
        output_index: u64,
        item: &RawValue,
        out: &mut Vec<Event>,
    ) -> Result<(), Malformed> {
        match self.open.take() {
            Some(open) if open.output_index == output_index => {
                self.mark_handled(output_index)?;
                open.end(&value(Some(item)), &mut self.state, out)?;
                self.flush(out)?;
                self.waiting_bytes = 0;
                Ok(())
            }
            Some(open) => {
                self.open = Some(open);
                self.queue(output_index, item)
            }
            None => self.emit_item(output_index, &value(Some(item)), out),
        }
    }

    fn flush(&mut self, out: &mut Vec<Event>) -> Result<(), Malformed> {
        while let Some((output_index, item)) = self.waiting.pop_front() {
            self.emit_item(output_index, &item, out)?;
        }
        Ok(())
    }

    fn queue(&mut self, output_index: u64, item: &RawValue) -> Result<(), Malformed> {
        self.waiting_bytes += item.get().len();
        if self.waiting_bytes > WAITING_ITEMS_BYTES_MAX {
            return Err(Malformed("too many items end before an earlier one"));
        }
        self.waiting.push_back((output_index, value(Some(item))));
        Ok(())
    }

    fn mark_handled(&mut self, output_index: u64) -> Result<bool, Malformed> {
        if self.handled.len() >= ITEMS_MAX {
            return Err(Malformed("there are too many items"));
        }
        Ok(self.handled.insert(output_index))
    }

    /// Passes on a whole item, unless it was passed on before.
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

    /// Passes on a delta of the open item. Those of other items are ignored: their last event repeats
    /// all of it.
    fn delta(&mut self, kind: &str, event: &ItemEvent<'_>, out: &mut Vec<Event>) {
        let Some(open) = self
            .open
            .as_mut()
            .filter(|open| open.output_index == event.output_index)
        else {
            return;
        };
        if kind == "response.output_text.annotation.added" {
            let raw = value(event.annotation);
            if raw.is_object() {
                let citation = citations::decode(&raw);
                open.citation(event.content_index, citation, &mut self.state, out);
            }
            return;
        }
        let delta = Text::from(event.delta).decode().into_owned();
        if delta.is_empty() {
            return;
        }
        match kind {
            "response.output_text.delta" => {
                open.text(event.content_index, delta, &mut self.state, out);
            }
            "response.refusal.delta" => {
                open.refusal(event.content_index, delta, &mut self.state, out);
            }
            "response.reasoning_summary_text.delta" => {
                open.reasoning(ReasoningSource::Summary, event.summary_index, delta, out);
            }
            "response.reasoning_text.delta" => {
                open.reasoning(ReasoningSource::Content, event.content_index, delta, out);
            }
            "response.function_call_arguments.delta" => open.arguments(delta, out),
            "response.custom_tool_call_input.delta" => open.input(&delta, out),
            _ => {}
        }
    }

    /// Ends the open item, and passes on all items of the whole response that were not streamed.
    ///
    /// # Errors
    /// If there are too many items, or one of them is not valid.
    pub(super) fn end(&mut self, response: &Value, out: &mut Vec<Event>) -> Result<(), Malformed> {
        if let Some(open) = self.open.take() {
            let index = usize::try_from(open.output_index).unwrap_or(usize::MAX);
            let item = response.get("output").and_then(|output| output.get(index));
            self.mark_handled(open.output_index)?;
            open.end(item.unwrap_or(&Value::Null), &mut self.state, out)?;
        }
        self.flush(out)?;
        let output = response.get("output").and_then(Value::as_array);
        for (output_index, item) in (0..).zip(output.into_iter().flatten()) {
            self.emit_item(output_index, item, out)?;
        }
        Ok(())
    }
}

/// Parses a value; null if it is missing.
pub(super) fn value(raw: Option<&RawValue>) -> Value {
    // Raw JSON can still fail as a tree, by deep nesting. It counts as missing.
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_default()
}
