//! What a response cost, read and written.

use serde_json::{Value, json};

use crate::Usage;

/// What a `usage` member says; none if it names no count. Input includes what was cached, and output what
/// was spent on reasoning, here as in the common form.
pub(super) fn decode(value: &Value) -> Option<Usage> {
    let (input, output) = (value.get("input_tokens"), value.get("output_tokens"));
    if input.is_none() && output.is_none() {
        return None;
    }
    let nested = |details: &str, name: &str| count(value.get(details).and_then(|it| it.get(name)));
    Some(Usage {
        input: count(input),
        output: count(output),
        cached_input: nested("input_tokens_details", "cached_tokens"),
        reasoning: nested("output_tokens_details", "reasoning_tokens"),
    })
}

/// A count; what is null, negative or no number counts for nothing.
fn count(value: Option<&Value>) -> u64 {
    value.and_then(Value::as_u64).unwrap_or(0)
}

/// As the member `usage`. How much was written to a cache is not known, and the member is a must.
pub(super) fn encode(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached_input, "cache_write_tokens": 0},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input.saturating_add(usage.output),
    })
}
