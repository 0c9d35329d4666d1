//! Writes a client's stream: each event is a whole `GenerateContentResponse` with the next parts. There
//! is no event for a beginning or an end; the last one says why the answer ended, and what it cost.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::gemini::citations::{CITATIONS_MAX, CITED_BYTES_MAX, Grounding};
use crate::gemini::response::encode::{candidate_json, response_json, write_part};
use crate::gemini::response::finish_reason;
use crate::gemini::{error, usage};
use crate::ir::{
    Citation, Delta, Event, EventEncoder, FinishReason, Frame, Part, PartStart, ReasoningPart,
    ResponseContext, Signature, ToolCall,
};
use crate::json::to_vec;
use crate::{ProviderError, Usage};

/// Writes the events of one stream.
#[must_use]
pub(crate) fn encoder(response_context: ResponseContext) -> Box<dyn EventEncoder> {
    Box::new(StreamEncoder {
        response_context,
        open: PartState::Nothing,
        grounding: Grounding::default(),
        finish: FinishReason::Stop,
        usage: None,
        ended: false,
    })
}

struct StreamEncoder {
    response_context: ResponseContext,
    open: PartState,
    grounding: Grounding,
    finish: FinishReason,
    usage: Option<Usage>,
    ended: bool,
}

enum PartState {
    /// A call, whose arguments this API has whole.
    Call(ToolCall),
    Nothing,
    Reasoning {
        redacted: bool,
        /// Whether any of its text was shown.
        shown: bool,
    },
    Text {
        /// What it cites.
        citations: Vec<Citation>,
        /// The text so far, while it is short enough for places in it to be counted.
        text: Option<String>,
    },
}

impl EventEncoder for StreamEncoder {
    fn event(&mut self, event: &Event, out: &mut Vec<Frame>) {
        if self.ended {
            return;
        }
        match event {
            Event::PartStart(part_start) => self.begin(part_start, out),
            Event::Delta(delta) => self.delta(delta, out),
            Event::Done => self.done(out),
            Event::PartEnd => self.end(out),
            Event::Error(error) => self.fail(error, out),
            Event::Finish(finish) => self.finish = finish.clone(),
            Event::Start { .. } => {}
            Event::Usage(usage) => self.usage = Some(*usage),
        }
    }
}

impl StreamEncoder {
    fn begin(&mut self, part_start: &PartStart, out: &mut Vec<Frame>) {
        self.open = match part_start {
            PartStart::Reasoning { redacted } => PartState::Reasoning {
                redacted: *redacted,
                shown: false,
            },
            PartStart::Refusal | PartStart::Text => PartState::Text {
                citations: Vec::new(),
                text: Some(String::new()),
            },
            PartStart::ToolCall {
                id,
                name,
                signature,
            } => PartState::Call(ToolCall {
                id: id.clone(),
                name: name.clone(),
                arguments: String::new(),
                signature: signature.clone(),
            }),
            PartStart::Complete(part) => {
                self.emit_part(write_part(part), out);
                PartState::Nothing
            }
        };
    }

    fn delta(&mut self, delta: &Delta, out: &mut Vec<Frame>) {
        match (&mut self.open, delta) {
            (PartState::Call(call), Delta::Arguments(piece)) => {
                if call.arguments.len() + piece.len() > ARGUMENTS_BYTES_MAX {
                    let error = ProviderError::from_message("a call's arguments are too long");
                    self.fail(&error, out);
                    return;
                }
                call.arguments.push_str(piece);
            }
            (PartState::Reasoning { shown, .. }, Delta::Reasoning(piece)) => {
                *shown = true;
                self.emit_part(Some(json!({"text": piece, "thought": true})), out);
            }
            (PartState::Reasoning { redacted, shown }, Delta::Signature(signature)) => {
                let is_reasoning = *redacted || *shown;
                let part = signature_part(is_reasoning, signature);
                self.emit_part(part, out);
            }
            (PartState::Text { text, .. }, Delta::Text(piece) | Delta::Refusal(piece)) => {
                let buffered = text.take();
                *text = buffered.filter(|buffered| buffered.len() + piece.len() <= CITED_BYTES_MAX);
                if let Some(text) = text {
                    text.push_str(piece);
                }
                self.emit_part(Some(json!({"text": piece})), out);
            }
            (PartState::Text { citations, .. }, Delta::Citation(citation))
                if citations.len() < CITATIONS_MAX =>
            {
                citations.push(citation.clone());
            }
            // More than are kept, or nothing that a decoder makes.
            _ => {}
        }
    }

    fn end(&mut self, out: &mut Vec<Frame>) {
        match std::mem::replace(&mut self.open, PartState::Nothing) {
            PartState::Call(call) => self.emit_part(write_part(&Part::ToolCall(call)), out),
            PartState::Text { citations, text } => {
                self.grounding.add(0, &citations, text.as_deref())
            }
            PartState::Nothing | PartState::Reasoning { .. } => {}
        }
    }

    fn emit_part(&self, part: Option<Value>, out: &mut Vec<Frame>) {
        if let Some(part) = part {
            out.push(frame(&response_json(
                &candidate_json(vec![part]),
                None,
                &self.response_context,
            )));
        }
    }

    fn done(&mut self, out: &mut Vec<Frame>) {
        self.ended = true;
        let mut candidate = candidate_json(Vec::new());
        candidate.insert(
            "finishReason".to_owned(),
            finish_reason::encode(&self.finish).into(),
        );
        if let Some(grounding) = std::mem::take(&mut self.grounding).into_value() {
            candidate.insert("groundingMetadata".to_owned(), grounding);
        }
        let usage = self.usage.as_ref().map(usage::encode);
        out.push(frame(&response_json(
            &candidate,
            usage,
            &self.response_context,
        )));
    }

    fn fail(&mut self, error: &ProviderError, out: &mut Vec<Frame>) {
        self.ended = true;
        out.push(frame(&error::provider_error_json(error)));
    }
}

fn signature_part(is_reasoning: bool, signature: &Signature) -> Option<Value> {
    write_part(&Part::Reasoning(ReasoningPart {
        text: String::new(),
        signature: Some(signature.clone()),
        redacted: is_reasoning,
    }))
}

fn frame(value: &Value) -> Frame {
    Frame {
        name: Cow::Borrowed(""),
        data: to_vec(value),
    }
}

/// The longest arguments of a call, in bytes. A tool that writes a file takes the file; 4 MiB are more
/// than a model writes in an answer.
const ARGUMENTS_BYTES_MAX: usize = 4 << 20;
