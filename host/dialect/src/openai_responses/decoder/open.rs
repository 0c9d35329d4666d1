//! The item that is open while a stream is read, and the one part of it that is.

use serde_json::Value;

use super::super::answer::Said;
use super::super::input::BETWEEN_SUMMARIES;
use super::super::item;
use super::{PartStart, Delta, Event, Part};
use crate::interlingua::{Citation, Malformed, ToolCall};

/// An open item.
#[derive(Debug)]
pub(super) struct Open {
    /// Where it stands in the output.
    pub(super) place: u64,
    kind: Kind,
    /// The part that is open.
    part: Option<OpenPart>,
    /// Whether any part was.
    began: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Call,
    Custom,
    Message,
    Reasoning,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OpenPart {
    /// With a piece of its arguments, or none yet.
    Call {
        spoke: bool,
    },
    Refusal {
        index: u64,
    },
    Text {
        index: u64,
    },
    Thought {
        shown: Shown,
        index: u64,
    },
}

/// Which of its two texts a thought shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Content,
    Summary,
}

impl Open {
    /// None for items that are read from their end.
    pub(super) fn of(place: u64, item: &Value) -> Option<Self> {
        let kind = match item::text(item, "type")? {
            "message" => Kind::Message,
            "reasoning" => Kind::Reasoning,
            "function_call" => Kind::Call,
            "custom_tool_call" => Kind::Custom,
            _ => return None,
        };
        Some(Self {
            place,
            kind,
            part: None,
            began: false,
        })
    }

    /// Begins a call, whose name and id stand in the item.
    ///
    /// # Errors
    ///
    /// If the name is missing.
    pub(super) fn begin_call(
        &mut self,
        item: &Value,
        said: &mut Said,
        out: &mut Vec<Event>,
    ) -> Result<(), Malformed> {
        if matches!(self.kind, Kind::Call | Kind::Custom) {
            let index = usize::try_from(self.place).unwrap_or_default();
            let signature = said.signature.take();
            let call = item::call(item, index)?;
            begin_call(ToolCall { signature, ..call }, said, out);
            self.part = Some(OpenPart::Call { spoke: false });
            self.began = true;
        }
        Ok(())
    }

    // What does not go with the kind of the item is passed over.

    pub(super) fn text(&mut self, index: u64, delta: &str, said: &mut Said, out: &mut Vec<Event>) {
        if self.kind == Kind::Message {
            self.open_text(index, said, out);
            out.push(Event::Delta(Delta::Text(delta.to_owned())));
        }
    }

    pub(super) fn citation(
        &mut self,
        index: u64,
        citation: Citation,
        said: &mut Said,
        out: &mut Vec<Event>,
    ) {
        if self.kind == Kind::Message {
            self.open_text(index, said, out);
            out.push(Event::Delta(Delta::Citation(citation)));
        }
    }

    fn open_text(&mut self, index: u64, said: &mut Said, out: &mut Vec<Event>) {
        said.texts = true;
        self.open_part(OpenPart::Text { index }, PartStart::Text, out);
    }

    pub(super) fn refusal(
        &mut self,
        index: u64,
        delta: &str,
        said: &mut Said,
        out: &mut Vec<Event>,
    ) {
        if self.kind == Kind::Message {
            said.refuses = true;
            self.open_part(OpenPart::Refusal { index }, PartStart::Refusal, out);
            out.push(Event::Delta(Delta::Refusal(delta.to_owned())));
        }
    }

    /// A piece of a thought. The parts of a summary are one thought; of the summary and the whole text,
    /// the one that comes first is shown.
    pub(super) fn thought(&mut self, shown: Shown, index: u64, delta: &str, out: &mut Vec<Event>) {
        if self.kind != Kind::Reasoning {
            return;
        }
        match &mut self.part {
            Some(OpenPart::Thought { shown: first, .. }) if *first != shown => return,
            Some(OpenPart::Thought { index: last, .. }) => {
                if *last != index {
                    *last = index;
                    let between = BETWEEN_SUMMARIES.to_owned();
                    out.push(Event::Delta(Delta::Reasoning(between)));
                }
            }
            _ => {
                let part = OpenPart::Thought { shown, index };
                self.open_part(part, PartStart::Reasoning { redacted: false }, out);
            }
        }
        out.push(Event::Delta(Delta::Reasoning(delta.to_owned())));
    }

    pub(super) fn arguments(&mut self, delta: &str, out: &mut Vec<Event>) {
        if self.kind == Kind::Call {
            self.part = Some(OpenPart::Call { spoke: true });
            out.push(Event::Delta(Delta::Arguments(delta.to_owned())));
        }
    }

    /// A piece of a custom tool's input, which is a text inside an object in the common form.
    pub(super) fn input(&mut self, delta: &str, out: &mut Vec<Event>) {
        if self.kind == Kind::Custom {
            let begun = self.part == Some(OpenPart::Call { spoke: true });
            self.part = Some(OpenPart::Call { spoke: true });
            let mut piece = if begun { "" } else { INPUT_BEGINS }.to_owned();
            piece += &escaped(delta);
            out.push(Event::Delta(Delta::Arguments(piece)));
        }
    }

    /// Ends the item with what it says of itself as a whole: what was not told in pieces is passed on.
    ///
    /// # Errors
    ///
    /// If it says that it is something else, which makes no sense.
    pub(super) fn end(
        mut self,
        item: &Value,
        said: &mut Said,
        out: &mut Vec<Event>,
    ) -> Result<(), Malformed> {
        match self.kind {
            Kind::Call | Kind::Custom => {
                let spoke = self.part == Some(OpenPart::Call { spoke: true });
                if spoke && self.kind == Kind::Custom {
                    let end = INPUT_ENDS.to_owned();
                    out.push(Event::Delta(Delta::Arguments(end)));
                }
                let whole = item::told_arguments(item);
                if !spoke && !whole.is_empty() {
                    out.push(Event::Delta(Delta::Arguments(whole)));
                }
                out.push(Event::PartEnd);
            }
            Kind::Message | Kind::Reasoning if !self.began => {
                let mut parts = Vec::new();
                item::read(item, 0, &mut said.signature, &mut parts)?;
                for part in parts {
                    pass_whole(part, said, out);
                }
            }
            Kind::Message => self.close_part(out),
            Kind::Reasoning => {
                if let Some((signature, _)) = item::signed(item) {
                    out.push(Event::Delta(Delta::Signature(signature)));
                }
                self.close_part(out);
            }
        }
        Ok(())
    }

    fn open_part(&mut self, part: OpenPart, begun: PartStart, out: &mut Vec<Event>) {
        if self.part != Some(part) {
            self.close_part(out);
            self.part = Some(part);
            self.began = true;
            out.push(Event::PartStart(begun));
        }
    }

    fn close_part(&mut self, out: &mut Vec<Event>) {
        if self.part.take().is_some() {
            out.push(Event::PartEnd);
        }
    }
}

/// Passes on a part that comes as a whole.
pub(super) fn pass_whole(part: Part, said: &mut Said, out: &mut Vec<Event>) {
    let push = |out: &mut Vec<Event>, delta| out.push(Event::Delta(delta));
    match part {
        Part::Text { text, citations } => {
            said.texts = true;
            out.push(Event::PartStart(PartStart::Text));
            push(out, Delta::Text(text));
            for citation in citations {
                push(out, Delta::Citation(citation));
            }
        }
        Part::Refusal(text) => {
            said.refuses = true;
            out.push(Event::PartStart(PartStart::Refusal));
            push(out, Delta::Refusal(text));
        }
        Part::Reasoning(thought) => {
            let redacted = thought.redacted;
            out.push(Event::PartStart(PartStart::Reasoning { redacted }));
            if !thought.text.is_empty() {
                push(out, Delta::Reasoning(thought.text));
            }
            if let Some(signature) = thought.signature {
                push(out, Delta::Signature(signature));
            }
        }
        Part::ToolCall(call) => {
            let arguments = call.arguments.clone();
            begin_call(call, said, out);
            if !arguments.is_empty() {
                push(out, Delta::Arguments(arguments));
            }
        }
        whole => out.push(Event::PartStart(PartStart::Complete(whole))),
    }
    out.push(Event::PartEnd);
}

fn begin_call(call: ToolCall, said: &mut Said, out: &mut Vec<Event>) {
    said.calls = true;
    out.push(Event::PartStart(PartStart::ToolCall {
        id: call.id,
        name: call.name,
        signature: call.signature,
    }));
}

/// A text as it stands inside a JSON text, without its quotes.
fn escaped(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    let inner = quoted.get(1..quoted.len() - 1);
    inner.unwrap_or_default().to_owned()
}

/// What surrounds the input of a custom tool in a call's arguments.
const INPUT_BEGINS: &str = "{\"input\":\"";
const INPUT_ENDS: &str = "\"}";
