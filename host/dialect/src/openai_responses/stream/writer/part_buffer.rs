//! The open part of a stream that is written, with its content so far.

use serde_json::Value;

use super::event_writer::EventMembers;
use crate::ir::{Delta, ResponseContext, Signature, ToolCall};
use crate::openai_responses::citations;
use crate::openai_responses::reasoning::{self, Mark};
use crate::openai_responses::response::item::{self, CallKind};

/// The open part.
#[derive(Debug)]
pub(crate) enum PartBuffer {
    Call(CallBuffer),
    Refusal {
        text: String,
    },
    Text {
        text: String,
        /// The length in characters.
        length: usize,
        annotations: Vec<Value>,
    },
    Reasoning(ReasoningBuffer),
}

/// A tool call.
#[derive(Debug)]
pub(crate) struct CallBuffer {
    pub(crate) item_id: String,
    pub(crate) call: ToolCall,
    pub(crate) kind: CallKind,
}

/// Reasoning.
#[derive(Debug)]
pub(crate) struct ReasoningBuffer {
    pub(crate) text: String,
    pub(crate) signature: Option<Signature>,
    pub(crate) redacted: bool,
}

impl PartBuffer {
    pub(crate) const fn text() -> Self {
        Self::Text {
            text: String::new(),
            length: 0,
            annotations: Vec::new(),
        }
    }

    pub(crate) const fn refusal() -> Self {
        let text = String::new();
        Self::Refusal { text }
    }

    pub(crate) const fn reasoning(redacted: bool) -> Self {
        Self::Reasoning(ReasoningBuffer {
            text: String::new(),
            signature: None,
            redacted,
        })
    }

    /// Adds a piece. Returns whether it is the first piece of reasoning or of a refusal, or a citation
    /// that this dialect has.
    pub(crate) fn append(&mut self, delta: &Delta) -> bool {
        match (self, delta) {
            (Self::Text { text, length, .. }, Delta::Text(more)) => {
                text.push_str(more);
                *length += more.chars().count();
                false
            }
            (Self::Refusal { text }, Delta::Refusal(more))
            | (Self::Reasoning(ReasoningBuffer { text, .. }), Delta::Reasoning(more)) => {
                let first = text.is_empty();
                text.push_str(more);
                first
            }
            (Self::Call(call), Delta::Arguments(more)) => {
                call.call.arguments.push_str(more);
                false
            }
            (
                Self::Text {
                    length,
                    annotations,
                    ..
                },
                Delta::Citation(citation),
            ) => {
                let written = citations::encode(citation, *length);
                let is_written = written.is_some();
                annotations.extend(written);
                is_written
            }
            (Self::Reasoning(reasoning), Delta::Signature(signature)) => {
                reasoning.signature = Some(signature.clone());
                false
            }
            _ => false,
        }
    }

    /// Returns the part as the content of a message.
    pub(crate) fn content(&self) -> Value {
        match self {
            Self::Text {
                text, annotations, ..
            } => item::output_text(text, annotations),
            Self::Refusal { text } => item::refusal(text),
            Self::Call(_) | Self::Reasoning(_) => Value::Null,
        }
    }

    /// Returns the event with the complete text or refusal; `None` for other parts.
    pub(super) fn done_event(&self) -> Option<(&'static str, EventMembers<'_>)> {
        match self {
            Self::Refusal { text: refusal } => {
                Some(("response.refusal.done", EventMembers::Refusal { refusal }))
            }
            Self::Text { text, .. } => {
                let logprobs = [];
                Some((
                    "response.output_text.done",
                    EventMembers::Text { text, logprobs },
                ))
            }
            Self::Call(_) | Self::Reasoning(_) => None,
        }
    }
}

impl CallBuffer {
    pub(crate) fn new(item_id: String, call_id: &str, name: &str, kind: CallKind) -> Self {
        let call = ToolCall {
            id: call_id.to_owned(),
            name: name.to_owned(),
            arguments: String::new(),
            signature: None,
        };
        Self {
            item_id,
            call,
            kind,
        }
    }

    pub(crate) fn item(&self, status: &str, response_context: &ResponseContext) -> Value {
        item::tool_call(&self.item_id, status, &self.call, response_context)
    }
}

impl ReasoningBuffer {
    /// A signature of this dialect is wrapped, since the item has another id already.
    pub(crate) fn item(&self, id: &str) -> Value {
        let mark = self.redacted.then_some(Mark::Redacted);
        let signature = self.signature.as_ref();
        let encrypted = signature.map(|signature| reasoning::wrap_signature(signature, mark));
        item::reasoning(id, &self.text, encrypted.as_deref())
    }
}
