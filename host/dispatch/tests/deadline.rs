//! One deadline over everything.

use std::time::Duration;

use bytes::Bytes;
use jackfield_auth::LeaseCounts;
use jackfield_dispatch::CallError;
use jackfield_dispatch::plan::ResponseMode;
use jackfield_dispatch::port::Choice;
use tokio::time::Instant;

use crate::plugins::{FakeExecutor, FakeReply, FakeSelector};
use crate::stage::{SECOND, Setting, Stage, gathered, text};
use crate::upstream::{FakeUpstream, Piece, Script};
use crate::wire::{COMPLETION, ROLE, content, terminal};

fn hurried(credentials: usize) -> Setting {
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

/// It must end at the deadline, with one request and nobody to blame.
async fn over(name: &str, stage: Stage, streamed: bool) {
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
    assert_eq!(stage.blamed(), Vec::<String>::new(), "{name}");
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_takes_too_long_ends_the_call_and_no_other_is_asked() {
    let guided = || FakeExecutor::replying(ResponseMode::Whole, |_| Ok(FakeReply::echoing()));
    let dripping = Script::dripping(200, "application/json", SECOND / 3, " ", 1_000);
    for (name, script, streamed) in [
        ("no head", Script::hang(), false),
        (
            "a late head",
            Script::json(200, COMPLETION).after(11 * SECOND),
            false,
        ),
        ("no body", Script::events([""; 0]).then(Piece::Hang), true),
        ("a preamble", Script::events([ROLE]).then(Piece::Hang), true),
        ("a dripping body", dripping, false),
    ] {
        let upstream = || FakeUpstream::in_order(vec![script.clone()]);
        over(name, hurried(2).stage(upstream()), streamed).await;
        let stage = hurried(2).executor(guided()).stage(upstream());
        over(name, stage, false).await;
    }
}

#[tokio::test(start_paused = true)]
async fn after_an_attempt_that_fails_at_the_very_deadline_no_other_begins() {
    let breaking = Script::events([ROLE])
        .then(Piece::Wait(10 * SECOND))
        .then(Piece::Break);
    let mut setting = hurried(2).executor(FakeExecutor::relaying().eager());
    setting.selector = None;
    let stage = setting.stage(FakeUpstream::in_order(vec![breaking]));
    let answer = stage.stream().await;
    assert!(matches!(answer, Err(CallError::Deadline(_))), "{answer:?}");
    assert_eq!(stage.upstream.calls(), 1);
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_selector_ends_at_the_deadline() {
    let selector = FakeSelector::new(|_, _| Ok(Choice::WaitMs(4_000)));
    let stage = hurried(1)
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
async fn a_committed_stream_ends_at_the_deadline_with_one_error_event() {
    let silent = Script::events([content("one")]).then(Piece::Hang);
    for script in [silent, endless(SECOND / 7)] {
        for executor in [FakeExecutor::relaying(), FakeExecutor::echoing()] {
            let start = Instant::now();
            let upstream = FakeUpstream::in_order(vec![script.clone()]);
            let stage = hurried(1).executor(executor).stage(upstream);
            let (before, error) = terminal(text(stage.stream().await).await.as_bytes());
            assert!(before.starts_with(&content("one")));
            assert!(error.message.contains("time"), "{}", error.message);
            assert_eq!(start.elapsed(), 10 * SECOND);
            assert_eq!(stage.counts(), CANCELLED);
            stage.assert_closed();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_pulls_slower_than_the_provider_sends_has_the_same_deadline() {
    let upstream = FakeUpstream::in_order(vec![endless(Duration::ZERO)]);
    let stage = hurried(1).stage(upstream);
    let answer = stage.stream().await.unwrap();
    tokio::time::sleep(11 * SECOND).await;
    let pulled = stage.upstream.pulled();
    terminal(text(Ok(answer)).await.as_bytes());
    assert!(stage.upstream.pulled() <= pulled + content("one").len());
    assert_eq!(stage.counts(), CANCELLED);
}

#[tokio::test(start_paused = true)]
async fn a_large_whole_answer_is_broken_off_at_the_deadline() {
    let filler = Bytes::from("x".repeat(300 << 10));
    let script = Script::json(200, filler).then(Piece::Hang);
    let stage = hurried(1).stage(FakeUpstream::in_order(vec![script]));
    let (_, broken) = gathered(stage.whole().await.unwrap()).await;
    assert!(broken.is_some());
    assert_eq!(stage.counts(), CANCELLED);
}
