//! Tests every client with every provider: real SDKs and coding tools call the real binary, in front of
//! the mock provider in each dialect. Requests are translated unless both dialects are the same.

use std::fmt::Write as _;

use serde_json::Value;

use crate::coding_tools::CodingTool;
use crate::harness::{Jackfield, Upstream};
use crate::sdks::{SdkCall, SdkScript};

/// The executors, with the path of the base URL and the alias of the model. The alias does not name a
/// vendor, since some SDKs change their behaviour by it.
const PROVIDERS: [(&str, &str, &str); 4] = [
    ("anthropic", "", "model-a"),
    ("gemini", "", "model-b"),
    ("openai", "/v1", "model-c"),
    ("openai-compatible", "/v1", "model-d"),
];

/// Starts a server with one mock provider behind all executors. Each failure that a script requests cools
/// a credential, so there are many credentials with one key, and a call tries only one of them.
async fn start_with_all_providers(upstream: &Upstream) -> Jackfield {
    let mut config = "retry: { rounds: 1, max-credentials: 1 }\nproviders:\n".to_owned();
    // The mock provider takes what OpenAI takes. An unknown server would get less.
    let traits = "traits: { server: openai }";
    for (executor, path, model) in PROVIDERS {
        let base_url = format!("{}{path}", upstream.origin());
        let credential =
            |number| format!("{{ id: {executor}-{number}, api-key: key-of-{executor} }}");
        let credentials: Vec<String> = (0..CREDENTIALS).map(credential).collect();
        let credentials = credentials.join(", ");
        writeln!(
            config,
            "  - name: {executor}\n    executor: {executor}\n    base-url: {base_url}\n    \
             credentials: [ {credentials} ]\n    \
             models: [ {{ name: mock-of-{executor} }}, {{ name: other-of-{executor}, alias: {model} }} ]\n    \
             {traits}"
        )
        .unwrap();
    }
    Jackfield::start_in(tempfile::tempdir().unwrap(), &config).await
}

/// More credentials per provider than all scripts together let fail.
const CREDENTIALS: usize = 64;

/// The features that a script skips, because a provider does not support them.
struct Exclusions {
    script: SdkScript,
    /// With every provider of another dialect.
    when_translated: &'static [&'static str],
    /// With these executors, in addition.
    by_provider: &'static [(&'static str, &'static [&'static str])],
    /// The executors whose dialect is the script's own.
    native_providers: &'static [&'static str],
}

async fn check_every_provider(exclusions: Exclusions) {
    let upstream = Upstream::start(&[]).await;
    let jackfield = start_with_all_providers(&upstream).await;
    let mut failures = String::new();
    for (executor, _, model) in PROVIDERS {
        let mut excluded: Vec<&str> = Vec::new();
        if !exclusions.native_providers.contains(&executor) {
            excluded.extend(exclusions.when_translated);
        }
        for (provider, features) in exclusions.by_provider {
            if *provider == executor {
                excluded.extend(*features);
            }
        }
        let call = SdkCall {
            origin: &format!("http://{}", jackfield.address),
            key: "any",
            // An alias: Jackfield must put the provider's name into the body or the path.
            model,
            expected_key: &format!("key-of-{executor}"),
            excluded: &excluded,
        };
        if let Err(log) = exclusions.script.run(call).await {
            writeln!(failures, "== with {executor}:\n{log}").unwrap();
        }
    }
    assert!(failures.is_empty(), "{:?}\n{failures}", exclusions.script);
    assert_eq!(upstream.provider.streams_open(), 0);
    let shown = jackfield.admin("credentials").await;
    assert_eq!(shown["leases"]["open"], 0);
}

#[tokio::test]
async fn the_openai_sdk_for_python_chats_with_every_provider() {
    check_every_provider(Exclusions {
        script: SdkScript::PYTHON_OPENAI_CHAT,
        when_translated: &[],
        by_provider: &[
            ("anthropic", &["chat_json_object", "embeddings"]),
            ("gemini", &["chat_parallel_tools"]),
        ],
        native_providers: &["openai", "openai-compatible"],
    })
    .await;
}

#[tokio::test]
async fn the_openai_sdk_for_python_has_responses_of_every_provider() {
    check_every_provider(Exclusions {
        script: SdkScript::PYTHON_OPENAI_RESPONSES,
        when_translated: &[],
        by_provider: &[],
        native_providers: &["openai"],
    })
    .await;
}

#[tokio::test]
async fn the_anthropic_sdk_for_python_has_messages_of_every_provider() {
    check_every_provider(Exclusions {
        script: SdkScript::PYTHON_ANTHROPIC,
        when_translated: &["messages_stop_sequence_named", "error_of_request"],
        by_provider: &[("gemini", &["messages_parallel_tools"])],
        native_providers: &["anthropic"],
    })
    .await;
}

#[tokio::test]
async fn the_google_sdk_for_python_generates_with_every_provider() {
    check_every_provider(Exclusions {
        script: SdkScript::PYTHON_GOOGLE,
        when_translated: &[],
        by_provider: &[("anthropic", &["embed"])],
        native_providers: &["gemini"],
    })
    .await;
}

#[tokio::test]
async fn the_openai_sdk_for_node_works_with_every_provider() {
    check_every_provider(Exclusions {
        script: SdkScript::NODE_OPENAI,
        when_translated: &[],
        by_provider: &[("anthropic", &["embeddings"])],
        native_providers: &["openai", "openai-compatible"],
    })
    .await;
}

#[tokio::test]
async fn the_anthropic_sdk_for_node_works_with_every_provider() {
    check_every_provider(Exclusions {
        script: SdkScript::NODE_ANTHROPIC,
        when_translated: &[],
        by_provider: &[],
        native_providers: &["anthropic"],
    })
    .await;
}

#[tokio::test]
async fn the_google_sdk_for_node_works_with_every_provider() {
    check_every_provider(Exclusions {
        script: SdkScript::NODE_GOOGLE,
        when_translated: &[],
        by_provider: &[("anthropic", &["embed"])],
        native_providers: &["gemini"],
    })
    .await;
}

/// Runs a coding tool with every provider. It writes a file only if the tool call arrives unchanged.
async fn check_coding_tool(tool: CodingTool) {
    let upstream = Upstream::start(&[]).await;
    let jackfield = start_with_all_providers(&upstream).await;
    let origin = format!("http://{}", jackfield.address);
    for (executor, _, model) in PROVIDERS {
        if let Err(log) = tool.run_task(&origin, "any", model).await {
            let requests = jackfield.admin("requests").await;
            panic!("{tool:?} with {executor}: {log}\n{requests:#}");
        }
        let calls = &upstream.provider.calls();
        assert!(calls[&format!("key-of-{executor}")] > 1, "{executor}");
    }
}

#[tokio::test]
async fn claude_code_completes_a_task_with_every_provider() {
    check_coding_tool(CodingTool::ClaudeCode).await;
}

#[tokio::test]
async fn codex_completes_a_task_with_every_provider() {
    check_coding_tool(CodingTool::Codex).await;
}

#[tokio::test]
async fn gemini_cli_completes_a_task_with_every_provider() {
    check_coding_tool(CodingTool::GeminiCli).await;
}

/// A response header and the call log name the fields that the translation dropped.
#[tokio::test]
async fn reports_fields_dropped_in_translation() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = start_with_all_providers(&upstream).await;
    let body = serde_json::json!({
        "model": "model-a", "logit_bias": {"1": 2},
        "messages": [{"role": "user", "content": "hello"}],
    });
    let send = jackfield
        .client
        .post(jackfield.url("/v1/chat/completions"))
        .body(body.to_string());
    let response = send.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let headers = response.headers().clone();
    assert_eq!(headers["x-jackfield-warnings"], "logit_bias");
    let id = headers["x-jackfield-request-id"].to_str().unwrap();
    response.text().await.unwrap();
    let record = jackfield.admin(&format!("requests/{id}")).await;
    assert_eq!(record["warnings"][0]["field"], "logit_bias");
    assert_eq!(record["usage"]["output"], 5);
}

/// A field that a translation cannot drop without changing the meaning is an error, and no call is made.
#[tokio::test]
async fn rejects_untranslatable_requests() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = start_with_all_providers(&upstream).await;
    let body = serde_json::json!({
        "model": "model-b", "n": 2, "messages": [{"role": "user", "content": "hello"}],
    });
    let (status, response) = jackfield.call(&body).await;
    assert_eq!(
        (status, &response["error"]["param"]),
        (400, &Value::from("n"))
    );
    assert_eq!(upstream.provider.calls().get("key-of-gemini"), None);
}

/// Providers without token counting get the host's estimate, and a header marks it.
#[tokio::test]
async fn tokens_are_counted_by_the_provider_or_else_estimated() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = start_with_all_providers(&upstream).await;
    for (model, estimated) in [("model-a", false), ("model-b", false), ("model-c", true)] {
        let body = serde_json::json!({
            "model": model, "messages": [{"role": "user", "content": "one two three"}],
        });
        let send = jackfield
            .client
            .post(jackfield.url("/v1/messages/count_tokens"))
            .header("anthropic-version", "2023-06-01")
            .body(body.to_string());
        let response = send.send().await.unwrap();
        assert_eq!(response.status(), 200, "{model}");
        let is_estimated = response.headers().contains_key("x-jackfield-estimated");
        assert_eq!(is_estimated, estimated, "{model}");
        let count: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert!(count["input_tokens"].as_u64() > Some(0), "{count}");
    }
}

/// Streams as a Gemini client without `alt=sse` does: the response is one JSON array.
async fn stream_as_array(jackfield: &Jackfield, model: &str, text: &str) -> (u16, String) {
    let body = serde_json::json!({ "contents": [{ "role": "user", "parts": [{ "text": text }] }] });
    let url = jackfield.url(&format!("/v1beta/models/{model}:streamGenerateContent"));
    let request = jackfield.client.post(url).body(body.to_string());
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn gemini_clients_may_stream_json_arrays() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = start_with_all_providers(&upstream).await;
    for (executor, _, model) in PROVIDERS {
        let (status, text) = stream_as_array(&jackfield, model, "hello").await;
        assert_eq!(status, 200, "{executor}: {text}");
        let items: Vec<Value> = serde_json::from_str(&text).unwrap();
        let content: String = items
            .iter()
            .filter_map(|item| item["candidates"][0]["content"]["parts"][0]["text"].as_str())
            .collect();
        assert_eq!(
            content,
            format!("key-of-{executor} says: word-1 word-2 word-3 word-4")
        );
        let last = items.last().unwrap();
        assert_eq!(last["candidates"][0]["finishReason"], "STOP", "{executor}");
        assert_eq!(
            last["usageMetadata"]["candidatesTokenCount"], 5,
            "{executor}"
        );
    }
}

/// A truncated array would be invalid JSON, so the error is its last item.
#[tokio::test]
async fn failed_json_array_ends_with_the_error() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = start_with_all_providers(&upstream).await;
    for (executor, _, model) in PROVIDERS {
        let prompt = "hello mock:directive {\"events_error_after\":5}";
        let (status, text) = stream_as_array(&jackfield, model, prompt).await;
        assert_eq!(status, 200, "{executor}: {text}");
        let items: Vec<Value> = serde_json::from_str(&text).unwrap();
        let code = &items.last().unwrap()["error"]["code"];
        assert!(code.as_u64() >= Some(500), "{executor}: {text}");
        assert!(items.len() > 1, "{executor}: {text}");
    }
}

/// A stream that fails ends with exactly one error event, in the format of the client's API.
#[tokio::test]
async fn failed_stream_ends_with_an_error_in_the_clients_dialect() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = start_with_all_providers(&upstream).await;
    let prompt = "hello mock:directive {\"events_error_after\":5}";
    let message = serde_json::json!([{ "role": "user", "content": prompt }]);
    let clients = [
        ("/v1/chat/completions", "messages", "data: {\"error\":"),
        (
            "/v1/messages",
            "messages",
            "event: error\ndata: {\"type\":\"error\"",
        ),
        ("/v1/responses", "input", "event: response.failed\n"),
    ];
    for (executor, _, model) in PROVIDERS {
        for (path, member, start) in clients {
            let mut body = serde_json::json!({ "model": model, "stream": true, "max_tokens": 99 });
            body[member] = message.clone();
            if path == "/v1/responses" {
                body.as_object_mut().unwrap().remove("max_tokens");
            }
            let send = jackfield.client.post(jackfield.url(path));
            let send = send.header("anthropic-version", "2023-06-01");
            let response = send.body(body.to_string()).send().await.unwrap();
            assert_eq!(response.status(), 200, "{path} with {executor}");
            let text = response.text().await.unwrap();
            let own = ["\"type\":\"error\"", "\"error\":{", "response.failed"];
            let has_error = own.iter().any(|own| text.contains(own));
            assert!(has_error, "{path} with {executor}: {text}");
            let translated = !matches!(
                (path, executor),
                ("/v1/chat/completions", "openai" | "openai-compatible")
                    | ("/v1/messages", "anthropic")
                    | ("/v1/responses", "openai")
            );
            if translated {
                assert_eq!(
                    text.matches(start).count(),
                    1,
                    "{path} with {executor}: {text}"
                );
            }
        }
    }
}

/// Errors of the router have the format of the client's API, too.
#[tokio::test]
async fn renders_404_and_405_in_the_clients_dialect() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = start_with_all_providers(&upstream).await;
    for (path, status, kind) in [
        ("/v1/messages", 405, "/type"),
        ("/v1/chat/completions", 405, "/error/type"),
        (
            "/v1beta/models/model-a:generateContent",
            404,
            "/error/status",
        ),
        ("/v1beta/nothing", 404, "/error/status"),
        ("/v1/nothing", 404, "/error/type"),
    ] {
        let response = jackfield.client.get(jackfield.url(path)).send().await;
        let response = response.unwrap();
        assert_eq!(response.status(), status, "{path}");
        assert!(
            response.headers().contains_key("x-jackfield-error"),
            "{path}"
        );
        let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert!(
            body.pointer(kind).is_some_and(Value::is_string),
            "{path}: {body}"
        );
    }
}
