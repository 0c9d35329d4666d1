//! What one event of a provider's stream means for the host.

use crate::ProviderError;

/// What one event of a provider's stream means. The host commits to a stream at the first
/// [`EventClass::ContentScan`]; everything before it can still fail over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventClass {
    /// Part of the answer itself: text, reasoning, a tool call, a refusal, an image, a finish reason.
    Content,
    /// The end that the dialect demands.
    Done,
    /// The provider reports a failure.
    Error(ProviderError),
    /// Not what the dialect says an event is; a client would stumble over it.
    Malformed,
    /// Well-formed, and no part of the answer: a role, filter results, usage, a ping.
    Preamble,
}
