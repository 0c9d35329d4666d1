//! Encodes streams.

use std::borrow::Cow;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::error_class::TranslatedError;
use crate::ir::tool_text;
use crate::ir::{
    Delta, Event, EventEncoder, FinishReason, Frame, Part, PartStart, ResponseContext, Signature,
};
use crate::json::to_vec;
use crate::limits::CUSTOM_INPUT_BYTES_MAX;
use crate::openai_chat::response::encode::{ID, chars};
use crate::openai_chat::response::finish_reason::PartKinds;
use crate::openai_chat::usage::UsageObject;
use crate::openai_chat::{citations, error, media, reasoning, tools};
use crate::{ProviderError, Usage};

/// Returns an encoder for the stream of a chat completion: a chunk with the role, chunks with content, a
/// chunk with the finish reason, a chunk with the usage if the client asked for it, `[DONE]`.
#[must_use]
pub(crate) fn encoder(response_context: ResponseContext) -> Box<dyn EventEncoder> {
    Box::new(ChatWriter {
        id: format!("{ID}{}", response_context.id),
        response_context,
        ..ChatWriter::default()
    })
}

#[derive(Debug, Default)]
struct ChatWriter {
    response_context: ResponseContext,
    id: String,
    kinds: PartKinds,
    open: EncodingPart,
    /// The numbers of items so far: each item of a list in a stream has an index.
    annotations: usize,
    calls: usize,
    images: usize,
    details: usize,
    /// The length of all reasoning before the open part, and so far, in bytes.
    reasoning_start: usize,
    reasoning_end: usize,
    /// The length of all text before the open part, and so far, in characters.
    text_start: u64,
    text_end: u64,
    usage: Option<Usage>,
    ended: bool,
}

#[derive(Debug, Default)]
enum EncodingPart {
    /// A call of a custom tool, with its arguments so far. The input is known when they are complete.
    Custom(String),
    #[default]
    Other,
    Reasoning {
        redacted: bool,
    },
}

impl EventEncoder for ChatWriter {
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

impl ChatWriter {
    fn begin(&mut self, part_start: &PartStart, out: &mut Vec<Frame>) {
        self.open = EncodingPart::Other;
        self.reasoning_start = self.reasoning_end;
        self.text_start = self.text_end;
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
                // The chunk format cannot show an image that is neither inline nor at a URL.
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
                    if arguments.len() + text.len() > CUSTOM_INPUT_BYTES_MAX =>
                {
                    let message = "the arguments of a tool call are too long";
                    self.fail(&ProviderError::from_message(message), out);
                }
                EncodingPart::Custom(arguments) => arguments.push_str(text),
                _ => self.call_piece(CallInput::Function { arguments: text }, out),
            },
            Delta::Citation(citation) => {
                let chars = self.text_end - self.text_start;
                if let Some(mut annotation) = citations::encode(citation, self.text_start, chars) {
                    // OpenAI's Python client joins lists by the index, and fails without it.
                    annotation["index"] = json!(self.annotations);
                    self.annotations += 1;
                    self.delta(json!({"annotations": [annotation]}), out);
                }
            }
            Delta::Reasoning(text) => {
                self.reasoning_end += text.len();
                self.delta(TextDelta::ReasoningContent(text), out);
            }
            Delta::Refusal(text) => self.delta(TextDelta::Refusal(text), out),
            Delta::Signature(signature) => self.sign(signature, out),
            Delta::Text(text) => {
                self.text_end += chars(text);
                self.delta(TextDelta::Content(text), out);
            }
        }
    }

    fn sign(&mut self, signature: &Signature, out: &mut Vec<Frame>) {
        let hidden = matches!(self.open, EncodingPart::Reasoning { redacted: true });
        let span = (!hidden).then_some((self.reasoning_start, self.reasoning_end));
        let details = reasoning::details(signature, self.details, span);
        if !details.is_empty() {
            self.details += details.len();
            self.delta(json!({"reasoning_details": details}), out);
        }
    }

    fn end(&mut self, out: &mut Vec<Frame>) {
        if let EncodingPart::Custom(arguments) = std::mem::take(&mut self.open) {
            let input = tool_text::input(&arguments).unwrap_or(arguments);
            self.call_piece(CallInput::Custom { input: &input }, out);
        }
    }

    fn call_piece(&self, input: CallInput<'_>, out: &mut Vec<Frame>) {
        let index = self.calls.saturating_sub(1);
        let tool_calls = [EncodedCallPiece { index, input }];
        self.delta(CallDelta { tool_calls }, out);
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
            self.chunk::<Value>(&[], Some(Some(usage.into())), out);
        }
        out.push(frame(b"[DONE]".to_vec()));
    }

    fn fail(&mut self, error: &ProviderError, out: &mut Vec<Frame>) {
        self.ended = true;
        let translated = TranslatedError::new(&error::ERRORS, None, error);
        let body = error::render_error(&translated.body());
        out.push(frame(body.to_vec()));
    }

    fn delta(&self, delta: impl Serialize, out: &mut Vec<Frame>) {
        self.chunk(&[EncodedChoice::of(delta, None)], self.no_usage(), out);
    }

    /// The usage of all chunks but the last: null if the client asked for the usage, else missing.
    fn no_usage(&self) -> Option<Option<UsageObject>> {
        self.response_context.include_usage.then_some(None)
    }

    fn chunk<D: Serialize>(
        &self,
        choices: &[EncodedChoice<D>],
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

/// Returns an event without a name. No event of this dialect has one.
pub(crate) const fn frame(data: Vec<u8>) -> Frame {
    Frame {
        name: Cow::Borrowed(""),
        data,
    }
}

/// A delta with one member, which is a text. Each piece of a stream makes one, so it is written without a tree.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum TextDelta<'a> {
    Content(&'a str),
    ReasoningContent(&'a str),
    Refusal(&'a str),
}

/// A delta with a piece of a call.
#[derive(Serialize)]
struct CallDelta<'a> {
    tool_calls: [EncodedCallPiece<'a>; 1],
}

/// A piece of what the tool gets, written as `{"index": 0, "function": {"arguments": ".."}}`.
struct EncodedCallPiece<'a> {
    index: usize,
    input: CallInput<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum CallInput<'a> {
    Custom { input: &'a str },
    Function { arguments: &'a str },
}

impl Serialize for EncodedCallPiece<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut piece = serializer.serialize_struct("EncodedCallPiece", 2)?;
        piece.serialize_field("index", &self.index)?;
        let kind = match self.input {
            CallInput::Custom { .. } => "custom",
            CallInput::Function { .. } => "function",
        };
        piece.serialize_field(kind, &self.input)?;
        piece.end()
    }
}

#[derive(Serialize)]
struct EncodedChunk<'a, D> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [EncodedChoice<D>],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<UsageObject>>,
}

#[derive(Serialize)]
struct EncodedChoice<D> {
    index: u32,
    delta: D,
    logprobs: Option<Value>,
    finish_reason: Option<&'static str>,
}

impl<D> EncodedChoice<D> {
    const fn of(delta: D, finish_reason: Option<&'static str>) -> Self {
        Self {
            index: 0,
            delta,
            logprobs: None,
            finish_reason,
        }
    }
}

#[cfg(test)]
mod tests;
