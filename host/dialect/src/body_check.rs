//! What a whole answer, with a status that promises success, really says.

use crate::{ProviderError, Usage};

/// What the body of a 2xx answer, not streamed, says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyCheck {
    /// An answer with something in it.
    Complete {
        /// What it cost, if it says so.
        usage: Option<Usage>,
    },
    /// Nothing: no body, or an answer without content or a reason for having none.
    Empty,
    /// An error inside a success.
    Error(ProviderError),
    /// No answer at all: HTML, a broken-off body.
    Malformed,
}
