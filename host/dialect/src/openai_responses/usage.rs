//! Usage.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::Usage;
use crate::json::members;
use crate::usage::{INSIDE, ReportedUsage};

/// Reads a `usage` member; `None` if it has no count. At OpenAI input includes cached tokens, and output
/// includes reasoning tokens, as in the common form; elsewhere the total decides.
pub(super) fn decode(raw: &RawValue) -> Option<Usage> {
    let names = [
        "input_tokens",
        "output_tokens",
        "input_tokens_details",
        "output_tokens_details",
        "total_tokens",
    ];
    let [input, output, input_details, output_details, total] =
        members(raw.get(), names).ok()?.values;
    input.or(output)?;
    let nested = |details: Option<&RawValue>, name| {
        let found = details.and_then(|raw| members(raw.get(), [name]).ok());
        count(found.and_then(|found| found.values[0]))
    };
    let reported = ReportedUsage {
        input: count(input),
        output: count(output),
        cached_input: nested(input_details, "cached_tokens"),
        cache_write_input: nested(input_details, "cache_write_tokens"),
        reasoning: nested(output_details, "reasoning_tokens"),
        tool_input: 0,
        total: count(total),
    };
    Some(reported.resolve(INSIDE))
}

/// A count; 0 if it is null, negative or not a whole number.
fn count(raw: Option<&RawValue>) -> u64 {
    raw.and_then(|raw| raw.get().parse().ok()).unwrap_or(0)
}

/// Encodes the member `usage`. All its members are required.
pub(super) fn encode(usage: Usage) -> Value {
    let usage = usage.bounded();
    json!({
        "input_tokens": usage.input,
        "input_tokens_details": {
            "cached_tokens": usage.cached_input,
            "cache_write_tokens": usage.cache_write_input,
        },
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input.saturating_add(usage.output),
    })
}
