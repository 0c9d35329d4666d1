//! Errors that speak of the request: each credential would respond the same.

use jackfield_credential::{Scope, kind};

use super::Matcher::{Code, Phrase};
use super::{ANY, CLIENTS, INVALID_REQUEST, NONE, Rule, Statuses, rule};
use crate::classify::CONTEXT_LENGTH;

/// The longest request that a balance or a plan covers, not the balance itself.
const BALANCE: Statuses = &[NONE..=NONE, 400..=403];

pub(super) const RULES: &[Rule] = &[
    // The balance is enough for a smaller request.
    rule(
        BALANCE,
        Phrase(&[
            "can only afford",
            "fewer max_tokens",
            "prompt tokens limit exceeded",
        ]),
        (Scope::Request, kind::BILLING),
        "OpenRouter, 402: Gitlawb/openclaude#1125, anomalyco/opencode#12219, can1357/oh-my-pi#9569",
    ),
    // The context, whatever the status: gateways wrap the provider's 400 in a 502.
    rule(
        ANY,
        Code(&[
            "context_length_exceeded",
            "context_window_exceeded",
            "exceed_context_size_error",
            "model_context_window_exceeded",
            "model_max_prompt_tokens_exceeded",
            "string_above_max_length",
        ]),
        (Scope::Request, CONTEXT_LENGTH),
        "OpenAI, error codes; ggml-org/llama.cpp#15780; GitHub Copilot: NousResearch/hermes-agent#2507",
    ),
    rule(
        ANY,
        Phrase(&[
            "context size has been exceeded",
            "context_length_exceeded",
            "contextwindowexceedederror",
            "exceed context limit",
            "exceeded model token limit",
            "exceeds the available context size",
            "exceeds the context window",
            "exceeds the maximum number of tokens",
            "input is too long for requested model",
            "maximum context length",
            "prompt exceeds max length",
            "prompt is too long",
        ]),
        (Scope::Request, CONTEXT_LENGTH),
        "OpenAI, Anthropic, Gemini API, Amazon Bedrock, Moonshot, Zhipu, vLLM and LiteLLM, error messages; \
         cline/cline#13194, musistudio/claude-code-router#1799, ggml-org/llama.cpp#19774",
    ),
    rule(
        CLIENTS,
        Phrase(&[
            "context length",
            "context window",
            "range of input length should be",
            "reduce the length of the messages",
        ]),
        (Scope::Request, CONTEXT_LENGTH),
        "OpenAI, vLLM; Alibaba Model Studio, error codes, 400; CLIProxyAPI 1.19",
    ),
    // More tokens than the account's limit of one minute: no wait makes room for them.
    rule(
        CLIENTS,
        Phrase(&[
            "extra usage is required for long context",
            "must be reduced in order to run successfully",
            "request too large for",
        ]),
        (Scope::Request, CONTEXT_LENGTH),
        "OpenAI 429: Aider-AI/aider#1880; Groq 413: assafelovic/gpt-researcher#985; \
         Anthropic 429: anthropics/claude-code#42616, Wei-Shaw/sub2api#572",
    ),
    rule(
        CLIENTS,
        Code(&["request_too_large"]),
        (Scope::Request, kind::INVALID),
        "Anthropic, errors, 413",
    ),
    // The content.
    rule(
        CLIENTS,
        Code(&[
            "content_filter",
            "content_policy_violation",
            "cyber_policy",
            "data_inspection_failed",
            "datainspectionfailed",
            "invalid_prompt",
            "moderation_blocked",
            "responsibleaipolicyviolation",
        ]),
        (Scope::Request, kind::INVALID),
        "OpenAI, error codes; Azure OpenAI, content filtering; Alibaba Model Studio, error codes; \
         enricoros/big-AGI#712",
    ),
    rule(
        CLIENTS,
        Phrase(&[
            "considered high risk",
            "content filtering policy",
            "content management policy",
            "content violates usage guidelines",
            "flagged as potentially violating",
            "inappropriate content",
            "input was flagged",
        ]),
        (Scope::Request, kind::INVALID),
        "OpenRouter, errors, 403; Anthropic, errors; Azure OpenAI, content filtering; xAI, 403; \
         Moonshot, error codes; Alibaba Model Studio, error codes",
    ),
    // What this model does not do at this endpoint.
    rule(
        INVALID_REQUEST,
        Phrase(&[
            "does not support image",
            "does not support tools",
            "function calling is not enabled",
            "no allowed providers are available",
            "no endpoints found that can handle the requested parameters",
            "no endpoints found that support",
        ]),
        (Scope::Request, kind::UNSUPPORTED),
        "OpenRouter 404: evalstate/fast-agent#122, zed-industries/zed#36094, agent0ai/agent-zero#1255; \
         Ollama, tool support; Gemini API, 400",
    ),
    rule(
        INVALID_REQUEST,
        Phrase(&[
            "is a chat model and not supported in",
            "not a chat model",
            "only supported in v1/",
            "not supported in the v1/",
        ]),
        (Scope::Request, kind::UNSUPPORTED),
        "OpenAI 404: langbot-app/LangBot#400, n8n-io/n8n#18352",
    ),
    // A parameter. Many of these messages repeat what the client sent, without quotes, so they come
    // before the words about accounts.
    rule(
        INVALID_REQUEST,
        Phrase(&[
            "extra inputs are not permitted",
            "invalid json payload",
            "invalid value",
            "unexpected value",
            "unknown parameter",
            "unrecognized request argument",
            "unsupported parameter",
        ]),
        (Scope::Request, kind::INVALID),
        "OpenAI, Anthropic and Gemini API, error messages, 400",
    ),
    // An object that the request names and that does not exist for this account. The model does.
    rule(
        INVALID_REQUEST,
        Code(&["previous_response_not_found"]),
        (Scope::Request, kind::INVALID),
        "OpenAI, Responses, conversation state",
    ),
    rule(
        INVALID_REQUEST,
        Phrase(&[
            "cached content",
            "cachedcontent",
            "container with id",
            "conversation with id",
            "item with id",
            "items are not persisted",
            "no such file",
            "not found on container",
            "previous response with id",
            "prompt with id",
            "response with id",
            "vector store with id",
        ]),
        (Scope::Request, kind::INVALID),
        "OpenAI, Responses, conversation state, files and tools: sbslee/streamlit-openai#18; \
         Gemini API, context caching; CLIProxyAPI 1.19",
    ),
    // The client's body ended early.
    rule(
        &[NONE..=NONE, 400..=400, 408..=408],
        Code(&["request_incomplete"]),
        (Scope::Request, kind::INVALID),
        "RFC 9110, 15.5.9: the server waited for the rest of the request",
    ),
];
