//! Rules for error responses of Anthropic that the host's own rules would classify wrongly.

use jackfield_plugin::classify::{ProviderError, Rule};
use jackfield_plugin::executor::{Failure, HttpHead, Scope};

pub(crate) fn classify(head: &HttpHead, body: &[u8]) -> Failure {
    ProviderError::parse(head, body).classify(RULES)
}

const RULES: &[Rule] = &[
    // A spend limit of the account. The error has the type of an invalid request.
    Rule {
        status: &[400, 429],
        codes: &[],
        phrases: &["specified api usage limits", "out of extra usage"],
        scope: Scope::Credential,
        kind: "billing",
        source: "Anthropic, errors, 400 (spend limits); Claude help center, extra usage",
    },
    Rule {
        status: &[400, 403],
        codes: &[],
        phrases: &[
            "account has been disabled",
            "organization has been disabled",
        ],
        scope: Scope::Credential,
        kind: "permission",
        source: "Claude help center, disabled organizations",
    },
    // Tokens. Some of these errors have status 403, for which the host would cool the model.
    Rule {
        status: &[401, 403],
        codes: &[],
        phrases: &["token has been revoked", "token has expired"],
        scope: Scope::Credential,
        kind: "authentication",
        source: "Anthropic, errors, 401; Claude Code, troubleshooting",
    },
    Rule {
        status: &[400, 401, 403],
        codes: &[],
        phrases: &[
            "only authorized for use with",
            "oauth authentication is currently",
            "oauth token does not meet scope",
        ],
        scope: Scope::Credential,
        kind: "permission",
        source: "Claude Code, troubleshooting: what a token may be used for",
    },
    // An object in the client's request does not exist. The model does: it must not cool.
    Rule {
        status: &[404],
        codes: &["not_found_error"],
        phrases: &["container", "file not found", "skill"],
        scope: Scope::Request,
        kind: "invalid",
        source: "Anthropic, Files API, errors; code execution, containers; skills",
    },
];
