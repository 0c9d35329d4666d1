//! Writes events as a stream of chunks for a client.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::ir::tool_text;
use crate::ir::{
    Delta, Event, EventEncoder, FinishReason, Frame, Part, PartStart, ResponseContext, Signature,
};
use crate::json::to_vec;
use crate::openai_chat::response::encode::{ID, chars};
use crate::openai_chat::response::finish_reason::PartKinds;
use crate::openai_chat::usage::UsageObject;
use crate::openai_chat::{citations, error, media, reasoning, tools};
use crate::{ErrorBody, ProviderError, Usage};

/// Writes the stream of a chat completion: a chunk with the role, chunks with pieces, one with the reason
/// for the end, one with the usage if the client asked for it, `[DONE]`.
#[must_use]
pub(crate) fn encoder(response_context: ResponseContext) -> Box<dyn EventEncoder> {
    Box::new(StreamEncoder {
        id: format!("{ID}{}", response_context.id),
        response_context,
        ..StreamEncoder::default()
    })
}

#[derive(Debug, Default)]
struct StreamEncoder {
    response_context: ResponseContext,
    id: String,
    kinds: PartKinds,
    open: EncodingPart,
    /// How many of each there were: lists of a stream have an index in each item.
    annotations: usize,
    calls: usize,
    images: usize,
    details: usize,
    /// How many bytes of reasoning, and characters of text, there were before the open part, and are.
    reasoning: (usize, usize),
    text: (u64, u64),
    usage: Option<Usage>,
    ended: bool,
}

#[derive(Debug, Default)]
enum EncodingPart {
    /// A custom tool's, whose input is cut out of the arguments once they are whole.
    Custom(String),
    #[default]
    Other,
    Reasoning {
        redacted: bool,
    },
}

impl EventEncoder for StreamEncoder {
    fn event(&mut self, event: &Event, out: &mut Vec<Frame>) {
        if self.ended {
            return;
        }
        match event {
            Event::Start { .. } => self.delta(json!({"role": "assistant", "content": ""}), out),
            Event::PartStart(part_start) => self.begin(part_start, out),
            Event::Delta(delta) => self.piece(delta, out),
            Event::PartEnd => self.end(out),
            Event::Finish(finish) => self.finish(finish, out),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Done => self.done(out),
            Event::Error(error) => self.fail(error, out),
        }
    }
}

impl StreamEncoder {
    fn begin(&mut self, part_start: &PartStart, out: &mut Vec<Frame>) {
        self.open = EncodingPart::Other;
        self.reasoning.0 = self.reasoning.1;
        self.text.0 = self.text.1;
        match part_start {
            PartStart::Reasoning { redacted } => {
                self.open = EncodingPart::Reasoning {
                    redacted: *redacted,
                };
            }
            PartStart::Refusal => self.kinds.refusal = true,
            PartStart::Text => {}
            PartStart::ToolCall {
                id,
                name,
                signature,
            } => self.begin_call(id, name, signature.as_ref(), out),
            PartStart::Complete(Part::Image(media)) => {
                if let Ok(mut image) = media::image(media) {
                    image["index"] = json!(self.images);
                    self.images += 1;
                    self.delta(json!({"images": [image]}), out);
                }
            }
            PartStart::Complete(_) => {}
        }
    }

    fn begin_call(
        &mut self,
        id: &str,
        name: &str,
        signature: Option<&Signature>,
        out: &mut Vec<Frame>,
    ) {
        self.kinds.call = true;
        let custom = self
            .response_context
            .custom_tools
            .iter()
            .any(|custom| custom == name);
        let (kind, member) = if custom {
            ("custom", "input")
        } else {
            ("function", "arguments")
        };
        let mut inner = Map::new();
        inner.insert("name".to_owned(), json!(name));
        inner.insert(member.to_owned(), json!(""));
        let mut call = json!({"index": self.calls, "id": id, "type": kind});
        call[kind] = Value::Object(inner);
        if let Some(signature) = signature {
            call["extra_content"] = tools::extra_content(signature);
        }
        self.calls += 1;
        if custom {
            self.open = EncodingPart::Custom(String::new());
        }
        self.delta(json!({"tool_calls": [call]}), out);
    }

    fn piece(&mut self, delta: &Delta, out: &mut Vec<Frame>) {
        match delta {
            Delta::Arguments(text) => match &mut self.open {
                EncodingPart::Custom(arguments)
                    if arguments.len() + text.len() <= INPUT_BYTES_MAX =>
                {
                    arguments.push_str(text);
                }
                _ => self.call_piece("function", "arguments", text, out),
            },
            Delta::Citation(citation) => {
                let chars = self.text.1 - self.text.0;
                if let Some(mut annotation) = citations::encode(citation, self.text.0, chars) {
                    // OpenAI's Python client joins lists by it, and fails without.
                    annotation["index"] = json!(self.annotations);
                    self.annotations += 1;
                    self.delta(json!({"annotations": [annotation]}), out);
                }
            }
            Delta::Reasoning(text) => {
                self.reasoning.1 += text.len();
                self.delta(json!({"reasoning_content": text}), out);
            }
            Delta::Refusal(text) => self.delta(json!({"refusal": text}), out),
            Delta::Signature(signature) => self.sign(signature, out),
            Delta::Text(text) => {
                self.text.1 += chars(text);
                self.delta(json!({"content": text}), out);
            }
        }
    }

    fn sign(&mut self, signature: &Signature, out: &mut Vec<Frame>) {
        let hidden = matches!(self.open, EncodingPart::Reasoning { redacted: true });
        let span = (!hidden).then_some(self.reasoning);
        let details = reasoning::details(signature, self.details, span);
        if !details.is_empty() {
            self.details += details.len();
            self.delta(json!({"reasoning_details": details}), out);
        }
    }

    fn end(&mut self, out: &mut Vec<Frame>) {
        if let EncodingPart::Custom(arguments) = std::mem::take(&mut self.open) {
            let input = tool_text::input(&arguments).unwrap_or(arguments);
            self.call_piece("custom", "input", &input, out);
        }
    }

    fn call_piece(&self, kind: &str, member: &str, text: &str, out: &mut Vec<Frame>) {
        let mut inner = Map::new();
        inner.insert(member.to_owned(), json!(text));
        let mut call = json!({"index": self.calls.saturating_sub(1)});
        call[kind] = Value::Object(inner);
        self.delta(json!({"tool_calls": [call]}), out);
    }

    fn finish(&self, finish: &FinishReason, out: &mut Vec<Frame>) {
        let reason = self.kinds.finish_reason(finish);
        self.chunk(
            &[EncodedChoice::of(json!({}), Some(reason))],
            self.no_usage(),
            out,
        );
    }

    fn done(&mut self, out: &mut Vec<Frame>) {
        self.ended = true;
        if let (true, Some(usage)) = (self.response_context.include_usage, self.usage) {
            self.chunk(&[], Some(Some(usage.into())), out);
        }
        out.push(frame(b"[DONE]".to_vec()));
    }

    fn fail(&mut self, error: &ProviderError, out: &mut Vec<Frame>) {
        self.ended = true;
        let body = error::render_error(&error_body(error));
        out.push(frame(body.to_vec()));
    }

    fn delta(&self, delta: Value, out: &mut Vec<Frame>) {
        self.chunk(&[EncodedChoice::of(delta, None)], self.no_usage(), out);
    }

    /// Where the client asked for the usage, all chunks but the last say that they have none.
    fn no_usage(&self) -> Option<Option<UsageObject>> {
        self.response_context.include_usage.then_some(None)
    }

    fn chunk(
        &self,
        choices: &[EncodedChoice],
        usage: Option<Option<UsageObject>>,
        out: &mut Vec<Frame>,
    ) {
        out.push(frame(to_vec(&EncodedChunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.response_context.created,
            model: &self.response_context.model,
            choices,
            usage,
        })));
    }
}

/// A provider's error as this dialect renders its own.
pub(crate) fn error_body(error: &ProviderError) -> ErrorBody<'_> {
    ErrorBody {
        message: &error.message,
        kind: error.kind.as_deref().unwrap_or("server_error"),
        code: error.code.as_deref(),
        param: error.param.as_deref(),
        cooldown: None,
    }
}

/// An event without a name, as all of this dialect's are.
pub(crate) const fn frame(data: Vec<u8>) -> Frame {
    Frame {
        name: Cow::Borrowed(""),
        data,
    }
}

#[derive(Serialize)]
struct EncodedChunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [EncodedChoice],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<UsageObject>>,
}

#[derive(Serialize)]
struct EncodedChoice {
    index: u32,
    delta: Value,
    logprobs: Option<Value>,
    finish_reason: Option<&'static str>,
}

impl EncodedChoice {
    const fn of(delta: Value, finish_reason: Option<&'static str>) -> Self {
        Self {
            index: 0,
            delta,
            logprobs: None,
            finish_reason,
        }
    }
}

/// The most that is held back of a custom tool's arguments, in bytes: patches of whole files go through
/// them. What is longer is handed on as it comes, as a function's arguments.
const INPUT_BYTES_MAX: usize = 4 * 1024 * 1024;

#[cfg(test)]
mod tests;
