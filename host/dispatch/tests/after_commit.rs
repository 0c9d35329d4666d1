//! Once content has left, a failure ends the stream with exactly one error event.

use jackfield_auth::LeaseCounts;
use jackfield_dispatch::ResponseBody;

use crate::plugins::FakeExecutor;
use crate::stage::{SECOND, Setting, gathered, text};
use crate::upstream::{FakeUpstream, Piece, Script};
use crate::wire::{COMPLETION, DONE, ERROR, FINISH, ROLE, content, stream, terminal};

/// The stream commits, breaks so, and must end in one error event after just its whole events.
async fn breaks(name: &str, script: Script, executor: FakeExecutor) -> String {
    let stage = Setting::new(2)
        .executor(executor)
        .stage(FakeUpstream::in_order(vec![script]));
    let answer = stage.stream().await.unwrap();
    assert!(matches!(answer.body, ResponseBody::Stream(_)), "{name}");
    let (bytes, broken) = gathered(answer).await;
    assert!(broken.is_none(), "{name}: {broken:?}");
    let (before, error) = terminal(&bytes);
    assert_eq!(
        before,
        [ROLE, &content("one"), &content("two")].concat(),
        "{name}"
    );
    let failed = LeaseCounts {
        failed: 1,
        ..LeaseCounts::default()
    };
    assert_eq!(stage.counts(), failed, "{name}");
    stage.assert_closed();
    error.message
}

fn begun() -> Script {
    Script::events([ROLE, &content("one"), &content("two")])
}

fn chunk(text: &str) -> Piece {
    Piece::Chunk(text.to_owned().into())
}

fn breaks_of_the_way() -> Vec<(&'static str, Script)> {
    let three = content("three");
    let half = &three[..three.len() - 4];
    vec![
        ("a broken connection", begun().then(Piece::Break)),
        (
            "a broken connection inside an event",
            begun().then(chunk(half)).then(Piece::Break),
        ),
        ("an early end", begun()),
        ("an early end inside an event", begun().then(chunk(half))),
        ("silence", begun().then(Piece::Hang)),
        (
            "silence inside an event",
            begun().then(chunk(half)).then(Piece::Hang),
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn seed_1_7_after_the_first_content_an_error_is_told_in_the_stream() {
    let malformed = begun().then(chunk("data: {\"choices\":[{]}\n\n"));
    let malformed = (
        "a malformed event",
        malformed.then(chunk(&content("three"))),
    );
    for (name, script) in breaks_of_the_way().into_iter().chain([malformed]) {
        breaks(name, script.clone(), FakeExecutor::relaying()).await;
        breaks(name, script, FakeExecutor::echoing()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_providers_own_error_event_is_the_one() {
    for rest in [
        ERROR.to_owned(),
        [ERROR, &content("three"), ERROR, DONE].concat(),
    ] {
        let relayed = begun().then(chunk(&rest));
        assert_eq!(
            breaks("relayed", relayed, FakeExecutor::relaying()).await,
            "out of order"
        );
        let guided = begun().then(chunk(&rest));
        assert_eq!(
            breaks("guided", guided, FakeExecutor::echoing()).await,
            "out of order"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn content_in_one_chunk_with_the_error_still_arrives() {
    for executor in [FakeExecutor::relaying(), FakeExecutor::echoing()] {
        let together = chunk(&[&content("two"), ERROR].concat());
        let script = Script::events([ROLE, &content("one")]).then(together);
        assert_eq!(breaks("together", script, executor).await, "out of order");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_at_the_very_end_counts_though_every_choice_finished() {
    let script = Script::events([&content("one"), FINISH, ERROR.trim_end()]);
    let stage = Setting::new(1).stage(FakeUpstream::in_order(vec![script]));
    let (before, error) = terminal(text(stage.stream().await).await.as_bytes());
    assert_eq!(
        (before, &*error.message),
        ([&content("one"), FINISH].concat(), "out of order")
    );
    assert_eq!(stage.counts().failed, 1);
}

#[tokio::test(start_paused = true)]
async fn a_large_whole_answer_that_breaks_is_broken_off() {
    let filler = format!("{{\"choices\":[{{}}],\"a\":\"{}", "x".repeat(300 << 10));
    let script = Script::json(200, filler.clone()).then(Piece::Break);
    let stage = Setting::new(1).stage(FakeUpstream::in_order(vec![script]));
    let (bytes, broken) = gathered(stage.whole().await.unwrap()).await;
    assert_eq!(bytes, filler);
    assert!(broken.unwrap().to_string().contains("broke off"));
    assert_eq!(stage.counts().failed, 1);
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_is_not_taken_for_a_silent_provider() {
    let script = Script::events(stream()).slowly(SECOND);
    let stage = Setting::new(1).stage(FakeUpstream::in_order(vec![script]));
    let answer = stage.stream().await.unwrap();
    tokio::time::sleep(200 * SECOND).await;
    assert_eq!(text(Ok(answer)).await, stream().concat());
    assert_eq!(stage.counts().success, 1);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_was_asked_for_and_comes_as_json_is_given_as_it_is() {
    let script = Script::json(200, COMPLETION);
    let stage = Setting::new(1).stage(FakeUpstream::in_order(vec![script]));
    let answer = stage.stream().await.unwrap();
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(text(Ok(answer)).await, COMPLETION);
}
