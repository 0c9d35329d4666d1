//! Any client, any provider: real SDKs and coding tools against the real binary, in front of practice
//! providers of every dialect. What passes here has been translated there and back, or not at all.

use std::fmt::Write as _;

use serde_json::Value;

use crate::coding_tools::CodingTool;
use crate::harness::{Jackfield, Upstream};
use crate::sdks::{SdkCall, SdkScript};

/// The executors: each with what its provider's own SDK has behind the address in its base URL, and with
/// what clients call its model. That says nothing of whose it is, by which some SDKs would go.
const PROVIDERS: [(&str, &str, &str); 4] = [
    ("anthropic", "", "model-a"),
    ("gemini", "", "model-b"),
    ("openai", "/v1", "model-c"),
    ("openai-compatible", "/v1", "model-d"),
];

/// One practice provider behind every executor. The scripts have it fail, each failure of which cools a
/// credential: there are some to spare, all with one key, and a call tries only one of them.
async fn everything(upstream: &Upstream) -> Jackfield {
    let mut config = "retry: { rounds: 1, max-credentials: 1 }\nproviders:\n".to_owned();
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
             models: [ {{ name: practice-of-{executor} }}, {{ name: other-of-{executor}, alias: {model} }} ]"
        )
        .unwrap();
    }
    Jackfield::start_in(tempfile::tempdir().unwrap(), &config).await
}

/// As many as fail in all scripts together before one provider, and more.
const CREDENTIALS: usize = 64;

/// What a script leaves out before a provider that cannot do it.
struct Without {
    script: SdkScript,
    /// Before every provider of another dialect.
    elsewhere: &'static [&'static str],
    /// Before these, beside that.
    before: &'static [(&'static str, &'static [&'static str])],
    /// The executors whose dialect is the script's own.
    home: &'static [&'static str],
}

async fn every_provider_serves(without: Without) {
    let upstream = Upstream::start(&[]).await;
    let jackfield = everything(&upstream).await;
    let mut wrong = String::new();
    for (executor, _, model) in PROVIDERS {
        let mut left_out: Vec<&str> = Vec::new();
        if !without.home.contains(&executor) {
            left_out.extend(without.elsewhere);
        }
        for (before, features) in without.before {
            if *before == executor {
                left_out.extend(*features);
            }
        }
        let call = SdkCall {
            origin: &format!("http://{}", jackfield.address),
            key: "any",
            // An alias: the provider's own name must get into its body, or its path.
            model,
            says: &format!("key-of-{executor}"),
            without: &left_out,
        };
        if let Err(told) = without.script.run(call).await {
            writeln!(wrong, "== before {executor}:\n{told}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{:?}\n{wrong}", without.script);
    assert_eq!(upstream.provider.streams_open(), 0);
    let shown = jackfield.admin("credentials").await;
    assert_eq!(shown["leases"]["open"], 0);
}

#[tokio::test]
async fn the_openai_sdk_for_python_chats_with_every_provider() {
    every_provider_serves(Without {
        script: SdkScript::PYTHON_OPENAI_CHAT,
        elsewhere: &[],
        before: &[
            ("anthropic", &["chat_json_object", "embeddings"]),
            ("gemini", &["chat_parallel_tools"]),
        ],
        home: &["openai", "openai-compatible"],
    })
    .await;
}

#[tokio::test]
async fn the_openai_sdk_for_python_has_responses_of_every_provider() {
    every_provider_serves(Without {
        script: SdkScript::PYTHON_OPENAI_RESPONSES,
        elsewhere: &[],
        before: &[],
        home: &["openai"],
    })
    .await;
}

#[tokio::test]
async fn the_anthropic_sdk_for_python_has_messages_of_every_provider() {
    every_provider_serves(Without {
        script: SdkScript::PYTHON_ANTHROPIC,
        elsewhere: &["messages_stop_sequence_named", "error_of_request"],
        before: &[("gemini", &["messages_parallel_tools"])],
        home: &["anthropic"],
    })
    .await;
}

#[tokio::test]
async fn the_google_sdk_for_python_generates_with_every_provider() {
    every_provider_serves(Without {
        script: SdkScript::PYTHON_GOOGLE,
        elsewhere: &[],
        before: &[("anthropic", &["embed"])],
        home: &["gemini"],
    })
    .await;
}

#[tokio::test]
async fn the_openai_sdk_for_node_works_with_every_provider() {
    every_provider_serves(Without {
        script: SdkScript::NODE_OPENAI,
        elsewhere: &[],
        before: &[("anthropic", &["embeddings"])],
        home: &["openai", "openai-compatible"],
    })
    .await;
}

#[tokio::test]
async fn the_anthropic_sdk_for_node_works_with_every_provider() {
    every_provider_serves(Without {
        script: SdkScript::NODE_ANTHROPIC,
        elsewhere: &[],
        before: &[],
        home: &["anthropic"],
    })
    .await;
}

#[tokio::test]
async fn the_google_sdk_for_node_works_with_every_provider() {
    every_provider_serves(Without {
        script: SdkScript::NODE_GOOGLE,
        elsewhere: &[],
        before: &[("anthropic", &["embed"])],
        home: &["gemini"],
    })
    .await;
}

/// A coding tool reads and writes files by what the model says: a call that is lost or garbled on the
/// way shows.
async fn a_task_is_completed(tool: CodingTool) {
    let upstream = Upstream::start(&[]).await;
    let jackfield = everything(&upstream).await;
    let origin = format!("http://{}", jackfield.address);
    for (executor, _, model) in PROVIDERS {
        if let Err(told) = tool.write_a_note(&origin, "any", model).await {
            let requests = jackfield.admin("requests").await;
            panic!("{tool:?} before {executor}: {told}\n{requests:#}");
        }
        let calls = &upstream.provider.calls();
        assert!(calls[&format!("key-of-{executor}")] > 1, "{executor}");
    }
}

#[tokio::test]
async fn claude_code_completes_a_task_with_every_provider() {
    a_task_is_completed(CodingTool::ClaudeCode).await;
}

#[tokio::test]
async fn codex_completes_a_task_with_every_provider() {
    a_task_is_completed(CodingTool::Codex).await;
}

/// What does not come through is told by name, and is in the request's record.
#[tokio::test]
async fn what_a_translation_drops_is_told() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = everything(&upstream).await;
    let body = serde_json::json!({
        "model": "model-a", "logit_bias": {"1": 2},
        "messages": [{"role": "user", "content": "hello"}],
    });
    let send = jackfield
        .client
        .post(jackfield.url("/v1/chat/completions"))
        .body(body.to_string());
    let answer = send.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let headers = answer.headers().clone();
    assert_eq!(headers["x-jackfield-warnings"], "logit_bias");
    let id = headers["x-jackfield-request-id"].to_str().unwrap();
    answer.text().await.unwrap();
    let record = jackfield.admin(&format!("requests/{id}")).await;
    assert_eq!(record["warnings"][0]["field"], "logit_bias");
    assert_eq!(record["usage"]["output"], 5);
}

/// What cannot be left out without a wrong answer is refused by name, and the provider is not asked.
#[tokio::test]
async fn what_cannot_be_translated_is_refused() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = everything(&upstream).await;
    let body = serde_json::json!({
        "model": "model-b", "n": 2, "messages": [{"role": "user", "content": "hello"}],
    });
    let (status, answer) = jackfield.call(&body).await;
    assert_eq!(
        (status, &answer["error"]["param"]),
        (400, &Value::from("n"))
    );
    assert_eq!(upstream.provider.calls().get("key-of-gemini"), None);
}

/// Who can count is asked; for all others the host's own count takes its place, and says so.
#[tokio::test]
async fn tokens_are_counted_by_the_provider_or_else_estimated() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = everything(&upstream).await;
    for (model, estimated) in [("model-a", false), ("model-b", false), ("model-c", true)] {
        let body = serde_json::json!({
            "model": model, "messages": [{"role": "user", "content": "one two three"}],
        });
        let send = jackfield
            .client
            .post(jackfield.url("/v1/messages/count_tokens"))
            .header("anthropic-version", "2023-06-01")
            .body(body.to_string());
        let answer = send.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{model}");
        let told = answer.headers().contains_key("x-jackfield-estimated");
        assert_eq!(told, estimated, "{model}");
        let count: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert!(count["input_tokens"].as_u64() > Some(0), "{count}");
    }
}

/// What a Gemini client gets that did not ask for events: one JSON array, item by item.
async fn streamed_as_array(jackfield: &Jackfield, model: &str, text: &str) -> (u16, String) {
    let body = serde_json::json!({ "contents": [{ "role": "user", "parts": [{ "text": text }] }] });
    let url = jackfield.url(&format!("/v1beta/models/{model}:streamGenerateContent"));
    let answer = jackfield.client.post(url).body(body.to_string());
    let answer = answer.send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json");
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_gemini_client_may_have_its_stream_as_an_array_of_every_provider() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = everything(&upstream).await;
    for (executor, _, model) in PROVIDERS {
        let (status, text) = streamed_as_array(&jackfield, model, "hello").await;
        assert_eq!(status, 200, "{executor}: {text}");
        let items: Vec<Value> = serde_json::from_str(&text).unwrap();
        let said: String = items
            .iter()
            .filter_map(|item| item["candidates"][0]["content"]["parts"][0]["text"].as_str())
            .collect();
        assert_eq!(
            said,
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

/// An array that breaks off would be no JSON: the error is its last item.
#[tokio::test]
async fn an_array_that_fails_after_its_beginning_ends_with_the_error() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = everything(&upstream).await;
    for (executor, _, model) in PROVIDERS {
        let wish = "hello practice:wish {\"events_error_after\":5}";
        let (status, text) = streamed_as_array(&jackfield, model, wish).await;
        assert_eq!(status, 200, "{executor}: {text}");
        let items: Vec<Value> = serde_json::from_str(&text).unwrap();
        let code = &items.last().unwrap()["error"]["code"];
        assert!(code.as_u64() >= Some(500), "{executor}: {text}");
        assert!(items.len() > 1, "{executor}: {text}");
    }
}

/// Each API has its own words for an error, and a stream that is under way ends with them, once.
#[tokio::test]
async fn a_stream_that_fails_after_its_beginning_ends_in_the_clients_words() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = everything(&upstream).await;
    let wish = "hello practice:wish {\"events_error_after\":5}";
    let message = serde_json::json!([{ "role": "user", "content": wish }]);
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
        for (path, member, words) in clients {
            let mut body = serde_json::json!({ "model": model, "stream": true, "max_tokens": 99 });
            body[member] = message.clone();
            if path == "/v1/responses" {
                body.as_object_mut().unwrap().remove("max_tokens");
            }
            let send = jackfield.client.post(jackfield.url(path));
            let send = send.header("anthropic-version", "2023-06-01");
            let answer = send.body(body.to_string()).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{path} before {executor}");
            let text = answer.text().await.unwrap();
            let own = ["\"type\":\"error\"", "\"error\":{", "response.failed"];
            let told = own.iter().any(|own| text.contains(own));
            assert!(told, "{path} before {executor}: {text}");
            let translated = !matches!(
                (path, executor),
                ("/v1/chat/completions", "openai" | "openai-compatible")
                    | ("/v1/messages", "anthropic")
                    | ("/v1/responses", "openai")
            );
            if translated {
                assert_eq!(
                    text.matches(words).count(),
                    1,
                    "{path} before {executor}: {text}"
                );
            }
        }
    }
}

/// A client that calls wrongly learns it in its own API's words, too.
#[tokio::test]
async fn a_wrong_method_and_a_wrong_path_are_told_in_the_clients_words() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = everything(&upstream).await;
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
        let answer = jackfield.client.get(jackfield.url(path)).send().await;
        let answer = answer.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        assert!(answer.headers().contains_key("x-jackfield-error"), "{path}");
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert!(
            body.pointer(kind).is_some_and(Value::is_string),
            "{path}: {body}"
        );
    }
}
