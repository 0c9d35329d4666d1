//! Tests SIGTERM: new calls are rejected, and running calls end normally.

use std::process::Stdio;

use futures_util::StreamExt;
use serde_json::json;
use tokio::process::Command;
use tokio::time::timeout;

use crate::harness::{Jackfield, TEST_TIMEOUT, Upstream, binary, chat, wait_until};

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

/// While a stream goes on, the process that serves it leaves the data folder to the next one. Before that, another
/// process is refused, and learns which one has the folder.
#[tokio::test]
async fn data_folder_has_one_process_which_leaves_it_before_its_streams_end() {
    let upstream = Upstream::start(&[]).await;
    let first = Jackfield::start(&upstream, &["key-a"], "").await;
    let path = first.folder.path().join("jackfield.yaml");
    let second = Command::new(binary())
        .args(["serve", "--config"])
        .arg(&path)
        .stdin(Stdio::null())
        .output();
    let second = timeout(TEST_TIMEOUT, second).await.unwrap().unwrap();
    let message = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{message}");
    let holder = format!("is in use by process {}", first.child.id().unwrap());
    assert!(message.contains(&holder), "{message}");

    let body = chat("mock", true, &json!({ "words": 2000, "pause_ms": 50 })).to_string();
    let request = first.client.post(first.url("/v1/chat/completions"));
    let response = request.body(body).send().await.unwrap();
    let mut stream = response.bytes_stream();
    stream.next().await.unwrap().unwrap();
    first.signal("-TERM");
    let Jackfield {
        mut child, folder, ..
    } = first;
    let next = Jackfield::restart(folder).await;
    assert_eq!(next.call(&chat("mock", false, &json!({}))).await.0, 200);
    stream.next().await.unwrap().expect("the stream was cut");
    assert!(child.try_wait().unwrap().is_none());
    child.kill().await.unwrap();
}
