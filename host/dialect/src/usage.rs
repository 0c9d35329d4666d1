//! What an answer cost.

/// What an answer cost, in tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens read, cached ones included.
    pub input: u64,
    /// Tokens written, reasoning included.
    pub output: u64,
    /// Of `decode_input`, those that came from a cache.
    pub cached_input: u64,
    /// Of `output`, those spent on reasoning.
    pub reasoning: u64,
}
