//! The table of the host's own rules: what an error answer means, and who says so.
//!
//! The first rule that fits counts, so that the finest come first: challenges, then words that mean one
//! thing, then sentences, then statuses. A rule with the status [`NONE`] also judges errors that came
//! inside an answer of good status.

use std::ops::RangeInclusive;

use jackfield_credential::{Scope, kind};

use super::CONTEXT_LENGTH;

/// One rule.
pub(super) struct Rule {
    /// The status codes that it judges.
    pub(super) status: Statuses,
    /// What else must hold.
    pub(super) matcher: Matcher,
    /// Whose fault it is, and of what kind.
    pub(super) classification: (Scope, &'static str),
    /// Where it is written down.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for people who ask why, and for the tests")
    )]
    pub(super) source: &'static str,
}

/// What an error answer tells beside its status.
pub(super) enum Matcher {
    /// Whatever it is.
    Anything,
    /// A page on which a browser is to prove that it is none of ours.
    Challenge,
    /// One of these as the error's code, type or status, or as all that it says. In lower case.
    Code(&'static [&'static str]),
    /// One of these within its sentence. In lower case.
    Phrase(&'static [&'static str]),
}

type Statuses = &'static [RangeInclusive<u16>];

/// No status at all: an error inside an answer of good status.
pub(super) const NONE: u16 = 0;

const ANY: Statuses = &[NONE..=NONE, 400..=999];

/// What providers answer of the request, the model or the account with any status of the client's.
const CLIENTS: Statuses = &[NONE..=NONE, 400..=499];

/// The statuses of requests that are wrong; providers use them for accounts and models as well.
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

/// The rules, the finest first.
pub(super) const RULES: &[Rule] = &[
    // Not the provider's API at all.
    rule(
        &[403..=403, 429..=429, 503..=503],
        Challenge,
        (Provider, kind::OVERLOADED),
        "Cloudflare, detecting a challenge page; seed 1.19",
    ),
    // The account, whatever the status.
    rule(
        &[NONE..=NONE, 400..=401, 403..=403],
        Code(&["invalid_grant"]),
        (Credential, kind::AUTHENTICATION),
        "RFC 6749, section 5.2; seed 1.19",
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
    // The request: it would be refused everywhere.
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
        "OpenAI, error codes; Azure OpenAI, errors; seed 1.19",
    ),
    rule(
        INVALID_REQUEST,
        Code(&["model_terms_required"]),
        (Model, kind::PERMISSION),
        "Groq, errors",
    ),
    // Sentences of providers that have no word for it.
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
        "OpenAI, Gemini API and Anthropic, error messages; seed 1.19",
    ),
    rule(
        &[404..=404],
        Phrase(&["items are not persisted"]),
        (Request, kind::INVALID),
        "OpenAI, Responses with `store: false`; seed 1.19",
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
        "OpenAI, Codex with a subscription, 400; seed 1.19",
    ),
    // Words inside a stream, for what a status says elsewhere.
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
        "nothing is known of it; seed 1.19",
    ),
    // Statuses.
    rule(
        &[401..=401],
        Anything,
        (Credential, kind::AUTHENTICATION),
        "RFC 9110, 15.5.2; seed 1.8",
    ),
    rule(
        &[402..=402],
        Anything,
        (Credential, kind::BILLING),
        "seed 1.8",
    ),
    rule(
        &[403..=403],
        Anything,
        (Model, kind::PERMISSION),
        "seed 1.8",
    ),
    rule(&[404..=404], Anything, (Model, kind::NOT_FOUND), "seed 1.8"),
    rule(
        &[405..=407],
        Anything,
        (Model, kind::UNSUPPORTED),
        "RFC 9110, 15.5.6: the executor's place is wrong",
    ),
    rule(
        &[408..=408],
        Anything,
        (Provider, kind::TRANSIENT),
        "seed 1.8",
    ),
    rule(
        &[429..=429],
        Anything,
        (Model, kind::RATE_LIMIT),
        "RFC 6585, section 4; seed 1.8",
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
        "RFC 9110, 15.5; seed 1.19",
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
        "seed 1.8 and 1.19",
    ),
];
