//! Tests the selectors: how many calls each credential gets.

use std::collections::BTreeMap;

use serde_json::json;

use crate::harness::{Jackfield, Upstream, chat, wait_until};

/// Starts a server with three credentials, whose weights are 1, 2 and 3, and this `routing`.
async fn start(upstream: &Upstream, routing: &str) -> Jackfield {
    let config = format!(
        "providers:\n  - name: mock\n    executor: openai-compatible\n    \
         base-url: http://{}/v1\n    credentials:\n      \
         - {{ id: light, api-key: light }}\n      \
         - {{ id: middle, api-key: middle, weight: 2 }}\n      \
         - {{ id: heavy, api-key: heavy, weight: 3 }}\n    \
         models: [ {{ name: gpt-mock, alias: mock }} ]\n\
         routing: {routing}\n",
        upstream.address
    );
    Jackfield::start_in(tempfile::tempdir().unwrap(), &config).await
}

fn counts(of: [(&str, u64); 3]) -> BTreeMap<String, u64> {
    let count = |(id, count): (&str, u64)| (id.to_owned(), count);
    of.into_iter().map(count).collect()
}

#[tokio::test]
async fn weighted_calls_each_credential_by_its_weight() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = start(&upstream, "{ selector: weighted }").await;
    for _ in 0..60 {
        let (status, _) = jackfield.call(&chat("mock", false, &json!({}))).await;
        assert_eq!(status, 200);
    }
    let expected = counts([("heavy", 30), ("light", 10), ("middle", 20)]);
    assert_eq!(upstream.provider.calls(), expected);
}

/// Makes a call, with or without a session; returns the key that served it.
async fn credential_for(jackfield: &Jackfield, session: Option<&str>) -> String {
    let body = chat("mock", false, &json!({})).to_string();
    let mut request = jackfield
        .client
        .post(jackfield.url("/v1/chat/completions"))
        .body(body);
    if let Some(session) = session {
        request = request.header("x-session-id", session);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let response: serde_json::Value =
        serde_json::from_str(&response.text().await.unwrap()).unwrap();
    response["x_mock"]["served_by"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn sticky_sessions_survive_restart() {
    let upstream = Upstream::start(&[]).await;
    let routing = "{ selector: sticky, affinity: [ { header: x-session-id } ] }";
    let jackfield = start(&upstream, routing).await;
    let sessions: Vec<String> = (0..30)
        .map(|session| format!("session-{session}"))
        .collect();
    let mut served_by = BTreeMap::new();
    for session in sessions.iter().cycle().take(90) {
        let by = credential_for(&jackfield, Some(session)).await;
        let before = served_by.insert(session.clone(), by.clone());
        assert!(
            before.is_none_or(|before| before == by),
            "{session} moved to {by}"
        );
    }
    let used: std::collections::BTreeSet<&String> = served_by.values().collect();
    assert_eq!(used.len(), 3, "the sessions use only {used:?}");
    let again = start(&upstream, routing).await;
    for session in &sessions {
        assert_eq!(
            credential_for(&again, Some(session)).await,
            served_by[session]
        );
    }
}

#[tokio::test]
async fn sticky_without_session_is_round_robin() {
    let upstream = Upstream::start(&[]).await;
    let routing = "{ selector: sticky, affinity: [ { header: x-session-id } ] }";
    let jackfield = start(&upstream, routing).await;
    for _ in 0..12 {
        credential_for(&jackfield, None).await;
    }
    let expected = counts([("heavy", 4), ("light", 4), ("middle", 4)]);
    assert_eq!(upstream.provider.calls(), expected);
}

#[tokio::test]
async fn least_busy_avoids_busy_credentials() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = start(&upstream, "{ selector: least-busy }").await;
    let mut streams = Vec::new();
    for open in 1..=6 {
        let body = chat("mock", true, &json!({ "words": 400, "pause_ms": 50 }));
        let request = jackfield.client.post(jackfield.url("/v1/chat/completions"));
        let response = request.body(body.to_string()).send().await.unwrap();
        assert_eq!(response.status(), 200);
        streams.push(response);
        wait_until("the stream was open", async || {
            upstream.provider.streams_open() == open
        })
        .await;
    }
    // The number of streams equals the weight.
    let busy = counts([("heavy", 3), ("light", 1), ("middle", 2)]);
    assert_eq!(upstream.provider.calls(), busy);
}
