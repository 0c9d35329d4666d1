//! Cancelled calls: at any moment, everything is closed and no credential is affected.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use jackfield_credential::{Failure, Scope};
use jackfield_dispatch::plan::{Output, PlannedBody, Refusal, ResponseMode};
use jackfield_dispatch::port::Choice;
use jackfield_dispatch::{ClientResponse, ResponseBody};

use crate::chat_fixtures::{COMPLETION, error_body, stream};
use crate::fake_plugins::{FakeExecutor, FakeReply, FakeSelector, frame, output, planned};
use crate::fake_upstream::{FakeUpstream, Piece, Script};
use crate::stage::{Setting, Stage, poll_at_most};

const PAUSE: Duration = Duration::from_millis(10);

/// Drops the call after 0, 1, 2 .. polls, until it completes before that.
async fn drop_after_each_poll(name: &str, streamed: bool, stage: impl Fn() -> Stage) {
    for polls in 0..1_000 {
        let stage = stage();
        let call = stage.call(streamed);
        let response = poll_at_most(stage.dispatcher.call(call), polls).await;
        let counts = stage.counts();
        let Some(response) = response else {
            assert_eq!(counts.success, 0, "{name}, {polls} polls");
            assert!(counts.cancelled <= 1, "{name}, {polls} polls");
            let blamed = u64::try_from(stage.failed_credentials().len()).unwrap();
            assert_eq!(blamed, counts.failed, "{name}, {polls} polls");
            stage.assert_closed();
            continue;
        };
        assert!(
            polls > 5,
            "{name}: the script has too few points to cancel at"
        );
        drop(response.unwrap());
        stage.assert_closed();
        return;
    }
    panic!("{name}: it never ends");
}

/// Drops the response after each number of chunks.
async fn drop_after_each_chunk(name: &str, streamed: bool, stage: impl Fn() -> Stage) {
    for pieces in 0..1_000 {
        let stage = stage();
        let call = stage.call(streamed);
        let response = stage.dispatcher.call(call).await.unwrap();
        let ClientResponse {
            body: ResponseBody::Stream(mut response),
            ..
        } = response
        else {
            panic!("{name}: not a stream")
        };
        let failed = stage.counts().failed;
        let mut ended = false;
        for _ in 0..pieces {
            ended |= response.next().await.is_none();
        }
        let over = stage.counts().success == 1;
        drop(response);
        let counts = stage.counts();
        assert_eq!(counts.failed, failed, "{name}, {pieces} pieces");
        assert_eq!(
            counts.cancelled,
            u64::from(!over),
            "{name}, {pieces} pieces"
        );
        stage.assert_closed();
        if ended {
            assert!(over && pieces > 3, "{name}");
            return;
        }
    }
    panic!("{name}: it never ends");
}

/// A 500 with a chunked body first, then this.
fn upstream(good: Script) -> FakeUpstream {
    let body = error_body("out of order", "server_error");
    let (one, two) = body.split_at(10);
    let chunk = |text: &str| Piece::Chunk(Bytes::copy_from_slice(text.as_bytes()));
    let bad = Script::response(500, "application/json", vec![chunk(one), chunk(two)]);
    let scripts = [bad, good].map(|script| script.slowly(PAUSE).after(PAUSE));
    FakeUpstream::in_order(scripts.into())
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_6_cancelled_call_does_not_affect_health() {
    let streamed = || upstream(Script::events(stream()));
    drop_after_each_poll("a relayed stream", true, || {
        Setting::new(2).stage(streamed())
    })
    .await;
    drop_after_each_poll("a guided stream", true, || {
        Setting::new(2)
            .executor(FakeExecutor::echoing())
            .stage(streamed())
    })
    .await;
    let whole = || upstream(Script::json(200, COMPLETION));
    drop_after_each_poll("a whole answer", false, || Setting::new(2).stage(whole())).await;
    drop_after_each_poll("a guided whole answer", false, || {
        let executor = FakeExecutor::replying(ResponseMode::Whole, |_| Ok(FakeReply::echoing()));
        Setting::new(2).executor(executor).stage(whole())
    })
    .await;
    drop_after_each_poll("a judged answer", false, || {
        let judging = FakeExecutor::relaying().judging(|_, _| Ok(refusal(Scope::Provider)));
        Setting::new(2).executor(judging).stage(whole())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn waiting_call_can_be_cancelled() {
    drop_after_each_poll("for another round", false, || {
        let limited = Script::json(429, "").header("retry-after", "2");
        let scripts = [limited, Script::json(200, COMPLETION)];
        let scripts = scripts.map(|script| script.slowly(PAUSE));
        Setting::new(1).stage(FakeUpstream::in_order(scripts.into()))
    })
    .await;
    drop_after_each_poll("for the selector", false, || {
        let selector = FakeSelector::new(|context, _| {
            Ok(match context.sequence {
                0..4 => Choice::WaitMs(100),
                _ => Choice::Candidate(0),
            })
        });
        let script = Script::json(200, COMPLETION);
        Setting::new(1)
            .selector(selector)
            .stage(FakeUpstream::in_order(vec![script]))
    })
    .await;
    drop_after_each_poll("between round trips", true, || {
        let trips = [
            Script::json(200, "{}").slowly(PAUSE),
            Script::events(stream()).slowly(PAUSE),
        ];
        Setting::new(1)
            .executor(two_round_trips())
            .stage(FakeUpstream::in_order(trips.into()))
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn response_can_be_dropped_after_any_chunk() {
    let streamed = || upstream(Script::events(stream()));
    drop_after_each_chunk("relayed", true, || Setting::new(2).stage(streamed())).await;
    drop_after_each_chunk("guided", true, || {
        Setting::new(2)
            .executor(FakeExecutor::echoing())
            .stage(streamed())
    })
    .await;
    drop_after_each_chunk("raw", false, || {
        let filler = Bytes::from("x".repeat(300 << 10));
        let script = Script::response(200, "application/json", vec![Piece::Chunk(filler); 4]);
        Setting::new(2).stage(upstream(script))
    })
    .await;
}

fn refusal(scope: Scope) -> Refusal {
    Refusal {
        failure: Failure {
            scope,
            kind: "transient".into(),
            status: None,
            message: "as judged".to_owned(),
            retry_after: None,
            refresh_suggested: false,
            sent: true,
        },
        response: None,
    }
}

/// Requests a second exchange at the end of the first response.
fn two_round_trips() -> FakeExecutor {
    FakeExecutor::replying(ResponseMode::Whole, |_| {
        let mut first = true;
        Ok(FakeReply::new(move |frames, last| {
            if !last || !std::mem::take(&mut first) {
                let text: Vec<u8> = frames.iter().flat_map(|one| one.data.to_vec()).collect();
                let text = String::from_utf8(text).unwrap_or_default();
                let events = text.split_terminator("\n\n");
                return Ok(output(
                    events
                        .filter_map(|event| event.strip_prefix("data: "))
                        .map(|data| frame(data.to_owned()))
                        .collect(),
                ));
            }
            Ok(Output {
                next: Some(Box::new(planned(
                    PlannedBody::Original,
                    ResponseMode::Whole,
                ))),
                ..Output::default()
            })
        }))
    })
}
