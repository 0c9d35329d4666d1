//! The commit point: what is buffered before it, and that the buffer is bounded.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use jackfield_dialect::sse::EVENT_BYTES_MAX;
use jackfield_dispatch::limits::PREAMBLE_BYTES_MAX;
use jackfield_dispatch::{CallError, ResponseBody, ResponseStream};
use tokio::time::Instant;

use crate::chat_fixtures::{DONE, ROLE, content, stream};
use crate::fake_plugins::FakeExecutor;
use crate::fake_upstream::{FakeUpstream, Piece, Script};
use crate::stage::{SECOND, Setting, Stage, failure, text};

async fn committed(stage: &Stage) -> Result<ResponseStream, CallError> {
    match stage.stream().await?.body {
        ResponseBody::Stream(stream) => Ok(stream),
        ResponseBody::Whole(body) => panic!("whole: {body:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn buffers_preamble_until_first_content() {
    for executor in [FakeExecutor::relaying(), FakeExecutor::echoing()] {
        let start = Instant::now();
        let script = Script::events(stream()).slowly(SECOND);
        let stage = Setting::new(1)
            .executor(executor)
            .stage(FakeUpstream::in_order(vec![script]));
        let mut response = committed(&stage).await.unwrap();
        assert_eq!(start.elapsed(), 2 * SECOND, "role, then content");
        let mut first_bytes = Vec::new();
        while first_bytes.len() < ROLE.len() + content("one").len() {
            first_bytes.extend(response.next().await.unwrap().unwrap());
        }
        assert_eq!(first_bytes, [ROLE, &content("one")].concat().into_bytes());
        assert_eq!(
            start.elapsed(),
            2 * SECOND,
            "the buffer is released at once"
        );
        response.next().await.unwrap().unwrap();
        assert_eq!(
            start.elapsed(),
            3 * SECOND,
            "then each chunk is forwarded as it arrives"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn preserves_order_of_comments_before_content() {
    let events = [
        ": a\n\n",
        ROLE,
        ": b\n",
        "\n: c\n\n",
        &content("one"),
        ": d\n\n",
        DONE,
    ];
    let script = Script::events(events);
    let stage = Setting::new(1).stage(FakeUpstream::in_order(vec![script]));
    assert_eq!(text(stage.stream().await).await, events.concat());
}

#[tokio::test(start_paused = true)]
async fn forwards_comments_immediately_after_commit() {
    let script = Script::events([content("one").as_str(), ": still here\n\n"]).then(Piece::Hang);
    let stage = Setting::new(1).stage(FakeUpstream::in_order(vec![script]));
    let start = Instant::now();
    let mut response = committed(&stage).await.unwrap();
    response.next().await.unwrap().unwrap();
    assert_eq!(response.next().await.unwrap().unwrap(), ": still here\n\n");
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn preamble_over_limit_commits_early() {
    for (event, executor) in [
        (ROLE, FakeExecutor::relaying()),
        (": keep alive\n\n", FakeExecutor::relaying()),
        (ROLE, FakeExecutor::echoing()),
    ] {
        let endless = vec![event; 4 * PREAMBLE_BYTES_MAX / event.len()];
        let tail = [content("one"), DONE.to_owned()].map(Bytes::from);
        let events = endless.into_iter().map(Bytes::from).chain(tail);
        let stage = Setting::new(1)
            .executor(executor)
            .stage(FakeUpstream::in_order(vec![Script::events(events)]));
        let mut response = committed(&stage).await.unwrap();
        let held = stage.upstream.bytes_read();
        assert!(held > PREAMBLE_BYTES_MAX, "{event:?}");
        // A plugin's frames are serialized again, with the same length here.
        assert!(held <= PREAMBLE_BYTES_MAX + event.len(), "{event:?}");
        let mut given = 0;
        while let Some(piece) = response.next().await {
            given += piece.unwrap().len();
            let ahead = stage.upstream.bytes_read().saturating_sub(given);
            assert!(ahead <= PREAMBLE_BYTES_MAX + event.len(), "{event:?}");
        }
        assert_eq!(stage.counts().success, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn does_not_read_ahead_after_commit() {
    let event = content("x");
    let events = vec![event.clone(); 1_000];
    let stage = Setting::new(1).stage(FakeUpstream::in_order(vec![Script::events(events)]));
    let mut response = committed(&stage).await.unwrap();
    for given in 1..100 {
        response.next().await.unwrap().unwrap();
        assert_eq!(stage.upstream.bytes_read(), given * event.len());
    }
}

#[tokio::test(start_paused = true)]
async fn oversized_event_fails_over() {
    let chunk = Bytes::from(vec![b'x'; 1 << 20]);
    let mut pieces = vec![Piece::Chunk(Bytes::from_static(b"data: "))];
    pieces.extend(vec![Piece::Chunk(chunk); 2 * (EVENT_BYTES_MAX >> 20)]);
    let scripts = vec![
        Script::response(200, "text/event-stream", pieces),
        Script::events(stream()),
    ];
    let stage = Setting::new(2).stage(FakeUpstream::in_order(scripts));
    let response = stage.stream().await;
    assert!(stage.upstream.bytes_read() <= EVENT_BYTES_MAX + (2 << 20));
    assert_eq!(text(response).await, stream().concat());
    assert_eq!(stage.failed_credentials(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn empty_stream_after_early_commit_ends_with_error() {
    let mut events = vec![ROLE; 2 * PREAMBLE_BYTES_MAX / ROLE.len()];
    events.push(DONE);
    let stage = Setting::new(1).stage(FakeUpstream::in_order(vec![Script::events(events)]));
    let given = text(stage.stream().await).await;
    assert!(
        !given.contains("[DONE]"),
        "a client must not take it for complete"
    );
    crate::chat_fixtures::split_final_error(given.as_bytes());
    assert_eq!(stage.counts().failed, 1);
}

#[tokio::test(start_paused = true)]
async fn error_before_the_commit_is_reported_as_the_provider_wrote_it() {
    let error = r#"{"error":{"message":"slow","type":"tokens","code":"rate_limit_exceeded"}}"#;
    let event = format!("data: {error}\n\n");
    for script in [
        Script::events([ROLE, &event]),
        Script::json(200, error.to_owned()),
    ] {
        let stage = Setting::new(1)
            .one_round()
            .stage(FakeUpstream::in_order(vec![script]));
        let failure = failure(stage.stream().await);
        let reported = failure.reported.unwrap();
        assert_eq!(reported.dialect, jackfield_dialect::Dialect::OpenaiChat);
        assert_eq!(reported.error.code.as_deref(), Some("rate_limit_exceeded"));
        assert_eq!(reported.error.kind.as_deref(), Some("tokens"));
    }
}
