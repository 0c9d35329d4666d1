//! Tests fallback models.

use axum::http::StatusCode;
use jackfield_mock_provider::MockFailure;
use serde_json::json;

use crate::harness::{Jackfield, Upstream, chat};

/// Starts a server with the providers `small` and `large` at one mock provider. `gpt-small` falls back
/// to `gpt-large` while its credential cools down. A call has one round: an outage is soon tried again.
async fn start(upstream: &Upstream) -> Jackfield {
    let provider = |name: &str| {
        format!(
            "  - name: {name}\n    executor: openai-compatible\n    base-url: http://{}/v1\n    \
             credentials: [ {{ id: of-{name}, api-key: key-{name} }} ]\n    \
             models: [ {{ name: gpt-{name} }} ]\n",
            upstream.address
        )
    };
    let config = format!(
        "retry: {{ rounds: 1 }}\nproviders:\n{}{}models:\n  - name: gpt-small\n    \
         fallback: [ {{ model: gpt-large, on: [cooling] }} ]\n",
        provider("small"),
        provider("large")
    );
    Jackfield::start_in(tempfile::tempdir().unwrap(), &config).await
}

#[tokio::test]
async fn falls_back_when_cooling_but_not_on_failure() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = start(&upstream).await;
    let request = chat("gpt-small", false, &json!({}));
    let fail = |status| {
        let failure = MockFailure {
            status,
            // Longer than a call waits for a cooldown.
            retry_after: Some(300),
        };
        upstream.provider.fail("key-small", Some(failure));
    };
    fail(StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(jackfield.call(&request).await.0, 500);
    let reset = format!(
        "http://{}/admin/v1/credentials/of-small/reset",
        jackfield.admin
    );
    let reset = jackfield
        .client
        .post(reset)
        .bearer_auth(crate::harness::TOKEN);
    assert!(reset.send().await.unwrap().status().is_success());
    fail(MockFailure::TOO_MANY_REQUESTS);
    for _ in 0..2 {
        let (status, response) = jackfield.call(&request).await;
        assert_eq!(status, 200, "{response}");
        assert_eq!(response["x_mock"]["served_by"], "key-large");
        assert_eq!(response["model"], "gpt-large");
    }
    // The second call did not try `small` again.
    assert_eq!(upstream.provider.calls()["key-small"], 2);
}
