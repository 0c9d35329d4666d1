//! The executor `openai-compatible`.

use super::{PLAN_CASE, PlanCase, built_in, check_plans};

const PLAIN_PLANS: &[PlanCase] = &[
    PlanCase {
        name: "a chat",
        model: "m",
        client_model: "fast",
        headers: &[
            ("anthropic-beta", "x"),
            ("idempotency-key", "k"),
            ("openai-beta", "x"),
            ("x-title", "mine"),
        ],
        body: r#"{"model": "fast"}"#,
        expect: r#"POST https://acme.invalid/v1/chat/completions
            content-type: application/json
            idempotency-key: k
            secret api-key as bearer
            body {"model": "m"}"#,
        ..PLAN_CASE
    },
    PlanCase {
        name: "a completion, with a token",
        dialect: "openai-completions",
        secrets: &["access-token", "api-key", "refresh-token"],
        expect: "POST https://acme.invalid/v1/completions
            content-type: application/json
            secret access-token as bearer
            body unchanged",
        ..PLAN_CASE
    },
    PlanCase {
        name: "embeddings",
        operation: "embed",
        expect: "POST https://acme.invalid/v1/embeddings
            content-type: application/json
            secret api-key as bearer
            body unchanged",
        ..PLAN_CASE
    },
    PlanCase {
        name: "the models, at a base URL without a path",
        operation: "list-models",
        base_url: "https://acme.invalid",
        expect: "GET https://acme.invalid/models
            secret api-key as bearer
            no body",
        ..PLAN_CASE
    },
    PlanCase {
        name: "an undeclared dialect",
        dialect: "openai-responses",
        expect: "refused request unsupported: this executor does not support the dialect `openai-responses`",
        ..PLAN_CASE
    },
    PlanCase {
        name: "unknown settings",
        settings: r#"{"token-url": 1, "variant": null, "more": {}}"#,
        expect: "POST https://acme.invalid/v1/chat/completions
            content-type: application/json
            secret api-key as bearer
            body unchanged",
        ..PLAN_CASE
    },
    PlanCase {
        name: "an unknown variant",
        settings: r#"{"variant": "azur"}"#,
        expect: "refused request invalid: invalid settings of the provider: unknown variant `azur`, expected \
            one of `azure`, `groq`, `ollama`, `openrouter`, `vllm` at line 1 column 18",
        ..PLAN_CASE
    },
    PlanCase {
        name: "a version without Azure",
        settings: r#"{"api-version": "2024-10-21"}"#,
        expect: "refused request invalid: the setting `api-version` is only for the variant `azure`",
        ..PLAN_CASE
    },
    PlanCase {
        name: "a title without OpenRouter",
        settings: r#"{"variant": "vllm", "x-title": "t"}"#,
        expect: "refused request invalid: the setting `x-title` is only for the variant `openrouter`",
        ..PLAN_CASE
    },
];

const AZURE: PlanCase = PlanCase {
    base_url: "https://acme.openai.azure.invalid",
    settings: r#"{"variant": "azure"}"#,
    ..PLAN_CASE
};

const AZURE_DATED: PlanCase = PlanCase {
    settings: r#"{"variant": "azure", "api-version": "2024-10-21"}"#,
    ..AZURE
};

const AZURE_PLANS: &[PlanCase] = &[
    PlanCase {
        name: "without a version",
        expect: "POST https://acme.openai.azure.invalid/openai/v1/chat/completions
            content-type: application/json
            secret api-key as header api-key
            body unchanged",
        ..AZURE
    },
    PlanCase {
        name: "without a version, with the whole base URL and a token",
        base_url: "https://acme.openai.azure.invalid/openai/v1",
        secrets: &["access-token"],
        operation: "embed",
        expect: "POST https://acme.openai.azure.invalid/openai/v1/embeddings
            content-type: application/json
            secret access-token as bearer
            body unchanged",
        ..AZURE
    },
    PlanCase {
        name: "the preview",
        settings: r#"{"variant": "azure", "api-version": "preview"}"#,
        operation: "list-models",
        expect: "GET https://acme.openai.azure.invalid/openai/v1/models?api-version=preview
            secret api-key as header api-key
            no body",
        ..AZURE
    },
    PlanCase {
        name: "a date: the deployment is in the path",
        model: "gpt 4/o?x#y..",
        client_model: "fast",
        body: r#"{"model":"fast"}"#,
        expect: r#"POST https://acme.openai.azure.invalid/openai/deployments/gpt%204%2Fo%3Fx%23y../chat/completions?api-version=2024-10-21
            content-type: application/json
            secret api-key as header api-key
            body {"model":"gpt 4/o?x#y.."}"#,
        ..AZURE_DATED
    },
    PlanCase {
        name: "a preview of a date, of embeddings",
        base_url: "https://acme.openai.azure.invalid/openai",
        settings: r#"{"variant": "azure", "api-version": "2025-04-01-preview"}"#,
        operation: "embed",
        expect: "POST https://acme.openai.azure.invalid/openai/deployments/m/embeddings?api-version=2025-04-01-preview
            content-type: application/json
            secret api-key as header api-key
            body unchanged",
        ..AZURE_DATED
    },
    PlanCase {
        name: "a date, of the models",
        operation: "list-models",
        expect: "GET https://acme.openai.azure.invalid/openai/models?api-version=2024-10-21
            secret api-key as header api-key
            no body",
        ..AZURE_DATED
    },
    PlanCase {
        name: "a deployment of dots",
        model: "..",
        expect: r#"refused request invalid: ".." is not a valid deployment name"#,
        ..AZURE_DATED
    },
    PlanCase {
        name: "an invalid version",
        settings: r#"{"variant": "azure", "api-version": "2024-10-2&x=1"}"#,
        expect: "refused request invalid: the setting `api-version` must be `v1`, `preview`, or a date \
            such as `2024-10-21` or `2025-04-01-preview`, not \"2024-10-2&x=1\"",
        ..AZURE
    },
    PlanCase {
        name: "a raw request",
        operation: "http-request",
        options: &[("method", "GET"), ("url", "https://acme.openai.azure.invalid/openai/v1/files")],
        expect: "GET https://acme.openai.azure.invalid/openai/v1/files
            secret api-key as header api-key
            body unchanged",
        ..AZURE
    },
];

const VARIANT_PLANS: &[PlanCase] = &[
    PlanCase {
        name: "Ollama",
        base_url: "http://127.0.0.1:11434",
        settings: r#"{"variant": "ollama"}"#,
        expect: "POST http://127.0.0.1:11434/v1/chat/completions
            content-type: application/json
            secret api-key as bearer
            body unchanged",
        ..PLAN_CASE
    },
    PlanCase {
        name: "vLLM behind a proxy",
        base_url: "http://127.0.0.1/llm/v1",
        settings: r#"{"variant": "vllm"}"#,
        dialect: "openai-completions",
        expect: "POST http://127.0.0.1/llm/v1/completions
            content-type: application/json
            secret api-key as bearer
            body unchanged",
        ..PLAN_CASE
    },
    PlanCase {
        name: "Groq",
        base_url: "https://api.groq.invalid",
        settings: r#"{"variant": "groq"}"#,
        operation: "list-models",
        expect: "GET https://api.groq.invalid/openai/v1/models
            secret api-key as bearer
            no body",
        ..PLAN_CASE
    },
    PlanCase {
        name: "Groq has no embeddings",
        settings: r#"{"variant": "groq"}"#,
        operation: "embed",
        expect: "refused request unsupported: this provider does not support `/embeddings`",
        ..PLAN_CASE
    },
    PlanCase {
        name: "OpenRouter",
        base_url: "https://openrouter.invalid",
        settings: r#"{"variant": "openrouter", "http-referer": "https://me.invalid", "x-title": "Möwe"}"#,
        model: "meta/llama:free",
        client_model: "fast",
        body: r#"{"model":"fast"}"#,
        expect: r#"POST https://openrouter.invalid/api/v1/chat/completions
            content-type: application/json
            http-referer: https://me.invalid
            x-title: Möwe
            secret api-key as bearer
            body {"model":"meta/llama:free"}"#,
        ..PLAN_CASE
    },
    PlanCase {
        name: "a title that is no header value",
        settings: r#"{"variant": "openrouter", "x-title": "a\nb"}"#,
        expect: "refused request invalid: the value for the header `x-title` must be one line of \
            text",
        ..PLAN_CASE
    },
];

#[tokio::test]
async fn openai_compatible_uses_the_base_url() {
    check_plans("openai-compatible", PLAIN_PLANS).await;
}

#[tokio::test]
async fn azure_url_depends_on_api_version() {
    check_plans("openai-compatible", AZURE_PLANS).await;
}

#[tokio::test]
async fn variants_use_their_paths() {
    check_plans("openai-compatible", VARIANT_PLANS).await;
}

#[tokio::test]
async fn openai_compatible_declares_dialects_and_operations() {
    let executor = built_in("openai-compatible").await;
    let descriptor = executor.descriptor();
    assert_eq!(descriptor.dialects, ["openai-chat", "openai-completions"]);
    let operations = [
        "generate",
        "embed",
        "list-models",
        "http-request",
        "refresh",
    ];
    assert_eq!(descriptor.operations, operations);
    assert!(!descriptor.judges_errors, "the host's rules know as much");
    assert!(descriptor.options.is_empty());
}
