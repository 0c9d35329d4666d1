//! Tests the event stream of the admin API.

use reqwest::Response;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::harness::{Jackfield, TEST_TIMEOUT, TOKEN, Upstream, chat};

async fn listen(jackfield: &Jackfield) -> Response {
    let url = format!("http://{}/admin/v1/events", jackfield.admin);
    jackfield
        .client
        .get(url)
        .bearer_auth(TOKEN)
        .send()
        .await
        .unwrap()
}

/// Returns the name and the data of the next event.
async fn next_event(stream: &mut Response, rest: &mut String) -> (String, Value) {
    loop {
        if let Some((block, after)) = rest.split_once("\n\n") {
            let field = |name: &str| {
                let line = block.lines().find_map(|line| line.strip_prefix(name));
                line.map(|text| text.trim().to_owned())
            };
            let found = field("event:").zip(field("data:"));
            *rest = after.to_owned();
            if let Some((event, data)) = found {
                return (event, serde_json::from_str(&data).unwrap());
            }
            continue;
        }
        let piece = timeout(TEST_TIMEOUT, stream.chunk())
            .await
            .expect("no event");
        let piece = piece.unwrap().expect("the stream ended");
        rest.push_str(std::str::from_utf8(&piece).unwrap());
    }
}

async fn post(jackfield: &Jackfield, path: &str) -> u16 {
    let url = format!("http://{}/admin/v1/{path}", jackfield.admin);
    let request = jackfield.client.post(url).bearer_auth(TOKEN);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn streams_credential_events() {
    let upstream = Upstream::start(&["key-other"]).await;
    let jackfield = Jackfield::start(&upstream, &["key-a"], "").await;
    let mut stream = listen(&jackfield).await;
    assert_eq!(stream.status(), 200);
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let mut rest = String::new();

    let (status, _) = jackfield.call(&chat("mock", false, &json!({}))).await;
    assert_eq!(status, 503);
    let mut seen = [
        next_event(&mut stream, &mut rest).await,
        next_event(&mut stream, &mut rest).await,
    ];
    seen.sort_by(|a, b| a.0.cmp(&b.0));
    let (name, health) = &seen[0];
    assert_eq!(
        (name.as_str(), &health["credential"]),
        ("health", &json!("mock-key-a"))
    );
    assert_eq!(health["change"]["place"], "account");
    assert_eq!(health["change"]["endpoint"], Value::Null);
    assert_eq!(health["change"]["from"]["state"], "ready");
    assert_eq!(health["change"]["to"]["state"], "cooling");
    let (name, result) = &seen[1];
    assert_eq!(name, "result");
    assert_eq!(result["result"]["failure"]["status"], 401);

    assert_eq!(
        post(&jackfield, "credentials/mock-key-a/disable").await,
        200
    );
    let (name, updated) = next_event(&mut stream, &mut rest).await;
    assert_eq!(
        (name.as_str(), &updated["credential"]),
        ("updated", &json!("mock-key-a"))
    );
}

#[tokio::test]
async fn event_readers_are_limited_and_end_on_shutdown() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = Jackfield::start(&upstream, &["key-a"], "").await;
    let mut readers = Vec::new();
    for _ in 0..jackfield_admin::limits::EVENT_READERS_MAX {
        let reader = listen(&jackfield).await;
        assert_eq!(reader.status(), 200);
        readers.push(reader);
    }
    let refused = listen(&jackfield).await;
    assert_eq!(refused.status(), 429);
    // When a reader disconnects, another one can connect.
    readers.pop();
    crate::harness::wait_until("there is room", async || {
        listen(&jackfield).await.status() == 200
    })
    .await;

    let began = tokio::time::Instant::now();
    jackfield.stop().await;
    let most = jackfield_http::limits::DRAIN_MAX / 2;
    assert!(began.elapsed() < most, "readers delayed the shutdown");
}
