//! The deadline of a call covers every phase of it.

use std::time::Duration;

use bytes::Bytes;
use jackfield_auth::LeaseCounts;
use jackfield_dispatch::CallError;
use jackfield_dispatch::plan::ResponseMode;
use jackfield_dispatch::port::Choice;
use tokio::time::Instant;

use crate::chat_fixtures::{COMPLETION, ROLE, content, split_final_error, stream};
use crate::fake_plugins::{FakeExecutor, FakeReply, FakeSelector};
use crate::fake_upstream::{FakeUpstream, Piece, Script};
use crate::stage::{SECOND, Setting, Stage, read_body, text};

fn with_short_deadline(credentials: usize) -> Setting {
    let mut setting = Setting::new(credentials);
    setting.timeouts.total = 10 * SECOND;
    setting
}

const CANCELLED: LeaseCounts = LeaseCounts {
    open: 0,
    success: 0,
    failed: 0,
    cancelled: 1,
    inconclusive: 0,
};

/// Runs a call that must end at the deadline, with one request and without effect on health.
async fn assert_deadline_exceeded(name: &str, stage: Stage, streamed: bool) {
    let start = Instant::now();
    let call = stage.call(streamed);
    let error = stage.dispatcher.call(call).await.unwrap_err();
    assert!(matches!(error, CallError::Deadline(_)), "{name}: {error:?}");
    assert_eq!(start.elapsed(), 10 * SECOND, "{name}");
    assert_eq!(
        (stage.upstream.calls(), stage.counts()),
        (1, CANCELLED),
        "{name}"
    );
    assert_eq!(stage.failed_credentials(), Vec::<String>::new(), "{name}");
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn slow_upstream_exceeds_deadline_without_retry() {
    let buffering = || FakeExecutor::replying(ResponseMode::Whole, |_| Ok(FakeReply::echoing()));
    let dripping = Script::dripping(200, "application/json", SECOND / 3, " ", 1_000);
    for (name, script, streamed) in [
        ("no head", Script::hang(), false),
        (
            "a late response head",
            Script::json(200, COMPLETION).after(11 * SECOND),
            false,
        ),
        ("no body", Script::events([""; 0]).then(Piece::Hang), true),
        ("a preamble", Script::events([ROLE]).then(Piece::Hang), true),
        ("a dripping body", dripping, false),
    ] {
        let upstream = || FakeUpstream::in_order(vec![script.clone()]);
        assert_deadline_exceeded(name, with_short_deadline(2).stage(upstream()), streamed).await;
        let stage = with_short_deadline(2)
            .executor(buffering())
            .stage(upstream());
        assert_deadline_exceeded(name, stage, false).await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_retry_after_failure_at_deadline() {
    let breaking = Script::events([ROLE])
        .then(Piece::Wait(10 * SECOND))
        .then(Piece::Break);
    let mut setting = with_short_deadline(2).executor(FakeExecutor::relaying().eager());
    setting.selector = None;
    let stage = setting.stage(FakeUpstream::in_order(vec![breaking]));
    let response = stage.stream().await;
    assert!(
        matches!(response, Err(CallError::Deadline(_))),
        "{response:?}"
    );
    assert_eq!(stage.upstream.calls(), 1);
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn selector_wait_ends_at_deadline() {
    let selector = FakeSelector::new(|_, _| Ok(Choice::WaitMs(4_000)));
    let stage = with_short_deadline(1)
        .selector(selector)
        .stage(FakeUpstream::in_order(vec![]));
    let start = Instant::now();
    assert!(matches!(stage.whole().await, Err(CallError::Deadline(_))));
    assert_eq!(start.elapsed(), 10 * SECOND);
    stage.assert_closed();
}

fn endless(pause: Duration) -> Script {
    Script::dripping(200, "text/event-stream", pause, content("one"), 100_000)
}

#[tokio::test(start_paused = true)]
async fn total_timeout_does_not_cut_a_stream_that_flows() {
    for executor in [FakeExecutor::relaying(), FakeExecutor::echoing()] {
        let start = Instant::now();
        let script = Script::events(stream()).slowly(8 * SECOND);
        let mut setting = with_short_deadline(1).executor(executor);
        setting.timeouts.total = 20 * SECOND;
        let stage = setting.stage(FakeUpstream::in_order(vec![script]));
        assert_eq!(text(stage.stream().await).await, stream().concat());
        assert_eq!(start.elapsed(), 40 * SECOND);
        assert_eq!(stage.counts().success, 1);
        stage.assert_closed();
    }
}

#[tokio::test(start_paused = true)]
async fn stream_timeout_ends_a_stream_with_an_error_event() {
    let silent = Script::events([content("one")]).then(Piece::Hang);
    for script in [silent, endless(SECOND / 7)] {
        for executor in [FakeExecutor::relaying(), FakeExecutor::echoing()] {
            let start = Instant::now();
            let upstream = FakeUpstream::in_order(vec![script.clone()]);
            let mut setting = with_short_deadline(1).executor(executor);
            setting.timeouts.stream = Some(30 * SECOND);
            let stage = setting.stage(upstream);
            let (before, error) = split_final_error(text(stage.stream().await).await.as_bytes());
            assert!(before.starts_with(&content("one")));
            assert!(
                error.message.contains("exceeded its deadline"),
                "{}",
                error.message
            );
            assert_eq!(start.elapsed(), 30 * SECOND);
            assert_eq!(stage.counts(), CANCELLED);
            stage.assert_closed();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn total_timeout_ends_a_stream_without_content() {
    // More than the limit without content commits the stream, and the deadline still counts.
    let preamble = Script::dripping(200, "text/event-stream", SECOND, ROLE.repeat(700), 100);
    let stage = with_short_deadline(1).stage(FakeUpstream::in_order(vec![preamble]));
    let start = Instant::now();
    let (_, error) = split_final_error(text(stage.stream().await).await.as_bytes());
    assert!(error.message.contains("exceeded its deadline"), "{error:?}");
    assert_eq!(start.elapsed(), 10 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn stream_timeout_applies_to_slow_readers() {
    let upstream = FakeUpstream::in_order(vec![endless(Duration::ZERO)]);
    let mut setting = with_short_deadline(1);
    setting.timeouts.stream = Some(10 * SECOND);
    let stage = setting.stage(upstream);
    let response = stage.stream().await.unwrap();
    tokio::time::sleep(11 * SECOND).await;
    let pulled = stage.upstream.bytes_read();
    split_final_error(text(Ok(response)).await.as_bytes());
    assert!(stage.upstream.bytes_read() <= pulled + content("one").len());
    assert_eq!(stage.counts(), CANCELLED);
}

#[tokio::test(start_paused = true)]
async fn large_response_is_aborted_at_deadline() {
    let filler = Bytes::from("x".repeat(300 << 10));
    let script = Script::json(200, filler).then(Piece::Hang);
    let stage = with_short_deadline(1).stage(FakeUpstream::in_order(vec![script]));
    let (_, body_error) = read_body(stage.whole().await.unwrap()).await;
    assert!(body_error.is_some());
    assert_eq!(stage.counts(), CANCELLED);
}
