//! Rules for error responses of Anthropic that the host's own rules would classify wrongly.

use jackfield_plugin::classify::{ProviderError, Rule};
use jackfield_plugin::executor::{Failure, HttpHead, Scope};

pub(crate) fn classify(head: &HttpHead, body: &[u8]) -> Failure {
    ProviderError::parse(head, body).classify(RULES)
}

const RULES: &[Rule] = &[
    // A spend limit of the account. The error has the type of an invalid request. The host reads from the
    // message when it ends: "You will regain access on 2026-04-01 at 00:00 UTC."
    Rule {
        status: &[400, 429],
        codes: &[],
        phrases: &["specified api usage limits"],
        scope: Scope::CREDENTIAL,
        kind: "quota",
        source: "Anthropic, errors, 400 (spend limits); anthropics/claude-code#38035",
    },
    // Not always the account: requests of other clients than Claude Code are paid from extra usage, while
    // the plan still serves Claude Code. Another credential may serve this request.
    Rule {
        status: &[400, 429],
        codes: &[],
        phrases: &["out of extra usage"],
        scope: Scope::PROVIDER,
        kind: "permission",
        source: "Claude help center, extra usage; router-for-me/CLIProxyAPI#2599",
    },
    Rule {
        status: &[400, 403],
        codes: &[],
        phrases: &[
            "account has been disabled",
            "organization has been disabled",
        ],
        scope: Scope::CREDENTIAL,
        kind: "permission",
        source: "Claude help center, disabled organizations",
    },
    // The country of the address from which the request comes.
    Rule {
        status: &[403],
        codes: &["forbidden"],
        phrases: &["request not allowed"],
        scope: Scope::CREDENTIAL,
        kind: "permission",
        source: "enricoros/big-AGI#485, anthropics/claude-quickstarts#32",
    },
    // Tokens. Some of these errors have status 403, for which the host would blame no credential.
    Rule {
        status: &[401, 403],
        codes: &[],
        phrases: &["token has been revoked", "token has expired"],
        scope: Scope::CREDENTIAL,
        kind: "authentication",
        source: "Anthropic, errors, 401; Claude Code, troubleshooting",
    },
    Rule {
        status: &[400, 401, 403],
        codes: &[],
        phrases: &["only authorized for use with"],
        scope: Scope::PROVIDER,
        kind: "permission",
        source: "anymorph-ai/Claudable#45: the token serves Claude Code, but not this client",
    },
    Rule {
        status: &[400, 401, 403],
        codes: &[],
        phrases: &[
            "oauth authentication is currently",
            "oauth token does not meet scope",
        ],
        scope: Scope::CREDENTIAL,
        kind: "permission",
        source: "Claude Code, troubleshooting: what a token may be used for",
    },
    // The host's rules take a 404 without words for a missing path.
    Rule {
        status: &[404],
        codes: &["not_found_error"],
        phrases: &["model:"],
        scope: Scope::MODEL,
        kind: "not-found",
        source: "Anthropic, errors, 404",
    },
    // An object in the client's request does not exist. The model does: it must not cool.
    Rule {
        status: &[404],
        codes: &["not_found_error"],
        phrases: &["container", "file not found", "skill"],
        scope: Scope::REQUEST,
        kind: "invalid",
        source: "Anthropic, Files API, errors; code execution, containers; skills",
    },
];
