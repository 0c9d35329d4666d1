//! A stream as a sequence of events.

use std::borrow::Cow;

use super::part::{Citation, Part};
use super::response::FinishReason;
use super::signature::Signature;
use crate::{EventClass, ProviderError, Usage};

/// One event of a streamed answer.
///
/// Their order: [`Start`](Event::Start) once; then parts, one after the other, each a
/// [`PartStart`](Event::Begin), any number of [`DeltaScan`](Event::Delta)s and an [`PartEnd`](Event::End); then
/// [`FinishReason`](Event::Finish) and [`Done`](Event::Done). [`Usage`](Event::Usage) may come anywhere
/// after the start, more than once: the last one counts, and the last one before `Done` is whole.
/// [`Error`](Event::Error) may come anywhere; nothing follows it. Decoders keep this order, whatever
/// the provider does, and encoders rely on it.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A part begins. Only one is open at a time.
    PartStart(PartStart),
    /// A piece of the open part.
    Delta(Delta),
    /// The stream has said all.
    Done,
    /// The open part ends.
    PartEnd,
    /// The provider reports a failure.
    Error(ProviderError),
    /// Why the answer ends. No part is open.
    Finish(FinishReason),
    /// The answer begins.
    Start {
        /// The provider's id of it; empty if it gave none.
        id: String,
        /// The provider's name of the model; empty if it gave none.
        model: String,
    },
    /// What it cost, so far.
    Usage(Usage),
}

impl Event {
    /// Whether the event holds a part of the response. A part that begins empty is no content: what
    /// follows may be an error.
    pub(crate) fn is_content(&self) -> bool {
        match self {
            Self::PartStart(
                PartStart::Text | PartStart::Refusal | PartStart::Reasoning { redacted: false },
            ) => false,
            Self::PartStart(_) | Self::Delta(_) | Self::Finish(_) => true,
            Self::Done | Self::Error(_) | Self::PartEnd | Self::Start { .. } | Self::Usage(_) => {
                false
            }
        }
    }
}

/// What kind of part begins.
#[derive(Clone, Debug, PartialEq)]
pub enum PartStart {
    /// Reasoning; `write_redacted` if only its signature will come.
    Reasoning {
        /// Whether its text is hidden.
        redacted: bool,
    },
    /// The model's words for not answering.
    Refusal,
    /// Text.
    Text,
    /// A call of a tool. Its arguments follow.
    ToolCall {
        /// As [`ToolCall::sanitize_id`](super::ToolCall::id).
        id: String,
        /// The tool's name; never empty.
        name: String,
        /// As [`ToolCall::signature`](super::ToolCall::signature).
        signature: Option<Signature>,
    },
    /// A part that comes whole, such as a picture. No delta follows.
    Complete(Part),
}

/// A piece of the open part. Never an empty text.
#[derive(Clone, Debug, PartialEq)]
pub enum Delta {
    /// A piece of a call's arguments, as JSON text.
    Arguments(String),
    /// What the text cites.
    Citation(Citation),
    /// A piece of the reasoning.
    Reasoning(String),
    /// A piece of a refusal.
    Refusal(String),
    /// The reasoning's signature, whole.
    Signature(Signature),
    /// A piece of the text.
    Text(String),
}

impl Delta {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Arguments(text)
            | Self::Reasoning(text)
            | Self::Refusal(text)
            | Self::Text(text) => text.is_empty(),
            Self::Citation(_) | Self::Signature(_) => false,
        }
    }
}

/// One event on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The name of the server-sent event; empty where it has none.
    pub name: Cow<'static, str>,
    /// Its data.
    pub data: Vec<u8>,
}

/// Reads the events of one provider's stream. It holds a few words and what is open, however long
/// the stream is.
pub trait EventDecoder: Send {
    /// Reads one server-sent event, appends its events to `out`, and classifies it.
    ///
    /// # Errors
    /// If it is not a valid event of the dialect. The decoder must not be used after that.
    fn event(
        &mut self,
        name: &str,
        data: &[u8],
        out: &mut Vec<Event>,
    ) -> Result<EventClass, Malformed>;

    /// Ends the stream, whether or not the provider sent its last event. After a finish reason, missing
    /// trailing events are synthesized, [`Event::Done`] at last; otherwise the stream was truncated, and
    /// there is no `Done`.
    fn finish(&mut self, out: &mut Vec<Event>);

    /// Whether there was any content. A stream that completes without is an empty response.
    fn has_content(&self) -> bool;
}

/// Writes the events of one client's stream.
pub trait EventEncoder: Send {
    /// Writes one event. Nothing is written after `Done` or `Error`.
    fn event(&mut self, event: &Event, out: &mut Vec<Frame>);
}

/// Why something that a provider sent cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the provider's answer makes no sense: {0}")]
pub struct Malformed(
    /// What is wrong, without any of its content.
    pub &'static str,
);

impl Malformed {
    /// A call that says of no tool that it is called: no client could do anything with it.
    pub(crate) const UNNAMED_CALL: Self = Self("a tool call has no name");
}
