//! The table of codes and phrases by which providers report a class, with their sources.

use super::ErrorClass;
use crate::ProviderError;

use ErrorClass::{
    Authentication, ContentPolicy, ContextLength, InvalidRequest, NotFound, Overloaded, Permission,
    Quota, RateLimit, Timeout, TooLarge,
};

/// One class, with the codes and the phrases that stand for it. All in lower case.
struct Rule {
    class: ErrorClass,
    /// Values of `code`, `type` and `status`.
    codes: &'static [&'static str],
    /// Parts of messages of providers that have no code for the class.
    phrases: &'static [&'static str],
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "documents the rule, and tests read it")
    )]
    source: &'static str,
}

/// Returns the class of the first rule that matches.
pub(super) fn find(error: &ProviderError) -> Option<ErrorClass> {
    let message = error.full_message().to_ascii_lowercase();
    let codes = [&error.code, &error.kind].into_iter().flatten();
    let codes = codes.filter(|code| *code != TEXT_TOO_LONG || is_about_prompt(error));
    let mut codes: Vec<String> = codes.map(|code| code.to_ascii_lowercase()).collect();
    // Some providers send only a code: `{"error": "context_length_exceeded"}`.
    if !message.contains(' ') {
        codes.push(message.clone());
    }
    let matches = |rule: &&Rule| {
        rule.codes
            .iter()
            .any(|code| codes.iter().any(|own| own == code))
            || rule.phrases.iter().any(|phrase| message.contains(phrase))
    };
    RULES.iter().find(matches).map(|rule| rule.class)
}

/// OpenAI's code for every text that is too long: a prompt, but also an id or a name.
const TEXT_TOO_LONG: &str = "string_above_max_length";

/// Whether the invalid member is a text of the prompt: `input`, `messages[3].content`.
fn is_about_prompt(error: &ProviderError) -> bool {
    let param = error.param.as_deref().unwrap_or("input");
    let member = param.rsplit('.').next().unwrap_or_default();
    [
        "content",
        "input",
        "instructions",
        "output",
        "prompt",
        "text",
    ]
    .iter()
    .any(|name| {
        member.trim_end_matches(|end: char| end == ']' || end == '[' || end.is_ascii_digit())
            == *name
    })
}

/// The rules, the most specific first: a general code (`RESOURCE_EXHAUSTED`, `rate_limit_exceeded`) may stand
/// beside a message that has the true reason. Codes that only repeat a status are in
/// `provider_error::status_for_code`.
const RULES: &[Rule] = &[
    // The balance covers a smaller request, so this is no quota of the account: to pay or to wait is not the only
    // way out. Such a 402 would say to a client that its own account has no balance.
    Rule {
        class: InvalidRequest,
        codes: &[],
        phrases: &["can only afford", "fewer max_tokens"],
        source: "OpenRouter, 402: Gitlawb/openclaude#1125, anomalyco/opencode#12219",
    },
    Rule {
        class: ContextLength,
        codes: &[
            "context_length_exceeded",
            "context_window_exceeded",
            "exceed_context_size_error",
            "model_context_window_exceeded",
            "model_max_prompt_tokens_exceeded",
            TEXT_TOO_LONG,
        ],
        phrases: &[
            "context size has been exceeded",
            "context_length_exceeded",
            "exceed context limit",
            "exceeded model token limit",
            "exceeds the available context size",
            "exceeds the context window",
            "exceeds the maximum number of tokens",
            "exceeds the model's maximum context length",
            "input is too long for requested model",
            "maximum context length",
            "must be reduced in order to run successfully",
            "prompt exceeds max length",
            "prompt is too long",
            // A shorter prompt is all that helps, whatever limits it: here the balance (OpenRouter).
            "prompt tokens limit exceeded",
            "range of input length should be",
            "reduce the length of the messages",
        ],
        source: "OpenAI, Anthropic, Gemini API, Amazon Bedrock, Moonshot, Zhipu, Alibaba, vLLM, error messages; \
            ggml-org/llama.cpp#15780, NousResearch/hermes-agent#2507, cline/cline#13194, \
            musistudio/claude-code-router#1799, Aider-AI/aider#1880, continuedev/continue#11227",
    },
    Rule {
        class: Quota,
        codes: &[
            "billing_error",
            "billing_hard_limit_reached",
            "billing_not_active",
            "insufficient_balance",
            "insufficient_credits",
            "insufficient_quota",
            "insufficient_user_quota",
            "payment_required",
            "usage_limit_reached",
            "usage_not_included",
        ],
        phrases: &[
            "credit balance is too low",
            "insufficient balance",
            "insufficient credits",
            "prepayment credits are depleted",
            "requires more credits",
        ],
        source: "OpenAI, error codes; Anthropic, errors and 400; DeepSeek and OpenRouter, 402; Codex, \
            codex-api/src/api_bridge.rs",
    },
    Rule {
        class: ContentPolicy,
        codes: &[
            "content_filter",
            "content_policy_violation",
            "cyber_policy",
            "data_inspection_failed",
            "datainspectionfailed",
            "invalid_prompt",
            "moderation_blocked",
            "responsibleaipolicyviolation",
        ],
        phrases: &[
            "considered high risk",
            "content filtering policy",
            "content management policy",
            "content violates usage guidelines",
            "flagged as potentially violating",
            "input was flagged",
        ],
        source: "OpenAI, error codes; Azure OpenAI, content filtering; Alibaba Model Studio, error codes; \
            OpenRouter and xAI, 403; Anthropic, errors; Moonshot, error codes; Codex, sse/responses.rs",
    },
    Rule {
        class: Authentication,
        codes: &[
            "account_deactivated",
            "api_key_invalid",
            "authentication_error",
            "invalid_api_key",
            "unauthenticated",
        ],
        phrases: &["api key expired", "api key not valid"],
        source: "OpenAI, error codes; Anthropic, errors; google.rpc.Code; Gemini API, troubleshooting, 400",
    },
    Rule {
        class: Permission,
        codes: &[
            "organization_restricted",
            "permission_denied",
            "permission_error",
            "unsupported_country_region_territory",
        ],
        phrases: &[],
        source: "OpenAI, error codes, 403; Anthropic, errors; Groq, errors; google.rpc.Code",
    },
    Rule {
        class: NotFound,
        codes: &[
            "deploymentnotfound",
            "model_decommissioned",
            "model_not_found",
            "not_found",
            "not_found_error",
            "unknown_model",
        ],
        phrases: &["is not found for api version", "model does not exist"],
        source: "OpenAI, error codes; Azure OpenAI, errors; Groq, deprecations; Anthropic, errors; Gemini API, 404",
    },
    Rule {
        class: TooLarge,
        codes: &["request_too_large"],
        phrases: &[],
        source: "Anthropic, errors, 413",
    },
    Rule {
        class: Overloaded,
        codes: &[
            "engine_overloaded_error",
            "overloaded_error",
            "server_is_overloaded",
            "service_unavailable_error",
            "slow_down",
            "unavailable",
        ],
        phrases: &[],
        source: "Anthropic, errors, 529; OpenAI, error codes, 503; Moonshot, error codes; google.rpc.Code; Codex, \
            codex-api/src/api_bridge.rs",
    },
    Rule {
        class: RateLimit,
        codes: &[
            "rate_limit_error",
            "rate_limit_exceeded",
            "rate_limit_reached_error",
            "resource_exhausted",
            "too_many_requests",
        ],
        phrases: &[],
        source: "Anthropic, errors, 429; OpenAI, error codes, 429; Moonshot, error codes; google.rpc.Code",
    },
    Rule {
        class: Timeout,
        codes: &["deadline_exceeded", "timeout_error"],
        phrases: &[],
        source: "Anthropic, errors, 504; google.rpc.Code",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_lowercase_and_have_sources() {
        for rule in RULES {
            assert!(!rule.source.is_empty(), "{:?}", rule.class);
            for text in rule.codes.iter().chain(rule.phrases) {
                assert_eq!(text.to_ascii_lowercase(), *text);
            }
        }
    }
}
