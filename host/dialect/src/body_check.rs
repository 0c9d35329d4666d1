//! The check of a whole response whose status promises success.

use crate::{ProviderError, Usage};

/// What the body of a 2xx response that is not streamed holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyCheck {
    /// A response with content.
    Complete {
        /// The usage, if the provider sent it.
        usage: Option<Usage>,
    },
    /// No body, or a response with neither content nor a finish reason.
    Empty,
    /// An error, in spite of the status.
    Error(ProviderError),
    /// Not a response: HTML, or a truncated body.
    Malformed,
}
