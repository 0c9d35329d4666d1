//! The parts of a streamed response: which one is open, and what closes it.

use serde_json::{Map, Value};

use crate::ir::tool_text::{INPUT_PREFIX, INPUT_SUFFIX, escape_json};
use crate::ir::{Delta, Event, Malformed, PartStart, Signature};
use crate::limits::TEXT_IN_CALL_BYTES_MAX;
use crate::openai_chat::DIALECT;
use crate::openai_chat::response::finish_reason::PartKinds;
use crate::openai_chat::response::message::{self, Piece};
use crate::openai_chat::{citations, reasoning, tools};

/// The parts of a streamed response. Chunks do not mark where a part begins or ends: it follows from the
/// kinds of the pieces.
#[derive(Debug, Default)]
pub(crate) struct PartTracker {
    /// The kinds of parts so far.
    pub(crate) kinds: PartKinds,
    open: DecodingPart,
    /// The number of calls so far.
    calls: usize,
    /// The record of the reasoning, which is emitted when it is whole.
    record: reasoning::DetailRecord,
    /// Text inside of a call, such as the line break that some models write there. It follows the call.
    held_text: String,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum DecodingPart {
    Call {
        /// The index in the pieces of the call.
        index: u64,
        id: String,
        /// Whether it calls a custom tool, whose input becomes a string inside of an object.
        custom: bool,
    },
    #[default]
    Nothing,
    Reasoning,
    Refusal,
    Text,
}

impl PartTracker {
    /// Reads a delta.
    ///
    /// # Errors
    /// If it has a piece of a call that is not open.
    pub(crate) fn delta(
        &mut self,
        delta: &Map<String, Value>,
        out: &mut Vec<Event>,
    ) -> Result<(), Malformed> {
        let details = message::list(delta, "reasoning_details");
        // OpenRouter sends one text both in `reasoning` and in the details; only one may be shown.
        match reasoning::text_of(delta) {
            "" => details
                .iter()
                .for_each(|it| self.reasoning(reasoning::visible_text(it), out)),
            text => self.reasoning(text, out),
        }
        details.iter().for_each(|detail| self.detail(detail, out));
        for piece in message::pieces(delta) {
            match piece {
                Piece::Reasoning(text) => self.reasoning(text, out),
                Piece::Refusal(text) => self.refusal(text, out),
                Piece::Text(text) => self.text(text, out),
            }
        }
        self.refusal(message::text(delta, "refusal"), out);
        if self.open == DecodingPart::Text {
            let annotations = message::list(delta, "annotations").iter();
            let cited = annotations.filter_map(citations::decode);
            out.extend(cited.map(|it| Event::Delta(Delta::Citation(it))));
        }
        for image in message::images(delta) {
            self.close_all(out);
            out.push(Event::PartStart(PartStart::Complete(image)));
            out.push(Event::PartEnd);
        }
        for call in message::list(delta, "tool_calls") {
            self.call(call, out)?;
        }
        match delta.get("function_call").filter(|it| it.is_object()) {
            Some(function) => self.call(&serde_json::json!({"function": function}), out),
            None => Ok(()),
        }
    }

    /// Reads a piece of text.
    pub(crate) fn text(&mut self, text: &str, out: &mut Vec<Event>) {
        let calling = matches!(self.open, DecodingPart::Call { .. });
        if calling && self.held_text.len() + text.len() <= TEXT_IN_CALL_BYTES_MAX {
            self.held_text.push_str(text);
        } else if !text.is_empty() {
            self.open(DecodingPart::Text, PartStart::Text, out);
            out.push(Event::Delta(Delta::Text(text.to_owned())));
        }
    }

    /// Closes the open part, and emits what was held back.
    pub(crate) fn close_all(&mut self, out: &mut Vec<Event>) {
        self.close(out);
        if let Some(record) = self.record.take() {
            emit_signature_part(record, true, out);
        }
    }

    fn reasoning(&mut self, text: &str, out: &mut Vec<Event>) {
        if !text.is_empty() {
            let part_start = PartStart::Reasoning { redacted: false };
            self.open(DecodingPart::Reasoning, part_start, out);
            out.push(Event::Delta(Delta::Reasoning(text.to_owned())));
        }
    }

    fn refusal(&mut self, text: &str, out: &mut Vec<Event>) {
        if !text.is_empty() {
            self.kinds.refusal = true;
            self.open(DecodingPart::Refusal, PartStart::Refusal, out);
            out.push(Event::Delta(Delta::Refusal(text.to_owned())));
        }
    }

    /// Reads a detail of the reasoning. An encrypted detail closes its reasoning; other details are joined.
    fn detail(&mut self, detail: &Value, out: &mut Vec<Event>) {
        let Some(encrypted) = reasoning::EncryptedDetail::decode(detail) else {
            self.record.add(detail);
            return;
        };
        let signature = Signature::read(DIALECT, encrypted.data);
        if self.open == DecodingPart::Reasoning {
            // `close` would add another signature, but this part has its own.
            self.open = DecodingPart::Nothing;
            out.push(Event::Delta(Delta::Signature(signature)));
            out.push(Event::PartEnd);
        } else {
            self.close_all(out);
            emit_signature_part(signature, encrypted.span.is_none(), out);
        }
    }

    fn call(&mut self, piece: &Value, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let Some(members) = piece.as_object() else {
            return Ok(());
        };
        let custom = !members.get("function").is_some_and(Value::is_object);
        let inner = members.get(if custom { "custom" } else { "function" });
        let inner = inner.and_then(Value::as_object);
        let name = inner.map_or("", |inner| message::text(inner, "name"));
        let id = message::text(members, "id");
        let index = members.get("index").and_then(Value::as_u64).unwrap_or(0);
        // In streams of Google's endpoint all calls have the same index, but different ids.
        let continues = match &self.open {
            DecodingPart::Call {
                index: at,
                id: known,
                ..
            } => *at == index && (id.is_empty() || name.is_empty() || id == known),
            _ => false,
        };
        let member = if custom { "input" } else { "arguments" };
        let more = inner.and_then(|inner| inner.get(member));
        if continues {
            self.arguments(more, out);
        } else if !name.is_empty() {
            self.begin_call(piece, index, custom, out)?;
            self.arguments(more, out);
        } else if more
            .and_then(Value::as_str)
            .is_some_and(|it| !it.is_empty())
        {
            return Err(Malformed("a piece belongs to a tool call that is not open"));
        }
        Ok(())
    }

    fn begin_call(
        &mut self,
        piece: &Value,
        index: u64,
        custom: bool,
        out: &mut Vec<Event>,
    ) -> Result<(), Malformed> {
        let call = tools::decode(piece, self.calls).ok_or(Malformed::UNNAMED_CALL)?;
        let (id, name, signature) = (call.id, call.name, call.signature);
        self.kinds.call = true;
        self.calls += 1;
        let open = DecodingPart::Call {
            index,
            id: id.clone(),
            custom,
        };
        let part_start = PartStart::ToolCall {
            id,
            name,
            signature,
        };
        self.close_all(out);
        self.open(open, part_start, out);
        if custom {
            out.push(arguments(INPUT_PREFIX));
        }
        Ok(())
    }

    fn arguments(&self, more: Option<&Value>, out: &mut Vec<Event>) {
        let custom = matches!(self.open, DecodingPart::Call { custom: true, .. });
        match more {
            Some(Value::String(text)) if !text.is_empty() => {
                out.push(if custom {
                    arguments(&escape_json(text))
                } else {
                    arguments(text)
                });
            }
            Some(object @ Value::Object(_)) if !custom => out.push(arguments(&object.to_string())),
            _ => {}
        }
    }

    fn open(&mut self, part: DecodingPart, part_start: PartStart, out: &mut Vec<Event>) {
        if self.open != part {
            self.close_all(out);
            out.push(Event::PartStart(part_start));
            self.open = part;
        }
    }

    fn close(&mut self, out: &mut Vec<Event>) {
        match std::mem::take(&mut self.open) {
            DecodingPart::Nothing => return,
            DecodingPart::Call { custom: true, .. } => out.push(arguments(INPUT_SUFFIX)),
            // `reasoning::decode` explains the empty signature.
            DecodingPart::Reasoning => {
                let record = self
                    .record
                    .take()
                    .unwrap_or_else(|| reasoning::own_signature(""));
                out.push(Event::Delta(Delta::Signature(record)));
            }
            DecodingPart::Call { .. } | DecodingPart::Refusal | DecodingPart::Text => {}
        }
        out.push(Event::PartEnd);
        let held = std::mem::take(&mut self.held_text);
        if !held.is_empty() {
            out.push(Event::PartStart(PartStart::Text));
            out.push(Event::Delta(Delta::Text(held)));
            out.push(Event::PartEnd);
        }
    }
}

/// Emits a reasoning part without text.
fn emit_signature_part(signature: Signature, redacted: bool, out: &mut Vec<Event>) {
    out.push(Event::PartStart(PartStart::Reasoning { redacted }));
    out.push(Event::Delta(Delta::Signature(signature)));
    out.push(Event::PartEnd);
}

fn arguments(text: &str) -> Event {
    Event::Delta(Delta::Arguments(text.to_owned()))
}
