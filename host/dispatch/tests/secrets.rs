//! Some providers repeat the key that they refuse. Nobody may read it.

use jackfield_dispatch::UpstreamFailure;

use crate::plugins::FakeExecutor;
use crate::stage::{Setting, Stage, failure, text};
use crate::upstream::{FakeUpstream, Script};
use crate::wire::{content, error_body};

fn body() -> String {
    error_body("wrong key sk-of-a, try another", "server_error")
}

fn event() -> String {
    format!("data: {}\n\n", body())
}

fn stage(executor: FakeExecutor, script: Script) -> Stage {
    Setting::new(1)
        .executor(executor)
        .stage(FakeUpstream::in_order(vec![script]))
}

/// What the admin API can tell of the credentials.
fn status(stage: &Stage) -> String {
    let now = stage.dispatcher.clock().now();
    format!("{:?}", stage.dispatcher.auth().status(now))
}

#[tokio::test(start_paused = true)]
async fn a_key_that_a_provider_repeats_reaches_neither_client_nor_status() {
    for (script, executor) in [
        (Script::json(401, body()), FakeExecutor::relaying()),
        (Script::json(200, body()), FakeExecutor::relaying()),
        (Script::events([event()]), FakeExecutor::relaying()),
        (Script::events([event()]), FakeExecutor::echoing()),
    ] {
        let stage = stage(executor, script);
        let UpstreamFailure { failure, answer } = failure(stage.stream().await);
        assert_eq!(failure.message, "wrong key [secret], try another");
        assert!(answer.is_none(), "{answer:?}");
        assert!(status(&stage).contains("wrong key [secret]"));
        assert!(!status(&stage).contains("sk-of-a"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_repeated_after_the_commit_is_not_told_either() {
    let script = || Script::events([content("one"), event()]);
    let guided = stage(FakeExecutor::echoing(), script());
    let given = text(guided.stream().await).await;
    assert!(given.contains("wrong key [secret]") && !given.contains("sk-of-a"));
    assert!(!status(&guided).contains("sk-of-a"));
    let relayed = stage(FakeExecutor::relaying(), script());
    text(relayed.stream().await).await;
    assert!(!status(&relayed).contains("sk-of-a"));
}

#[tokio::test(start_paused = true)]
async fn an_error_answer_without_the_key_is_shown_as_it_is() {
    let body = error_body("wrong key sk-of-b", "server_error");
    let stage = stage(FakeExecutor::relaying(), Script::json(401, body.clone()));
    let failure = failure(stage.stream().await);
    assert_eq!(failure.answer.unwrap().body, body);
}
