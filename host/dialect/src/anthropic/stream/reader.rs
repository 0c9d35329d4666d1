//! Reads a provider's stream.

use serde_json::value::RawValue;

use crate::ProviderError;
use crate::anthropic::response::block::ContentBlock;
use crate::anthropic::response::decode::{decode_error, refusal_explanation};
use crate::anthropic::response::encode::fallback_id;
use crate::anthropic::response::finish_reason;
use crate::anthropic::usage::TokenCounts;
use crate::anthropic::{DIALECT, citations};
use crate::ir::{Delta, Event, FinishReason, Malformed, PartStart, Signature};
use crate::json::{is_void, members, string};
use crate::stream::{self, Sink, Text};

/// What is known of a stream so far.
#[derive(Default)]
pub(super) struct AnthropicReader {
    started: bool,
    finished: bool,
    open: OpenBlock,
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
    },
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
            "content_block",
            "delta",
            "usage",
            "error",
        ];
        let Ok(found) = members(text, names) else {
            return stream::read_other(text, sink);
        };
        let [kind, message, block, delta, usage, error] = found.values;
        if let Some(error) = error.and_then(ProviderError::from_member) {
            sink.error(error);
            return Ok(());
        }
        // The data names the kind of the event too. Anthropic's SDKs act on that one.
        let kind = kind.and_then(string);
        match kind.as_deref().unwrap_or(name) {
            "content_block_delta" => {
                if let Some(delta) = delta {
                    self.delta(delta, sink);
                }
            }
            "content_block_start" => {
                if let Some(block) = block.and_then(ContentBlock::read) {
                    self.block_start(block, sink)?;
                }
            }
            "content_block_stop" => self.block_end(sink),
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

    fn block_start(
        &mut self,
        block: ContentBlock<'_>,
        sink: &mut impl Sink,
    ) -> Result<(), Malformed> {
        if self.finished {
            return Ok(());
        }
        // Only one part may be open, so a block without a `content_block_stop` ends here.
        self.block_end(sink);
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
            ContentBlock::ToolUse { name, .. } if name.is_empty() => sink.unnamed_call()?,
            ContentBlock::ToolUse { id, name, input } => {
                self.calls += 1;
                let calls = self.calls;
                let input = input.map(|input| sink.keep(|| input.get().to_owned()));
                self.open = OpenBlock::ToolUse {
                    input: input.unwrap_or_default(),
                    has_delta: false,
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
        Ok(())
    }

    fn delta(&mut self, delta: &RawValue, sink: &mut impl Sink) {
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
        self.start(None, sink);
        let [kind, text, thinking, signature, arguments, citation] = found.values;
        let kind = kind.and_then(string).unwrap_or_default();
        match (&*kind, &mut self.open) {
            // The deltas of a block that is not translated are not translated.
            (_, OpenBlock::Untranslatable) => sink.untranslatable(),
            ("text_delta", _) => self.text(text.into(), sink),
            ("thinking_delta", _) => self.thinking(thinking.into(), sink),
            ("signature_delta", _) => self.signature(signature.into(), sink),
            ("input_json_delta", OpenBlock::ToolUse { has_delta, .. }) => {
                let arguments = Text::from(arguments);
                *has_delta |= !arguments.is_empty();
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
        self.block_end(sink);
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
        self.block_end(sink);
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
