//! The executor `gemini`: what it plans.

use super::{PLAN_CASE, PlanCase, built_in, check_plans};

const GEMINI: PlanCase = PlanCase {
    dialect: "gemini",
    base_url: "https://g.invalid",
    ..PLAN_CASE
};

const PLANS: &[PlanCase] = &[
    PlanCase {
        name: "content",
        model: "gemini-2.5-flash",
        client_model: "fast",
        body: r#"{"contents":[]}"#,
        expect: "POST https://g.invalid/v1beta/models/gemini-2.5-flash:generateContent
            content-type: application/json
            secret api-key as header x-goog-api-key
            body unchanged",
        ..GEMINI
    },
    PlanCase {
        name: "a stream, with a token and a project",
        model: "models/gemini-2.5-flash",
        stream: true,
        secrets: &["access-token", "api-key"],
        attributes: &[("project", "p-1")],
        headers: &[("anthropic-beta", "x"), ("openai-beta", "y")],
        expect:
            "POST https://g.invalid/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse
            content-type: application/json
            x-goog-user-project: p-1
            secret access-token as bearer
            body unchanged",
        ..GEMINI
    },
    PlanCase {
        name: "an API key needs no project",
        attributes: &[("project", "p-1")],
        expect: "POST https://g.invalid/v1beta/models/m:generateContent
            content-type: application/json
            secret api-key as header x-goog-api-key
            body unchanged",
        ..GEMINI
    },
    PlanCase {
        name: "a name that would change the path",
        model: "../../files/x",
        expect: "POST https://g.invalid/v1beta/models/..%2F..%2Ffiles%2Fx:generateContent
            content-type: application/json
            secret api-key as header x-goog-api-key
            body unchanged",
        ..GEMINI
    },
    PlanCase {
        name: "a name that would change the query",
        model: "m:countTokens?alt=json&key=1#x",
        stream: true,
        expect: "POST https://g.invalid/v1beta/models/\
            m%3AcountTokens%3Falt%3Djson%26key%3D1%23x:streamGenerateContent?alt=sse
            content-type: application/json
            secret api-key as header x-goog-api-key
            body unchanged",
        ..GEMINI
    },
    PlanCase {
        name: "spaces, percent signs, control characters and other scripts",
        model: "a b%2e\t\n\\模é@[",
        expect: "POST https://g.invalid/v1beta/models/\
            a%20b%252e%09%0A%5C%E6%A8%A1%C3%A9%40%5B:generateContent
            content-type: application/json
            secret api-key as header x-goog-api-key
            body unchanged",
        ..GEMINI
    },
    PlanCase {
        name: "a name of dots",
        model: "..",
        expect: r#"refused request invalid: ".." is not a valid model name"#,
        ..GEMINI
    },
    PlanCase {
        name: "no name",
        model: "models/",
        expect: r#"refused request invalid: "" is not a valid model name"#,
        ..GEMINI
    },
    PlanCase {
        name: "a count with the client's name of the model",
        operation: "count-tokens",
        body: r#"{"generateContentRequest":{"model":"models/other"}}"#,
        expect: "POST https://g.invalid/v1beta/models/m:countTokens
            content-type: application/json
            secret api-key as header x-goog-api-key
            body unchanged",
        ..GEMINI
    },
    PlanCase {
        name: "a count of a whole request with another name",
        operation: "count-tokens",
        client_model: "fast",
        body: r#"{"generateContentRequest": {"model":"models/fast", "contents":[ ]}}"#,
        expect: r#"POST https://g.invalid/v1beta/models/m:countTokens
            content-type: application/json
            secret api-key as header x-goog-api-key
            body {"generateContentRequest": {"model":"models/m", "contents":[ ]}}"#,
        ..GEMINI
    },
    PlanCase {
        name: "a count without a name in the body, with another name",
        operation: "count-tokens",
        client_model: "fast",
        body: r#"{"contents":[{"parts":[{"text":"model"}]}]}"#,
        expect: "POST https://g.invalid/v1beta/models/m:countTokens
            content-type: application/json
            secret api-key as header x-goog-api-key
            body unchanged",
        ..GEMINI
    },
    PlanCase {
        name: "a batch of embeddings",
        operation: "embed",
        model: "models/e \"1\"",
        client_model: "fast",
        body: r#"{ "requests":[{"model":"models/fast","content":{"n":1.0e2}},{"content":{}}] }"#,
        expect: r#"POST https://g.invalid/v1beta/models/e%20%221%22:batchEmbedContents
            content-type: application/json
            secret api-key as header x-goog-api-key
            body { "requests":[{"content":{"n":1.0e2},"model":"models/e \"1\""},{"content":{}}] }"#,
        ..GEMINI
    },
    PlanCase {
        name: "one embedding",
        operation: "embed",
        client_model: "fast",
        options: &[("method", "embedContent")],
        body: r#"{"model":"models/fast","content":{}}"#,
        expect: r#"POST https://g.invalid/v1beta/models/m:embedContent
            content-type: application/json
            secret api-key as header x-goog-api-key
            body {"model":"models/m","content":{}}"#,
        ..GEMINI
    },
    PlanCase {
        name: "an invalid body for embeddings",
        operation: "embed",
        client_model: "fast",
        body: r#"{"requests":[{"model":"models/fast"},7]}"#,
        expect: "POST https://g.invalid/v1beta/models/m:batchEmbedContents
            content-type: application/json
            secret api-key as header x-goog-api-key
            body unchanged",
        ..GEMINI
    },
    PlanCase {
        name: "an unknown method",
        operation: "embed",
        options: &[("method", "../x")],
        expect: "refused request invalid: the option `method` must be `embedContent` or \
            `batchEmbedContents`, not `../x`",
        ..GEMINI
    },
    PlanCase {
        name: "the models",
        operation: "list-models",
        expect: "GET https://g.invalid/v1beta/models?pageSize=1000
            secret api-key as header x-goog-api-key
            no body",
        ..GEMINI
    },
];

#[tokio::test]
async fn gemini_puts_the_model_in_the_url() {
    check_plans("gemini", PLANS).await;
}

#[tokio::test]
async fn gemini_replaces_models_in_large_batches() {
    let requests = vec![r#"{"model":"models/fast"}"#; 100].join(",");
    let body = format!(r#"{{"requests":[{requests}]}}"#);
    let renamed = body.replace("models/fast", "models/m");
    let case = PlanCase {
        operation: "embed",
        client_model: "fast",
        ..GEMINI
    };
    let body = bytes::Bytes::from(body);
    let planned = built_in("gemini").await;
    let planned = planned.prepare(&case.context(), &body).await;
    let shown = super::describe_plan(&planned.expect("a plan"), &case.context(), &body);
    assert!(shown.ends_with(&format!("body {renamed}")), "{shown}");
}

#[tokio::test]
async fn gemini_declares_dialects_and_operations() {
    let executor = built_in("gemini").await;
    let descriptor = executor.descriptor();
    assert_eq!(descriptor.dialects, ["gemini"]);
    let operations = [
        "generate",
        "count-tokens",
        "embed",
        "list-models",
        "http-request",
        "refresh",
    ];
    assert_eq!(descriptor.operations, operations);
}
