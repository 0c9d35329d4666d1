//! What a `usage` says, which comes in pieces: a later count replaces an earlier one.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::Usage;
use crate::json::members;

/// The counts told so far. This API's `input_tokens` leaves out what was read from a cache and what
/// was written to one; all three together are what the model read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TokenCounts {
    input: Option<u64>,
    cache_written: Option<u64>,
    cache_read: Option<u64>,
    output: Option<u64>,
    reasoning: Option<u64>,
}

impl TokenCounts {
    /// Takes what a `usage` member says; what it leaves out stays as it was.
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

    /// All of it; none if nothing was told.
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

/// A `usage` member that says this much.
pub(super) fn encode_usage(usage: Usage) -> Value {
    let mut written = json!({
        "input_tokens": usage.input.saturating_sub(usage.cached_input),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_input,
        "output_tokens": usage.output,
    });
    if usage.reasoning > 0 {
        written["output_tokens_details"] = json!({"thinking_tokens": usage.reasoning});
    }
    written
}
