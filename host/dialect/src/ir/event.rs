//! A stream as a sequence of events.

use std::borrow::Cow;

use super::finish_reason::FinishReason;
use super::part::{Citation, Part, ReasoningPart, ToolCall};
use super::signature::Signature;
use crate::{EventClass, ProviderError, Usage};

/// One event of a streamed response.
///
/// The order: [`Start`](Event::Start) once; then parts, one after the other, each a
/// [`PartStart`](Event::PartStart), any number of [`Delta`](Event::Delta)s and a
/// [`PartEnd`](Event::PartEnd); then [`Finish`](Event::Finish) and [`Done`](Event::Done).
/// [`Usage`](Event::Usage) may come anywhere after the start, more than once: the last one counts, and
/// the last one before `Done` is complete. [`Error`](Event::Error) may come anywhere; nothing follows
/// it. Decoders keep this order, whatever the provider does, and encoders rely on it.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A part begins. Only one part is open at a time.
    PartStart(PartStart),
    /// A piece of the open part.
    Delta(Delta),
    /// The stream is complete.
    Done,
    /// The open part ends.
    PartEnd,
    /// The provider reports a failure.
    Error(ProviderError),
    /// Why the response ends. No part is open.
    Finish(FinishReason),
    /// The response begins.
    Start {
        /// The provider's id of the response; empty if it sent none.
        id: String,
        /// The provider's name of the model; empty if it sent none.
        model: String,
    },
    /// The usage so far.
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

impl Event {
    /// How many bytes it takes to hold the event.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let text = match self {
            Self::Delta(
                Delta::Arguments(text)
                | Delta::Reasoning(text)
                | Delta::Refusal(text)
                | Delta::Text(text),
            ) => text.len(),
            Self::Delta(Delta::Signature(signature)) => signature.data.len(),
            Self::PartStart(PartStart::Complete(Part::Image(media) | Part::Audio(media))) => {
                media.source.held_bytes()
            }
            _ => 0,
        };
        size_of::<Self>() + text
    }
}

/// Which kind of part begins.
#[derive(Clone, Debug, PartialEq)]
pub enum PartStart {
    /// Reasoning.
    Reasoning {
        /// Whether the provider hides the text: only a signature follows.
        redacted: bool,
    },
    /// The model's refusal, in its own words.
    Refusal,
    /// Text.
    Text,
    /// A tool call. Its arguments follow.
    ToolCall {
        /// As [`ToolCall::id`](super::ToolCall::id).
        id: String,
        /// The tool's name; never empty.
        name: String,
        /// As [`ToolCall::signature`](super::ToolCall::signature).
        signature: Option<Signature>,
    },
    /// A complete part, such as an image. No delta follows.
    Complete(Part),
}

/// A piece of the open part. Never an empty text.
#[derive(Clone, Debug, PartialEq)]
pub enum Delta {
    /// A piece of the arguments, as JSON text.
    Arguments(String),
    /// A citation of the text.
    Citation(Citation),
    /// A piece of the reasoning.
    Reasoning(String),
    /// A piece of a refusal.
    Refusal(String),
    /// The complete signature of the reasoning.
    Signature(Signature),
    /// A piece of the text.
    Text(String),
}

impl PartStart {
    /// Returns the part before its first delta.
    #[must_use]
    pub(crate) fn into_part(self) -> Part {
        match self {
            Self::Reasoning { redacted } => Part::Reasoning(ReasoningPart {
                text: String::new(),
                signature: None,
                redacted,
            }),
            Self::Refusal => Part::Refusal(String::new()),
            Self::Text => Part::text(""),
            Self::ToolCall {
                id,
                name,
                signature,
            } => Part::ToolCall(ToolCall {
                id,
                name,
                arguments: String::new(),
                signature,
            }),
            Self::Complete(part) => part,
        }
    }
}

impl Delta {
    /// Adds the delta to the part that is open. Decoders send none for a part of another kind.
    pub(crate) fn append_to(self, part: Option<&mut Part>) {
        match (part, self) {
            (Some(Part::Text { text, .. }), Self::Text(more))
            | (Some(Part::Refusal(text)), Self::Refusal(more)) => text.push_str(&more),
            (Some(Part::Text { citations, .. }), Self::Citation(citation)) => {
                citations.push(citation);
            }
            (Some(Part::Reasoning(reasoning)), Self::Reasoning(more)) => {
                reasoning.text.push_str(&more);
            }
            (Some(Part::Reasoning(reasoning)), Self::Signature(signature)) => {
                reasoning.signature = Some(signature);
            }
            (Some(Part::ToolCall(call)), Self::Arguments(more)) => call.arguments.push_str(&more),
            _ => {}
        }
    }

    /// Whether it is an empty text.
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

/// Reads the events of one provider's stream. It keeps only what is open, however long the stream is.
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

    /// Returns how many bytes of the response are held for a later event.
    fn held_bytes(&self) -> usize {
        0
    }
}

/// Why a provider's response or event cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid response from the provider: {0}")]
pub struct Malformed(
    /// What is wrong, without any of the content.
    pub &'static str,
);

impl Malformed {
    /// A tool call without a name: no client can act on it.
    pub(crate) const UNNAMED_CALL: Self = Self("a tool call has no name");
}
