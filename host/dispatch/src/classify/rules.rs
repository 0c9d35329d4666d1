//! The table of the host's rules: what each error response means, and the source of each rule.
//!
//! The first rule that matches counts, so the most specific ones come first: challenges, then codes, then
//! phrases, then statuses. Rules with the status [`NONE`] also match errors inside a response with a
//! success status. The sources "CLIProxyAPI 1.19" name sections of the compatibility rules (`host/auth`).

use std::ops::RangeInclusive;

use jackfield_credential::{Scope, kind};

use super::CONTEXT_LENGTH;

/// One rule.
pub(super) struct Rule {
    /// The status codes that the rule matches.
    pub(super) status: Statuses,
    /// The condition on the error's texts.
    pub(super) matcher: Matcher,
    /// The scope and the kind of the failure.
    pub(super) classification: (Scope, &'static str),
    /// The document that says so.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "documents the rule, and tests read it")
    )]
    pub(super) source: &'static str,
}

/// What a rule looks for beside the status.
pub(super) enum Matcher {
    /// Matches every error.
    Anything,
    /// A bot-challenge page.
    Challenge,
    /// The error's code, type or status, or its whole message, is one of these. In lower case.
    Code(&'static [&'static str]),
    /// The message contains one of these. In lower case.
    Phrase(&'static [&'static str]),
}

type Statuses = &'static [RangeInclusive<u16>];

/// Stands for an error inside a response with a success status.
pub(super) const NONE: u16 = 0;

const ANY: Statuses = &[NONE..=NONE, 400..=999];

/// All client errors: providers report faults of the request, the model and the account with any of
/// them.
const CLIENTS: Statuses = &[NONE..=NONE, 400..=499];

/// Statuses of invalid requests. Providers use them for accounts and models as well.
const INVALID_REQUEST: Statuses = &[
    NONE..=NONE,
    400..=400,
    404..=404,
    405..=407,
    409..=428,
    430..=499,
];

const ACCOUNT: Statuses = &[NONE..=NONE, 400..=400, 402..=403, 409..=499];

const STREAM: Statuses = &[NONE..=NONE];

const fn rule(
    status: Statuses,
    matcher: Matcher,
    classification: (Scope, &'static str),
    source: &'static str,
) -> Rule {
    Rule {
        status,
        matcher,
        classification,
        source,
    }
}

use Matcher::{Anything, Challenge, Code, Phrase};
use Scope::{Credential, Model, Provider, Request};

/// The rules, the most specific first.
pub(super) const RULES: &[Rule] = &[
    // Not the provider's API at all.
    rule(
        &[403..=403, 429..=429, 503..=503],
        Challenge,
        (Provider, kind::OVERLOADED),
        "Cloudflare, detecting a challenge page; CLIProxyAPI 1.19",
    ),
    // The account, whatever the status.
    rule(
        &[NONE..=NONE, 400..=401, 403..=403],
        Code(&["invalid_grant"]),
        (Credential, kind::AUTHENTICATION),
        "RFC 6749, section 5.2; CLIProxyAPI 1.19",
    ),
    rule(
        ACCOUNT,
        Code(&[
            "billing_error",
            "billing_hard_limit_reached",
            "billing_not_active",
            "insufficient_balance",
            "insufficient_credits",
            "insufficient_user_quota",
            "payment_required",
        ]),
        (Credential, kind::BILLING),
        "OpenAI, error codes; Anthropic, errors; OpenRouter, errors",
    ),
    rule(
        CLIENTS,
        Code(&["insufficient_quota"]),
        (Credential, kind::QUOTA),
        "OpenAI, error codes, 429",
    ),
    rule(
        &[NONE..=NONE, 429..=429],
        Code(&["usage_limit_reached"]),
        (Credential, kind::QUOTA),
        "OpenAI, Codex usage limits",
    ),
    rule(
        ACCOUNT,
        Code(&[
            "account_deactivated",
            "api_key_invalid",
            "authentication_error",
            "invalid_api_key",
            "unauthenticated",
        ]),
        (Credential, kind::AUTHENTICATION),
        "OpenAI, error codes; Anthropic, errors; google.rpc.Code",
    ),
    rule(
        ACCOUNT,
        Code(&[
            "organization_restricted",
            "unsupported_country_region_territory",
        ]),
        (Credential, kind::PERMISSION),
        "OpenAI, error codes, 403; Groq, errors",
    ),
    // The request: every provider would reject it.
    rule(
        CLIENTS,
        Code(&["context_length_exceeded", "string_above_max_length"]),
        (Request, CONTEXT_LENGTH),
        "OpenAI, error codes",
    ),
    rule(
        CLIENTS,
        Code(&[
            "content_filter",
            "content_policy_violation",
            "responsibleaipolicyviolation",
        ]),
        (Request, kind::INVALID),
        "OpenAI, error codes; Azure OpenAI, content filtering",
    ),
    rule(
        CLIENTS,
        Code(&["request_too_large"]),
        (Request, kind::INVALID),
        "Anthropic, errors, 413",
    ),
    // The model.
    rule(
        INVALID_REQUEST,
        Code(&[
            "deploymentnotfound",
            "model_decommissioned",
            "model_not_found",
            "unknown_model",
        ]),
        (Model, kind::NOT_FOUND),
        "OpenAI, error codes; Azure OpenAI, errors; Groq, deprecations",
    ),
    rule(
        INVALID_REQUEST,
        Code(&[
            "model_not_available",
            "model_not_supported",
            "operationnotsupported",
            "unsupported_model",
        ]),
        (Model, kind::UNSUPPORTED),
        "OpenAI, error codes; Azure OpenAI, errors; CLIProxyAPI 1.19",
    ),
    rule(
        INVALID_REQUEST,
        Code(&["model_terms_required"]),
        (Model, kind::PERMISSION),
        "Groq, errors",
    ),
    // Phrases, of providers that have no code for it.
    rule(
        ACCOUNT,
        Phrase(&[
            "billing to be enabled",
            "credit balance is too low",
            "insufficient balance",
            "insufficient credits",
            "requires more credits",
        ]),
        (Credential, kind::BILLING),
        "Anthropic 400, DeepSeek 402, OpenRouter 402, Google 403",
    ),
    rule(
        ACCOUNT,
        Phrase(&["api key expired", "api key not valid"]),
        (Credential, kind::AUTHENTICATION),
        "Gemini API, troubleshooting, 400 API_KEY_INVALID",
    ),
    rule(
        &[403..=403],
        Phrase(&["input was flagged"]),
        (Request, kind::INVALID),
        "OpenRouter, errors, 403",
    ),
    rule(
        CLIENTS,
        Phrase(&[
            "context length",
            "context window",
            "exceed context limit",
            "exceeds the maximum number of tokens",
            "prompt is too long",
        ]),
        (Request, CONTEXT_LENGTH),
        "OpenAI, Gemini API and Anthropic, error messages; CLIProxyAPI 1.19",
    ),
    rule(
        &[404..=404],
        Phrase(&["items are not persisted"]),
        (Request, kind::INVALID),
        "OpenAI, Responses with `store: false`; CLIProxyAPI 1.19",
    ),
    rule(
        INVALID_REQUEST,
        Phrase(&[
            "does not support this model",
            "is not a valid model",
            "is not found for api version",
            "model does not exist",
            "model not found",
        ]),
        (Model, kind::NOT_FOUND),
        "OpenRouter 400, Gemini API 404, DeepSeek 400",
    ),
    rule(
        INVALID_REQUEST,
        Phrase(&[
            "model is not supported",
            "model not supported",
            "unsupported model",
        ]),
        (Model, kind::UNSUPPORTED),
        "OpenAI, Codex with a subscription, 400; CLIProxyAPI 1.19",
    ),
    // Codes inside a stream, in place of a status.
    rule(
        STREAM,
        Code(&[
            "rate_limit_error",
            "rate_limit_exceeded",
            "resource_exhausted",
            "too_many_requests",
        ]),
        (Model, kind::RATE_LIMIT),
        "Anthropic, OpenAI, google.rpc.Code",
    ),
    rule(
        STREAM,
        Code(&["overloaded_error", "slow_down", "unavailable"]),
        (Provider, kind::OVERLOADED),
        "Anthropic, OpenAI, google.rpc.Code",
    ),
    rule(
        STREAM,
        Code(&["permission_denied", "permission_error"]),
        (Model, kind::PERMISSION),
        "Anthropic, errors; google.rpc.Code",
    ),
    rule(
        STREAM,
        Code(&["not_found", "not_found_error"]),
        (Model, kind::NOT_FOUND),
        "Anthropic, errors; google.rpc.Code",
    ),
    rule(
        STREAM,
        Code(&[
            "failed_precondition",
            "invalid_argument",
            "invalid_request_error",
        ]),
        (Request, kind::INVALID),
        "OpenAI, Anthropic, google.rpc.Code",
    ),
    rule(
        STREAM,
        Anything,
        (Provider, kind::TRANSIENT),
        "an unknown error; CLIProxyAPI 1.19",
    ),
    // Statuses.
    rule(
        &[401..=401],
        Anything,
        (Credential, kind::AUTHENTICATION),
        "RFC 9110, 15.5.2; CLIProxyAPI 1.8",
    ),
    rule(
        &[402..=402],
        Anything,
        (Credential, kind::BILLING),
        "CLIProxyAPI 1.8",
    ),
    rule(
        &[403..=403],
        Anything,
        (Model, kind::PERMISSION),
        "CLIProxyAPI 1.8",
    ),
    rule(
        &[404..=404],
        Anything,
        (Model, kind::NOT_FOUND),
        "CLIProxyAPI 1.8",
    ),
    rule(
        &[405..=407],
        Anything,
        (Model, kind::UNSUPPORTED),
        "RFC 9110, 15.5.6: the executor uses a wrong URL",
    ),
    rule(
        &[408..=408],
        Anything,
        (Provider, kind::TRANSIENT),
        "CLIProxyAPI 1.8",
    ),
    rule(
        &[429..=429],
        Anything,
        (Model, kind::RATE_LIMIT),
        "RFC 6585, section 4; CLIProxyAPI 1.8",
    ),
    rule(
        &[498..=498],
        Anything,
        (Model, kind::OVERLOADED),
        "Groq, flex processing, 498",
    ),
    rule(
        &[400..=499],
        Anything,
        (Request, kind::INVALID),
        "RFC 9110, 15.5; CLIProxyAPI 1.19",
    ),
    rule(
        &[503..=503, 529..=529],
        Anything,
        (Provider, kind::OVERLOADED),
        "RFC 9110, 15.6.4; Anthropic, errors",
    ),
    rule(
        ANY,
        Anything,
        (Provider, kind::TRANSIENT),
        "CLIProxyAPI 1.8 and 1.19",
    ),
];
