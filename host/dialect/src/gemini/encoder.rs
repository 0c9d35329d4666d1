//! Writes a client's stream: each event is a whole `GenerateContentResponse` with the next parts. There
//! is no event for a beginning or an end; the last one says why the answer ended, and what it cost.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::citations::{CITATIONS_MAX, CITED_BYTES_MAX, Grounding};
use super::encode_answer::{candidate, response, write_part};
use super::{finish, print, render, usage};
use crate::interlingua::{
    Begun, Citation, Delta, Event, EventEncoder, Finish, Frame, Owed, Part, Signature, Thought,
    ToolCall,
};
use crate::{ProviderError, Usage};

/// Writes the events of one stream.
#[must_use]
pub fn encoder(owed: Owed) -> Box<dyn EventEncoder> {
    Box::new(Encoder {
        owed,
        open: Open::Nothing,
        grounding: Grounding::default(),
        finish: Finish::Stop,
        usage: None,
        ended: false,
    })
}

struct Encoder {
    owed: Owed,
    open: Open,
    grounding: Grounding,
    finish: Finish,
    usage: Option<Usage>,
    ended: bool,
}

enum Open {
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

impl EventEncoder for Encoder {
    fn event(&mut self, event: &Event, out: &mut Vec<Frame>) {
        if self.ended {
            return;
        }
        match event {
            Event::Begin(begun) => self.begin(begun, out),
            Event::Delta(delta) => self.delta(delta, out),
            Event::Done => self.done(out),
            Event::End => self.end(out),
            Event::Error(error) => self.fail(error, out),
            Event::Finish(finish) => self.finish = finish.clone(),
            Event::Start { .. } => {}
            Event::Usage(usage) => self.usage = Some(*usage),
        }
    }
}

impl Encoder {
    fn begin(&mut self, begun: &Begun, out: &mut Vec<Frame>) {
        self.open = match begun {
            Begun::Reasoning { redacted } => Open::Reasoning {
                redacted: *redacted,
                shown: false,
            },
            Begun::Refusal | Begun::Text => Open::Text {
                citations: Vec::new(),
                text: Some(String::new()),
            },
            Begun::ToolCall {
                id,
                name,
                signature,
            } => Open::Call(ToolCall {
                id: id.clone(),
                name: name.clone(),
                arguments: String::new(),
                signature: signature.clone(),
            }),
            Begun::Whole(part) => {
                self.say(write_part(part), out);
                Open::Nothing
            }
        };
    }

    fn delta(&mut self, delta: &Delta, out: &mut Vec<Frame>) {
        match (&mut self.open, delta) {
            (Open::Call(call), Delta::Arguments(piece)) => {
                if call.arguments.len() + piece.len() > ARGUMENTS_BYTES_MAX {
                    let error = ProviderError::of_message("a call's arguments are too long");
                    self.fail(&error, out);
                    return;
                }
                call.arguments.push_str(piece);
            }
            (Open::Reasoning { shown, .. }, Delta::Reasoning(piece)) => {
                *shown = true;
                self.say(Some(json!({"text": piece, "thought": true})), out);
            }
            (Open::Reasoning { redacted, shown }, Delta::Signature(signature)) => {
                let thought = *redacted || *shown;
                let part = thought_end(thought, signature);
                self.say(part, out);
            }
            (Open::Text { text, .. }, Delta::Text(piece) | Delta::Refusal(piece)) => {
                let kept = text.take();
                *text = kept.filter(|kept| kept.len() + piece.len() <= CITED_BYTES_MAX);
                if let Some(text) = text {
                    text.push_str(piece);
                }
                self.say(Some(json!({"text": piece})), out);
            }
            (Open::Text { citations, .. }, Delta::Citation(citation))
                if citations.len() < CITATIONS_MAX =>
            {
                citations.push(citation.clone());
            }
            // More than are kept, or nothing that a decoder makes.
            _ => {}
        }
    }

    fn end(&mut self, out: &mut Vec<Frame>) {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Call(call) => self.say(write_part(&Part::ToolCall(call)), out),
            Open::Text { citations, text } => self.grounding.add(0, &citations, text.as_deref()),
            Open::Nothing | Open::Reasoning { .. } => {}
        }
    }

    fn say(&self, part: Option<Value>, out: &mut Vec<Frame>) {
        if let Some(part) = part {
            out.push(frame(&response(&candidate(vec![part]), None, &self.owed)));
        }
    }

    fn done(&mut self, out: &mut Vec<Frame>) {
        self.ended = true;
        let mut candidate = candidate(Vec::new());
        candidate.insert(
            "finishReason".to_owned(),
            finish::write(&self.finish).into(),
        );
        if let Some(grounding) = std::mem::take(&mut self.grounding).into_value() {
            candidate.insert("groundingMetadata".to_owned(), grounding);
        }
        let usage = self.usage.as_ref().map(usage::write);
        out.push(frame(&response(&candidate, usage, &self.owed)));
    }

    fn fail(&mut self, error: &ProviderError, out: &mut Vec<Frame>) {
        self.ended = true;
        out.push(frame(&render::of_provider(error)));
    }
}

fn thought_end(thought: bool, signature: &Signature) -> Option<Value> {
    write_part(&Part::Reasoning(Thought {
        text: String::new(),
        signature: Some(signature.clone()),
        redacted: thought,
    }))
}

fn frame(value: &Value) -> Frame {
    Frame {
        name: Cow::Borrowed(""),
        data: print(value),
    }
}

/// The longest arguments of a call, in bytes. A tool that writes a file takes the file; 4 MiB are more
/// than a model writes in an answer.
const ARGUMENTS_BYTES_MAX: usize = 4 << 20;
