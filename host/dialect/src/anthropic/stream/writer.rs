//! Writes a client's stream.

mod held_arguments;
mod message_event;

use std::borrow::Cow;

use self::held_arguments::{AfterPiece, HeldArguments};
use self::message_event::{
    BlockDelta, BlockStart, EmptyObject, MessageEvent, MessageStart, StopReason,
};
use crate::anthropic::error::encode_provider_error;
use crate::anthropic::response::encode::{fallback_id, media_as_text, message_id};
use crate::anthropic::response::{block, finish_reason};
use crate::anthropic::{DIALECT, citations};
use crate::ir::{
    Delta, Event, EventEncoder, FinishReason, Frame, Part, PartStart, ResponseContext, Signature,
    split_part,
};
use crate::{ProviderError, Usage};

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
        held: HeldArguments::default(),
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
    /// The arguments of the open call.
    held: HeldArguments,
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
    fn held_bytes(&self) -> usize {
        self.held.len()
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
        let id = message_id(&self.response_context);
        let usage = self.usage.unwrap_or_default().into();
        let message = MessageStart::new(id, &self.response_context.model, usage);
        out.push(MessageEvent::MessageStart { message }.frame());
    }

    fn begin(&mut self, part_start: &PartStart, out: &mut Vec<Frame>) {
        self.start(out);
        self.end(out);
        match part_start {
            PartStart::Reasoning { redacted: true } => self.open = BlockState::Redacted,
            PartStart::Reasoning { redacted: false } => self.open_block(BlockStart::THINKING, out),
            PartStart::Refusal | PartStart::Text => self.open_block(BlockStart::TEXT, out),
            PartStart::ToolCall {
                id,
                name,
                signature,
            } => {
                self.calls = true;
                if let Some(signature) = signature {
                    let data = block::call_signature_data(signature);
                    self.open_block(BlockStart::RedactedThinking { data }, out);
                    self.end(out);
                }
                let id = match id.as_str() {
                    "" => fallback_id(&self.response_context.id, self.index).into(),
                    id => Cow::Borrowed(id),
                };
                let input = EmptyObject {};
                self.open_block(BlockStart::ToolUse { id, name, input }, out);
            }
            PartStart::Complete(part) => self.write_complete_part(part, out),
        }
    }

    /// Writes a part that no delta follows.
    fn write_complete_part(&mut self, part: &Part, out: &mut Vec<Frame>) {
        match part {
            Part::Audio(_) | Part::Document(_) | Part::Image(_) => {
                self.open_block(BlockStart::TEXT, out);
                let text = &media_as_text(part);
                self.write_delta(BlockDelta::Text { text }, out);
            }
            Part::Reasoning(_) | Part::Refusal(_) | Part::Text { .. } | Part::ToolCall(_) => {
                let (part_start, deltas) = split_part(part);
                self.begin(&part_start, out);
                deltas.iter().for_each(|delta| self.delta(delta, out));
            }
            // Only clients send these.
            Part::CacheMark(_) | Part::ToolResult(_) => {}
        }
    }

    fn open_block(&mut self, content_block: BlockStart<'_>, out: &mut Vec<Frame>) {
        self.open = BlockState::Block;
        let index = self.index;
        let event = MessageEvent::BlockStart {
            index,
            content_block,
        };
        out.push(event.frame());
    }

    fn delta(&mut self, delta: &Delta, out: &mut Vec<Frame>) {
        if self.open == BlockState::Redacted {
            if let Delta::Signature(signature) = delta {
                self.write_redacted(signature, out);
            }
            return;
        }
        let delta = match delta {
            Delta::Arguments(text) => {
                self.hold(text, out);
                return;
            }
            Delta::Citation(citation) => match citations::encode(citation) {
                Some(citation) => BlockDelta::Citation { citation },
                None => return,
            },
            Delta::Reasoning(thinking) => BlockDelta::Thinking { thinking },
            Delta::Refusal(text) | Delta::Text(text) => BlockDelta::Text { text },
            Delta::Signature(signature) => BlockDelta::Signature {
                signature: signature.encode_for(DIALECT),
            },
        };
        self.write_delta(delta, out);
    }

    fn hold(&mut self, arguments: &str, out: &mut Vec<Frame>) {
        match self.held.push(arguments) {
            AfterPiece::Continue => {}
            AfterPiece::Ping => out.push(MessageEvent::Ping {}.frame()),
            AfterPiece::TooLong => {
                let message = "the arguments of a tool call are too long";
                self.fail(&ProviderError::from_message(message), out);
            }
        }
    }

    fn fail(&mut self, error: &ProviderError, out: &mut Vec<Frame>) {
        self.ended = true;
        out.push(Frame {
            name: "error".into(),
            data: encode_provider_error(error),
        });
    }

    fn write_redacted(&mut self, signature: &Signature, out: &mut Vec<Frame>) {
        let data = signature.encode_for(DIALECT);
        self.open_block(BlockStart::RedactedThinking { data }, out);
    }

    fn write_delta(&self, delta: BlockDelta<'_>, out: &mut Vec<Frame>) {
        if self.open == BlockState::Block {
            let index = self.index;
            out.push(MessageEvent::BlockDelta { index, delta }.frame());
        }
    }

    fn end(&mut self, out: &mut Vec<Frame>) {
        if self.open == BlockState::Block {
            for partial_json in &std::mem::take(&mut self.held).into_pieces() {
                self.write_delta(BlockDelta::InputJson { partial_json }, out);
            }
            let index = self.index;
            out.push(MessageEvent::BlockStop { index }.frame());
            self.index += 1;
        }
        self.open = BlockState::Nothing;
    }

    fn done(&mut self, out: &mut Vec<Frame>) {
        self.start(out);
        self.end(out);
        let (stop_reason, stop_sequence) = finish_reason::encode(&self.finish, self.calls);
        let event = MessageEvent::MessageDelta {
            delta: StopReason {
                stop_reason,
                stop_sequence,
            },
            // The SDKs read the usage without a check, so it is there even if the provider sent none.
            usage: self.usage.unwrap_or_default().into(),
        };
        out.push(event.frame());
        out.push(MessageEvent::MessageStop {}.frame());
        self.ended = true;
    }
}
