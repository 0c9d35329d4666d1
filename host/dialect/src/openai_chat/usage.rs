//! The member `usage`. Providers agree only on its first two members, and not on what these include.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::Usage;
use crate::json::members;
use crate::usage::{INSIDE, ReportedUsage};

/// Decodes a `usage` member; `None` if it has neither of the two main counts. Reasoning is inside of the
/// completion at OpenAI and beside it at xAI (<https://docs.x.ai/docs/key-information/consumption-and-rate-limits>),
/// so the total decides.
pub(super) fn decode(raw: &RawValue) -> Option<Usage> {
    let names = [
        "prompt_tokens",
        "completion_tokens",
        "prompt_tokens_details",
        "completion_tokens_details",
        "total_tokens",
        // DeepSeek and Moonshot have the cached tokens here, not in the details.
        "prompt_cache_hit_tokens",
        "cached_tokens",
        // LiteLLM repeats Anthropic's members, also where the details have none.
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        // mlx-vlm has the names of the Responses API (earendil-works/pi#2326).
        "input_tokens",
        "output_tokens",
    ];
    let [
        input,
        output,
        input_details,
        output_details,
        total,
        hit,
        cached,
        read,
        written,
        other_input,
        other_output,
    ] = members(raw.get(), names).ok()?.values;
    let (input, output) = (input.or(other_input), output.or(other_output));
    if input.is_none() && output.is_none() {
        return None;
    }
    let cached = nested(input_details, "cached_tokens")
        .or(hit)
        .or(cached)
        .or(read);
    let written = nested(input_details, "cache_write_tokens")
        .or_else(|| nested(input_details, "cached_creation_tokens"))
        .or_else(|| nested(input_details, "cache_creation_tokens"))
        .or(written);
    let reported = ReportedUsage {
        input: count(input),
        output: count(output),
        cached_input: count(cached),
        cache_write_input: count(written),
        reasoning: count(nested(output_details, "reasoning_tokens")),
        tool_input: 0,
        total: count(total),
    };
    Some(reported.resolve(INSIDE))
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
    /// OpenAI has it since GPT-5.6, OpenRouter for all models.
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_write_tokens: Option<u64>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct CompletionTokensDetails {
    reasoning_tokens: u64,
}

impl From<Usage> for UsageObject {
    fn from(usage: Usage) -> Self {
        let usage = usage.bounded();
        Self {
            prompt_tokens: usage.input,
            completion_tokens: usage.output,
            total_tokens: usage.input.saturating_add(usage.output),
            prompt_tokens_details: PromptTokensDetails {
                cached_tokens: usage.cached_input,
                cache_write_tokens: Some(usage.cache_write_input).filter(|count| *count > 0),
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

    fn counts_of(text: &str) -> Option<[u64; 5]> {
        let usage = decode(serde_json::from_str(text).ok()?)?;
        Some([
            usage.input,
            usage.output,
            usage.cached_input,
            usage.cache_write_input,
            usage.reasoning,
        ])
    }

    #[test]
    fn reads_counts_in_every_provider_layout() {
        let cases = [
            (
                r#"{"prompt_tokens":9,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":2}}"#,
                Some([9, 5, 3, 0, 2]),
            ),
            (
                r#"{"prompt_tokens":9,"prompt_tokens_details":null,"prompt_cache_hit_tokens":4}"#,
                Some([9, 0, 4, 0, 0]),
            ),
            (
                r#"{"prompt_tokens":9,"completion_tokens":null,"cached_tokens":4}"#,
                Some([9, 0, 4, 0, 0]),
            ),
            (
                r#"{"prompt_tokens":9.0,"completion_tokens":-1}"#,
                Some([9, 0, 0, 0, 0]),
            ),
            (
                r#"{"prompt_tokens":1e99,"completion_tokens":99999999999999999999}"#,
                Some([0, 0, 0, 0, 0]),
            ),
            (
                r#"{"prompt_tokens":"9","completion_tokens":{}}"#,
                Some([0, 0, 0, 0, 0]),
            ),
            // OpenAI since GPT-5.6, OpenRouter: router-for-me/CLIProxyAPI#4262, #5956.
            (
                r#"{"prompt_tokens":100,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":40,"cache_write_tokens":20}}"#,
                Some([100, 5, 40, 20, 0]),
            ),
            // new-api's word for the same, and LiteLLM's.
            (
                r#"{"prompt_tokens":100,"completion_tokens":5,"prompt_tokens_details":{"cached_creation_tokens":20}}"#,
                Some([100, 5, 0, 20, 0]),
            ),
            (
                r#"{"prompt_tokens":100,"completion_tokens":5,"cache_read_input_tokens":40,"cache_creation_input_tokens":20,"total_tokens":105}"#,
                Some([100, 5, 40, 20, 0]),
            ),
            // The cache beside the prompt.
            (
                r#"{"prompt_tokens":40,"completion_tokens":5,"cache_read_input_tokens":40,"cache_creation_input_tokens":20,"total_tokens":105}"#,
                Some([100, 5, 40, 20, 0]),
            ),
            (
                r#"{"input_tokens":11,"output_tokens":5,"total_tokens":16}"#,
                Some([11, 5, 0, 0, 0]),
            ),
            ("{}", None),
            ("null", None),
            ("[1]", None),
        ];
        for (text, expected) in cases {
            assert_eq!(counts_of(text), expected, "{text}");
        }
    }

    #[test]
    fn usage_has_total_of_provider() {
        let cases = [
            // xAI: Wei-Shaw/sub2api#5771, vercel/ai#12425, and OpenAI with the same split.
            (
                r#"{"prompt_tokens":10120,"completion_tokens":1499,"total_tokens":14428,"prompt_tokens_details":{"cached_tokens":128},"completion_tokens_details":{"reasoning_tokens":2809}}"#,
                Some([10120, 4308, 128, 0, 2809]),
            ),
            (
                r#"{"prompt_tokens":10120,"completion_tokens":4308,"total_tokens":14428,"prompt_tokens_details":{"cached_tokens":128},"completion_tokens_details":{"reasoning_tokens":2809}}"#,
                Some([10120, 4308, 128, 0, 2809]),
            ),
            // The same without a total: 386 tokens do not fit into 1.
            (
                r#"{"prompt_tokens":12,"completion_tokens":1,"completion_tokens_details":{"reasoning_tokens":386}}"#,
                Some([12, 387, 0, 0, 386]),
            ),
            // No total, as Databricks streams (tensorzero/tensorzero#4217): OpenAI's arithmetic.
            (
                r#"{"prompt_tokens":120,"completion_tokens":30,"prompt_tokens_details":{"cached_tokens":80},"completion_tokens_details":{"reasoning_tokens":10}}"#,
                Some([120, 30, 80, 0, 10]),
            ),
            // DeepSeek's members without a total: hits and misses are the prompt.
            (
                r#"{"prompt_tokens":120,"completion_tokens":30,"prompt_cache_hit_tokens":80,"prompt_cache_miss_tokens":40}"#,
                Some([120, 30, 80, 0, 0]),
            ),
            // A gateway before Claude without a total: 80 cached tokens do not fit into 40.
            (
                r#"{"prompt_tokens":40,"completion_tokens":30,"cache_read_input_tokens":80}"#,
                Some([120, 30, 80, 0, 0]),
            ),
            // A total that no arithmetic confirms: OpenAI's, and what is missing is output.
            (
                r#"{"prompt_tokens":120,"completion_tokens":30,"total_tokens":170,"completion_tokens_details":{"reasoning_tokens":10}}"#,
                Some([120, 50, 0, 0, 10]),
            ),
            // A total that is too small, as of gateways that leave out the cache.
            (
                r#"{"prompt_tokens":120,"completion_tokens":30,"total_tokens":70,"prompt_tokens_details":{"cached_tokens":80}}"#,
                Some([120, 30, 80, 0, 0]),
            ),
            // A gateway before Gemini: router-for-me/CLIProxyAPI#5733.
            (
                r#"{"prompt_tokens":21,"completion_tokens":0,"total_tokens":81,"completion_tokens_details":{"reasoning_tokens":60}}"#,
                Some([21, 60, 0, 0, 60]),
            ),
            // Gemini's API for OpenAI's clients: no count of the thoughts (mozilla-ai/any-llm#1290).
            (
                r#"{"prompt_tokens":20,"completion_tokens":198,"total_tokens":623}"#,
                Some([20, 603, 0, 0, 0]),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(counts_of(text), expected, "{text}");
        }
    }
}
