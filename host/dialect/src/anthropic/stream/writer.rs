//! Writes a client's stream.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::Usage;
use crate::anthropic::error::encode_provider_error;
use crate::anthropic::response::encode::{fallback_id, message_id, write_part};
use crate::anthropic::response::{block, finish_reason};
use crate::anthropic::usage::encode_usage;
use crate::anthropic::{DIALECT, citations};
use crate::ir::{
    Delta, Event, EventEncoder, FinishReason, Frame, Part, PartStart, ResponseContext, Signature,
};

/// Writes one client's stream: `message_start`; for each block a `content_block_start`, deltas and a
/// `content_block_stop`; `message_delta` with the finish reason and the usage; `message_stop`.
#[must_use]
pub(crate) fn encoder(response_context: ResponseContext) -> Box<dyn EventEncoder> {
    Box::new(AnthropicWriter {
        response_context,
        started: false,
        ended: false,
        index: 0,
        open: BlockState::Nothing,
        calls: false,
        finish: FinishReason::Stop,
        usage: None,
    })
}

struct AnthropicWriter {
    response_context: ResponseContext,
    started: bool,
    ended: bool,
    /// The index of the open block, or of the next one.
    index: usize,
    open: BlockState,
    /// Whether a tool was called.
    calls: bool,
    finish: FinishReason,
    usage: Option<Usage>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum BlockState {
    Nothing,
    Block,
    /// Redacted reasoning: its block is written when the signature arrives.
    Redacted,
}

impl EventEncoder for AnthropicWriter {
    fn event(&mut self, event: &Event, out: &mut Vec<Frame>) {
        if self.ended {
            return;
        }
        match event {
            Event::PartStart(part_start) => self.begin(part_start, out),
            Event::Delta(delta) => self.delta(delta, out),
            Event::Done => self.done(out),
            Event::PartEnd => self.end(out),
            Event::Error(error) => {
                self.ended = true;
                out.push(Frame {
                    name: "error".into(),
                    data: encode_provider_error(error),
                });
            }
            // One event has both the reason and the usage, which may still follow. `done` writes it.
            Event::Finish(finish) => self.finish = finish.clone(),
            Event::Start { .. } => self.start(out),
            Event::Usage(usage) => self.usage = Some(*usage),
        }
    }
}

impl AnthropicWriter {
    fn start(&mut self, out: &mut Vec<Frame>) {
        if self.started {
            return;
        }
        self.started = true;
        // The usage is not known yet; the counts at the end replace these.
        let message = json!({
            "id": message_id(&self.response_context),
            "type": "message",
            "role": "assistant",
            "model": self.response_context.model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": encode_usage(self.usage.unwrap_or_default()),
        });
        let data = json!({"type": "message_start", "message": message});
        out.push(frame("message_start", &data));
    }

    fn begin(&mut self, part_start: &PartStart, out: &mut Vec<Frame>) {
        self.start(out);
        self.end(out);
        match part_start {
            PartStart::Reasoning { redacted: true } => self.open = BlockState::Redacted,
            PartStart::Reasoning { redacted: false } => {
                self.open_block(
                    &json!({"type": "thinking", "thinking": "", "signature": ""}),
                    out,
                );
            }
            PartStart::Refusal | PartStart::Text => {
                self.open_block(&json!({"type": "text", "text": ""}), out)
            }
            PartStart::ToolCall {
                id,
                name,
                signature,
            } => {
                self.calls = true;
                if let Some(signature) = signature {
                    self.open_block(&block::call_signature_block(signature), out);
                    self.end(out);
                }
                let id = if id.is_empty() {
                    fallback_id(&self.response_context.id, self.index)
                } else {
                    id.clone()
                };
                let block = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
                self.open_block(&block, out);
            }
            PartStart::Complete(part) => self.write_complete_part(part, out),
        }
    }

    /// Writes a complete part: its blocks, each with one delta for the members that clients read only
    /// from deltas.
    fn write_complete_part(&mut self, part: &Part, out: &mut Vec<Frame>) {
        let mut blocks = Vec::new();
        write_part(part, &self.response_context, &mut blocks);
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
            self.open_block(&block, out);
            let deltas = [
                text.map(|text| json!({"type": "text_delta", "text": text})),
                thinking.map(|text| json!({"type": "thinking_delta", "thinking": text})),
                signature.map(|text| json!({"type": "signature_delta", "signature": text})),
                input.map(|it| json!({"type": "input_json_delta", "partial_json": it.to_string()})),
            ];
            for delta in deltas.into_iter().flatten() {
                self.write_delta(&delta, out);
            }
        }
    }

    fn open_block(&mut self, block: &Value, out: &mut Vec<Frame>) {
        self.open = BlockState::Block;
        let data = json!({
            "type": "content_block_start",
            "index": self.index,
            "content_block": block,
        });
        out.push(frame("content_block_start", &data));
    }

    fn delta(&mut self, delta: &Delta, out: &mut Vec<Frame>) {
        if self.open == BlockState::Redacted {
            if let Delta::Signature(signature) = delta {
                self.write_redacted(signature, out);
            }
            return;
        }
        let delta = match delta {
            Delta::Arguments(piece) => json!({"type": "input_json_delta", "partial_json": piece}),
            Delta::Citation(citation) => {
                let Some(citation) = citations::encode(citation) else {
                    return;
                };
                json!({"type": "citations_delta", "citation": citation})
            }
            Delta::Reasoning(piece) => json!({"type": "thinking_delta", "thinking": piece}),
            Delta::Refusal(piece) | Delta::Text(piece) => {
                json!({"type": "text_delta", "text": piece})
            }
            Delta::Signature(signature) => {
                json!({"type": "signature_delta", "signature": signature.encode_for(DIALECT)})
            }
        };
        self.write_delta(&delta, out);
    }

    fn write_redacted(&mut self, signature: &Signature, out: &mut Vec<Frame>) {
        let data = signature.encode_for(DIALECT);
        self.open_block(&json!({"type": "redacted_thinking", "data": data}), out);
    }

    fn write_delta(&self, delta: &Value, out: &mut Vec<Frame>) {
        if self.open != BlockState::Block {
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
        if self.open == BlockState::Block {
            let data = json!({"type": "content_block_stop", "index": self.index});
            out.push(frame("content_block_stop", &data));
            self.index += 1;
        }
        self.open = BlockState::Nothing;
    }

    fn done(&mut self, out: &mut Vec<Frame>) {
        self.start(out);
        self.end(out);
        let (stop_reason, stop_sequence) = finish_reason::encode(&self.finish, self.calls);
        // The SDKs read the usage without a check, so it is there even if the provider sent none.
        let data = json!({
            "type": "message_delta",
            "delta": {"stop_reason": stop_reason, "stop_sequence": stop_sequence},
            "usage": encode_usage(self.usage.unwrap_or_default()),
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
