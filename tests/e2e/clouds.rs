//! Providers whose requests are signed: Amazon Bedrock and Vertex AI, behind mocks that verify each signature. Clients of
//! each API get whole responses and streams, and a wrong key is the fault of its credential.

use std::fs;
use std::time::Duration;

use jackfield_mock_provider::{MockAccessKey, MockOAuthOptions, MockServiceAccount};
use serde_json::{Value, json};

use crate::harness::{Jackfield, Upstream};
use crate::sdks::{SdkCall, SdkScript};

/// The example credentials of AWS.
const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SESSION_TOKEN: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTw==";

/// The name of the service account of `tests/cases/jwt`.
const ACCOUNT: &str = "jackfield@test-project.iam.gserviceaccount.com";

async fn bedrock_upstream() -> Upstream {
    let upstream = Upstream::start(&["key-of-bedrock"]).await;
    upstream.provider.add_access_key(MockAccessKey {
        id: ACCESS_KEY_ID.to_owned(),
        secret: SECRET_ACCESS_KEY.to_owned(),
        session_token: Some(SESSION_TOKEN.to_owned()),
        region: "eu-central-1".to_owned(),
    });
    upstream
}

/// A provider `bedrock` whose models `claude-PROVIDER` and `nova-PROVIDER` have these credentials.
fn bedrock(name: &str, upstream: &Upstream, credentials: &str) -> String {
    format!(
        "  - name: {name}\n    executor: bedrock\n    base-url: {}\n    settings: {{ region: eu-central-1 }}\n    \
         credentials:\n{credentials}    models:\n      \
         - {{ name: \"eu.anthropic.claude-test-v1:0\", alias: claude-{name} }}\n      \
         - {{ name: \"amazon.nova-lite-v1:0\", alias: nova-{name} }}\n",
        upstream.origin()
    )
}

fn api_key(id: &str) -> String {
    format!("      - {{ id: {id}, api-key: key-of-bedrock }}\n")
}

fn access_key(id: &str, secret: &str) -> String {
    format!(
        "      - id: {id}\n        secrets: {{ access-key-id: {ACCESS_KEY_ID}, secret-access-key: {secret}, \
         session-token: \"{SESSION_TOKEN}\" }}\n"
    )
}

fn modulus() -> Vec<u8> {
    let digits = include_str!("../cases/jwt/rs256/modulus.txt").trim_end();
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

async fn vertex_upstream(modulus: Vec<u8>) -> Upstream {
    Upstream::with_oauth(MockOAuthOptions {
        service_accounts: vec![MockServiceAccount {
            email: ACCOUNT.to_owned(),
            key_id: "0123456789abcdef".to_owned(),
            modulus,
        }],
        ..MockOAuthOptions::default()
    })
    .await
}

/// Starts a server with a provider `vertex`, whose credential is the key file of the service account.
async fn start_with_vertex(upstream: &Upstream) -> Jackfield {
    let folder = tempfile::tempdir().unwrap();
    let key = include_str!("../cases/jwt/rs256/service-account.json");
    fs::write(folder.path().join("service-account.json"), key).unwrap();
    let origin = upstream.origin();
    let config = format!(
        "providers:\n  - name: vertex\n    executor: vertex\n    base-url: {origin}\n    \
         settings: {{ project: test-project, location: europe-west1, token-url: \"{origin}/oauth/token\" }}\n    \
         credentials: [ {{ id: vertex-a, secrets: {{ service-account-key: {{ file: service-account.json }} }} }} ]\n    \
         models:\n      - {{ name: gemini-test, alias: gemini-vertex }}\n      \
         - {{ name: \"claude-test@20260101\", alias: claude-vertex }}\n"
    );
    Jackfield::start_in(folder, &config).await
}

/// The client APIs: a path, a body and the text that ends a complete stream.
pub(crate) fn requests(
    model: &str,
    text: &str,
    stream: bool,
) -> Vec<(String, Value, &'static str)> {
    let messages = json!([{ "role": "user", "content": text }]);
    let method = if stream {
        "streamGenerateContent?alt=sse"
    } else {
        "generateContent"
    };
    vec![
        (
            "/v1/chat/completions".to_owned(),
            json!({ "model": model, "messages": messages, "stream": stream }),
            "[DONE]",
        ),
        (
            "/v1/responses".to_owned(),
            json!({ "model": model, "input": text, "stream": stream }),
            "response.completed",
        ),
        (
            "/v1/messages".to_owned(),
            json!({ "model": model, "max_tokens": 99, "messages": messages, "stream": stream }),
            "message_stop",
        ),
        (
            format!("/v1beta/models/{model}:{method}"),
            json!({ "contents": [{ "role": "user", "parts": [{ "text": text }] }] }),
            "finishReason",
        ),
    ]
}

pub(crate) async fn send(jackfield: &Jackfield, path: &str, body: &Value) -> (u16, String) {
    let request = jackfield.client.post(jackfield.url(path));
    let response = request.body(body.to_string()).send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.text().await.unwrap())
}

/// Checks that each client API is served by this key, whole and as a stream.
pub(crate) async fn check_every_api(jackfield: &Jackfield, model: &str, key: &str) {
    for stream in [false, true] {
        for (path, body, end) in requests(model, "hello", stream) {
            let (status, response) = send(jackfield, &path, &body).await;
            assert_eq!(status, 200, "{model} {path}: {response}");
            assert!(response.contains(key), "{model} {path}: {response}");
            assert!(response.contains("word-3"), "{model} {path}: {response}");
            if stream {
                assert!(response.contains(end), "{model} {path}: {response}");
            }
        }
    }
}

#[tokio::test]
async fn bedrock_serves_clients_of_each_api_by_both_kinds_of_key() {
    let upstream = bedrock_upstream().await;
    let config = format!(
        "providers:\n{}{}",
        bedrock("key", &upstream, &api_key("a")),
        bedrock("signed", &upstream, &access_key("b", SECRET_ACCESS_KEY))
    );
    let jackfield = Jackfield::start_in(tempfile::tempdir().unwrap(), &config).await;
    for (provider, key) in [("key", "key-of-bedrock"), ("signed", ACCESS_KEY_ID)] {
        check_every_api(&jackfield, &format!("claude-{provider}"), key).await;
        check_every_api(&jackfield, &format!("nova-{provider}"), key).await;
    }
    let calls = upstream.provider.calls();
    assert_eq!(calls["key-of-bedrock"], 16);
    assert_eq!(calls[ACCESS_KEY_ID], 16);
    assert_eq!(upstream.provider.streams_open(), 0);
}

#[tokio::test]
async fn wrong_signature_is_the_fault_of_its_credential() {
    let upstream = bedrock_upstream().await;
    let credentials = access_key("wrong", "wJalrXUtnFEMI/K7MDENG+wrong") + &api_key("right");
    let config = format!(
        "providers:\n{}routing: {{ selector: fill-first }}\n",
        bedrock("mixed", &upstream, &credentials)
    );
    let jackfield = Jackfield::start_in(tempfile::tempdir().unwrap(), &config).await;
    // Ids decide the order of fill-first.
    for model in ["claude-mixed", "nova-mixed"] {
        for (path, body, _) in requests(model, "hello", true) {
            let (status, response) = send(&jackfield, &path, &body).await;
            assert_eq!(status, 200, "{response}");
        }
    }
    let wrong = jackfield.credential("wrong").await;
    assert_eq!(
        jackfield.credential("right").await["health"]["state"],
        "ready"
    );
    let alone = format!(
        "providers:\n{}",
        bedrock(
            "mixed",
            &upstream,
            &access_key("wrong", "wJalrXUtnFEMI/K7MDENG+wrong")
        )
    );
    jackfield.configure(&alone);
    assert_eq!(jackfield.reload().await.0, 200, "{wrong}");
    let (path, body, _) = requests("claude-mixed", "hello", false).remove(2);
    let (status, response) = send(&jackfield, &path, &body).await;
    assert!(status >= 400, "{response}");
    assert!(response.contains(r#""type":"error""#), "{response}");
    for secret in ["MDENG", SESSION_TOKEN, "Signature="] {
        assert!(!response.contains(secret), "{response}");
        assert!(!jackfield.has_logged(secret), "{secret} is in the log");
    }
}

#[tokio::test]
async fn exception_in_a_stream_of_bedrock_reaches_the_client() {
    let upstream = bedrock_upstream().await;
    let config = format!("providers:\n{}", bedrock("key", &upstream, &api_key("a")));
    let jackfield = Jackfield::start_in(tempfile::tempdir().unwrap(), &config).await;
    for (model, after) in [("claude-key", 6), ("nova-key", 4)] {
        let text = format!(r#"mock:directive {{"events_error_after":{after},"words":9}}"#);
        let (path, body, _) = requests(model, &text, true).remove(2);
        let (status, response) = send(&jackfield, &path, &body).await;
        assert_eq!(status, 200, "{response}");
        assert!(response.contains("event: error"), "{response}");
        assert!(
            response.contains("a directive requested this status"),
            "{response}"
        );
        assert!(!response.contains("message_stop"), "{response}");
    }
}

#[tokio::test]
async fn vertex_serves_clients_of_each_api_by_a_service_account() {
    let upstream = vertex_upstream(modulus()).await;
    let jackfield = start_with_vertex(&upstream).await;
    for model in ["gemini-vertex", "claude-vertex"] {
        check_every_api(&jackfield, model, ACCOUNT).await;
    }
    assert_eq!(upstream.oauth().counts().refreshed, 1);
    // An expired token is replaced within the call.
    upstream.oauth().end_access(ACCOUNT);
    let (path, body, _) = requests("claude-vertex", "hello", false).remove(0);
    let (status, response) = send(&jackfield, &path, &body).await;
    assert_eq!(status, 200, "{response}");
    assert_eq!(upstream.oauth().counts().refreshed, 2);
    let counted = json!({ "model": "claude-vertex", "messages": body["messages"] });
    let (status, response) = send(&jackfield, "/v1/messages/count_tokens", &counted).await;
    assert_eq!(status, 200, "{response}");
    assert_eq!(response, r#"{"input_tokens":3}"#);
    assert_eq!(upstream.provider.calls().len(), 1);
}

#[tokio::test]
async fn wrong_key_of_a_service_account_bars_it_and_is_not_shown() {
    let upstream = vertex_upstream(modulus().into_iter().rev().collect()).await;
    let jackfield = start_with_vertex(&upstream).await;
    let (path, body, _) = requests("gemini-vertex", "hello", false).remove(0);
    let (status, response) = send(&jackfield, &path, &body).await;
    assert!(status >= 400, "{response}");
    let credential = jackfield.credential("vertex-a").await;
    assert_eq!(credential["health"]["state"], "barred", "{credential}");
    assert!(upstream.oauth().counts().invalid_grant >= 1);
    let shown = credential.to_string() + &response;
    assert!(shown.contains("Invalid JWT Signature"), "{shown}");
    // The beginning of each assertion, and parts of the key's file.
    for secret in ["eyJhbGciOi", "PRIVATE KEY", "MIIE"] {
        assert!(!shown.contains(secret), "{shown}");
        assert!(!jackfield.has_logged(secret), "{secret} is in the log");
    }
}

/// The features of clients that the clouds have as well.
const FEATURES: [(SdkScript, &[&str]); 4] = [
    (
        SdkScript::PYTHON_OPENAI_CHAT,
        &[
            "chat",
            "chat_stream",
            "chat_system",
            "chat_turns",
            "chat_tools_streamed",
            "chat_tool_results",
        ],
    ),
    (
        SdkScript::PYTHON_OPENAI_RESPONSES,
        &[
            "responses",
            "responses_stream",
            "responses_tools_streamed",
            "responses_tool_results",
        ],
    ),
    (
        SdkScript::PYTHON_ANTHROPIC,
        &[
            "messages",
            "messages_stream",
            "messages_usage",
            "messages_system",
            "messages_tools",
            "messages_tool_choice",
            "messages_tools_streamed",
            "messages_tool_results",
        ],
    ),
    (
        SdkScript::PYTHON_GOOGLE,
        &[
            "generate",
            "stream",
            "system",
            "turns",
            "function_calls_streamed",
            "function_results",
        ],
    ),
];

pub(crate) async fn check_sdks(jackfield: &Jackfield, model: &str, key: &str, without: &[&str]) {
    for (script, features) in FEATURES {
        let features = features.iter().copied().filter(|it| !without.contains(it));
        let features: Vec<&str> = features.collect();
        let call = SdkCall {
            origin: &format!("http://{}", jackfield.address),
            key: "any",
            model,
            expected_key: key,
            excluded: &[],
        };
        let run = tokio::time::timeout(SDK_TIMEOUT, script.run_only(call, &features)).await;
        let run = run.expect("the script did not end");
        assert!(run.is_ok(), "{model}: {}", run.unwrap_err());
    }
}

const SDK_TIMEOUT: Duration = Duration::from_secs(300);

#[tokio::test]
async fn the_python_sdk_features_work_with_bedrock() {
    let upstream = bedrock_upstream().await;
    let config = format!(
        "providers:\n{}",
        bedrock("signed", &upstream, &access_key("b", SECRET_ACCESS_KEY))
    );
    let jackfield = Jackfield::start_in(tempfile::tempdir().unwrap(), &config).await;
    for model in ["claude-signed", "nova-signed"] {
        check_sdks(&jackfield, model, ACCESS_KEY_ID, &[]).await;
    }
}

#[tokio::test]
async fn the_python_sdk_features_work_with_vertex() {
    let upstream = vertex_upstream(modulus()).await;
    let jackfield = start_with_vertex(&upstream).await;
    for model in ["claude-vertex", "gemini-vertex"] {
        check_sdks(&jackfield, model, ACCOUNT, &[]).await;
    }
}
