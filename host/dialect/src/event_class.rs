//! The class of an event of a provider's stream.

use crate::ProviderError;

/// What one event of a provider's stream means for the host. The host commits to a stream at the first
/// [`EventClass::Content`]; before it, the call can still fail over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventClass {
    /// A part of the response: text, reasoning, a tool call, a refusal, an image, a finish reason.
    Content,
    /// The end of the stream.
    Done,
    /// The provider reports a failure.
    Error(ProviderError),
    /// Not a valid event of the dialect: a client would fail on it.
    Malformed,
    /// Valid, but no part of the response: a role, filter results, usage, a ping.
    Preamble,
}
