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
            "cache_creation",
            "cache_read_input_tokens",
            "output_tokens",
            "output_tokens_details",
        ];
        let Ok(found) = members(raw.get(), names) else {
            return;
        };
        let [
            input,
            cache_written,
            cache_creation,
            cache_read,
            output,
            details,
        ] = found.values;
        let reasoning = details
            .and_then(|details| members(details.get(), ["thinking_tokens"]).ok())
            .and_then(|found| found.values[0]);
        let update = |now: &mut Option<u64>, raw| *now = count(raw).or(*now);
        update(&mut self.input, input);
        let cache_written = count(cache_written).or_else(|| written_by_lifetime(cache_creation?));
        self.cache_written = cache_written.or(self.cache_written);
        update(&mut self.cache_read, cache_read);
        update(&mut self.output, output);
        update(&mut self.reasoning, reasoning);
    }

    /// Returns the usage; `None` if there was no count.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.input.or(self.output)?;
        let cached_input = self.cache_read.unwrap_or(0);
        let cache_write_input = self.cache_written.unwrap_or(0);
        let input = self.input.unwrap_or(0);
        let usage = Usage {
            input: input
                .saturating_add(cache_write_input)
                .saturating_add(cached_input),
            output: self.output.unwrap_or(0),
            cached_input,
            cache_write_input,
            reasoning: self.reasoning.unwrap_or(0),
        };
        Some(usage.bounded())
    }
}

/// The sum of `cache_creation`, which splits the tokens written to a cache by their lifetime.
fn written_by_lifetime(cache_creation: &RawValue) -> Option<u64> {
    let names = ["ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"];
    let [minutes, hour] = members(cache_creation.get(), names).ok()?.values.map(count);
    minutes.or(hour)?;
    Some(minutes.unwrap_or(0).saturating_add(hour.unwrap_or(0)))
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
        let usage = usage.bounded();
        let thinking_tokens = usage.reasoning;
        Self {
            input_tokens: usage.uncached_input(),
            cache_creation_input_tokens: usage.cache_write_input,
            cache_read_input_tokens: usage.cached_input,
            output_tokens: usage.output,
            output_tokens_details: (thinking_tokens > 0)
                .then_some(OutputTokens { thinking_tokens }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_cache_writes_by_lifetime() -> Result<(), serde_json::Error> {
        // Servers of this dialect may have only the split (infinigence/octollm#113).
        let usage = r#"{"input_tokens":3,"cache_read_input_tokens":70,"output_tokens":5,
            "cache_creation":{"ephemeral_5m_input_tokens":15,"ephemeral_1h_input_tokens":5}}"#;
        let mut counts = TokenCounts::default();
        counts.merge(serde_json::from_str(usage)?);
        // A later count without it changes nothing.
        counts.merge(serde_json::from_str(r#"{"output_tokens":9}"#)?);
        let expected = Usage {
            input: 93,
            output: 9,
            cached_input: 70,
            cache_write_input: 20,
            reasoning: 0,
        };
        assert_eq!(counts.usage(), Some(expected));
        Ok(())
    }
}
