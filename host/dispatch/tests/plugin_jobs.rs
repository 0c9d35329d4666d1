//! Jobs that an executor submits and looks at, by further requests that wait.

use std::time::Duration;

use bytes::Bytes;
use jackfield_dispatch::CallError;
use jackfield_dispatch::limits::{DELAYED_REQUESTS_MAX, REQUEST_DELAY_MIN, ROUND_TRIPS_MAX};
use jackfield_dispatch::plan::{PlannedBody, ResponseMode};
use tokio::time::Instant;

use crate::chat_fixtures::COMPLETION;
use crate::fake_plugins::{FakeExecutor, FakeReply, output, planned};
use crate::fake_upstream::Script;
use crate::plugin_stream::{expect_invalid_output, next, stage};
use crate::stage::{SECOND, text};

/// An executor that looks at its job so often, each time after this wait, and then forwards the response.
fn with_looks(looks: u8, delay: Duration) -> FakeExecutor {
    FakeExecutor::replying(ResponseMode::Whole, move |state| {
        let done = state.first().copied().unwrap_or(0);
        Ok(FakeReply::new(move |frames, _| {
            if done == looks {
                return Ok(output(frames));
            }
            let mut plan = planned(PlannedBody::Original, ResponseMode::Whole);
            plan.state = Bytes::from(vec![done + 1]);
            plan.delay = Some(delay);
            Ok(next(plan))
        }))
    })
}

#[tokio::test(start_paused = true)]
async fn jobs_are_looked_at_after_a_wait() {
    let looks = 2 * u8::try_from(ROUND_TRIPS_MAX).unwrap();
    let mut scripts = vec![Script::json(200, "{\"job\":1}"); looks.into()];
    scripts.push(Script::json(200, COMPLETION));
    let stage = stage(with_looks(looks, 2 * SECOND), scripts);
    let began = Instant::now();
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    assert!(began.elapsed() >= 2 * SECOND * u32::from(looks));
    assert_eq!(stage.upstream.calls(), usize::from(looks) + 1);
    assert_eq!((stage.counts().success, stage.executor.faults()), (1, 0));
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn jobs_end_with_the_deadline_of_their_call() {
    let hour = Duration::from_hours(1);
    let scripts = vec![Script::json(200, "{\"job\":1}")];
    let stage = stage(with_looks(1, hour), scripts);
    let began = Instant::now();
    let error = stage.whole().await.unwrap_err();
    assert!(matches!(error, CallError::Deadline(_)), "{error:?}");
    assert!(began.elapsed() < hour);
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn waits_are_bounded_in_number_and_from_below() {
    let script = Script::json(200, "{\"job\":1}");
    let scripts = vec![script; DELAYED_REQUESTS_MAX as usize + 1];
    let executor = FakeExecutor::replying(ResponseMode::Whole, |_| {
        Ok(FakeReply::new(|_, _| {
            let mut plan = planned(PlannedBody::Original, ResponseMode::Whole);
            plan.delay = Some(Duration::ZERO);
            Ok(next(plan))
        }))
    });
    let began = Instant::now();
    expect_invalid_output(stage(executor, scripts), "more than 600 requests").await;
    assert!(began.elapsed() >= REQUEST_DELAY_MIN * DELAYED_REQUESTS_MAX);
    let executor = FakeExecutor::new(|_| {
        let mut plan = planned(PlannedBody::Original, ResponseMode::Relay);
        plan.delay = Some(SECOND);
        Ok(plan)
    });
    expect_invalid_output(stage(executor, vec![]), "only a further request").await;
}
