//! Writes a client's stream.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::answer::{made_up_id, message_id, write_part};
use super::render::error_kind;
use super::usage::written;
use super::{HERE, block, citation, finish};
use crate::interlingua::{Begun, Delta, Event, EventEncoder, Finish, Frame, Owed, Part, Signature};
use crate::{ProviderError, Usage};

/// A writer of one client's stream: `message_start`; for each block a `content_block_start`, deltas and
/// a `content_block_stop`; `message_delta` with the reason and all of the usage; `message_stop`.
#[must_use]
pub fn encoder(owed: Owed) -> Box<dyn EventEncoder> {
    Box::new(Encoder {
        owed,
        started: false,
        ended: false,
        index: 0,
        open: Open::Nothing,
        calls: false,
        finish: Finish::Stop,
        usage: None,
    })
}

struct Encoder {
    owed: Owed,
    started: bool,
    ended: bool,
    /// The index of the open block, or of the next one.
    index: usize,
    open: Open,
    /// Whether a tool was called.
    calls: bool,
    finish: Finish,
    usage: Option<Usage>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    Block,
    /// A redacted thought: its block is written once its signature is there.
    Redacted,
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
            Event::Error(error) => {
                self.ended = true;
                out.push(frame("error", &error_of(error)));
            }
            Event::Finish(finish) => self.finish = finish.clone(),
            Event::Start { .. } => self.start(out),
            Event::Usage(usage) => self.usage = Some(*usage),
        }
    }
}

impl Encoder {
    fn start(&mut self, out: &mut Vec<Frame>) {
        if self.started {
            return;
        }
        self.started = true;
        // What it cost is not known yet; the counts at the end replace these.
        let message = json!({
            "id": message_id(&self.owed),
            "type": "message",
            "role": "assistant",
            "model": self.owed.model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": written(self.usage.unwrap_or_default()),
        });
        let data = json!({"type": "message_start", "message": message});
        out.push(frame("message_start", &data));
    }

    fn begin(&mut self, begun: &Begun, out: &mut Vec<Frame>) {
        self.start(out);
        self.end(out);
        match begun {
            Begun::Reasoning { redacted: true } => self.open = Open::Redacted,
            Begun::Reasoning { redacted: false } => {
                self.open(
                    &json!({"type": "thinking", "thinking": "", "signature": ""}),
                    out,
                );
            }
            Begun::Refusal | Begun::Text => self.open(&json!({"type": "text", "text": ""}), out),
            Begun::ToolCall {
                id,
                name,
                signature,
            } => {
                self.calls = true;
                if let Some(signature) = signature {
                    self.open(&block::call_signature(signature), out);
                    self.end(out);
                }
                let id = if id.is_empty() {
                    made_up_id(&self.owed.id, self.index)
                } else {
                    id.clone()
                };
                let block = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
                self.open(&block, out);
            }
            Begun::Whole(part) => self.whole(part, out),
        }
    }

    /// A part that comes whole: the blocks that it is in an answer, each with one delta for what clients
    /// look for there, and nowhere else.
    fn whole(&mut self, part: &Part, out: &mut Vec<Frame>) {
        let mut blocks = Vec::new();
        write_part(part, &self.owed, &mut blocks);
        for mut block in blocks {
            self.end(out);
            let mut taken = |name: &str, empty: Value| {
                block.get_mut(name).map(|it| std::mem::replace(it, empty))
            };
            let text = taken("text", "".into());
            let thinking = taken("thinking", "".into());
            let signature = taken("signature", "".into());
            let input = taken("input", json!({}));
            self.calls |= input.is_some();
            self.open(&block, out);
            let deltas = [
                text.map(|text| json!({"type": "text_delta", "text": text})),
                thinking.map(|text| json!({"type": "thinking_delta", "thinking": text})),
                signature.map(|text| json!({"type": "signature_delta", "signature": text})),
                input.map(|it| json!({"type": "input_json_delta", "partial_json": it.to_string()})),
            ];
            for delta in deltas.into_iter().flatten() {
                self.piece(&delta, out);
            }
        }
    }

    fn open(&mut self, block: &Value, out: &mut Vec<Frame>) {
        self.open = Open::Block;
        let data = json!({
            "type": "content_block_start",
            "index": self.index,
            "content_block": block,
        });
        out.push(frame("content_block_start", &data));
    }

    fn delta(&mut self, delta: &Delta, out: &mut Vec<Frame>) {
        if self.open == Open::Redacted {
            if let Delta::Signature(signature) = delta {
                self.redacted(signature, out);
            }
            return;
        }
        let delta = match delta {
            Delta::Arguments(piece) => json!({"type": "input_json_delta", "partial_json": piece}),
            Delta::Citation(citation) => {
                let Some(citation) = citation::written(citation) else {
                    return;
                };
                json!({"type": "citations_delta", "citation": citation})
            }
            Delta::Reasoning(piece) => json!({"type": "thinking_delta", "thinking": piece}),
            Delta::Refusal(piece) | Delta::Text(piece) => {
                json!({"type": "text_delta", "text": piece})
            }
            Delta::Signature(signature) => {
                json!({"type": "signature_delta", "signature": signature.written_in(HERE)})
            }
        };
        self.piece(&delta, out);
    }

    fn redacted(&mut self, signature: &Signature, out: &mut Vec<Frame>) {
        let data = signature.written_in(HERE);
        self.open(&json!({"type": "redacted_thinking", "data": data}), out);
    }

    fn piece(&self, delta: &Value, out: &mut Vec<Frame>) {
        if self.open != Open::Block {
            return;
        }
        let data = json!({
            "type": "content_block_delta",
            "index": self.index,
            "delta": delta,
        });
        out.push(frame("content_block_delta", &data));
    }

    fn end(&mut self, out: &mut Vec<Frame>) {
        if self.open == Open::Block {
            let data = json!({"type": "content_block_stop", "index": self.index});
            out.push(frame("content_block_stop", &data));
            self.index += 1;
        }
        self.open = Open::Nothing;
    }

    fn done(&mut self, out: &mut Vec<Frame>) {
        self.start(out);
        self.end(out);
        let (stop_reason, stop_sequence) = finish::written(&self.finish, self.calls);
        let data = json!({
            "type": "message_delta",
            "delta": {"stop_reason": stop_reason, "stop_sequence": stop_sequence},
            "usage": written(self.usage.unwrap_or_default()),
        });
        out.push(frame("message_delta", &data));
        out.push(frame("message_stop", &json!({"type": "message_stop"})));
        self.ended = true;
    }
}

fn frame(name: &'static str, data: &Value) -> Frame {
    Frame {
        name: Cow::Borrowed(name),
        data: serde_json::to_vec(data).unwrap_or_default(),
    }
}

/// A provider's error. Words that are not this API's become those that mean the same, or `api_error`: the
/// SDKs know no others, and try again by them.
fn error_of(error: &ProviderError) -> Value {
    let told = error.kind.as_deref().unwrap_or_default();
    let kind = KINDS.into_iter().find(|kind| *kind == told);
    let kind = kind.or_else(|| Some(error_kind(error.status()?).0));
    let message = if error.message.is_empty() {
        "the provider reported an error"
    } else {
        &error.message
    };
    json!({
        "type": "error",
        "error": {"type": kind.unwrap_or("api_error"), "message": message},
    })
}

/// The API's words for errors.
const KINDS: [&str; 10] = [
    "api_error",
    "authentication_error",
    "billing_error",
    "invalid_request_error",
    "not_found_error",
    "overloaded_error",
    "permission_error",
    "rate_limit_error",
    "request_too_large",
    "timeout_error",
];
