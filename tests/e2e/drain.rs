//! Tests SIGTERM: new calls are rejected, and running calls end normally.

use futures_util::StreamExt;
use serde_json::json;
use tokio::time::timeout;

use crate::harness::{Jackfield, TEST_TIMEOUT, Upstream, chat, wait_until};

#[tokio::test]
async fn sigterm_lets_open_streams_finish() {
    let upstream = Upstream::start(&[]).await;
    let mut jackfield = Jackfield::start(&upstream, &["key-a"], "").await;
    let body = chat("mock", true, &json!({ "words": 20, "pause_ms": 50 })).to_string();
    let request = jackfield
        .client
        .post(jackfield.url("/v1/chat/completions"))
        .body(body);
    let mut stream = request.send().await.unwrap().bytes_stream();
    let mut received = stream.next().await.unwrap().unwrap().to_vec();

    jackfield.signal("-TERM");
    wait_until("no new connection is taken", async || {
        tokio::net::TcpStream::connect(jackfield.address)
            .await
            .is_err()
    })
    .await;
    while let Some(piece) = stream.next().await {
        received.extend_from_slice(&piece.expect("the stream was cut"));
    }
    let text = String::from_utf8(received).unwrap();
    assert!(
        text.contains("word-19") && text.ends_with("data: [DONE]\n\n"),
        "{text}"
    );

    let ended = timeout(TEST_TIMEOUT, jackfield.child.wait())
        .await
        .expect("it did not end");
    assert_eq!(ended.unwrap().code(), Some(0));
}
