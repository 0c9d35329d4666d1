//! Reads a provider's stream.

mod waiting;

use serde_json::value::RawValue;

use self::waiting::WaitingBlocks;
use crate::ProviderError;
use crate::anthropic::response::block::ContentBlock;
use crate::anthropic::response::decode::{decode_error, refusal_explanation};
use crate::anthropic::response::encode::fallback_id;
use crate::anthropic::response::finish_reason;
use crate::anthropic::usage::TokenCounts;
use crate::anthropic::{DIALECT, citations};
use crate::ir::{Delta, Event, FinishReason, Malformed, PartStart, Signature};
use crate::json::{Completeness, is_void, members, string};
use crate::stream::{self, Sink, Text};

/// What is known of a stream so far.
#[derive(Default)]
pub(super) struct AnthropicReader {
    started: bool,
    finished: bool,
    open: OpenBlock,
    /// The index of the open block.
    index: u64,
    /// The events of blocks that began while a call was open.
    waiting: WaitingBlocks,
    /// How many tool calls there were.
    calls: usize,
    counts: TokenCounts,
}

/// The block that is open.
#[derive(Default)]
enum OpenBlock {
    #[default]
    Nothing,
    /// A block that has no common form.
    Untranslatable,
    Text,
    Thinking,
    ToolUse {
        /// The arguments in the first event of the block. They are sent at its end, unless deltas follow.
        input: String,
        has_delta: bool,
        completeness: Completeness,
    },
}

/// An event about a block.
struct BlockEvent<'a> {
    index: u64,
    what: BlockEventKind<'a>,
}

enum BlockEventKind<'a> {
    Start(ContentBlock<'a>),
    Delta(&'a RawValue),
    Stop,
}

impl<'a> BlockEvent<'a> {
    /// Reads an event; `None` if it is not about a block, or has no content.
    fn read(kind: &str, found: [Option<&'a RawValue>; 3]) -> Option<Self> {
        let [index, block, delta] = found;
        let what = match kind {
            "content_block_start" => BlockEventKind::Start(ContentBlock::read(block?)?),
            "content_block_delta" => BlockEventKind::Delta(delta?),
            "content_block_stop" => BlockEventKind::Stop,
            _ => return None,
        };
        let index = index.and_then(|raw| raw.get().parse().ok());
        Some(Self {
            index: index.unwrap_or(0),
            what,
        })
    }

    /// Reads an event that waited.
    fn reread(text: &'a str) -> Option<Self> {
        let names = ["type", "index", "content_block", "delta"];
        let [kind, index, block, delta] = members(text, names).ok()?.values;
        Self::read(&kind.and_then(string)?, [index, block, delta])
    }
}

impl stream::Reader for AnthropicReader {
    fn read(&mut self, name: &str, text: &str, sink: &mut impl Sink) -> Result<(), Malformed> {
        match name {
            "ping" => return Ok(()),
            "error" => {
                sink.error(decode_error(text));
                return Ok(());
            }
            _ => {}
        }
        if text == "[DONE]" && sink.accepts_foreign_end() {
            self.done(sink);
            return Ok(());
        }
        let names = [
            "type",
            "message",
            "index",
            "content_block",
            "delta",
            "usage",
            "error",
        ];
        let Ok(found) = members(text, names) else {
            return stream::read_other(text, sink);
        };
        let [kind, message, index, block, delta, usage, error] = found.values;
        if let Some(error) = error.and_then(ProviderError::from_member) {
            sink.error(error);
            return Ok(());
        }
        // The data names the kind of the event too. Anthropic's SDKs act on that one.
        let kind = kind.and_then(string);
        let kind = kind.as_deref().unwrap_or(name);
        match kind {
            "content_block_delta" | "content_block_start" | "content_block_stop" => {
                if let Some(event) = BlockEvent::read(kind, [index, block, delta]) {
                    self.block_event(event, text, sink)?;
                }
            }
            "error" => sink.error(decode_error(text)),
            "message_delta" => self.message_delta(delta, sink),
            "message_start" => self.start(message, sink),
            "message_stop" => {
                // The usage comes first, because no event may follow `Done`.
                self.usage(usage, sink);
                self.done(sink);
                return Ok(());
            }
            _ => {}
        }
        self.usage(usage, sink);
        Ok(())
    }

    fn finish(&mut self, sink: &mut impl Sink) {
        if self.finished {
            self.done(sink);
        }
    }
}

impl OpenBlock {
    /// Whether it is a call whose arguments are complete.
    fn is_complete_call(&self) -> bool {
        match self {
            Self::ToolUse {
                has_delta: true,
                completeness,
                ..
            } => completeness.is_complete(),
            Self::ToolUse { input, .. } => !input.is_empty(),
            _ => false,
        }
    }
}

impl AnthropicReader {
    fn start(&mut self, message: Option<&RawValue>, sink: &mut impl Sink) {
        // Without `message_start`, the first other piece starts the stream. A late one must not do so again.
        if self.started {
            return;
        }
        self.started = true;
        let found = message.and_then(|raw| members(raw.get(), ["id", "model", "usage"]).ok());
        let [id, model, usage] = found.map_or([None; 3], |found| found.values);
        sink.event(|| Event::Start {
            id: Text::from(id).decode().into_owned(),
            model: Text::from(model).decode().into_owned(),
        });
        self.usage(usage, sink);
    }

    fn usage(&mut self, usage: Option<&RawValue>, sink: &mut impl Sink) {
        let Some(usage) = usage else { return };
        self.counts.merge(usage);
        // No usage comes before the start. It is merged, and goes out with the next one.
        if let Some(usage) = self.counts.usage().filter(|_| self.started) {
            sink.usage(usage);
        }
    }

    /// Reads an event about a block, which waits if it is not about the open call. `text` is the whole event.
    ///
    /// # Errors
    /// If it begins a call without a name, or too much waits.
    fn block_event(
        &mut self,
        event: BlockEvent<'_>,
        text: &str,
        sink: &mut impl Sink,
    ) -> Result<(), Malformed> {
        if self.finished {
            return Ok(());
        }
        if let BlockEventKind::Start(block) = &event.what {
            if matches!(block, ContentBlock::ToolUse { name, .. } if name.is_empty()) {
                return sink.unnamed_call();
            }
            // A call that is complete ends here, even without its `content_block_stop`.
            while self.open.is_complete_call() {
                self.block_end(sink);
                self.release(sink);
            }
        }
        let is_other = event.index != self.index && !self.continues_call(&event);
        if is_other && matches!(self.open, OpenBlock::ToolUse { .. }) {
            let waits = sink.keep(|| text.to_owned());
            // A sink that keeps no events takes blocks in any order.
            if !waits.is_empty() {
                sink.progress().content();
                return self.waiting.push(event.index, waits);
            }
        }
        self.apply(event, sink);
        self.release(sink);
        Ok(())
    }

    /// Whether an event of another index belongs to the open call all the same: some servers send a wrong index with
    /// the pieces of arguments.
    fn continues_call(&self, event: &BlockEvent<'_>) -> bool {
        let BlockEventKind::Delta(delta) = event.what else {
            return false;
        };
        let kind = members(delta.get(), ["type"]).ok();
        let kind = kind.and_then(|found| found.values[0]);
        kind.is_some_and(|kind| kind.get() == "\"input_json_delta\"")
            && !self.waiting.contains(event.index)
    }

    fn apply(&mut self, event: BlockEvent<'_>, sink: &mut impl Sink) {
        match event.what {
            BlockEventKind::Start(block) => self.block_start(event.index, block, sink),
            BlockEventKind::Delta(delta) => self.delta(event.index, delta, sink),
            BlockEventKind::Stop if event.index == self.index => self.block_end(sink),
            BlockEventKind::Stop => {}
        }
    }

    /// Reads the blocks that waited, until one stays open.
    fn release(&mut self, sink: &mut impl Sink) {
        while matches!(self.open, OpenBlock::Nothing) {
            let Some(events) = self.waiting.pop() else {
                return;
            };
            for event in events.iter().filter_map(|text| BlockEvent::reread(text)) {
                self.apply(event, sink);
            }
        }
    }

    /// Ends all blocks.
    fn end_all(&mut self, sink: &mut impl Sink) {
        self.block_end(sink);
        self.release(sink);
        while !matches!(self.open, OpenBlock::Nothing) {
            self.block_end(sink);
            self.release(sink);
        }
    }

    fn block_start(&mut self, index: u64, block: ContentBlock<'_>, sink: &mut impl Sink) {
        // Only one part may be open, so a block without a `content_block_stop` ends here.
        self.block_end(sink);
        self.index = index;
        self.start(None, sink);
        match block {
            ContentBlock::Other => {
                self.open = OpenBlock::Untranslatable;
                sink.untranslatable();
            }
            ContentBlock::Redacted(data) => {
                self.open = OpenBlock::Thinking;
                sink.content(|| Event::PartStart(PartStart::Reasoning { redacted: true }));
                sink.content(|| {
                    let signature = Signature::read(DIALECT, &data.decode());
                    Event::Delta(Delta::Signature(signature))
                });
            }
            ContentBlock::Text { text, citations } => {
                self.text(text, sink);
                for citation in citations {
                    self.citation(citation, sink);
                }
            }
            ContentBlock::Thinking { text, signature } => {
                self.thinking(text, sink);
                self.signature(signature, sink);
            }
            ContentBlock::ToolUse { id, name, input } => {
                self.calls += 1;
                let calls = self.calls;
                let input = input.map(|input| sink.keep(|| input.get().to_owned()));
                self.open = OpenBlock::ToolUse {
                    input: input.unwrap_or_default(),
                    has_delta: false,
                    completeness: Completeness::default(),
                };
                sink.content(|| {
                    Event::PartStart(PartStart::ToolCall {
                        id: match id.decode() {
                            id if id.is_empty() => fallback_id("", calls),
                            id => id.into_owned(),
                        },
                        name: name.decode().into_owned(),
                        signature: None,
                    })
                });
            }
        }
    }

    fn delta(&mut self, index: u64, delta: &RawValue, sink: &mut impl Sink) {
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
        self.start(None, sink);
        // A piece of a block that has ended is a part of its own.
        if index != self.index && matches!(self.open, OpenBlock::Text | OpenBlock::Thinking) {
            self.block_end(sink);
        }
        if !matches!(self.open, OpenBlock::ToolUse { .. }) {
            self.index = index;
        }
        let [kind, text, thinking, signature, arguments, citation] = found.values;
        let kind = kind.and_then(string).unwrap_or_default();
        match (&*kind, &mut self.open) {
            // The deltas of a block that is not translated are not translated.
            (_, OpenBlock::Untranslatable) => sink.untranslatable(),
            ("text_delta", _) => self.text(text.into(), sink),
            ("thinking_delta", _) => self.thinking(thinking.into(), sink),
            ("signature_delta", _) => self.signature(signature.into(), sink),
            (
                "input_json_delta",
                OpenBlock::ToolUse {
                    has_delta,
                    completeness,
                    ..
                },
            ) => {
                let arguments = Text::from(arguments);
                *has_delta |= !arguments.is_empty();
                completeness.push(&sink.keep(|| arguments.decode().into_owned()));
                sink.delta(arguments, Delta::Arguments);
            }
            ("citations_delta", OpenBlock::Text) => {
                if let Some(citation) = citation.filter(|raw| !is_void(raw)) {
                    self.citation(citation, sink);
                }
            }
            ("input_json_delta" | "citations_delta", _) => {
                if arguments.or(citation).is_some_and(|raw| !is_void(raw)) {
                    sink.untranslatable();
                }
            }
            _ => sink.untranslatable(),
        }
    }

    /// Takes a piece of text, which may be empty. Opens a part if there is none.
    fn text(&mut self, text: Text<'_>, sink: &mut impl Sink) {
        if !matches!(self.open, OpenBlock::Text) {
            self.block_end(sink);
            self.open = OpenBlock::Text;
            sink.empty_part(PartStart::Text);
        }
        sink.delta(text, Delta::Text);
    }

    fn citation(&mut self, raw: &RawValue, sink: &mut impl Sink) {
        sink.content(|| {
            let raw = serde_json::from_str(raw.get()).unwrap_or_default();
            Event::Delta(Delta::Citation(citations::decode(raw, None)))
        });
    }

    fn thinking(&mut self, text: Text<'_>, sink: &mut impl Sink) {
        if !matches!(self.open, OpenBlock::Thinking) {
            self.block_end(sink);
            self.open = OpenBlock::Thinking;
            sink.empty_part(PartStart::Reasoning { redacted: false });
        }
        sink.delta(text, Delta::Reasoning);
    }

    fn signature(&self, signature: Text<'_>, sink: &mut impl Sink) {
        if matches!(self.open, OpenBlock::Thinking) {
            sink.delta(signature, |data| {
                Delta::Signature(Signature::read(DIALECT, &data))
            });
        }
    }

    fn block_end(&mut self, sink: &mut impl Sink) {
        match std::mem::take(&mut self.open) {
            OpenBlock::Nothing | OpenBlock::Untranslatable => return,
            OpenBlock::Text
            | OpenBlock::Thinking
            | OpenBlock::ToolUse {
                has_delta: true, ..
            } => {}
            OpenBlock::ToolUse { mut input, .. } => sink.content(|| {
                if input.is_empty() {
                    "{}".clone_into(&mut input);
                }
                Event::Delta(Delta::Arguments(input))
            }),
        }
        sink.event(|| Event::PartEnd);
    }

    fn message_delta(&mut self, delta: Option<&RawValue>, sink: &mut impl Sink) {
        self.start(None, sink);
        let names = ["stop_reason", "stop_sequence", "stop_details"];
        let found = delta.and_then(|raw| members(raw.get(), names).ok());
        let [reason, sequence, details] = found.map_or([None; 3], |found| found.values);
        let Some(reason) = reason.and_then(string).filter(|_| !self.finished) else {
            return;
        };
        self.end_all(sink);
        if let Some(explanation) = details.and_then(refusal_explanation) {
            sink.empty_part(PartStart::Refusal);
            sink.delta(explanation, Delta::Refusal);
            sink.event(|| Event::PartEnd);
        }
        self.finished = true;
        sink.finish(|| {
            let sequence = sequence.and_then(string).map(std::borrow::Cow::into_owned);
            finish_reason::decode(&reason, sequence)
        });
    }

    fn done(&mut self, sink: &mut impl Sink) {
        self.start(None, sink);
        self.end_all(sink);
        if !self.finished {
            // The provider sent no reason, so this one is no content.
            let calls = self.calls > 0;
            sink.event(|| {
                Event::Finish(if calls {
                    FinishReason::ToolCalls
                } else {
                    FinishReason::Stop
                })
            });
        }
        sink.done();
    }
}
