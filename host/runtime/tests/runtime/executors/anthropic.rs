//! The executor `anthropic`.

use jackfield_credential::Scope;

use super::{ERROR_CASE, ErrorCase, PLAN_CASE, PlanCase, built_in, check_errors, check_plans};

const ANTHROPIC: PlanCase = PlanCase {
    dialect: "anthropic-messages",
    base_url: "https://api.anthropic.com",
    ..PLAN_CASE
};

const PLANS: &[PlanCase] = &[
    PlanCase {
        name: "a message",
        model: "claude-x",
        client_model: "sonnet",
        stream: true,
        body: r#"{"model": "sonnet", "max_tokens":1}"#,
        expect: r#"POST https://api.anthropic.com/v1/messages
            anthropic-version: 2023-06-01
            content-type: application/json
            secret api-key as header x-api-key
            body {"model": "claude-x", "max_tokens":1}"#,
        ..ANTHROPIC
    },
    PlanCase {
        name: "the client's version and betas, but no other header",
        headers: &[
            ("anthropic-beta", "a-1, b-2"),
            ("anthropic-beta", "c-3"),
            ("anthropic-version", "2099-01-01"),
            ("idempotency-key", "k"),
            ("openai-beta", "x"),
        ],
        expect: "POST https://api.anthropic.com/v1/messages
            anthropic-beta: a-1, b-2
            anthropic-beta: c-3
            anthropic-version: 2099-01-01
            content-type: application/json
            secret api-key as header x-api-key
            body unchanged",
        ..ANTHROPIC
    },
    PlanCase {
        name: "the client's own headers, and its query",
        headers: &[
            ("user-agent", "claude-cli/2.0"),
            ("x-app", "cli"),
            ("x-claude-code-session-id", "s"),
            ("x-stainless-os", "Linux"),
            ("x-other", "x"),
        ],
        query: &[("beta", "true")],
        expect: "POST https://api.anthropic.com/v1/messages?beta=true
            anthropic-version: 2023-06-01
            content-type: application/json
            user-agent: claude-cli/2.0
            x-app: cli
            x-claude-code-session-id: s
            x-stainless-os: Linux
            secret api-key as header x-api-key
            body unchanged",
        ..ANTHROPIC
    },
    PlanCase {
        name: "no headers of the client for a provider that refuses them",
        settings: r#"{"client-headers": false}"#,
        headers: &[
            ("anthropic-beta", "a-1"),
            ("user-agent", "claude-cli/2.0"),
            ("x-app", "cli"),
        ],
        query: &[("beta", "true")],
        expect: "POST https://api.anthropic.com/v1/messages
            anthropic-version: 2023-06-01
            content-type: application/json
            secret api-key as header x-api-key
            body unchanged",
        ..ANTHROPIC
    },
    PlanCase {
        name: "a token, and the beta that it needs",
        secrets: &["access-token", "api-key", "refresh-token"],
        expect: "POST https://api.anthropic.com/v1/messages
            anthropic-beta: oauth-2025-04-20
            anthropic-version: 2023-06-01
            content-type: application/json
            secret access-token as bearer
            body unchanged",
        ..ANTHROPIC
    },
    PlanCase {
        name: "a token, and a client that names the beta itself",
        secrets: &["access-token"],
        headers: &[("anthropic-beta", "oauth-2025-04-20,a-1")],
        expect: "POST https://api.anthropic.com/v1/messages
            anthropic-beta: oauth-2025-04-20,a-1
            anthropic-version: 2023-06-01
            content-type: application/json
            secret access-token as bearer
            body unchanged",
        ..ANTHROPIC
    },
    PlanCase {
        name: "a token, and a client with another beta",
        secrets: &["access-token"],
        headers: &[("anthropic-beta", "a-1")],
        expect: "POST https://api.anthropic.com/v1/messages
            anthropic-beta: a-1,oauth-2025-04-20
            anthropic-version: 2023-06-01
            content-type: application/json
            secret access-token as bearer
            body unchanged",
        ..ANTHROPIC
    },
    PlanCase {
        name: "a count of tokens",
        operation: "count-tokens",
        model: "模/../?x#y z",
        client_model: "sonnet",
        body: r#"{"model":"sonnet"}"#,
        expect: r#"POST https://api.anthropic.com/v1/messages/count_tokens
            anthropic-version: 2023-06-01
            content-type: application/json
            secret api-key as header x-api-key
            body {"model":"模/../?x#y z"}"#,
        ..ANTHROPIC
    },
    PlanCase {
        name: "the models",
        operation: "list-models",
        base_url: "https://gateway.invalid/claude",
        expect: "GET https://gateway.invalid/claude/v1/models?limit=1000
            anthropic-version: 2023-06-01
            secret api-key as header x-api-key
            no body",
        ..ANTHROPIC
    },
    PlanCase {
        name: "a raw request",
        operation: "http-request",
        secrets: &["access-token"],
        headers: &[("anthropic-beta", "files-1"), ("x-mine", "1")],
        options: &[
            ("method", "DELETE"),
            ("url", "https://api.anthropic.com/v1/files/f"),
        ],
        expect: "DELETE https://api.anthropic.com/v1/files/f
            anthropic-beta: files-1,oauth-2025-04-20
            x-mine: 1
            secret access-token as bearer
            body unchanged",
        ..ANTHROPIC
    },
    PlanCase {
        name: "an undeclared operation",
        operation: "embed",
        expect: "refused request unsupported: this executor does not support the operation `embed`",
        ..ANTHROPIC
    },
];

#[tokio::test]
async fn anthropic_sends_version_and_beta_headers() {
    check_plans("anthropic", PLANS).await;
}

#[tokio::test]
async fn anthropic_declares_dialects_and_operations() {
    let executor = built_in("anthropic").await;
    let descriptor = executor.descriptor();
    assert_eq!(descriptor.dialects, ["anthropic-messages"]);
    let operations = [
        "generate",
        "count-tokens",
        "list-models",
        "http-request",
        "refresh",
    ];
    assert_eq!(descriptor.operations, operations);
}

const ERROR_CASES: &[ErrorCase] = &[
    ErrorCase {
        name: "overloaded",
        status: 529,
        body: r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}"#,
        scope: Scope::Provider,
        kind: "overloaded",
        message_part: "Overloaded",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "too fast",
        status: 429,
        headers: &[("retry-after", "12")],
        body: r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your organization's rate limit of 50 requests per minute."}}"#,
        scope: Scope::Model,
        kind: "rate-limit",
        retry_after_ms: Some(12_000),
        ..ERROR_CASE
    },
    ErrorCase {
        name: "no credit",
        body: r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."}}"#,
        scope: Scope::Credential,
        kind: "billing",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "a bill",
        status: 402,
        body: r#"{"type":"error","error":{"type":"billing_error","message":"There is an issue with your payment information."}}"#,
        scope: Scope::Credential,
        kind: "billing",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "a spend limit",
        body: r#"{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits. You will regain access on 2026-01-01 at 00:00 UTC."}}"#,
        scope: Scope::Credential,
        kind: "quota",
        retry_after_ms: Some(1_225_600_000), // until 1 January 2026
        message_part: "regain access",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "an exhausted subscription",
        body: r#"{"type":"error","error":{"type":"invalid_request_error","message":"You're out of extra usage. Add more at claude.ai to keep going."}}"#,
        scope: Scope::Provider,
        kind: "permission",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "an invalid key",
        status: 401,
        body: r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}"#,
        scope: Scope::Credential,
        kind: "authentication",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "a revoked token",
        status: 403,
        body: r#"{"type":"error","error":{"type":"permission_error","message":"OAuth token has been revoked. Please obtain a new token."}}"#,
        scope: Scope::Credential,
        kind: "authentication",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "a token for another client",
        body: r#"{"type":"error","error":{"type":"invalid_request_error","message":"This credential is only authorized for use with Claude Code and cannot be used for other API requests."}}"#,
        scope: Scope::Provider,
        kind: "permission",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "an organization without tokens",
        status: 403,
        body: r#"{"type":"error","error":{"type":"permission_error","message":"OAuth authentication is currently not allowed for this organization."}}"#,
        scope: Scope::Credential,
        kind: "permission",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "a disabled organization",
        body: r#"{"type":"error","error":{"type":"invalid_request_error","message":"This organization has been disabled."}}"#,
        scope: Scope::Credential,
        kind: "permission",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "a forbidden resource",
        status: 403,
        body: r#"{"type":"error","error":{"type":"permission_error","message":"Your API key does not have permission to use the specified resource."}}"#,
        scope: Scope::Provider,
        kind: "permission",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "no such model",
        status: 404,
        body: r#"{"type":"error","error":{"type":"not_found_error","message":"model: claude-none"}}"#,
        scope: Scope::Model,
        kind: "not-found",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "no such file",
        status: 404,
        body: r#"{"type":"error","error":{"type":"not_found_error","message":"File not found: file_1"}}"#,
        ..ERROR_CASE
    },
    ErrorCase {
        name: "too large",
        status: 413,
        body: r#"{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#,
        ..ERROR_CASE
    },
    ErrorCase {
        name: "too long",
        body: r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
        kind: "context-length",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "too long with its output limit",
        body: r#"{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 190000 + 21333 > 200000"}}"#,
        kind: "context-length",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "an invalid request",
        body: r#"{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: Field required"}}"#,
        ..ERROR_CASE
    },
    ErrorCase {
        name: "text of the client",
        body: r#"{"type":"error","error":{"type":"invalid_request_error","message":"messages: Unexpected role \"out of extra usage\". It isn't 'account has been disabled' or `token has expired`"}}"#,
        ..ERROR_CASE
    },
    ErrorCase {
        name: "an internal error",
        status: 500,
        body: r#"{"type":"error","error":{"type":"api_error","message":"Internal server error"}}"#,
        scope: Scope::Provider,
        kind: "transient",
        ..ERROR_CASE
    },
];

#[tokio::test]
async fn anthropic_classifies_documented_errors() {
    check_errors("anthropic", "anthropic-messages", ERROR_CASES).await;
}
