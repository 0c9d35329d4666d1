//! The usage of a response, and the arithmetic of providers' counts.

mod reported;

pub(crate) use reported::{BESIDE_GEMINI, INSIDE, ReportedUsage};

/// The usage of a response, in tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input tokens, cached ones included.
    pub input: u64,
    /// Output tokens, reasoning included.
    pub output: u64,
    /// The part of `input` that was read from a cache.
    pub cached_input: u64,
    /// The part of `input` that was written to a cache. No token is both read and written.
    pub cache_write_input: u64,
    /// The part of `output` that was spent on reasoning.
    pub reasoning: u64,
}

impl Usage {
    /// Returns the usage with no part larger than its whole, so that the parts add up to the whole in every
    /// dialect.
    #[must_use]
    pub fn bounded(self) -> Self {
        let cached_input = self.cached_input.min(self.input);
        Self {
            cached_input,
            cache_write_input: self.cache_write_input.min(self.input - cached_input),
            reasoning: self.reasoning.min(self.output),
            ..self
        }
    }

    /// The part of `input` that was neither read from a cache nor written to one.
    #[must_use]
    pub fn uncached_input(self) -> u64 {
        let Self {
            input,
            cached_input,
            cache_write_input,
            ..
        } = self.bounded();
        input - cached_input - cache_write_input
    }
}
