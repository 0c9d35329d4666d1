//! The usage of a response.

/// The usage of a response, in tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input tokens, cached ones included.
    pub input: u64,
    /// Output tokens, reasoning included.
    pub output: u64,
    /// The part of `input` that was read from a cache.
    pub cached_input: u64,
    /// The part of `output` that was spent on reasoning.
    pub reasoning: u64,
}
