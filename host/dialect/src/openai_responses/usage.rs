//! Usage.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::Usage;
use crate::json::members;

/// Reads a `usage` member; `None` if it has no count. Input includes cached tokens, and output includes
/// reasoning tokens, here as in the common form.
pub(super) fn decode(raw: &RawValue) -> Option<Usage> {
    let names = [
        "input_tokens",
        "output_tokens",
        "input_tokens_details",
        "output_tokens_details",
    ];
    let [input, output, input_details, output_details] = members(raw.get(), names).ok()?.values;
    input.or(output)?;
    let nested = |details: Option<&RawValue>, name| {
        let found = details.and_then(|raw| members(raw.get(), [name]).ok());
        count(found.and_then(|found| found.values[0]))
    };
    Some(Usage {
        input: count(input),
        output: count(output),
        cached_input: nested(input_details, "cached_tokens"),
        reasoning: nested(output_details, "reasoning_tokens"),
    })
}

/// A count; 0 if it is null, negative or not a whole number.
fn count(raw: Option<&RawValue>) -> u64 {
    raw.and_then(|raw| raw.get().parse().ok()).unwrap_or(0)
}

/// Encodes the member `usage`. The number of tokens written to a cache is unknown, but the member is
/// required.
pub(super) fn encode(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached_input, "cache_write_tokens": 0},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input.saturating_add(usage.output),
    })
}
