//! Reads a provider's stream.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::ProviderError;
use crate::anthropic::response::block::ContentBlock;
use crate::anthropic::response::decode::decode_error;
use crate::anthropic::response::decode::refusal_explanation;
use crate::anthropic::response::encode::fallback_id;
use crate::anthropic::response::finish_reason;
use crate::anthropic::usage::TokenCounts;
use crate::anthropic::{DIALECT, citations};
use crate::ir::{Delta, Event, EventDecoder, FinishReason, Malformed, PartStart, Signature};
use crate::json::{is_void, members, string};

/// A reader of one provider's stream.
#[must_use]
pub fn decoder() -> Box<dyn EventDecoder> {
    Box::new(StreamDecoder::default())
}

#[derive(Default)]
struct StreamDecoder {
    started: bool,
    finished: bool,
    ended: bool,
    open: OpenBlock,
    /// How many calls there were.
    calls: usize,
    counts: TokenCounts,
}

/// What is open.
#[derive(Default)]
enum OpenBlock {
    #[default]
    Nothing,
    /// A block that has no common form.
    Ignored,
    Text,
    Thinking,
    ToolUse {
        /// The arguments that came with its beginning, to be said at its end unless they come in
        /// pieces after all.
        input: String,
        /// Whether there were pieces.
        pieces: bool,
    },
}

impl EventDecoder for StreamDecoder {
    fn event(&mut self, name: &str, data: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
        if self.ended || name == "ping" {
            return Ok(());
        }
        let text = std::str::from_utf8(data).map_err(|_| Malformed("an event is not UTF-8"))?;
        let text = text.trim_ascii();
        // Not of this API, but some that are like it end so.
        if text == "[DONE]" {
            self.done(out);
            return Ok(());
        }
        if name == "error" {
            self.fail(decode_error(text), out);
            return Ok(());
        }
        let names = [
            "type",
            "message",
            "content_block",
            "delta",
            "usage",
            "error",
        ];
        let found = members(text, names).map_err(|_| Malformed("an event is no JSON object"))?;
        let [kind, message, block, delta, usage, error] = found.values;
        if let Some(error) = error.and_then(ProviderError::from_member) {
            self.fail(error, out);
            return Ok(());
        }
        let kind = kind.and_then(string);
        match kind.as_deref().unwrap_or(name) {
            "content_block_delta" => {
                if let Some(delta) = delta {
                    self.delta(delta, out);
                }
            }
            "content_block_start" => {
                if let Some(block) = block.and_then(ContentBlock::read) {
                    self.begin(block, out)?;
                }
            }
            "content_block_stop" => self.end(out),
            "error" => self.fail(decode_error(text), out),
            "message_delta" => self.read_message_delta(delta, usage, out),
            "message_start" => self.start(message, out),
            "message_stop" => self.done(out),
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<Event>) {
        if self.finished {
            self.done(out);
        }
    }
}

impl StreamDecoder {
    fn start(&mut self, message: Option<&RawValue>, out: &mut Vec<Event>) {
        if self.started {
            return;
        }
        self.started = true;
        let found = message.and_then(|raw| members(raw.get(), ["id", "model", "usage"]).ok());
        let [id, model, usage] = found.map_or([None; 3], |found| found.values);
        let text_or_empty = |raw: Option<_>| raw.and_then(string).unwrap_or_default().into_owned();
        out.push(Event::Start {
            id: text_or_empty(id),
            model: text_or_empty(model),
        });
        self.take_usage(usage, out);
    }

    fn take_usage(&mut self, usage: Option<&RawValue>, out: &mut Vec<Event>) {
        if let Some(usage) = usage {
            self.counts.merge(usage);
            out.extend(self.counts.usage().map(Event::Usage));
        }
    }

    fn begin(&mut self, block: ContentBlock, out: &mut Vec<Event>) -> Result<(), Malformed> {
        if self.finished {
            return Ok(());
        }
        self.end(out);
        self.start(None, out);
        match block {
            ContentBlock::Other => self.open = OpenBlock::Ignored,
            ContentBlock::Redacted(data) => {
                self.open = OpenBlock::Thinking;
                out.push(Event::PartStart(PartStart::Reasoning { redacted: true }));
                out.push(Event::Delta(Delta::Signature(Signature::read(
                    DIALECT, &data,
                ))));
            }
            ContentBlock::Text { text, citations } => {
                self.text(&text, out);
                for raw in citations {
                    let citation = citations::decode(raw, None);
                    out.push(Event::Delta(Delta::Citation(citation)));
                }
            }
            ContentBlock::Thinking { text, signature } => {
                self.thinking(&text, out);
                self.signature(&signature, out);
            }
            ContentBlock::ToolUse { name, .. } if name.is_empty() => {
                return Err(Malformed::UNNAMED_CALL);
            }
            ContentBlock::ToolUse { id, name, input } => {
                self.calls += 1;
                let id = if id.is_empty() {
                    fallback_id("", self.calls)
                } else {
                    id
                };
                self.open = OpenBlock::ToolUse {
                    input,
                    pieces: false,
                };
                out.push(Event::PartStart(PartStart::ToolCall {
                    id,
                    name,
                    signature: None,
                }));
            }
        }
        Ok(())
    }

    fn delta(&mut self, delta: &RawValue, out: &mut Vec<Event>) {
        let names = [
            "type",
            "text",
            "thinking",
            "signature",
            "partial_json",
            "citation",
        ];
        let Ok(found) = members(delta.get(), names) else {
            return;
        };
        if self.finished {
            return;
        }
        self.start(None, out);
        let [kind, text, thinking, signature, arguments, raw] = found.values;
        let text_or_empty =
            |raw: Option<&RawValue>| raw.and_then(string).unwrap_or_default().into_owned();
        // Pieces of a block that is passed over are passed over.
        match (text_or_empty(kind).as_str(), &mut self.open) {
            (_, OpenBlock::Ignored) => {}
            ("text_delta", _) => self.text(&text_or_empty(text), out),
            ("thinking_delta", _) => self.thinking(&text_or_empty(thinking), out),
            ("signature_delta", _) => self.signature(&text_or_empty(signature), out),
            ("input_json_delta", OpenBlock::ToolUse { pieces, .. }) => {
                let piece = text_or_empty(arguments);
                if !piece.is_empty() {
                    *pieces = true;
                    out.push(Event::Delta(Delta::Arguments(piece)));
                }
            }
            ("citations_delta", OpenBlock::Text) => {
                let raw = raw.filter(|raw| !is_void(raw));
                if let Some(raw) = raw.and_then(|raw| serde_json::from_str(raw.get()).ok()) {
                    let raw: Value = raw;
                    out.push(Event::Delta(Delta::Citation(citations::decode(raw, None))));
                }
            }
            _ => {}
        }
    }

    /// A piece of text, perhaps an empty one; it opens what it needs.
    fn text(&mut self, text: &str, out: &mut Vec<Event>) {
        if !matches!(self.open, OpenBlock::Text) {
            self.end(out);
            self.open = OpenBlock::Text;
            out.push(Event::PartStart(PartStart::Text));
        }
        if !text.is_empty() {
            out.push(Event::Delta(Delta::Text(text.to_owned())));
        }
    }

    fn thinking(&mut self, text: &str, out: &mut Vec<Event>) {
        if !matches!(self.open, OpenBlock::Thinking) {
            self.end(out);
            self.open = OpenBlock::Thinking;
            out.push(Event::PartStart(PartStart::Reasoning { redacted: false }));
        }
        if !text.is_empty() {
            out.push(Event::Delta(Delta::Reasoning(text.to_owned())));
        }
    }

    fn signature(&self, signature: &str, out: &mut Vec<Event>) {
        if matches!(self.open, OpenBlock::Thinking) && !signature.is_empty() {
            let signature = Signature::read(DIALECT, signature);
            out.push(Event::Delta(Delta::Signature(signature)));
        }
    }

    fn end(&mut self, out: &mut Vec<Event>) {
        match std::mem::take(&mut self.open) {
            OpenBlock::Nothing | OpenBlock::Ignored => return,
            OpenBlock::Text | OpenBlock::Thinking | OpenBlock::ToolUse { pieces: true, .. } => {}
            OpenBlock::ToolUse { mut input, .. } => {
                if input.is_empty() {
                    "{}".clone_into(&mut input);
                }
                out.push(Event::Delta(Delta::Arguments(input)));
            }
        }
        out.push(Event::PartEnd);
    }

    fn read_message_delta(
        &mut self,
        delta: Option<&RawValue>,
        usage: Option<&RawValue>,
        out: &mut Vec<Event>,
    ) {
        self.start(None, out);
        let names = ["stop_reason", "stop_sequence", "stop_details"];
        let found = delta.and_then(|raw| members(raw.get(), names).ok());
        let [reason, sequence, details] = found.map_or([None; 3], |found| found.values);
        if let Some(reason) = reason.and_then(string)
            && !self.finished
        {
            self.end(out);
            if let Some(words) = details.and_then(refusal_explanation) {
                out.push(Event::PartStart(PartStart::Refusal));
                out.push(Event::Delta(Delta::Refusal(words)));
                out.push(Event::PartEnd);
            }
            let sequence = sequence.and_then(string).map(std::borrow::Cow::into_owned);
            self.finished = true;
            out.push(Event::Finish(finish_reason::decode(&reason, sequence)));
        }
        self.take_usage(usage, out);
    }

    fn done(&mut self, out: &mut Vec<Event>) {
        if self.ended {
            return;
        }
        self.start(None, out);
        self.end(out);
        if !self.finished {
            let calls = self.calls > 0;
            let finish = if calls {
                FinishReason::ToolCalls
            } else {
                FinishReason::Stop
            };
            out.push(Event::Finish(finish));
        }
        self.ended = true;
        out.push(Event::Done);
    }

    fn fail(&mut self, error: ProviderError, out: &mut Vec<Event>) {
        self.ended = true;
        out.push(Event::Error(error));
    }
}
