//! Writes a client's stream: each event is a `GenerateContentResponse` with the next part. The last one
//! has the finish reason, the citations and the usage. No event marks the start or the end.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use crate::error_class::TranslatedError;
use crate::gemini::citations::Grounding;
use crate::gemini::error;
use crate::gemini::response::encode::{EncodedCandidate, ResponseBody, TextPart, write_part};
use crate::ir::{
    Citation, Delta, Event, EventEncoder, FinishReason, Frame, Part, PartStart, ReasoningPart,
    ResponseContext, Signature, ToolCall,
};
use crate::json::to_vec;
use crate::limits::{CALL_ARGUMENTS_BYTES_MAX, CITATIONS_MAX, CITED_TEXT_BYTES_MAX};
use crate::{ProviderError, Usage};

/// Returns the encoder of one stream.
pub(crate) fn encoder(context: ResponseContext) -> Box<dyn EventEncoder> {
    Box::new(GeminiWriter {
        context,
        open: PartState::Nothing,
        grounding: Grounding::default(),
        finish: FinishReason::Stop,
        usage: None,
        ended: false,
    })
}

struct GeminiWriter {
    context: ResponseContext,
    open: PartState,
    grounding: Grounding,
    finish: FinishReason,
    usage: Option<Usage>,
    ended: bool,
}

enum PartState {
    /// A tool call. It goes out at its end, because this API does not split arguments.
    Call(ToolCall),
    Nothing,
    Reasoning {
        redacted: bool,
        /// Whether any of its text went out.
        has_text: bool,
    },
    Text {
        /// The citations of the text.
        citations: Vec<Citation>,
        /// The text so far; `None` if it is too long to compute the spans of its citations.
        text: Option<String>,
    },
}

impl EventEncoder for GeminiWriter {
    fn held_bytes(&self) -> usize {
        match &self.open {
            PartState::Call(call) => call.arguments.len(),
            PartState::Text { text, .. } => text.as_ref().map_or(0, String::len),
            PartState::Nothing | PartState::Reasoning { .. } => 0,
        }
    }

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

impl GeminiWriter {
    fn begin(&mut self, part_start: &PartStart, out: &mut Vec<Frame>) {
        self.open = match part_start {
            PartStart::Reasoning { redacted } => PartState::Reasoning {
                redacted: *redacted,
                has_text: false,
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
                if call.arguments.len() + piece.len() > CALL_ARGUMENTS_BYTES_MAX {
                    let error =
                        ProviderError::from_message("the arguments of a tool call are too long");
                    self.fail(&error, out);
                    return;
                }
                call.arguments.push_str(piece);
            }
            (PartState::Reasoning { has_text, .. }, Delta::Reasoning(piece)) => {
                *has_text = true;
                self.emit_text(piece, true, out);
            }
            (PartState::Reasoning { redacted, has_text }, Delta::Signature(signature)) => {
                let is_reasoning = *redacted || *has_text;
                let part = signature_part(is_reasoning, signature);
                self.emit_part(part, out);
            }
            (PartState::Text { text, .. }, Delta::Text(piece) | Delta::Refusal(piece)) => {
                let buffered = text.take();
                *text = buffered
                    .filter(|buffered| buffered.len() + piece.len() <= CITED_TEXT_BYTES_MAX);
                if let Some(text) = text {
                    text.push_str(piece);
                }
                self.emit_text(piece, false, out);
            }
            (PartState::Text { citations, .. }, Delta::Citation(citation))
                if citations.len() < CITATIONS_MAX =>
            {
                citations.push(citation.clone());
            }
            // Too many citations. Decoders make no other pairs.
            _ => {}
        }
    }

    fn end(&mut self, out: &mut Vec<Frame>) {
        match std::mem::replace(&mut self.open, PartState::Nothing) {
            PartState::Call(call) => self.emit_part(write_part(&Part::ToolCall(call)), out),
            PartState::Text { citations, text } => {
                // Each event has one part, so the index of every text is 0.
                self.grounding.add(0, &citations, text.as_deref())
            }
            PartState::Nothing | PartState::Reasoning { .. } => {}
        }
    }

    fn emit_text(&self, text: &str, is_reasoning: bool, out: &mut Vec<Frame>) {
        let candidate = EncodedCandidate::of([TextPart { text, is_reasoning }]);
        out.push(frame(&ResponseBody::new(candidate, None, &self.context)));
    }

    fn emit_part(&self, part: Option<Value>, out: &mut Vec<Frame>) {
        if let Some(part) = part {
            let candidate = EncodedCandidate::new(vec![part]);
            out.push(frame(&ResponseBody::new(candidate, None, &self.context)));
        }
    }

    fn done(&mut self, out: &mut Vec<Frame>) {
        self.ended = true;
        let grounding = std::mem::take(&mut self.grounding);
        let candidate = EncodedCandidate::new(Vec::new()).finish(&self.finish, grounding);
        out.push(frame(&ResponseBody::new(
            candidate,
            self.usage,
            &self.context,
        )));
    }

    fn fail(&mut self, error: &ProviderError, out: &mut Vec<Frame>) {
        self.ended = true;
        let translated = TranslatedError::new(&error::ERRORS, None, error);
        out.push(frame(&error::StreamError::from(&translated)));
    }
}

fn signature_part(is_reasoning: bool, signature: &Signature) -> Option<Value> {
    write_part(&Part::Reasoning(ReasoningPart {
        text: String::new(),
        signature: Some(signature.clone()),
        // Without a text, `write_part` marks only redacted reasoning as a thought.
        redacted: is_reasoning,
    }))
}

fn frame(value: &impl Serialize) -> Frame {
    Frame {
        name: Cow::Borrowed(""),
        data: to_vec(value),
    }
}
