//! The executor `openai`.

use jackfield_credential::Scope;

use super::{ERROR_CASE, ErrorCase, PLAN_CASE, PlanCase, built_in, check_errors, check_plans};

const OPENAI: PlanCase = PlanCase {
    base_url: "https://api.openai.com/v1",
    ..PLAN_CASE
};

const PLANS: &[PlanCase] = &[
    PlanCase {
        name: "a response",
        dialect: "openai-responses",
        stream: true,
        expect: "POST https://api.openai.com/v1/responses
            content-type: application/json
            secret api-key as bearer
            body unchanged",
        ..OPENAI
    },
    PlanCase {
        name: "a chat",
        model: "gpt-5",
        client_model: "fast",
        body: r#"{"n" : 1.0, "model":"fast"}"#,
        expect: r#"POST https://api.openai.com/v1/chat/completions
            content-type: application/json
            secret api-key as bearer
            body {"n" : 1.0, "model":"gpt-5"}"#,
        ..OPENAI
    },
    PlanCase {
        name: "a completion",
        dialect: "openai-completions",
        expect: "POST https://api.openai.com/v1/completions
            content-type: application/json
            secret api-key as bearer
            body unchanged",
        ..OPENAI
    },
    PlanCase {
        name: "an undeclared dialect",
        dialect: "gemini",
        expect: "refused request unsupported: this executor does not support the dialect `gemini`",
        ..OPENAI
    },
    PlanCase {
        name: "embeddings",
        operation: "embed",
        model: "a \"b\"/../?x#y ü",
        client_model: "e",
        body: r#"{"model":"e","input":["a"]}"#,
        expect: r#"POST https://api.openai.com/v1/embeddings
            content-type: application/json
            secret api-key as bearer
            body {"model":"a \"b\"/../?x#y ü","input":["a"]}"#,
        ..OPENAI
    },
    PlanCase {
        name: "the models, with a token, at another base URL",
        operation: "list-models",
        base_url: "https://gateway.invalid/openai/v1",
        secrets: &["access-token", "api-key"],
        expect: "GET https://gateway.invalid/openai/v1/models
            secret access-token as bearer
            no body",
        ..OPENAI
    },
    PlanCase {
        name: "an account's organization and project, and the client's own headers",
        attributes: &[
            ("organization", "org-1"),
            ("project", "proj_2"),
            ("region", "x"),
        ],
        headers: &[
            ("anthropic-version", "2023-06-01"),
            ("idempotency-key", "k"),
            ("openai-beta", "assistants=v2"),
        ],
        expect: "POST https://api.openai.com/v1/chat/completions
            content-type: application/json
            idempotency-key: k
            openai-beta: assistants=v2
            openai-organization: org-1
            openai-project: proj_2
            secret api-key as bearer
            body unchanged",
        ..OPENAI
    },
    PlanCase {
        name: "a project that is no header value",
        attributes: &[("organization", ""), ("project", "a\nb: c")],
        expect: "refused request invalid: the value for the header `openai-project` must be one \
            line of text",
        ..OPENAI
    },
    PlanCase {
        name: "an undeclared operation",
        operation: "count-tokens",
        expect: "refused request unsupported: this executor does not support the operation `count-tokens`",
        ..OPENAI
    },
];

#[tokio::test]
async fn openai_uses_the_path_of_each_dialect() {
    check_plans("openai", PLANS).await;
}

#[tokio::test]
async fn openai_declares_dialects_and_operations() {
    let executor = built_in("openai").await;
    let descriptor = executor.descriptor();
    assert_eq!(
        descriptor.dialects,
        ["openai-responses", "openai-chat", "openai-completions"]
    );
    let operations = [
        "generate",
        "embed",
        "list-models",
        "http-request",
        "refresh",
    ];
    assert_eq!(descriptor.operations, operations);
}

const ERROR_CASES: &[ErrorCase] = &[
    ErrorCase {
        name: "no credits",
        status: 429,
        body: r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
        scope: Scope::Credential,
        kind: "billing",
        message_part: "check your plan",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "too many tokens a minute, in a sentence",
        status: 429,
        body: r#"{"error":{"message":"Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Used 29000, Requested 1600. Please try again in 1.2s.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
        scope: Scope::Model,
        kind: "rate-limit",
        retry_after_ms: Some(1_200),
        ..ERROR_CASE
    },
    ErrorCase {
        name: "too many requests, in milliseconds",
        status: 429,
        headers: &[("retry-after-ms", "372"), ("retry-after", "1")],
        body: r#"{"error":{"message":"Rate limit reached. Please try again in 2s.","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#,
        scope: Scope::Model,
        kind: "rate-limit",
        retry_after_ms: Some(372),
        ..ERROR_CASE
    },
    ErrorCase {
        name: "an invalid key",
        status: 401,
        body: r#"{"error":{"message":"Incorrect API key provided: sk-x.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
        scope: Scope::Credential,
        kind: "authentication",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "a key with missing scopes",
        status: 401,
        body: r#"{"error":{"message":"You have insufficient permissions for this operation. Missing scopes: model.request. Check that you have the correct role","type":"invalid_request_error","param":null,"code":null}}"#,
        scope: Scope::Credential,
        kind: "permission",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "an unverified organization",
        body: r#"{"error":{"message":"Your organization must be verified to stream this model. Please go to the settings","type":"invalid_request_error","param":"stream","code":"unsupported_value"}}"#,
        scope: Scope::Provider,
        kind: "permission",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "no such model",
        status: 404,
        body: r#"{"error":{"message":"The model `x` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#,
        scope: Scope::Model,
        kind: "not-found",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "no such conversation",
        status: 404,
        body: r#"{"error":{"message":"Conversation with id 'conv_1' not found.","type":"invalid_request_error","param":null,"code":null}}"#,
        ..ERROR_CASE
    },
    ErrorCase {
        name: "no such response",
        status: 404,
        body: r#"{"error":{"message":"Previous response 'resp_1' not found.","type":"invalid_request_error","param":"previous_response_id","code":"previous_response_not_found"}}"#,
        ..ERROR_CASE
    },
    ErrorCase {
        name: "too long",
        body: r#"{"error":{"message":"This model's maximum context length is 128000 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
        kind: "context-length",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "an invalid request",
        body: r#"{"error":{"message":"Missing required parameter: 'messages'.","type":"invalid_request_error","param":"messages","code":"missing_required_parameter"}}"#,
        message_part: "Missing required parameter",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "an unsupported country",
        status: 403,
        body: r#"{"error":{"code":"unsupported_country_region_territory","message":"Country, region, or territory not supported","param":null,"type":"request_forbidden"}}"#,
        scope: Scope::Credential,
        kind: "permission",
        ..ERROR_CASE
    },
    ErrorCase {
        name: "too busy",
        status: 503,
        headers: &[("retry-after", "5")],
        body: r#"{"error":{"message":"The engine is currently overloaded, please try again later","type":"service_unavailable_error","param":null,"code":"slow_down"}}"#,
        scope: Scope::Provider,
        kind: "overloaded",
        retry_after_ms: Some(5_000),
        ..ERROR_CASE
    },
    ErrorCase {
        name: "no JSON",
        status: 502,
        body: "<html>Bad gateway</html>",
        scope: Scope::Provider,
        kind: "transient",
        ..ERROR_CASE
    },
];

#[tokio::test]
async fn openai_classifies_documented_errors() {
    check_errors("openai", "openai-responses", ERROR_CASES).await;
}
