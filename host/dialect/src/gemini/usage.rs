//! Token counts: `usageMetadata`. Google counts reasoning apart from the output, and the results of its own
//! tools apart from the prompt. The common form includes both in the larger count. Gateways of this dialect
//! have the reasoning inside of the output as well, so the total decides.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::Usage;
use crate::json::{members, string};
use crate::usage::{BESIDE_GEMINI, ReportedUsage};

/// Reads a `usageMetadata`; `None` if it has no count.
pub(super) fn decode(raw: &RawValue) -> Option<Usage> {
    let names = [
        "promptTokenCount",
        "toolUsePromptTokenCount",
        "cachedContentTokenCount",
        "candidatesTokenCount",
        "thoughtsTokenCount",
        "totalTokenCount",
    ];
    let [prompt, tool_prompt, cached, candidates, reasoning, total] =
        members(raw.get(), names).ok()?.values;
    // A total alone cannot be split into input and output.
    prompt.or(candidates).or(reasoning)?;
    let reported = ReportedUsage {
        input: count(prompt),
        output: count(candidates),
        cached_input: count(cached),
        // The API has no count of it.
        cache_write_input: 0,
        reasoning: count(reasoning),
        tool_input: count(tool_prompt),
        total: count(total),
    };
    Some(reported.resolve(BESIDE_GEMINI))
}

/// A count; 0 if it is missing or not a whole number. Protobuf JSON may write numbers as strings.
fn count(raw: Option<&RawValue>) -> u64 {
    let parsed = raw.and_then(|raw| match string(raw) {
        Some(text) => text.parse().ok(),
        None => {
            let text = raw.get();
            let whole = || whole_number(text.parse().ok()?);
            text.parse().ok().or_else(whole)
        }
    });
    parsed.unwrap_or(0)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked"
)]
fn whole_number(number: f64) -> Option<u64> {
    (0.0..1e15).contains(&number).then_some(number as u64)
}

/// A `usageMetadata` for a client. As in the API, an optional count of zero is left out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UsageMetadata {
    prompt_token_count: u64,
    candidates_token_count: u64,
    total_token_count: u64,
    #[serde(skip_serializing_if = "is_zero")]
    cached_content_token_count: u64,
    #[serde(skip_serializing_if = "is_zero")]
    thoughts_token_count: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl From<Usage> for UsageMetadata {
    fn from(usage: Usage) -> Self {
        let usage = usage.bounded();
        Self {
            prompt_token_count: usage.input,
            candidates_token_count: usage.output - usage.reasoning,
            total_token_count: usage.input.saturating_add(usage.output),
            cached_content_token_count: usage.cached_input,
            thoughts_token_count: usage.reasoning,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn decode_value(value: &Value) -> Option<Usage> {
        let text = value.to_string();
        let raw: &RawValue = serde_json::from_str(&text).ok()?;
        decode(raw)
    }

    #[test]
    fn output_includes_reasoning() -> Result<(), serde_json::Error> {
        let wire = json!({"promptTokenCount": 100, "cachedContentTokenCount": 40,
            "candidatesTokenCount": 20, "thoughtsTokenCount": 30, "totalTokenCount": 150});
        let usage = Usage {
            input: 100,
            output: 50,
            cached_input: 40,
            reasoning: 30,
            ..Usage::default()
        };
        assert_eq!(decode_value(&wire), Some(usage));
        assert_eq!(serde_json::to_value(UsageMetadata::from(usage))?, wire);
        Ok(())
    }

    #[test]
    fn total_decides_whether_reasoning_is_inside() {
        // The API: mozilla-ai/any-llm#1290; without candidates: router-for-me/CLIProxyAPI#5733. A gateway
        // that counts as OpenAI does. Google's own tools: CultivateLabs/raif#470.
        let cases = [
            (
                json!({"promptTokenCount": 20, "candidatesTokenCount": 198, "thoughtsTokenCount": 405, "totalTokenCount": 623}),
                (20, 603, 405),
            ),
            (
                json!({"promptTokenCount": 21, "thoughtsTokenCount": 60, "totalTokenCount": 81}),
                (21, 60, 60),
            ),
            (
                json!({"promptTokenCount": 20, "candidatesTokenCount": 603, "thoughtsTokenCount": 405, "totalTokenCount": 623}),
                (20, 603, 405),
            ),
            // Without a total, as Google documents: thoughts beside the candidates, tool use beside the prompt.
            (
                json!({"promptTokenCount": 20, "candidatesTokenCount": 198, "thoughtsTokenCount": 100}),
                (20, 298, 100),
            ),
            (
                json!({"promptTokenCount": 20, "toolUsePromptTokenCount": 300, "candidatesTokenCount": 50, "thoughtsTokenCount": 30}),
                (320, 80, 30),
            ),
            (
                json!({"promptTokenCount": 20, "toolUsePromptTokenCount": 300, "candidatesTokenCount": 50, "thoughtsTokenCount": 30, "totalTokenCount": 400}),
                (320, 80, 30),
            ),
            (
                json!({"promptTokenCount": 320, "toolUsePromptTokenCount": 300, "candidatesTokenCount": 50, "thoughtsTokenCount": 30, "totalTokenCount": 400}),
                (320, 80, 30),
            ),
        ];
        for (wire, expected) in cases {
            let usage = decode_value(&wire).unwrap_or_default();
            let found = (usage.input, usage.output, usage.reasoning);
            assert_eq!(found, expected, "{wire}");
        }
    }

    #[test]
    fn ignores_invalid_counts() {
        assert_eq!(decode_value(&json!({"totalTokenCount": 7})), None);
        assert_eq!(decode_value(&json!(null)), None);
        let odd = json!({"promptTokenCount": "9", "toolUsePromptTokenCount": 1.0, "candidatesTokenCount": -1});
        let usage = Usage {
            input: 10,
            ..Usage::default()
        };
        assert_eq!(decode_value(&odd), Some(usage));
    }
}
