//! The parts of a streamed response: which one is open, and what closes it.

use serde_json::{Map, Value};

use super::calls::Calls;
use crate::ir::{Delta, Event, Malformed, PartStart, Signature};
use crate::limits::TEXT_IN_CALL_BYTES_MAX;
use crate::openai_chat::DIALECT;
use crate::openai_chat::response::finish_reason::PartKinds;
use crate::openai_chat::response::message::{self, Piece};
use crate::openai_chat::{citations, reasoning};

/// The parts of a streamed response. Chunks do not mark where a part begins or ends: it follows from the
/// kinds of the pieces.
#[derive(Debug, Default)]
pub(crate) struct PartTracker {
    /// The kinds of parts so far.
    pub(crate) kinds: PartKinds,
    open: DecodingPart,
    calls: Calls,
    /// What is wrong with a call that has ended.
    malformed: Option<Malformed>,
    /// The record of the reasoning, which is emitted when it is whole.
    record: reasoning::DetailRecord,
    /// Text inside of a call, such as the line break that some models write there. It follows the call.
    held_text: String,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum DecodingPart {
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
    /// If it has a piece of a call that has ended, or ends a call without a name.
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
        let calls = message::list(delta, "tool_calls").iter();
        for call in calls.filter_map(Value::as_object) {
            self.call(call, out)?;
        }
        if let Some(function) = delta.get("function_call").filter(|it| it.is_object()) {
            let call = Map::from_iter([("function".to_owned(), function.clone())]);
            self.call(&call, out)?;
        }
        self.check()
    }

    /// Checks the calls that have ended.
    ///
    /// # Errors
    /// If one of them has no name.
    pub(crate) fn check(&mut self) -> Result<(), Malformed> {
        self.malformed.take().map_or(Ok(()), Err)
    }

    /// Reads a piece of text.
    pub(crate) fn text(&mut self, text: &str, out: &mut Vec<Event>) {
        if !self.calls.is_empty() && self.held_text.len() + text.len() <= TEXT_IN_CALL_BYTES_MAX {
            self.held_text.push_str(text);
        } else if !text.is_empty() {
            self.open(DecodingPart::Text, PartStart::Text, out);
            out.push(Event::Delta(Delta::Text(text.to_owned())));
        }
    }

    /// Closes the open part, and emits what was held back.
    pub(crate) fn close_all(&mut self, out: &mut Vec<Event>) {
        self.close_part(out);
        if let Err(malformed) = self.calls.close(out) {
            self.malformed = Some(malformed);
        }
        self.kinds.call = self.calls.has_started();
        let held = std::mem::take(&mut self.held_text);
        if !held.is_empty() {
            out.push(Event::PartStart(PartStart::Text));
            out.push(Event::Delta(Delta::Text(held)));
            out.push(Event::PartEnd);
        }
        self.emit_record(out);
    }

    fn emit_record(&mut self, out: &mut Vec<Event>) {
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

    fn call(
        &mut self,
        members: &Map<String, Value>,
        out: &mut Vec<Event>,
    ) -> Result<(), Malformed> {
        let was_empty = self.calls.is_empty();
        self.calls.push(members)?;
        if self.calls.is_empty() {
            return Ok(());
        }
        if was_empty {
            self.close_part(out);
            self.emit_record(out);
        }
        let result = self.calls.advance(out);
        self.kinds.call = self.calls.has_started();
        result
    }

    fn open(&mut self, part: DecodingPart, part_start: PartStart, out: &mut Vec<Event>) {
        if self.open != part {
            self.close_all(out);
            out.push(Event::PartStart(part_start));
            self.open = part;
        }
    }

    fn close_part(&mut self, out: &mut Vec<Event>) {
        match std::mem::take(&mut self.open) {
            DecodingPart::Nothing => return,
            // `reasoning::decode` explains the empty signature.
            DecodingPart::Reasoning => {
                let record = self
                    .record
                    .take()
                    .unwrap_or_else(|| reasoning::own_signature(""));
                out.push(Event::Delta(Delta::Signature(record)));
            }
            DecodingPart::Refusal | DecodingPart::Text => {}
        }
        out.push(Event::PartEnd);
    }
}

/// Emits a reasoning part without text.
fn emit_signature_part(signature: Signature, redacted: bool, out: &mut Vec<Event>) {
    out.push(Event::PartStart(PartStart::Reasoning { redacted }));
    out.push(Event::Delta(Delta::Signature(signature)));
    out.push(Event::PartEnd);
}
