//! Tests the paths: where each API expects its key, and the effect of directives.

use std::collections::BTreeMap;

use axum::body::to_bytes;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use tokio::time::Instant;

use super::*;

const HELLO: &str = r#"{"contents":[{"parts":[{"text":"hello"}]}]}"#;

fn provider() -> Arc<MockProvider> {
    MockProvider::new(["key-a".to_owned()])
}

fn headers(named: &[(&'static str, &'static str)]) -> HeaderMap {
    let header = |(name, value): &(&'static str, &'static str)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    named.iter().map(header).collect()
}

fn chat(directives: &Value) -> Bytes {
    let messages = json!([{ "role": "user", "content": "hello" }]);
    Bytes::from(json!({ "model": "m", "messages": messages, "mock": directives }).to_string())
}

async fn body_text(response: Response<Body>) -> String {
    let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn gemini_status(path: &'static str, named: &[(&'static str, &'static str)]) -> StatusCode {
    let uri = Uri::from_static(path);
    let target = Path("m:generateContent".to_owned());
    let response = post_gemini(
        State(provider()),
        target,
        uri,
        headers(named),
        Bytes::from(HELLO),
    );
    response.await.status()
}

async fn chat_status(named: &[(&'static str, &'static str)], directives: &Value) -> StatusCode {
    let uri = Uri::from_static("/v1/chat/completions");
    let response = post_chat(State(provider()), uri, headers(named), chat(directives)).await;
    response.status()
}

#[tokio::test]
async fn accepts_keys_only_where_the_api_expects_them() {
    let none = json!({});
    assert_eq!(
        chat_status(&[("authorization", "Bearer key-a")], &none).await,
        200
    );
    assert_eq!(chat_status(&[("api-key", "key-a")], &none).await, 200);
    assert_eq!(chat_status(&[("x-api-key", "key-a")], &none).await, 401);
    assert_eq!(
        chat_status(&[("authorization", "Bearer key-b")], &none).await,
        401
    );
    assert_eq!(chat_status(&[], &none).await, 401);
    let path = "/v1beta/models/m:generateContent";
    assert_eq!(
        gemini_status(path, &[("x-goog-api-key", "key-a")]).await,
        200
    );
    assert_eq!(
        gemini_status("/v1beta/models/m:generateContent?key=key-a", &[]).await,
        200
    );
    assert_eq!(
        gemini_status(path, &[("authorization", "Bearer key-a")]).await,
        200
    );
    // Gemini reports an invalid key as a bad request.
    assert_eq!(gemini_status(path, &[("x-api-key", "key-a")]).await, 400);
}

#[tokio::test]
async fn messages_require_the_version_header() {
    let body =
        json!({ "model": "m", "max_tokens": 9, "messages": [{ "role": "user", "content": "a" }] });
    for (version, expected) in [
        (Some(("anthropic-version", "2023-06-01")), 200),
        (None, 400),
    ] {
        let named: Vec<_> = [("x-api-key", "key-a")]
            .into_iter()
            .chain(version)
            .collect();
        let uri = Uri::from_static("/v1/messages");
        let body = Bytes::from(body.to_string());
        let response = post_messages(State(provider()), uri, headers(&named), body).await;
        assert_eq!(response.status(), expected);
    }
}

#[tokio::test]
async fn status_directive_works_in_an_invalid_request() {
    let uri = Uri::from_static("/v1/chat/completions");
    let body = Bytes::from(r#"{"mock":{"status":429,"retry_after":7}}"#);
    let named = headers(&[("authorization", "Bearer key-a")]);
    let response = post_chat(State(provider()), uri, named, body).await;
    assert_eq!(
        (
            response.status().as_u16(),
            &response.headers()["retry-after"]
        ),
        (429, &HeaderValue::from(7))
    );
}

#[tokio::test(start_paused = true)]
async fn directives_pause_a_stream_and_omit_its_end() {
    let directives = json!({ "silent_ms": 5000, "silent_after": 2, "omit_end": true });
    let mut body: Value = serde_json::from_slice(&chat(&directives)).unwrap();
    body["stream"] = json!(true);
    let provider = provider();
    let began = Instant::now();
    let uri = Uri::from_static("/v1/chat/completions");
    let named = headers(&[("authorization", "Bearer key-a")]);
    let body = Bytes::from(body.to_string());
    let response = post_chat(State(Arc::clone(&provider)), uri, named, body).await;
    assert_eq!(provider.streams_open(), 1);
    let stream_text = body_text(response).await;
    assert_eq!(began.elapsed().as_millis(), 5000);
    assert_eq!(provider.streams_open(), 0);
    assert!(
        stream_text.contains("\"finish_reason\":\"stop\"") && !stream_text.contains("[DONE]"),
        "{stream_text}"
    );
    assert_eq!(provider.calls(), BTreeMap::from([("key-a".to_owned(), 1)]));
}

#[tokio::test]
async fn azure_requires_the_api_version() {
    for (path, expected) in [
        (
            "/openai/deployments/d/chat/completions?api-version=2024-10-21",
            200,
        ),
        ("/openai/deployments/d/chat/completions", 400),
    ] {
        let named = headers(&[("api-key", "key-a")]);
        let uri = Uri::from_static(path);
        let response = post_azure_chat(State(provider()), uri, named, chat(&json!({}))).await;
        assert_eq!(response.status(), expected);
    }
}

#[tokio::test]
async fn error_is_the_last_item_of_a_json_array_stream() {
    let mut body: Value = serde_json::from_str(HELLO).unwrap();
    body["mock"] = json!({ "events_error_after": 2 });
    let target = Path("m:streamGenerateContent".to_owned());
    let uri = Uri::from_static("/v1beta/models/m:streamGenerateContent?key=key-a");
    let body = Bytes::from(body.to_string());
    let response = post_gemini(State(provider()), target, uri, HeaderMap::new(), body).await;
    let items: Vec<Value> = serde_json::from_str(&body_text(response).await).unwrap();
    assert_eq!(items.len(), 3);
    assert_eq!(items[2]["error"]["status"], "UNAVAILABLE");
}
