//! `usageMetadata`. Google counts what a model thought beside what it answered, and pages that its own
//! tools read beside the prompt; the common form has each inside the other.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::Usage;

/// What a `usageMetadata` says; none if it names no count.
pub(super) fn decode_raw(raw: &RawValue) -> Option<Usage> {
    decode(&serde_json::from_str(raw.get()).ok()?)
}

/// As [`decode_raw`].
pub(super) fn decode(value: &Value) -> Option<Usage> {
    let members = value.as_object()?;
    let known = [PROMPT, CANDIDATES, REASONING];
    if !known.iter().any(|name| members.contains_key(*name)) {
        return None;
    }
    let reasoning = count(members, REASONING);
    Some(Usage {
        input: count(members, PROMPT).saturating_add(count(members, TOOL_PROMPT)),
        output: count(members, CANDIDATES).saturating_add(reasoning),
        cached_input: count(members, CACHED),
        reasoning,
    })
}

/// As the API writes it: counts of nothing are left out, but for the first two and the total.
pub(super) fn encode(usage: &Usage) -> Value {
    let mut written = json!({
        PROMPT: usage.input,
        CANDIDATES: usage.output.saturating_sub(usage.reasoning),
        "totalTokenCount": usage.input.saturating_add(usage.output),
    });
    for (name, count) in [(CACHED, usage.cached_input), (REASONING, usage.reasoning)] {
        if count > 0 {
            written[name] = count.into();
        }
    }
    written
}

/// A count; what is missing or none counts for nothing. Proto JSON may print numbers as texts.
fn count(members: &Map<String, Value>, name: &str) -> u64 {
    match members.get(name) {
        Some(Value::Number(number)) => number
            .as_u64()
            .or_else(|| whole_number(number.as_f64()?))
            .unwrap_or(0),
        Some(Value::String(text)) => text.parse().unwrap_or(0),
        _ => 0,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked"
)]
fn whole_number(number: f64) -> Option<u64> {
    (0.0..1e15).contains(&number).then_some(number as u64)
}

const CACHED: &str = "cachedContentTokenCount";
const CANDIDATES: &str = "candidatesTokenCount";
const PROMPT: &str = "promptTokenCount";
const REASONING: &str = "thoughtsTokenCount";
const TOOL_PROMPT: &str = "toolUsePromptTokenCount";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_includes_reasoning() {
        let wire = json!({"promptTokenCount": 100, "cachedContentTokenCount": 40,
            "candidatesTokenCount": 20, "thoughtsTokenCount": 30, "totalTokenCount": 150});
        let usage = Usage {
            input: 100,
            output: 50,
            cached_input: 40,
            reasoning: 30,
        };
        assert_eq!(decode(&wire), Some(usage));
        assert_eq!(encode(&usage), wire);
    }

    #[test]
    fn ignores_invalid_counts() {
        assert_eq!(decode(&json!({"totalTokenCount": 7})), None);
        assert_eq!(decode(&json!(null)), None);
        let odd = json!({"promptTokenCount": "9", "toolUsePromptTokenCount": 1.0, "candidatesTokenCount": -1});
        let usage = Usage {
            input: 10,
            ..Usage::default()
        };
        assert_eq!(decode(&odd), Some(usage));
    }
}
