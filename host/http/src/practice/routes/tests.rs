//! Tests of the paths: which key each takes from where, and what becomes of wishes.

use std::collections::BTreeMap;

use axum::body::to_bytes;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use tokio::time::Instant;

use super::*;

const HELLO: &str = r#"{"contents":[{"parts":[{"text":"hello"}]}]}"#;

fn provider() -> Arc<PracticeProvider> {
    PracticeProvider::new(["key-a".to_owned()])
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

fn chat(wishes: &Value) -> Bytes {
    let messages = json!([{ "role": "user", "content": "hello" }]);
    Bytes::from(json!({ "model": "m", "messages": messages, "practice": wishes }).to_string())
}

async fn text(response: Response<Body>) -> String {
    let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn gemini_status(path: &'static str, named: &[(&'static str, &'static str)]) -> StatusCode {
    let uri = Uri::from_static(path);
    let target = PathPart("m:generateContent".to_owned());
    let response = post_gemini(
        State(provider()),
        target,
        uri,
        headers(named),
        Bytes::from(HELLO),
    );
    response.await.status()
}

async fn status(named: &[(&'static str, &'static str)], wishes: &Value) -> StatusCode {
    let uri = Uri::from_static("/v1/chat/completions");
    let response = post_chat(State(provider()), uri, headers(named), chat(wishes)).await;
    response.status()
}

#[tokio::test]
async fn a_key_counts_only_where_its_api_wants_it() {
    let none = json!({});
    assert_eq!(
        status(&[("authorization", "Bearer key-a")], &none).await,
        200
    );
    assert_eq!(status(&[("api-key", "key-a")], &none).await, 200);
    assert_eq!(status(&[("x-api-key", "key-a")], &none).await, 401);
    assert_eq!(
        status(&[("authorization", "Bearer key-b")], &none).await,
        401
    );
    assert_eq!(status(&[], &none).await, 401);
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
    // A wrong key is a bad request there.
    assert_eq!(gemini_status(path, &[("x-api-key", "key-a")]).await, 400);
}

#[tokio::test]
async fn a_message_needs_its_version() {
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
async fn a_status_is_wished_for_even_where_nothing_else_holds() {
    let uri = Uri::from_static("/v1/chat/completions");
    let body = Bytes::from(r#"{"practice":{"status":429,"retry_after":7}}"#);
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
async fn a_stream_is_silent_where_it_was_wished_for_and_forgets_its_end() {
    let wishes = json!({ "silent_ms": 5000, "silent_after": 2, "omit_end": true });
    let mut body: Value = serde_json::from_slice(&chat(&wishes)).unwrap();
    body["stream"] = json!(true);
    let provider = provider();
    let began = Instant::now();
    let uri = Uri::from_static("/v1/chat/completions");
    let named = headers(&[("authorization", "Bearer key-a")]);
    let body = Bytes::from(body.to_string());
    let response = post_chat(State(Arc::clone(&provider)), uri, named, body).await;
    assert_eq!(provider.streams_open(), 1);
    let told = text(response).await;
    assert_eq!(began.elapsed().as_millis(), 5000);
    assert_eq!(provider.streams_open(), 0);
    assert!(
        told.contains("\"finish_reason\":\"stop\"") && !told.contains("[DONE]"),
        "{told}"
    );
    assert_eq!(provider.calls(), BTreeMap::from([("key-a".to_owned(), 1)]));
}

#[tokio::test]
async fn azure_needs_the_version_of_its_api() {
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
async fn an_error_ends_a_stream_of_an_array_as_its_last_item() {
    let mut body: Value = serde_json::from_str(HELLO).unwrap();
    body["practice"] = json!({ "events_error_after": 2 });
    let target = PathPart("m:streamGenerateContent".to_owned());
    let uri = Uri::from_static("/v1beta/models/m:streamGenerateContent?key=key-a");
    let body = Bytes::from(body.to_string());
    let response = post_gemini(State(provider()), target, uri, HeaderMap::new(), body).await;
    let items: Vec<Value> = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!(items.len(), 3);
    assert_eq!(items[2]["error"]["status"], "UNAVAILABLE");
}
