//! The client's commit: the head and keep-alives are sent after some silence, while the call may still
//! fail over.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use jackfield_auth::LeaseCounts;
use jackfield_dialect::Dialect;
use jackfield_dispatch::snapshot::Timeouts;
use jackfield_dispatch::{BodyError, Call, CallError, ResponseBody, StreamFraming};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::anthropic_fixtures::{self, ERROR as OVERLOADED, MESSAGE_START};
use crate::chat_fixtures::{COMPLETION, ERROR, ROLE, content, stream};
use crate::fake_plugins::FakeExecutor;
use crate::fake_upstream::{FakeUpstream, Piece, Script};
use crate::stage::{SECOND, Setting, Stage, read_body, text};

const KEEP_ALIVE: &str = ": keep-alive\n\n";

fn setting(credentials: usize) -> Setting {
    let mut setting = Setting::new(credentials);
    setting.timeouts.client_head = Timeouts::default().client_head;
    setting
}

/// Says nothing but the role until its content.
fn thinking(time: Duration) -> Script {
    let rest = Piece::Chunk(stream()[1..].concat().into());
    Script::events([ROLE]).then(Piece::Wait(time)).then(rest)
}

fn without_keep_alives(text: &str) -> String {
    text.replace(KEEP_ALIVE, "")
}

#[tokio::test(start_paused = true)]
async fn head_and_keep_alives_precede_late_content() {
    for executor in [FakeExecutor::relaying(), FakeExecutor::echoing()] {
        let upstream = FakeUpstream::in_order(vec![thinking(45 * SECOND)]);
        let stage = setting(1).executor(executor).stage(upstream);
        let start = Instant::now();
        let response = stage.stream().await.unwrap();
        assert_eq!(start.elapsed(), 10 * SECOND);
        assert_eq!(response.status, 200);
        let kind = response.headers["content-type"].to_str().unwrap();
        assert_eq!(kind, "text/event-stream; charset=utf-8");
        let ResponseBody::Stream(mut body) = response.body else {
            panic!("not a stream")
        };
        let (mut beats, mut rest) = (Vec::new(), String::new());
        while let Some(piece) = body.next().await {
            let piece = String::from_utf8(piece.unwrap().into()).unwrap();
            if piece == KEEP_ALIVE {
                beats.push(start.elapsed());
            } else {
                rest += &piece;
            }
        }
        assert_eq!(beats, [10, 25, 40].map(|beat| beat * SECOND));
        assert_eq!(rest, stream().concat());
        assert_eq!(stage.counts().success, 1);
        assert_eq!(stage.record()["outcome"]["outcome"], "completed");
        stage.assert_closed();
    }
}

#[tokio::test(start_paused = true)]
async fn a_whole_response_has_no_early_head() {
    let script = Script::json(200, COMPLETION).after(45 * SECOND);
    let stage = setting(1).stage(FakeUpstream::in_order(vec![script]));
    let start = Instant::now();
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    assert_eq!(start.elapsed(), 45 * SECOND);
}

/// Anthropic's provider fails after this time of preamble; another credential serves after as much.
fn failing_late(after: Duration) -> Stage {
    let failing = Script::events([MESSAGE_START])
        .then(Piece::Wait(after))
        .then(Piece::Chunk(OVERLOADED.into()));
    let events = anthropic_fixtures::stream();
    let good = Script::events(&events[..1])
        .then(Piece::Wait(after))
        .then(Piece::Chunk(events[1..].concat().into()));
    let executor = FakeExecutor::relaying().accepting(Dialect::AnthropicMessages.name());
    setting(2)
        .executor(executor)
        .stage(FakeUpstream::in_order(vec![failing, good]))
}

fn gemini_call(stage: &Stage, framing: StreamFraming) -> Call {
    Call {
        dialect: Dialect::Gemini,
        stream: Some(framing),
        body: Bytes::from_static(br#"{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}"#),
        ..stage.call(true)
    }
}

#[tokio::test(start_paused = true)]
async fn fails_over_unseen_before_and_after_the_head() {
    for after in [8 * SECOND, 12 * SECOND] {
        let stage = failing_late(after);
        let call = anthropic_fixtures::anthropic_call(&stage, true);
        let start = Instant::now();
        let given = text(stage.dispatcher.call(call).await).await;
        assert_eq!(start.elapsed(), 2 * after);
        assert!(given.starts_with(KEEP_ALIVE), "{given}");
        let expected = anthropic_fixtures::stream().concat();
        assert_eq!(without_keep_alives(&given), expected);
        let counts = stage.counts();
        assert_eq!((counts.failed, counts.success), (1, 1));
        assert_eq!(stage.upstream.credentials(), ["a", "b"]);
        stage.assert_closed();
    }
}

#[tokio::test(start_paused = true)]
async fn fails_over_unseen_in_every_client_dialect() {
    type MakeCall = fn(&Stage) -> Call;
    let calls: [(&str, MakeCall); 4] = [
        ("chat", |stage| anthropic_fixtures::call(stage, true)),
        ("responses", |stage| Call {
            dialect: Dialect::OpenaiResponses,
            body: Bytes::from_static(br#"{"model":"model","input":"hello","stream":true}"#),
            ..stage.call(true)
        }),
        ("gemini", |stage| gemini_call(stage, StreamFraming::Events)),
        ("gemini array", |stage| {
            gemini_call(stage, StreamFraming::Array)
        }),
    ];
    for (name, call) in calls {
        let stage = failing_late(8 * SECOND);
        let call = call(&stage);
        let given = text(stage.dispatcher.call(call).await).await;
        for word in ["one", "two"] {
            assert!(given.contains(word), "{name}: {given}");
        }
        assert!(!given.contains("overloaded"), "{name}: {given}");
        if name == "gemini array" {
            assert!(given.starts_with('\n'), "{name}: {given:?}");
            serde_json::from_str::<Vec<Value>>(&given).unwrap();
        } else if name == "gemini" {
            // Google's SDK for Python would take a comment for JSON.
            assert!(given.starts_with("\ndata: "), "{name}: {given:?}");
            assert!(!given.contains(KEEP_ALIVE), "{name}: {given:?}");
        } else {
            assert!(given.starts_with(KEEP_ALIVE), "{name}: {given:?}");
        }
        assert_eq!(stage.counts().success, 1, "{name}");
        stage.assert_closed();
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_after_the_head_is_the_callers_last_item() {
    let failing = || {
        Script::events([ROLE])
            .then(Piece::Wait(12 * SECOND))
            .then(Piece::Chunk(ERROR.into()))
    };
    let mut setting = setting(2);
    setting.retry.rounds = 1;
    let stage = setting.stage(FakeUpstream::in_order(vec![failing(), failing()]));
    let response = stage.stream().await.unwrap();
    let (bytes, error) = read_body(response).await;
    assert_eq!(
        without_keep_alives(std::str::from_utf8(&bytes).unwrap()),
        ""
    );
    let Some(BodyError::Failed(failed)) = error else {
        panic!("{error:?}")
    };
    assert!(matches!(failed.error, CallError::Upstream(_)), "{failed:?}");
    assert_eq!(failed.error.to_string(), "out of order");
    assert_eq!(
        (failed.dialect, failed.framing),
        (Dialect::OpenaiChat, StreamFraming::Events)
    );
    assert_eq!(stage.record()["outcome"]["outcome"], "failed");
    assert_eq!(stage.counts().failed, 2);
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_a_stream_with_a_head_and_no_content() {
    let mut setting = setting(1);
    setting.timeouts.total = 30 * SECOND;
    let stage = setting.stage(FakeUpstream::in_order(vec![thinking(50 * SECOND)]));
    let start = Instant::now();
    let (_, error) = read_body(stage.stream().await.unwrap()).await;
    let Some(BodyError::Failed(failed)) = error else {
        panic!("{error:?}")
    };
    assert!(matches!(failed.error, CallError::Deadline(_)), "{failed:?}");
    assert_eq!(start.elapsed(), 30 * SECOND);
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn dropping_the_early_body_cancels_the_call() {
    for pieces in 0..3 {
        let stage = setting(1).stage(FakeUpstream::in_order(vec![thinking(45 * SECOND)]));
        let ResponseBody::Stream(mut body) = stage.stream().await.unwrap().body else {
            panic!("not a stream")
        };
        for _ in 0..pieces {
            assert_eq!(body.next().await.unwrap().unwrap(), KEEP_ALIVE);
        }
        drop(body);
        let cancelled = LeaseCounts {
            cancelled: 1,
            ..LeaseCounts::default()
        };
        assert_eq!(stage.counts(), cancelled);
        assert_eq!(stage.failed_credentials(), Vec::<String>::new());
        assert_eq!(stage.record()["outcome"]["outcome"], "cancelled");
        stage.assert_closed();
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_behind_a_hung_credential_is_served_within_twenty_seconds() {
    for hung in [1, 2] {
        let upstream = FakeUpstream::new(move |_, before| {
            if before < hung {
                Script::hang()
            } else {
                Script::events(stream())
            }
        });
        let stage = setting(3).stage(upstream);
        let start = Instant::now();
        let given = text(stage.stream().await).await;
        assert_eq!(without_keep_alives(&given), stream().concat());
        assert!(start.elapsed() < 20 * SECOND, "{:?}", start.elapsed());
        assert_eq!(stage.counts().failed, hung as u64);
        stage.assert_closed();
    }
}

#[tokio::test(start_paused = true)]
async fn the_only_credential_has_the_time_to_the_first_byte() {
    let slow = Script::events(stream()).after(50 * SECOND);
    let stage = setting(1).stage(FakeUpstream::in_order(vec![slow]));
    let given = text(stage.stream().await).await;
    assert_eq!(without_keep_alives(&given), stream().concat());
    assert_eq!(stage.counts().success, 1);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_usually_late_is_waited_for() {
    let upstream = FakeUpstream::new(|_, _| Script::events([content("x")]).after(20 * SECOND));
    let stage = setting(2).stage(upstream);
    for (attempts, took) in [(2, 28), (1, 20), (1, 20)] {
        // Any cooldown of the first attempt ends.
        sleep(120 * SECOND).await;
        let (before, start) = (stage.upstream.calls(), Instant::now());
        let ResponseBody::Stream(mut body) = stage.stream().await.unwrap().body else {
            panic!("not a stream")
        };
        while body.next().await.unwrap().unwrap() == KEEP_ALIVE {}
        assert_eq!(start.elapsed(), took * SECOND);
        assert_eq!(stage.upstream.calls() - before, attempts);
    }
}
