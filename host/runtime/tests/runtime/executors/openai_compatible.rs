//! The executor `openai-compatible`.

use super::{PLANNING, Planning, built_in, check_plans};

const PLAIN: &[Planning] = &[
    Planning {
        name: "a chat",
        model: "m",
        client_model: "fast",
        headers: &[("openai-beta", "x"), ("x-title", "mine")],
        body: r#"{"model": "fast"}"#,
        expect: r#"POST https://acme.invalid/v1/chat/completions
            content-type: application/json
            openai-beta: x
            x-title: mine
            secret api-key as bearer
            body {"model": "m"}"#,
        ..PLANNING
    },
    Planning {
        name: "a completion, with a token",
        dialect: "openai-completions",
        secrets: &["access-token", "api-key", "refresh-token"],
        expect: "POST https://acme.invalid/v1/completions
            content-type: application/json
            secret access-token as bearer
            body as it is",
        ..PLANNING
    },
    Planning {
        name: "embeddings",
        operation: "embed",
        expect: "POST https://acme.invalid/v1/embeddings
            content-type: application/json
            secret api-key as bearer
            body as it is",
        ..PLANNING
    },
    Planning {
        name: "the models, at a base URL without a path",
        operation: "list-models",
        base_url: "https://acme.invalid",
        expect: "GET https://acme.invalid/models
            secret api-key as bearer
            no body",
        ..PLANNING
    },
    Planning {
        name: "a foreign dialect",
        dialect: "openai-responses",
        expect: "refused request unsupported: this executor does not speak `openai-responses`",
        ..PLANNING
    },
    Planning {
        name: "settings of others",
        settings: r#"{"token-url": 1, "variant": null, "more": {}}"#,
        expect: "POST https://acme.invalid/v1/chat/completions
            content-type: application/json
            secret api-key as bearer
            body as it is",
        ..PLANNING
    },
    Planning {
        name: "a variant that there is not",
        settings: r#"{"variant": "azur"}"#,
        expect: "refused request invalid: the provider's settings: unknown variant `azur`, expected \
            one of `azure`, `groq`, `ollama`, `openrouter`, `vllm` at line 1 column 18",
        ..PLANNING
    },
    Planning {
        name: "a version without Azure",
        settings: r#"{"api-version": "2024-10-21"}"#,
        expect: "refused request invalid: the setting `api-version` is for the variant `azure`",
        ..PLANNING
    },
    Planning {
        name: "a title without OpenRouter",
        settings: r#"{"variant": "vllm", "x-title": "t"}"#,
        expect: "refused request invalid: the setting `x-title` is for the variant `openrouter`",
        ..PLANNING
    },
];

const AZURE: Planning = Planning {
    base_url: "https://acme.openai.azure.invalid",
    settings: r#"{"variant": "azure"}"#,
    ..PLANNING
};

const CLASSIC: Planning = Planning {
    settings: r#"{"variant": "azure", "api-version": "2024-10-21"}"#,
    ..AZURE
};

const AZURES: &[Planning] = &[
    Planning {
        name: "without a version",
        expect: "POST https://acme.openai.azure.invalid/openai/v1/chat/completions
            content-type: application/json
            secret api-key as header api-key
            body as it is",
        ..AZURE
    },
    Planning {
        name: "without a version, with the whole base URL and a token",
        base_url: "https://acme.openai.azure.invalid/openai/v1",
        secrets: &["access-token"],
        operation: "embed",
        expect: "POST https://acme.openai.azure.invalid/openai/v1/embeddings
            content-type: application/json
            secret access-token as bearer
            body as it is",
        ..AZURE
    },
    Planning {
        name: "the preview",
        settings: r#"{"variant": "azure", "api-version": "preview"}"#,
        operation: "list-models",
        expect: "GET https://acme.openai.azure.invalid/openai/v1/models?api-version=preview
            secret api-key as header api-key
            no body",
        ..AZURE
    },
    Planning {
        name: "a date: the deployment is in the path",
        model: "gpt 4/o?x#y..",
        client_model: "fast",
        body: r#"{"model":"fast"}"#,
        expect: r#"POST https://acme.openai.azure.invalid/openai/deployments/gpt%204%2Fo%3Fx%23y../chat/completions?api-version=2024-10-21
            content-type: application/json
            secret api-key as header api-key
            body {"model":"gpt 4/o?x#y.."}"#,
        ..CLASSIC
    },
    Planning {
        name: "a preview of a date, of embeddings",
        base_url: "https://acme.openai.azure.invalid/openai",
        settings: r#"{"variant": "azure", "api-version": "2025-04-01-preview"}"#,
        operation: "embed",
        expect: "POST https://acme.openai.azure.invalid/openai/deployments/m/embeddings?api-version=2025-04-01-preview
            content-type: application/json
            secret api-key as header api-key
            body as it is",
        ..CLASSIC
    },
    Planning {
        name: "a date, of the models",
        operation: "list-models",
        expect: "GET https://acme.openai.azure.invalid/openai/models?api-version=2024-10-21
            secret api-key as header api-key
            no body",
        ..CLASSIC
    },
    Planning {
        name: "a deployment that would leave its place",
        model: "..",
        expect: r#"refused request invalid: ".." cannot be a deployment's name"#,
        ..CLASSIC
    },
    Planning {
        name: "a version that is none",
        settings: r#"{"variant": "azure", "api-version": "2024-10-2&x=1"}"#,
        expect: "refused request invalid: the setting `api-version` is `v1`, `preview`, or a date \
            such as `2024-10-21` or `2025-04-01-preview`, not \"2024-10-2&x=1\"",
        ..AZURE
    },
    Planning {
        name: "a raw request",
        operation: "http-request",
        options: &[("method", "GET"), ("url", "https://acme.openai.azure.invalid/openai/v1/files")],
        expect: "GET https://acme.openai.azure.invalid/openai/v1/files
            secret api-key as header api-key
            body as it is",
        ..AZURE
    },
];

const OTHERS: &[Planning] = &[
    Planning {
        name: "Ollama",
        base_url: "http://127.0.0.1:11434",
        settings: r#"{"variant": "ollama"}"#,
        expect: "POST http://127.0.0.1:11434/v1/chat/completions
            content-type: application/json
            secret api-key as bearer
            body as it is",
        ..PLANNING
    },
    Planning {
        name: "vLLM behind a proxy",
        base_url: "http://127.0.0.1/llm/v1",
        settings: r#"{"variant": "vllm"}"#,
        dialect: "openai-completions",
        expect: "POST http://127.0.0.1/llm/v1/completions
            content-type: application/json
            secret api-key as bearer
            body as it is",
        ..PLANNING
    },
    Planning {
        name: "Groq",
        base_url: "https://api.groq.invalid",
        settings: r#"{"variant": "groq"}"#,
        operation: "list-models",
        expect: "GET https://api.groq.invalid/openai/v1/models
            secret api-key as bearer
            no body",
        ..PLANNING
    },
    Planning {
        name: "Groq has no embeddings",
        settings: r#"{"variant": "groq"}"#,
        operation: "embed",
        expect: "refused request unsupported: this provider has no `/embeddings`",
        ..PLANNING
    },
    Planning {
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
        ..PLANNING
    },
    Planning {
        name: "a title that no header can hold",
        settings: r#"{"variant": "openrouter", "x-title": "a\nb"}"#,
        expect: "refused request invalid: what is set for the header `x-title` must be one line of \
            text",
        ..PLANNING
    },
];

#[tokio::test]
async fn openai_compatible_providers_are_asked_at_their_base_url() {
    check_plans("openai-compatible", PLAIN).await;
}

#[tokio::test]
async fn azure_is_asked_in_the_form_of_its_version() {
    check_plans("openai-compatible", AZURES).await;
}

#[tokio::test]
async fn the_other_variants_are_asked_where_they_are() {
    check_plans("openai-compatible", OTHERS).await;
}

#[tokio::test]
async fn openai_compatible_says_what_it_speaks() {
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
