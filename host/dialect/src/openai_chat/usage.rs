//! The member `usage`. Providers agree only on its first two members.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::Usage;
use crate::json::members;

/// Decodes a `usage` member; `None` if it has neither of the two main counts.
pub(super) fn decode(raw: &RawValue) -> Option<Usage> {
    let names = [
        "prompt_tokens",
        "completion_tokens",
        "prompt_tokens_details",
        "completion_tokens_details",
        // DeepSeek and Moonshot have the cached tokens here, not in the details.
        "prompt_cache_hit_tokens",
        "cached_tokens",
    ];
    let [input, output, input_details, output_details, hit, cached] =
        members(raw.get(), names).ok()?.values;
    if input.is_none() && output.is_none() {
        return None;
    }
    Some(Usage {
        input: count(input),
        output: count(output),
        cached_input: count(nested(input_details, "cached_tokens").or(hit).or(cached)),
        reasoning: count(nested(output_details, "reasoning_tokens")),
    })
}

/// The member `usage` of a response, as OpenAI has it.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct UsageObject {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptTokensDetails,
    completion_tokens_details: CompletionTokensDetails,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct PromptTokensDetails {
    cached_tokens: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct CompletionTokensDetails {
    reasoning_tokens: u64,
}

impl From<Usage> for UsageObject {
    fn from(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.input,
            completion_tokens: usage.output,
            total_tokens: usage.input.saturating_add(usage.output),
            prompt_tokens_details: PromptTokensDetails {
                cached_tokens: usage.cached_input,
            },
            completion_tokens_details: CompletionTokensDetails {
                reasoning_tokens: usage.reasoning,
            },
        }
    }
}

fn nested<'a>(details: Option<&'a RawValue>, name: &'static str) -> Option<&'a RawValue> {
    members(details?.get(), [name]).ok()?.values[0]
}

/// Returns a count; 0 if it is null, negative or not a number.
fn count(raw: Option<&RawValue>) -> u64 {
    let Some(text) = raw.map(RawValue::get) else {
        return 0;
    };
    text.parse().unwrap_or_else(|_| parse_whole_number(text))
}

/// Parses a count with a decimal point, as some languages print whole numbers. Returns 0 for anything else,
/// such as a negative number, or one with an exponent or more than 64 bits.
fn parse_whole_number(text: &str) -> u64 {
    let (digits, zeros) = text.split_once('.').unwrap_or((text, ""));
    let fraction = zeros.bytes().all(|byte| byte.is_ascii_digit());
    if fraction {
        digits.parse().unwrap_or(0)
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts_of(text: &str) -> Option<[u64; 4]> {
        let usage = decode(serde_json::from_str(text).ok()?)?;
        Some([
            usage.input,
            usage.output,
            usage.cached_input,
            usage.reasoning,
        ])
    }

    #[test]
    fn reads_counts_in_every_provider_layout() {
        let cases = [
            (
                r#"{"prompt_tokens":9,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":2}}"#,
                Some([9, 5, 3, 2]),
            ),
            (
                r#"{"prompt_tokens":9,"prompt_tokens_details":null,"prompt_cache_hit_tokens":4}"#,
                Some([9, 0, 4, 0]),
            ),
            (
                r#"{"prompt_tokens":9,"completion_tokens":null,"cached_tokens":4}"#,
                Some([9, 0, 4, 0]),
            ),
            (
                r#"{"prompt_tokens":9.0,"completion_tokens":-1}"#,
                Some([9, 0, 0, 0]),
            ),
            (
                r#"{"prompt_tokens":1e99,"completion_tokens":99999999999999999999}"#,
                Some([0, 0, 0, 0]),
            ),
            (
                r#"{"prompt_tokens":"9","completion_tokens":{}}"#,
                Some([0, 0, 0, 0]),
            ),
            ("{}", None),
            ("null", None),
            ("[1]", None),
        ];
        for (text, expected) in cases {
            assert_eq!(counts_of(text), expected, "{text}");
        }
    }
}
