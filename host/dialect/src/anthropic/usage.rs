//! Usage. A stream sends it in pieces: a later count replaces an earlier one.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::Usage;
use crate::json::members;

/// The counts so far. This API's `input_tokens` excludes tokens read from a cache and written to one;
/// the sum of the three is the input.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TokenCounts {
    input: Option<u64>,
    cache_written: Option<u64>,
    cache_read: Option<u64>,
    output: Option<u64>,
    reasoning: Option<u64>,
}

impl TokenCounts {
    /// Merges a `usage` member. Missing counts stay as they were.
    pub(super) fn merge(&mut self, raw: &RawValue) {
        let names = [
            "input_tokens",
            "cache_creation_input_tokens",
            "cache_read_input_tokens",
            "output_tokens",
            "output_tokens_details",
        ];
        let Ok(found) = members(raw.get(), names) else {
            return;
        };
        let [input, cache_written, cache_read, output, details] = found.values;
        let reasoning = details
            .and_then(|details| members(details.get(), ["thinking_tokens"]).ok())
            .and_then(|found| found.values[0]);
        let update = |now: &mut Option<u64>, raw| *now = count(raw).or(*now);
        update(&mut self.input, input);
        update(&mut self.cache_written, cache_written);
        update(&mut self.cache_read, cache_read);
        update(&mut self.output, output);
        update(&mut self.reasoning, reasoning);
    }

    /// Returns the usage; `None` if there was no count.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.input.or(self.output)?;
        let cached_input = self.cache_read.unwrap_or(0);
        let fresh = [self.input, self.cache_written];
        let input = fresh
            .into_iter()
            .flatten()
            .fold(cached_input, u64::saturating_add);
        Some(Usage {
            input,
            output: self.output.unwrap_or(0),
            cached_input,
            reasoning: self.reasoning.unwrap_or(0),
        })
    }
}

fn count(raw: Option<&RawValue>) -> Option<u64> {
    raw?.get().parse().ok()
}

/// A `usage` member for a client.
#[derive(Serialize)]
pub(super) struct MessageUsage {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens_details: Option<OutputTokens>,
}

#[derive(Serialize)]
struct OutputTokens {
    thinking_tokens: u64,
}

impl From<Usage> for MessageUsage {
    fn from(usage: Usage) -> Self {
        let thinking_tokens = usage.reasoning;
        Self {
            input_tokens: usage.input.saturating_sub(usage.cached_input),
            cache_creation_input_tokens: 0,
            cache_read_input_tokens: usage.cached_input,
            output_tokens: usage.output,
            output_tokens_details: (thinking_tokens > 0)
                .then_some(OutputTokens { thinking_tokens }),
        }
    }
}
