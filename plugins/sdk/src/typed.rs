//! Executors for providers with a format of their own: they read the request in the common form, with the functions of
//! [`conversation`], and return events, from which the host writes the dialects of all clients. The descriptor
//! declares the dialect [`COMMON`]. `wit/typed-reply.wit` has the promises.

use std::marker::PhantomData;

pub use crate::bindings::imports::jackfield::plugin::conversation::{self, Part, Tool};
pub use crate::bindings::typed_reply::exports::jackfield::plugin::typed_reply::{
    Annotation, Delta, Event, Finish, Item, Output as TypedOutput,
};
use crate::executor::{Executor, Failure, Frame, HttpHead, Judge, Payload, Scope, Target, Usage};

/// All that a typed executor needs.
pub mod prelude {
    pub use super::{
        COMMON, Message, PerFrame, ReadFrame, Tool, TypedConverter, TypedOutput, TypedReply,
        TypedResponse, conversation, text_messages,
    };
    pub use crate::executor::{
        Descriptor, Executor, Failure, Frame, HttpHead, HttpRequest, Judge, Payload, Plan,
        Response, Scope, SecretPlace, Target,
    };
}

/// The dialect of executors that read [`conversation`] and return events.
pub const COMMON: &str = "common";

/// Converts responses into events, for plans with `whole` or `frames`.
pub trait TypedReply: Executor {
    /// Converts the response of one plan.
    type EventConverter: TypedConverter;
}

/// Converts the response of one plan.
pub trait TypedConverter: Sized + 'static {
    /// Creates the converter with the plan's state. It may run in another instance than `prepare`.
    fn begin(target: Target, state: Vec<u8>) -> Self;

    /// Looks at the status and headers of the provider's response.
    ///
    /// # Errors
    /// A [`Failure`] if the response is an error in spite of its status.
    fn head(&mut self, _head: HttpHead) -> Result<(), Failure> {
        Ok(())
    }

    /// Converts the frames that are complete. `last` means that the response has ended.
    ///
    /// # Errors
    /// A [`Failure`] if the response turns out to be an error. Events of the same frames are lost then;
    /// [`TypedResponse::fail`] sends them first.
    fn push(&mut self, frames: Vec<Frame>, last: bool) -> Result<TypedOutput, Failure>;
}

/// Reads the frames of a response one by one, and errors. Such an executor is a [`Judge`] and a [`TypedReply`], which
/// `export_executor!(Mine, judge, typed_reply)` exports.
pub trait ReadFrame: Executor {
    /// Adds to the response what a frame says. Frames that are empty, such as empty lines, and those that are errors are
    /// left out.
    fn read_frame(frame: &[u8], response: &mut TypedResponse);

    /// Reads an error: the body of an error response with this status, or a frame, which has none. `None` for a frame that
    /// is no error, and for a response that is left to the host's own rules.
    fn read_error(data: &[u8], status: Option<u16>) -> Option<Failure>;
}

impl<E: ReadFrame> Judge for E {
    fn judge(_target: Target, head: HttpHead, body: Payload) -> Option<Failure> {
        let failure = E::read_error(body.as_bytes(), Some(head.status))?;
        Some(Failure {
            status: Some(head.status),
            ..failure
        })
    }
}

impl<E: ReadFrame> TypedReply for E {
    type EventConverter = PerFrame<E>;
}

/// A converter for responses that are read frame by frame, without state but the response so far. A response that
/// ends before the response was ended is a failure of the connection.
#[derive(Debug)]
pub struct PerFrame<E> {
    response: TypedResponse,
    executor: PhantomData<E>,
}

impl<E: ReadFrame> TypedConverter for PerFrame<E> {
    fn begin(_target: Target, _state: Vec<u8>) -> Self {
        Self {
            response: TypedResponse::default(),
            executor: PhantomData,
        }
    }

    fn push(&mut self, frames: Vec<Frame>, last: bool) -> Result<TypedOutput, Failure> {
        for frame in &frames {
            let data = frame.data.as_bytes().trim_ascii();
            if data.is_empty() || self.response.is_ended() {
                continue;
            }
            match E::read_error(data, None) {
                Some(failure) => self.response.fail(failure),
                None => E::read_frame(data, &mut self.response),
            }
        }
        if last && !self.response.is_ended() {
            let message = "the response of the provider ended early";
            let failure = Failure::new(Scope::TRANSPORT, "transient", message);
            self.response.fail(failure);
        }
        Ok(self.response.take())
    }
}

/// A part of a conversation for a provider that takes only text.
#[derive(Debug, Clone)]
pub enum Message {
    /// Text.
    Text {
        /// `user`, `assistant` or `system`.
        role: String,
        /// The text.
        text: String,
    },
    /// A call of a tool by the model.
    Call(conversation::ToolCall),
    /// The result of a tool.
    Result {
        /// The id of the call.
        id: String,
        /// Its texts.
        text: String,
    },
}

/// Returns the conversation as messages of text, one for each part. Reasoning is left out.
///
/// # Errors
/// A [`Failure`] of the client's request if it has media.
pub fn text_messages() -> Result<Vec<Message>, Failure> {
    let mut messages = Vec::new();
    for turn in conversation::turns(0, u32::MAX) {
        for block in turn.blocks {
            messages.push(match block.part {
                Part::Text(text) => Message::Text {
                    role: turn.role.clone(),
                    text,
                },
                Part::Call(call) => Message::Call(call),
                Part::Result(result) => Message::Result {
                    text: result.text(),
                    id: result.call_id,
                },
                Part::Reasoning(_) => continue,
                Part::Audio(_) | Part::Document(_) | Part::Image(_) | Part::Other(_) => {
                    return Err(Failure::classified(
                        "unsupported",
                        "this provider takes only text",
                    ));
                }
            });
        }
    }
    Ok(messages)
}

/// An response while it is written: it numbers the items, begins and ends them, and collects the events of one push. A
/// piece of another kind than the one before begins a new item.
#[derive(Debug, Default)]
pub struct TypedResponse {
    events: Vec<Event>,
    /// The index and the kind of the open item.
    open: Option<(u32, &'static str)>,
    next: u32,
    ended: bool,
}

impl TypedResponse {
    /// Adds a piece of text.
    pub fn text(&mut self, piece: &str) {
        self.piece("text", piece);
    }

    /// Adds a piece of reasoning.
    pub fn reasoning(&mut self, piece: &str) {
        self.piece("reasoning", piece);
    }

    /// Adds a piece of a refusal.
    pub fn refusal(&mut self, piece: &str) {
        self.piece("refusal", piece);
    }

    /// Adds the provider's signature of the reasoning, whole. It must be base64: clients of some dialects decode it.
    pub fn signature(&mut self, signature: &str) {
        let index = self.item("reasoning", "", "");
        self.delta(index, "opaque", signature);
    }

    /// Adds a whole call of a tool. `arguments` is the text of a JSON object; the id may be empty.
    pub fn call(&mut self, id: &str, name: &str, arguments: &str) {
        self.begin_call(id, name);
        self.arguments(arguments);
        self.end_item();
    }

    /// Begins a call of a tool, whose arguments follow in pieces.
    pub fn begin_call(&mut self, id: &str, name: &str) {
        self.end_item();
        self.item("call", id, name);
    }

    /// Adds a piece of the arguments of the call that was begun.
    pub fn arguments(&mut self, piece: &str) {
        if let Some((index, "call")) = self.open {
            self.delta(index, "arguments", piece);
        }
    }

    /// Reports the tokens so far; those that are not known count as none.
    pub fn usage(&mut self, input: Option<u64>, output: Option<u64>) {
        self.events.push(Event::Usage(Usage {
            input: input.unwrap_or_default(),
            output: output.unwrap_or_default(),
            cache_read: 0,
            cache_write: 0,
            reasoning: 0,
            options: Vec::new(),
        }));
    }

    /// Adds an event that has no function here.
    pub fn add(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Ends the response: `stop`, `length`, `tool-calls`, `content-filter`, `refusal`, or a word of the provider's.
    pub fn finish(&mut self, reason: &str) {
        self.end_item();
        self.ended = true;
        self.events.push(Event::Finish(Finish {
            candidate: 0,
            reason: reason.to_owned(),
            stop_sequence: None,
            options: Vec::new(),
        }));
    }

    /// Ends the response with an error of the provider. Call nothing after it.
    pub fn fail(&mut self, failure: Failure) {
        self.ended = true;
        self.events.push(Event::Failed(failure));
    }

    /// Whether the response was ended.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Returns the events since the last call, for the host.
    pub fn take(&mut self) -> TypedOutput {
        TypedOutput {
            events: std::mem::take(&mut self.events),
            done: self.ended,
            next: None,
            options: Vec::new(),
        }
    }

    /// Nothing to add is no item.
    fn piece(&mut self, kind: &'static str, piece: &str) {
        if piece.is_empty() {
            return;
        }
        let index = self.item(kind, "", "");
        self.delta(index, "text", piece);
    }

    fn delta(&mut self, index: u32, kind: &str, data: &str) {
        self.events.push(Event::Delta(Delta {
            index,
            kind: kind.to_owned(),
            data: Payload::Text(data.to_owned()),
            options: Vec::new(),
        }));
    }

    /// The index of the open item of this kind, which is begun if there is none.
    fn item(&mut self, kind: &'static str, id: &str, name: &str) -> u32 {
        if let Some((index, open)) = self.open
            && open == kind
        {
            return index;
        }
        self.end_item();
        let index = self.next;
        self.next += 1;
        self.open = Some((index, kind));
        self.events.push(Event::Begin(Item {
            index,
            candidate: 0,
            kind: kind.to_owned(),
            id: id.to_owned(),
            name: name.to_owned(),
            options: Vec::new(),
        }));
        index
    }

    fn end_item(&mut self) {
        if let Some((index, _)) = self.open.take() {
            self.events.push(Event::End(index));
        }
    }
}

impl conversation::ToolResult {
    /// The texts of the result, each on lines of its own.
    pub fn text(&self) -> String {
        let texts = self.content.iter().filter_map(|part| match part {
            conversation::SimplePart::Text(text) => Some(text.as_str()),
            conversation::SimplePart::Image(_) | conversation::SimplePart::Document(_) => None,
        });
        texts.collect::<Vec<_>>().join("\n")
    }
}
