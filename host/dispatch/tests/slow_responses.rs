//! How long a provider may be silent: a whole response as long as the call may take, a stream much less.

use jackfield_auth::LeaseCounts;
use jackfield_dispatch::limits::KEEP_ALIVE_INTERVAL;
use jackfield_dispatch::{Call, CallError, Embed, Operation};
use tokio::time::{Instant, sleep_until};

use crate::chat_fixtures::{COMPLETION, content, split_final_error};
use crate::fake_plugins::FakeExecutor;
use crate::fake_upstream::{FakeUpstream, Piece, Script};
use crate::stage::{SECOND, Setting, failure, text};

const FAILED: LeaseCounts = LeaseCounts {
    open: 0,
    success: 0,
    failed: 1,
    cancelled: 0,
    inconclusive: 0,
};

#[tokio::test(start_paused = true)]
async fn a_whole_response_has_the_time_of_the_call() {
    let late_head = Script::json(200, COMPLETION).after(65 * SECOND);
    let late_body = Script::response(
        200,
        "application/json",
        vec![Piece::Wait(300 * SECOND), Piece::Chunk(COMPLETION.into())],
    );
    // Some providers keep the connection alive with white space.
    let blank = Script::response(
        200,
        "application/json",
        vec![
            Piece::Chunk("\n".into()),
            Piece::Wait(300 * SECOND),
            Piece::Chunk(COMPLETION.into()),
        ],
    );
    for script in [late_head, late_body, blank] {
        let stage = Setting::new(2).stage(FakeUpstream::in_order(vec![script]));
        assert_eq!(text(stage.whole().await).await.trim_start(), COMPLETION);
        assert_eq!(stage.counts().success, 1);
        stage.assert_closed();
    }
}

#[tokio::test(start_paused = true)]
async fn a_whole_response_that_times_out_is_not_requested_again() {
    let mut setting = Setting::new(2);
    setting.timeouts.total = 90 * SECOND;
    let stage = setting.stage(FakeUpstream::in_order(vec![Script::hang()]));
    let start = Instant::now();
    let error = stage.whole().await.unwrap_err();
    assert!(matches!(error, CallError::Deadline(_)), "{error:?}");
    assert_eq!(start.elapsed(), 90 * SECOND);
    assert_eq!((stage.counts(), stage.upstream.calls()), (FAILED, 1));
    assert_eq!(stage.failed_credentials(), ["a"]);
    stage.assert_closed();

    let stalled = Script::json(200, r#"{"choices":[{}"#).then(Piece::Hang);
    let stage = Setting::new(2).stage(FakeUpstream::in_order(vec![stalled]));
    let start = Instant::now();
    let failure = failure(stage.whole().await);
    assert!(failure.failure.message.contains("no byte for 120 s"));
    assert_eq!(start.elapsed(), 120 * SECOND);
    assert_eq!((stage.counts(), stage.upstream.calls()), (FAILED, 1));
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn a_whole_response_whose_connection_dies_is_requested_again() {
    let dies = Script::reset().after(200 * SECOND);
    let scripts = vec![dies, Script::json(200, COMPLETION)];
    let stage = Setting::new(2).stage(FakeUpstream::in_order(scripts));
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    assert_eq!(stage.upstream.credentials(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn embeddings_have_the_time_to_the_first_byte() {
    let embeddings = r#"{"object":"list","data":[]}"#;
    let scripts = vec![Script::hang(), Script::json(200, embeddings)];
    let setting = Setting::new(2).executor(FakeExecutor::relaying().planning("embed"));
    let stage = setting.stage(FakeUpstream::in_order(scripts));
    let call = Call {
        operation: Operation::Embed(Embed::Plain),
        ..stage.call(false)
    };
    let start = Instant::now();
    assert_eq!(text(stage.dispatcher.call(call).await).await, embeddings);
    assert_eq!(start.elapsed(), 60 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn idle_timeout_applies_below_and_above_the_keep_alive_interval() {
    assert_eq!(KEEP_ALIVE_INTERVAL, 15 * SECOND);
    for executor in [FakeExecutor::relaying, FakeExecutor::echoing] {
        for idle in [1, 2, 14, 15, 17, 31] {
            let silent = Script::events([content("one"), content("two")]).then(Piece::Hang);
            let mut setting = Setting::new(1).executor(executor());
            setting.timeouts.idle = idle * SECOND;
            let stage = setting.stage(FakeUpstream::in_order(vec![silent]));
            let start = Instant::now();
            let given = text(stage.stream().await).await;
            assert_eq!(start.elapsed(), idle * SECOND);
            let (_, error) = split_final_error(given.as_bytes());
            assert!(error.message.contains("no byte"), "{error:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_credential_without_a_head_for_a_minute_is_avoided_until_it_responds() {
    let upstream = FakeUpstream::new(|credential, before| match (credential, before) {
        ("a", 0) => Script::json(200, COMPLETION).after(200 * SECOND),
        _ => Script::json(200, COMPLETION),
    });
    let (stage, start) = (Setting::new(2).stage(upstream), Instant::now());
    let others = async {
        for (at, credential) in [(59, "a"), (61, "b"), (199, "b"), (201, "a")] {
            sleep_until(start + at * SECOND).await;
            assert_eq!(text(stage.whole().await).await, COMPLETION);
            let credentials = stage.upstream.credentials();
            assert_eq!(credentials.last().unwrap(), credential, "after {at} s");
        }
    };
    let (slow, ()) = tokio::join!(stage.whole(), others);
    assert_eq!(text(slow).await, COMPLETION);
    assert_eq!(stage.counts().success, 5);
}
