//! What the streams of a reply have in common: the trait, its results, and the one judgement of what
//! an event means. A leaf: it knows none of the streams.

use std::collections::VecDeque;

use bytes::Bytes;
use jackfield_credential::{Failure, Outcome};
use jackfield_dialect::{EventClass, ProviderError, Usage};

use super::source::{ReadError, Source};
use crate::classify;
use crate::memory::MemoryFull;
use crate::port::{PluginFault, Rejection};

/// A provider's response, read piece by piece and written in the client's format.
pub(super) trait ReplyStream {
    /// Waits for the next piece from the provider, and appends what the client gets to `queue`.
    ///
    /// # Errors
    /// When the provider, its plugin or the connection fails, or a timeout passes. What a failed poll
    /// appended is still for the client.
    async fn poll(&mut self, queue: &mut VecDeque<Bytes>) -> Result<Polled, StreamError>;

    /// Returns the provider's body.
    fn source(&self) -> &Source;

    /// Returns the provider's body, to change its timeouts.
    fn source_mut(&mut self) -> &mut Source;

    /// Returns how many bytes of the provider are held back, besides those in the queue.
    fn held_bytes(&self) -> usize;

    /// Returns the usage last reported, if the stream has any.
    fn usage(&self) -> Option<Usage>;

    /// Prepares for the client: from now on everything in the queue is sent.
    fn on_commit(&mut self);

    /// Returns the bytes that end a committed stream with an error. `None` where the format has no
    /// error event; the connection must be closed then.
    fn fail(&mut self, message: &str) -> Option<Bytes>;
}

/// How far a stream has come after one poll, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Polled {
    /// No content yet.
    Buffered,
    /// Content.
    Content,
    /// The response is complete. Trailing bytes may follow.
    Complete,
    /// The stream has ended.
    End,
}

/// Why a stream failed.
#[derive(Debug)]
pub(crate) enum StreamError {
    /// The provider or the connection to it failed.
    Upstream(Failure),
    /// The provider reported an error in its response.
    Reported(Box<ReportedFailure>),
    /// The provider sent nothing for too long.
    Timeout(Failure),
    /// The provider failed, and its own error event is for the client.
    WithEvent(Failure, Bytes),
    /// The call's deadline passed.
    DeadlineExceeded,
    /// All calls together hold too much. No provider is to blame.
    MemoryFull(MemoryFull),
    /// The plugin failed.
    Plugin(PluginFault),
    /// The plugin wrote what is no response of its dialect.
    InvalidOutput {
        fault: PluginFault,
        /// How it begins. It may show a secret.
        returned: Option<Bytes>,
    },
}

/// An error that the provider reported in its response.
#[derive(Debug)]
pub(crate) struct ReportedFailure {
    pub(crate) failure: Failure,
    /// The error as the provider reported it.
    pub(crate) error: ProviderError,
}

/// Judges what one event means for the commit and the end of a stream. `is_complete` is called at the
/// event that ends the stream: whether there was all that the dialect demands, with content.
///
/// # Errors
/// When the event is an error, is malformed, or ends a stream that is not complete.
pub(super) fn judge(
    class: EventClass,
    is_complete: impl FnOnce() -> bool,
) -> Result<Polled, StreamError> {
    match class {
        EventClass::Preamble => Ok(Polled::Buffered),
        EventClass::Content => Ok(Polled::Content),
        EventClass::Done if is_complete() => Ok(Polled::Complete),
        EventClass::Done => Err(StreamError::invalid_response(EMPTY)),
        EventClass::Error(error) => Err(StreamError::reported(error)),
        EventClass::Malformed => Err(StreamError::invalid_response(MALFORMED)),
    }
}

impl StreamError {
    /// An unusable response of good status. The message says why.
    pub(super) fn invalid_response(message: &str) -> Self {
        Self::Upstream(classify::invalid_response(message))
    }

    /// An error that the provider reported in its response.
    pub(super) fn reported(error: ProviderError) -> Self {
        let failure = classify::stream_error(&error);
        Self::Reported(Box::new(ReportedFailure { failure, error }))
    }

    /// The provider closed the stream before it was complete.
    pub(super) fn ended_early() -> Self {
        // A connection that was cut is the likely cause, and it must cool no credential.
        Self::Upstream(classify::transport(ENDED_EARLY.to_owned()))
    }

    /// The same error, with the provider's own error event for the client.
    pub(super) fn with_event(self, event: Bytes) -> Self {
        match self {
            Self::Upstream(failure) => Self::WithEvent(failure, event),
            Self::Reported(reported) => Self::WithEvent(reported.failure, event),
            other => other,
        }
    }

    /// Takes the provider's own error event.
    pub(super) fn take_event(&mut self) -> Option<Bytes> {
        match self {
            Self::WithEvent(_, event) => Some(std::mem::take(event)),
            _ => None,
        }
    }

    /// Returns the provider's failure, if it is one.
    pub(super) fn failure_mut(&mut self) -> Option<&mut Failure> {
        match self {
            Self::Upstream(failure) | Self::Timeout(failure) | Self::WithEvent(failure, _) => {
                Some(failure)
            }
            Self::Reported(reported) => Some(&mut reported.failure),
            Self::DeadlineExceeded
            | Self::MemoryFull(_)
            | Self::Plugin(_)
            | Self::InvalidOutput { .. } => None,
        }
    }

    /// Returns the outcome with which the lease is settled.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Upstream(failure) | Self::Timeout(failure) | Self::WithEvent(failure, _) => {
                Outcome::Failed(failure.clone())
            }
            Self::Reported(reported) => Outcome::Failed(reported.failure.clone()),
            Self::DeadlineExceeded | Self::MemoryFull(_) => Outcome::Cancelled,
            Self::Plugin(_) | Self::InvalidOutput { .. } => Outcome::Inconclusive,
        }
    }

    /// Returns the message for the client.
    pub(super) fn message(&self) -> String {
        match self {
            Self::Upstream(failure) | Self::Timeout(failure) | Self::WithEvent(failure, _) => {
                failure.message.clone()
            }
            Self::Reported(reported) => reported.failure.message.clone(),
            Self::DeadlineExceeded => "the call exceeded its deadline".to_owned(),
            Self::MemoryFull(full) => full.to_string(),
            Self::Plugin(fault) | Self::InvalidOutput { fault, .. } => fault.to_string(),
        }
    }
}

impl From<ReadError> for StreamError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Transport(error) => Self::Upstream(classify::transport(error.to_string())),
            ReadError::Timeout(error) => Self::Timeout(classify::transport(error.to_string())),
            ReadError::Deadline => Self::DeadlineExceeded,
        }
    }
}

impl From<MemoryFull> for StreamError {
    fn from(full: MemoryFull) -> Self {
        Self::MemoryFull(full)
    }
}

impl From<Rejection> for StreamError {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Refused(refusal) => Self::Upstream(refusal.failure),
            Rejection::Fault(fault) => Self::Plugin(fault),
        }
    }
}

/// Error text for a stream that ended without content.
const EMPTY: &str = "the provider's stream ended without content";

/// Error text for a stream that was cut off.
pub(super) const ENDED_EARLY: &str = "the provider's stream ended before it was complete";

/// Error text for an event that its dialect does not allow.
const MALFORMED: &str = "malformed event in the provider's stream";
