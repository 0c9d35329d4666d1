//! Runs the SDK scripts against the mock provider, without Jackfield. They must pass here, so that a
//! failure behind Jackfield is Jackfield's.

use serde_json::{Value, json};

use crate::harness::Upstream;
use crate::sdks::{SdkCall, SdkScript};

/// Runs a script against the mock provider, and returns the provider.
async fn run_directly(script: SdkScript) -> Upstream {
    let upstream = Upstream::start(&[]).await;
    let call = SdkCall {
        origin: &upstream.origin(),
        key: "key-a",
        model: "gpt-mock",
        expected_key: "key-a",
        excluded: &[],
    };
    if let Err(log) = script.run(call).await {
        panic!("{script:?}: {log}");
    }
    assert!(upstream.provider.calls()["key-a"] > 5);
    assert_eq!(upstream.provider.streams_open(), 0);
    upstream
}

#[tokio::test]
async fn the_openai_sdk_for_python_chats() {
    let upstream = run_directly(SdkScript::PYTHON_OPENAI_CHAT).await;
    // The requests are recorded without keys.
    let recorded = upstream.provider.requests();
    assert!(
        recorded
            .iter()
            .any(|request| request.path == "/v1/embeddings")
    );
    assert!(
        recorded
            .iter()
            .all(|it| it.headers["authorization"] == "[secret]")
    );
}

#[tokio::test]
async fn the_openai_sdk_for_python_responds() {
    run_directly(SdkScript::PYTHON_OPENAI_RESPONSES).await;
}

#[tokio::test]
async fn the_anthropic_sdk_for_python_works() {
    run_directly(SdkScript::PYTHON_ANTHROPIC).await;
}

#[tokio::test]
async fn the_google_sdk_for_python_works() {
    run_directly(SdkScript::PYTHON_GOOGLE).await;
}

#[tokio::test]
async fn the_openai_sdk_for_node_works() {
    run_directly(SdkScript::NODE_OPENAI).await;
}

#[tokio::test]
async fn the_anthropic_sdk_for_node_works() {
    run_directly(SdkScript::NODE_ANTHROPIC).await;
}

#[tokio::test]
async fn the_google_sdk_for_node_works() {
    run_directly(SdkScript::NODE_GOOGLE).await;
}

/// A script that never fails would prove nothing.
#[tokio::test]
async fn script_fails_on_unexpected_responses() {
    let upstream = Upstream::start(&[]).await;
    for script in [SdkScript::PYTHON_ANTHROPIC, SdkScript::NODE_GOOGLE] {
        let call = SdkCall {
            origin: &upstream.origin(),
            key: "key-a",
            model: "gpt-mock",
            expected_key: "another-key",
            excluded: &[],
        };
        let log = script.run(call).await.unwrap_err();
        assert!(log.contains("another-key says:"), "{log}");
    }
}

#[tokio::test]
async fn mock_provider_lists_received_requests() {
    let upstream = Upstream::start(&[]).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let origin = upstream.origin();
    let body =
        json!({ "model": "m", "max_tokens": 9, "messages": [{ "role": "user", "content": "hi" }] });
    let send = client
        .post(format!("{origin}/v1/messages"))
        .header("x-api-key", "key-a")
        .body(body.to_string());
    // Without the version header the request is rejected, but recorded.
    assert_eq!(send.send().await.unwrap().status(), 400);
    let shown = client.get(format!("{origin}/mock/requests"));
    let shown = shown.send().await.unwrap().text().await.unwrap();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["requests"][0]["body"], body);
    assert_eq!(shown["requests"][0]["headers"]["x-api-key"], "[secret]");
}
