//! Keep-alive comments while the provider is silent: between events, never inside one.

use std::time::Duration;

use futures_util::StreamExt;
use jackfield_dispatch::limits::KEEP_ALIVE_INTERVAL;
use jackfield_dispatch::{Call, ResponseBody, ResponseStream, StreamFraming};
use tokio::time::{Instant, timeout};

use crate::anthropic_fixtures;
use crate::chat_fixtures::{content, split_final_error, stream};
use crate::fake_plugins::FakeExecutor;
use crate::fake_upstream::{FakeUpstream, Piece, Script};
use crate::stage::{SECOND, Setting, Stage, read_body, text};

const KEEP_ALIVE_COMMENT: &str = ": keep-alive\n\n";

type EventsFn = fn() -> Vec<String>;

/// The paths of a stream through the host: name, executor, whether the stream is translated, and
/// the provider's events.
fn response_paths() -> [(&'static str, FakeExecutor, bool, EventsFn); 4] {
    [
        ("relayed", FakeExecutor::relaying(), false, stream),
        ("guided", FakeExecutor::echoing(), false, stream),
        (
            "translated",
            FakeExecutor::relaying(),
            true,
            anthropic_fixtures::stream,
        ),
        (
            "guided and translated",
            FakeExecutor::echoing(),
            true,
            anthropic_fixtures::stream,
        ),
    ]
}

fn setup(executor: FakeExecutor, translated: bool, script: Script) -> (Stage, Call) {
    let stage = if translated {
        anthropic_fixtures::stage(1, executor, vec![script])
    } else {
        let setting = Setting::new(1).executor(executor);
        setting.stage(FakeUpstream::in_order(vec![script]))
    };
    let call = anthropic_fixtures::call(&stage, true);
    (stage, call)
}

async fn committed(stage: &Stage, call: Call) -> ResponseStream {
    match stage.dispatcher.call(call).await.unwrap().body {
        ResponseBody::Stream(stream) => stream,
        ResponseBody::Whole(body) => panic!("whole: {body:?}"),
    }
}

fn chunk(text: &str) -> Piece {
    Piece::Chunk(text.to_owned().into())
}

/// The events with a pause at this byte, which may be inside an event.
fn with_pause(events: &[String], at: usize, pause: Duration) -> Script {
    let whole = events.concat();
    let (before, after) = whole.split_at(at);
    let begin = Script::events([before]);
    begin.then(Piece::Wait(pause)).then(chunk(after))
}

/// The end of the second content.
fn offset_after_content(events: &[String]) -> usize {
    let content = events
        .iter()
        .position(|event| event.contains("two"))
        .unwrap();
    events[..=content].iter().map(String::len).sum()
}

#[tokio::test(start_paused = true)]
async fn sends_keep_alive_every_fifteen_seconds() {
    assert_eq!(KEEP_ALIVE_INTERVAL, 15 * SECOND);
    for (name, executor, translated, events) in response_paths() {
        let events = events();
        let script = with_pause(&events, offset_after_content(&events), 50 * SECOND);
        let (stage, call) = setup(executor, translated, script);
        let mut response = committed(&stage, call).await;
        let start = Instant::now();
        let (mut beats, mut rest) = (Vec::new(), String::new());
        while let Some(piece) = response.next().await {
            let piece = String::from_utf8(piece.unwrap().into()).unwrap();
            if piece == KEEP_ALIVE_COMMENT {
                beats.push(start.elapsed());
            }
            rest += &piece;
        }
        assert_eq!(beats, [15, 30, 45].map(|beat| beat * SECOND), "{name}");
        assert!(rest.ends_with("data: [DONE]\n\n"), "{name}: {rest}");
        assert_eq!(stage.counts().success, 1, "{name}");
        stage.assert_closed();
    }
}

#[tokio::test(start_paused = true)]
async fn never_sends_keep_alive_inside_an_event() {
    for index in 0..4 {
        let (_, _, _, events) = response_paths().into_iter().nth(index).unwrap();
        let events = events();
        let begin = offset_after_content(&events);
        // Each byte of the event after the content, and of the next event.
        for at in begin..begin + events[4].len() {
            let (name, executor, translated, _) = response_paths().into_iter().nth(index).unwrap();
            let script = with_pause(&events, at, 20 * SECOND);
            let (stage, call) = setup(executor, translated, script);
            let given = text(stage.dispatcher.call(call).await).await;
            let (stage, call) = setup(
                response_paths().into_iter().nth(index).unwrap().1,
                translated,
                Script::events(&events),
            );
            let whole = text(stage.dispatcher.call(call).await).await;
            let (before, after) = given
                .split_once(KEEP_ALIVE_COMMENT)
                .unwrap_or_else(|| panic!("{name} {at}"));
            assert!(before.ends_with("\n\n"), "{name} {at}: {before:?}");
            assert_eq!([before, after].concat(), whole, "{name} {at}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn never_sends_keep_alive_inside_a_comment() {
    let comment = ": still here\n\n";
    for at in 1..comment.len() {
        let script = Script::events([content("one").as_str(), &comment[..at]])
            .then(Piece::Wait(20 * SECOND))
            .then(chunk(&comment[at..]))
            .then(chunk(&stream()[2..].concat()));
        let (stage, call) = setup(FakeExecutor::relaying(), false, script);
        let given = text(stage.dispatcher.call(call).await).await;
        for block in given.split("\n\n").filter(|block| block.starts_with(':')) {
            let known = [": keep-alive", ": still here"];
            assert!(known.contains(&block.trim_end()), "{at}: {given:?}");
        }
        assert_eq!(
            given.matches(": keep-alive\n\n").count(),
            1,
            "{at}: {given:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn sends_no_keep_alive_before_commit() {
    for (name, executor, translated, events) in response_paths() {
        let events = events();
        let first = events.iter().position(|event| event.contains("one"));
        let at: usize = events[..first.unwrap()].iter().map(String::len).sum();
        let (stage, call) = setup(executor, translated, with_pause(&events, at, 50 * SECOND));
        let start = Instant::now();
        let response = stage.dispatcher.call(call).await;
        assert_eq!(
            start.elapsed(),
            50 * SECOND,
            "{name}: committed with content"
        );
        let given = text(response).await;
        assert!(!given.contains(KEEP_ALIVE_COMMENT), "{name}: {given}");
    }
}

#[tokio::test(start_paused = true)]
async fn keep_alive_does_not_extend_idle_timeout() {
    for (name, executor, translated, events) in response_paths() {
        let events = events();
        let started = events[..4].concat();
        let at = offset_after_content(&events);
        let script = Script::events([&started[..at.min(started.len())]]).then(Piece::Hang);
        let (stage, call) = setup(executor, translated, script);
        let idle = stage.snapshot.load().timeouts.idle;
        let response = stage.dispatcher.call(call).await.unwrap();
        let start = Instant::now();
        let (bytes, body_error) = read_body(response).await;
        assert!(body_error.is_none(), "{name}");
        assert_eq!(start.elapsed(), idle, "{name}");
        let (before, error) = split_final_error(&bytes);
        assert!(error.message.contains("no byte"), "{name}: {error:?}");
        let given = String::from_utf8(bytes.into()).unwrap();
        let beats = (idle.as_secs() - 1) / KEEP_ALIVE_INTERVAL.as_secs();
        assert_eq!(
            given.matches(KEEP_ALIVE_COMMENT).count() as u64,
            beats,
            "{name}: {before}"
        );
        assert_eq!(stage.counts().failed, 1, "{name}");
        stage.assert_closed();
    }
}

#[tokio::test(start_paused = true)]
async fn json_array_keep_alive_is_whitespace() {
    let events = anthropic_fixtures::stream();
    let script = with_pause(&events, offset_after_content(&events), 20 * SECOND);
    let (stage, call) = setup(FakeExecutor::relaying(), true, script);
    let call = Call {
        dialect: jackfield_dialect::Dialect::Gemini,
        stream: Some(StreamFraming::Array),
        body: r#"{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}"#.into(),
        ..call
    };
    let mut response = committed(&stage, call).await;
    let mut pieces = Vec::new();
    while let Some(piece) = response.next().await {
        pieces.push(piece.unwrap());
    }
    assert!(pieces.iter().any(|piece| piece == "\n"), "{pieces:?}");
    serde_json::from_slice::<Vec<serde_json::Value>>(&pieces.concat()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn slow_reader_triggers_no_keep_alive() {
    let script = Script::events([content("one"), content("two")]).then(Piece::Hang);
    let (stage, call) = setup(FakeExecutor::relaying(), false, script);
    let mut response = committed(&stage, call).await;
    response.next().await.unwrap().unwrap();
    tokio::time::sleep(200 * SECOND).await;
    assert_eq!(response.next().await.unwrap().unwrap(), content("two"));
    let soon = timeout(KEEP_ALIVE_INTERVAL - SECOND, response.next()).await;
    assert!(soon.is_err(), "{soon:?}");
    let beat = timeout(2 * SECOND, response.next()).await;
    assert_eq!(beat.unwrap().unwrap().unwrap(), KEEP_ALIVE_COMMENT);
}
