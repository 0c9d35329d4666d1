//! Errors without words that name a party: codes inside a stream, and statuses.

use jackfield_credential::{Scope, kind};

use super::Matcher::{Anything, Code};
use super::{ANY, Rule, STREAM, rule};

/// Codes inside a stream, in place of a status.
pub(super) const STREAM_RULES: &[Rule] = &[
    rule(
        STREAM,
        Code(&[
            "rate_limit_error",
            "rate_limit_exceeded",
            "resource_exhausted",
            "too_many_requests",
        ]),
        (Scope::Model, kind::RATE_LIMIT),
        "Anthropic, OpenAI, google.rpc.Code",
    ),
    rule(
        STREAM,
        Code(&[
            "overloaded_error",
            "service_unavailable_error",
            "unavailable",
        ]),
        (Scope::Provider, kind::OVERLOADED),
        "Anthropic, OpenAI, google.rpc.Code",
    ),
    rule(
        STREAM,
        Code(&["permission_denied", "permission_error"]),
        (Scope::Provider, kind::PERMISSION),
        "Anthropic, errors; google.rpc.Code: as a 403 without words",
    ),
    rule(
        STREAM,
        Code(&["not_found", "not_found_error", "unimplemented"]),
        (Scope::Provider, kind::NOT_FOUND),
        "Anthropic, errors; google.rpc.Code: as a 404 without words",
    ),
    rule(
        STREAM,
        Code(&[
            "failed_precondition",
            "invalid_argument",
            "invalid_request_error",
        ]),
        (Scope::Request, kind::INVALID),
        "OpenAI, Anthropic, google.rpc.Code",
    ),
    rule(
        STREAM,
        Anything,
        (Scope::Provider, kind::TRANSIENT),
        "an unknown error; CLIProxyAPI 1.19",
    ),
];

/// Statuses without words. Only five of them speak of the request alone, and only 401 and 402 of the
/// credential. The others name no party: a web application firewall, a missing path, a gateway.
pub(super) const RULES: &[Rule] = &[
    rule(
        &[401..=401],
        Anything,
        (Scope::Credential, kind::AUTHENTICATION),
        "RFC 9110, 15.5.2; CLIProxyAPI 1.8",
    ),
    rule(
        &[402..=402],
        Anything,
        (Scope::Credential, kind::BILLING),
        "CLIProxyAPI 1.8",
    ),
    rule(
        &[403..=403],
        Anything,
        (Scope::Provider, kind::PERMISSION),
        "RFC 9110, 15.5.4: not always the credentials",
    ),
    rule(
        &[404..=407, 410..=410, 501..=501],
        Anything,
        (Scope::Provider, kind::NOT_FOUND),
        "RFC 9110, 15.5.5 to 15.5.11, 15.6.2: the provider lacks the path, or the executor uses a wrong one",
    ),
    rule(
        &[429..=429],
        Anything,
        (Scope::Model, kind::RATE_LIMIT),
        "RFC 6585, section 4; CLIProxyAPI 1.8",
    ),
    rule(
        &[498..=498],
        Anything,
        (Scope::Model, kind::OVERLOADED),
        "Groq, flex processing, 498",
    ),
    rule(
        &[400..=400, 413..=413, 415..=415, 422..=422, 451..=451],
        Anything,
        (Scope::Request, kind::INVALID),
        "RFC 9110, 15.5.1, 15.5.14, 15.5.16, 15.5.21; RFC 7725; CLIProxyAPI 1.19",
    ),
    rule(
        &[503..=503, 529..=529],
        Anything,
        (Scope::Provider, kind::OVERLOADED),
        "RFC 9110, 15.6.4; Anthropic, errors",
    ),
    rule(
        ANY,
        Anything,
        (Scope::Provider, kind::TRANSIENT),
        "CLIProxyAPI 1.8 and 1.19",
    ),
];
