//! Errors that speak of the model, and of the capacity for it.

use jackfield_credential::{Scope, kind};

use super::Matcher::{Code, Phrase};
use super::{ACCOUNT, INVALID_REQUEST, NONE, Rule, Statuses, rule};

/// Statuses of limits.
const LIMIT: Statuses = &[NONE..=NONE, 429..=429];

/// As [`INVALID_REQUEST`], and 401: a gateway's key may be valid for other models.
const KEY_OF_GATEWAY: Statuses = &[NONE..=NONE, 400..=403];

pub(super) const RULES: &[Rule] = &[
    rule(
        INVALID_REQUEST,
        Code(&[
            "deploymentnotfound",
            "model_decommissioned",
            "model_not_found",
            "modelnotfound",
            "unknown_model",
        ]),
        (Scope::Model, kind::NOT_FOUND),
        "OpenAI, error codes; Azure OpenAI, errors; Groq, deprecations; Alibaba Model Studio, error codes",
    ),
    rule(
        INVALID_REQUEST,
        Code(&[
            "model_not_available",
            "model_not_supported",
            "operationnotsupported",
            "unsupported_model",
        ]),
        (Scope::Model, kind::UNSUPPORTED),
        "OpenAI, error codes; Azure OpenAI, errors; CLIProxyAPI 1.19",
    ),
    rule(
        INVALID_REQUEST,
        Code(&["model.accessdenied", "model_terms_required"]),
        (Scope::Model, kind::PERMISSION),
        "Groq, errors; Alibaba Model Studio, error codes, 403",
    ),
    rule(
        KEY_OF_GATEWAY,
        Code(&["key_model_access_denied", "team_model_access_denied"]),
        (Scope::Model, kind::PERMISSION),
        "LiteLLM, virtual keys: models of a key, 401",
    ),
    rule(
        INVALID_REQUEST,
        Phrase(&[
            "does not exist or your team",
            "does not support this model",
            "invalid model:",
            "is not a valid model",
            "is not found for api version",
            "model \"\" not found",
            "model '' not found",
            "model `` does not exist",
            "model does not exist",
            "model not exist",
            "model not found",
            "not found for account",
            "not found the model",
            "was not found or your project does not have access",
        ]),
        (Scope::Model, kind::NOT_FOUND),
        "OpenRouter 400; Gemini API 404: swuecho/chat#597; Vertex AI 404; DeepSeek 400; vLLM and Ollama 404; \
         Mistral 400; Moonshot 404; xAI 404; NVIDIA NIM 404: Alishahryar1/free-claude-code#1021",
    ),
    rule(
        INVALID_REQUEST,
        Phrase(&[
            "model is not supported",
            "model not supported",
            "on-demand throughput isn",
            "unsupported model",
        ]),
        (Scope::Model, kind::UNSUPPORTED),
        "OpenAI, Codex with a subscription, 400; Amazon Bedrock 400: anthropics/claude-code#1466; \
         CLIProxyAPI 1.19",
    ),
    rule(
        INVALID_REQUEST,
        Phrase(&["access to the model with the specified model id"]),
        (Scope::Model, kind::PERMISSION),
        "Amazon Bedrock 403: dirkpetersen/our-chat#3",
    ),
    // Another organization may be verified, and this one may use the model without a stream.
    rule(
        INVALID_REQUEST,
        Phrase(&["organization must be verified"]),
        (Scope::Provider, kind::PERMISSION),
        "OpenAI 400: lobehub/lobehub#9385",
    ),
    // Limits that are not those of a minute.
    rule(
        LIMIT,
        Phrase(&["free-models-per-day", "too many tokens per day"]),
        (Scope::Model, kind::QUOTA),
        "OpenRouter, limits: Gitlawb/openclaude#936; Amazon Bedrock: minorun365/agent-book#29",
    ),
    // A request that is larger than the limit of a minute, and of an account without any limit: both are
    // sent away for a day. Other requests need not wait.
    rule(
        &[429..=429],
        Phrase(&["retry after 86400 seconds"]),
        (Scope::Provider, kind::TRANSIENT),
        "Azure OpenAI: vanderschaarlab/climb#1, jasonacox/TinyLLM#17",
    ),
    // The provider's capacity, with the status of a limit.
    rule(
        LIMIT,
        Code(&["engine_overloaded_error", "queue_exceeded"]),
        (Scope::Provider, kind::OVERLOADED),
        "Moonshot 429: MoonshotAI/kimi-cli#2209; Cerebras 429, error codes",
    ),
    rule(
        LIMIT,
        Phrase(&[
            "experiencing high demand",
            "no capacity available for model",
            "rate-limited upstream",
            "service tier capacity exceeded",
        ]),
        (Scope::Provider, kind::OVERLOADED),
        "Azure: pollinations/pollinations#6260; Gemini: google-gemini/gemini-cli#27548; OpenRouter: \
         open-webui/computer#293; Mistral: continuedev/continue#6185",
    ),
    rule(
        ACCOUNT,
        Code(&["server_is_overloaded", "slow_down"]),
        (Scope::Provider, kind::OVERLOADED),
        "OpenAI, error codes, 503; Codex: openai/codex (api_bridge.rs)",
    ),
];
