//! The open item of a stream that is read, with its open part.

use serde_json::Value;

use crate::ir::tool_text::{INPUT_PREFIX, INPUT_SUFFIX, escape_json};
use crate::ir::{Citation, Delta, Event, Malformed, Part, PartStart, ToolCall};
use crate::openai_responses::request::decode::input::SUMMARY_SEPARATOR;
use crate::openai_responses::response::decode::DecodeState;
use crate::openai_responses::response::item;

/// An open item.
#[derive(Debug)]
pub(super) struct OpenItem {
    /// The index in the output.
    pub(super) output_index: u64,
    kind: OpenItemKind,
    /// The open part.
    part: Option<OpenItemPart>,
    /// Whether there was any part.
    started: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OpenItemKind {
    Call,
    Custom,
    Message,
    Reasoning,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OpenItemPart {
    /// A call.
    Call {
        has_delta: bool,
    },
    Refusal {
        index: u64,
    },
    Text {
        index: u64,
    },
    Reasoning {
        source: ReasoningSource,
        index: u64,
    },
}

/// Which of the two texts of a reasoning item is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReasoningSource {
    Content,
    Summary,
}

impl OpenItem {
    /// `None` for items that are read from their last event.
    pub(super) fn of(output_index: u64, item: &Value) -> Option<Self> {
        let kind = match item::text(item, "type")? {
            "message" => OpenItemKind::Message,
            "reasoning" => OpenItemKind::Reasoning,
            "function_call" => OpenItemKind::Call,
            "custom_tool_call" => OpenItemKind::Custom,
            _ => return None,
        };
        Some(Self {
            output_index,
            kind,
            part: None,
            started: false,
        })
    }

    /// Begins a call, whose name and id are in the item.
    ///
    /// # Errors
    ///
    /// If the name is missing.
    pub(super) fn begin_call(
        &mut self,
        item: &Value,
        state: &mut DecodeState,
        out: &mut Vec<Event>,
    ) -> Result<(), Malformed> {
        if matches!(self.kind, OpenItemKind::Call | OpenItemKind::Custom) {
            let index = usize::try_from(self.output_index).unwrap_or_default();
            let signature = state.signature.take();
            let call = item::call(item, index)?;
            begin_call(ToolCall { signature, ..call }, state, out);
            self.part = Some(OpenItemPart::Call { has_delta: false });
            self.started = true;
        }
        Ok(())
    }

    // Deltas that do not match the kind of the item are ignored.

    pub(super) fn text(
        &mut self,
        index: u64,
        delta: String,
        state: &mut DecodeState,
        out: &mut Vec<Event>,
    ) {
        if self.kind == OpenItemKind::Message {
            self.open_text(index, state, out);
            out.push(Event::Delta(Delta::Text(delta)));
        }
    }

    pub(super) fn citation(
        &mut self,
        index: u64,
        citation: Citation,
        state: &mut DecodeState,
        out: &mut Vec<Event>,
    ) {
        if self.kind == OpenItemKind::Message {
            self.open_text(index, state, out);
            out.push(Event::Delta(Delta::Citation(citation)));
        }
    }

    fn open_text(&mut self, index: u64, state: &mut DecodeState, out: &mut Vec<Event>) {
        state.has_text = true;
        self.open_part(OpenItemPart::Text { index }, PartStart::Text, out);
    }

    pub(super) fn refusal(
        &mut self,
        index: u64,
        delta: String,
        state: &mut DecodeState,
        out: &mut Vec<Event>,
    ) {
        if self.kind == OpenItemKind::Message {
            state.has_refusal = true;
            self.open_part(OpenItemPart::Refusal { index }, PartStart::Refusal, out);
            out.push(Event::Delta(Delta::Refusal(delta)));
        }
    }

    /// Adds a piece of reasoning. The parts of a summary become one text. Of the summary and the full
    /// text, the first one is shown.
    pub(super) fn reasoning(
        &mut self,
        source: ReasoningSource,
        index: u64,
        delta: String,
        out: &mut Vec<Event>,
    ) {
        if self.kind != OpenItemKind::Reasoning {
            return;
        }
        match &mut self.part {
            Some(OpenItemPart::Reasoning { source: first, .. }) if *first != source => return,
            Some(OpenItemPart::Reasoning { index: last, .. }) => {
                if *last != index {
                    *last = index;
                    let between = SUMMARY_SEPARATOR.to_owned();
                    out.push(Event::Delta(Delta::Reasoning(between)));
                }
            }
            _ => {
                let part = OpenItemPart::Reasoning { source, index };
                self.open_part(part, PartStart::Reasoning { redacted: false }, out);
            }
        }
        out.push(Event::Delta(Delta::Reasoning(delta)));
    }

    pub(super) fn arguments(&mut self, delta: String, out: &mut Vec<Event>) {
        if self.kind == OpenItemKind::Call {
            self.part = Some(OpenItemPart::Call { has_delta: true });
            out.push(Event::Delta(Delta::Arguments(delta)));
        }
    }

    /// Adds a piece of a custom tool's input, which the common form has as a string inside an object.
    pub(super) fn input(&mut self, delta: &str, out: &mut Vec<Event>) {
        if self.kind == OpenItemKind::Custom {
            let has_delta = self.part == Some(OpenItemPart::Call { has_delta: true });
            self.part = Some(OpenItemPart::Call { has_delta: true });
            let mut piece = if has_delta { "" } else { INPUT_PREFIX }.to_owned();
            piece += &escape_json(delta);
            out.push(Event::Delta(Delta::Arguments(piece)));
        }
    }

    /// Closes the item with its final snapshot, and emits what was not streamed as deltas.
    ///
    /// # Errors
    ///
    /// If the snapshot is of another kind, or not valid.
    pub(super) fn end(
        mut self,
        item: &Value,
        state: &mut DecodeState,
        out: &mut Vec<Event>,
    ) -> Result<(), Malformed> {
        match self.kind {
            OpenItemKind::Call | OpenItemKind::Custom => {
                let has_delta = self.part == Some(OpenItemPart::Call { has_delta: true });
                if has_delta && self.kind == OpenItemKind::Custom {
                    let end = INPUT_SUFFIX.to_owned();
                    out.push(Event::Delta(Delta::Arguments(end)));
                }
                let whole = item::decode_arguments(item);
                if !has_delta && !whole.is_empty() {
                    out.push(Event::Delta(Delta::Arguments(whole)));
                }
                out.push(Event::PartEnd);
            }
            OpenItemKind::Message | OpenItemKind::Reasoning if !self.started => {
                let mut parts = Vec::new();
                item::decode(item, 0, &mut state.signature, &mut parts)?;
                for part in parts {
                    emit_part(part, state, out);
                }
            }
            OpenItemKind::Message => self.close_part(out),
            OpenItemKind::Reasoning => {
                if let Some((signature, _)) = item::decode_signature(item) {
                    out.push(Event::Delta(Delta::Signature(signature)));
                }
                self.close_part(out);
            }
        }
        Ok(())
    }

    fn open_part(&mut self, part: OpenItemPart, part_start: PartStart, out: &mut Vec<Event>) {
        if self.part != Some(part) {
            self.close_part(out);
            self.part = Some(part);
            self.started = true;
            out.push(Event::PartStart(part_start));
        }
    }

    fn close_part(&mut self, out: &mut Vec<Event>) {
        if self.part.take().is_some() {
            out.push(Event::PartEnd);
        }
    }
}

/// Emits a complete part.
pub(super) fn emit_part(part: Part, state: &mut DecodeState, out: &mut Vec<Event>) {
    let push = |out: &mut Vec<Event>, delta| out.push(Event::Delta(delta));
    match part {
        Part::Text { text, citations } => {
            state.has_text = true;
            out.push(Event::PartStart(PartStart::Text));
            push(out, Delta::Text(text));
            for citation in citations {
                push(out, Delta::Citation(citation));
            }
        }
        Part::Refusal(text) => {
            state.has_refusal = true;
            out.push(Event::PartStart(PartStart::Refusal));
            push(out, Delta::Refusal(text));
        }
        Part::Reasoning(reasoning) => {
            let redacted = reasoning.redacted;
            out.push(Event::PartStart(PartStart::Reasoning { redacted }));
            if !reasoning.text.is_empty() {
                push(out, Delta::Reasoning(reasoning.text));
            }
            if let Some(signature) = reasoning.signature {
                push(out, Delta::Signature(signature));
            }
        }
        Part::ToolCall(call) => {
            let arguments = call.arguments.clone();
            begin_call(call, state, out);
            if !arguments.is_empty() {
                push(out, Delta::Arguments(arguments));
            }
        }
        whole => out.push(Event::PartStart(PartStart::Complete(whole))),
    }
    out.push(Event::PartEnd);
}

fn begin_call(call: ToolCall, state: &mut DecodeState, out: &mut Vec<Event>) {
    state.has_call = true;
    out.push(Event::PartStart(PartStart::ToolCall {
        id: call.id,
        name: call.name,
        signature: call.signature,
    }));
}
