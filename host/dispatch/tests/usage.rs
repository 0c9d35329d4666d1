//! What an answer cost is in the record of its request, whichever way the answer took.

use futures_util::StreamExt;
use jackfield_dispatch::ResponseBody;
use jackfield_dispatch::plan::{Framing, Output, ResponseMode, Usage};
use serde_json::{Value, json};

use crate::anthropic;
use crate::plugins::{FakeExecutor, FakeReply};
use crate::stage::{Setting, Stage, text};
use crate::upstream::{FakeUpstream, Piece, Script};
use crate::wire::{COMPLETION, DONE, FINISH, content, error_body, stream};

const TOLD: &str = r#""usage":{"prompt_tokens":9,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":2}}"#;

fn cost() -> Value {
    json!({"input": 9, "output": 5, "cached_input": 3, "reasoning": 2})
}

fn whole() -> Script {
    Script::json(200, COMPLETION.replacen('{', &format!("{{{TOLD},"), 1))
}

fn streamed() -> Vec<String> {
    let told = format!("data: {{\"choices\":[],{TOLD}}}\n\n");
    vec![content("one"), FINISH.to_owned(), told, DONE.to_owned()]
}

fn stage(executor: FakeExecutor, script: Script) -> Stage {
    let setting = Setting::new(1).executor(executor);
    setting.stage(FakeUpstream::in_order(vec![script]))
}

/// Sees the answer whole, and gives it on.
fn gathering() -> FakeExecutor {
    FakeExecutor::replying(ResponseMode::Whole, |_| Ok(FakeReply::echoing()))
}

#[tokio::test(start_paused = true)]
async fn what_a_whole_answer_cost_is_recorded() {
    for executor in [FakeExecutor::relaying(), gathering()] {
        let stage = stage(executor, whole());
        text(stage.whole().await).await;
        assert_eq!(stage.record()["usage"], cost());
    }
    for executor in [FakeExecutor::relaying(), gathering()] {
        let script = Script::json(200, anthropic::MESSAGE);
        let stage = anthropic::stage(1, executor, vec![script]);
        let call = anthropic::call(&stage, false);
        text(stage.dispatcher.call(call).await).await;
        let usage = &stage.record()["usage"];
        assert_eq!((&usage["input"], &usage["output"]), (&json!(5), &json!(7)));
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_stream_cost_is_recorded() {
    for executor in [FakeExecutor::relaying(), FakeExecutor::echoing()] {
        let stage = stage(executor, Script::events(streamed()));
        text(stage.stream().await).await;
        assert_eq!(stage.record()["usage"], cost());
    }
    for executor in [FakeExecutor::relaying(), FakeExecutor::echoing()] {
        let script = Script::events(anthropic::stream());
        let stage = anthropic::stage(1, executor, vec![script]);
        let call = anthropic::call(&stage, true);
        text(stage.dispatcher.call(call).await).await;
        let usage = &stage.record()["usage"];
        assert_eq!((&usage["input"], &usage["output"]), (&json!(5), &json!(7)));
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_guest_says_wins_over_the_answer() {
    let executor = FakeExecutor::replying(ResponseMode::Frames(Framing::Sse), |_| {
        Ok(FakeReply::new(|frames, last| {
            Ok(Output {
                frames,
                usage: last.then(|| Usage {
                    input: 1,
                    output: 2,
                    ..Usage::default()
                }),
                ..Output::default()
            })
        }))
    });
    let stage = stage(executor, Script::events(streamed()));
    text(stage.stream().await).await;
    let usage = json!({"input": 1, "output": 2, "cached_input": 0, "reasoning": 0});
    assert_eq!(stage.record()["usage"], usage);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_tells_no_cost_has_none_in_the_record() {
    for executor in [FakeExecutor::relaying(), FakeExecutor::echoing()] {
        let stage = stage(executor, Script::events(stream()));
        text(stage.stream().await).await;
        assert_eq!(stage.record()["usage"], Value::Null);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_the_client_leaves_keeps_what_was_known() {
    for translated in [false, true] {
        for executor in [FakeExecutor::relaying(), FakeExecutor::echoing()] {
            let script = Script::events(anthropic::begun()).then(Piece::Hang);
            let stage = anthropic::stage(1, executor, vec![script]);
            let call = match translated {
                true => anthropic::call(&stage, true),
                false => anthropic::native(&stage, true),
            };
            let answer = stage.dispatcher.call(call).await.unwrap();
            let ResponseBody::Stream(mut answer) = answer.body else {
                panic!("not a stream")
            };
            answer.next().await.unwrap().unwrap();
            drop(answer);
            let record = stage.record();
            assert_eq!(record["usage"]["input"], 5, "{record}");
            assert_eq!(record["outcome"]["outcome"], "cancelled");
            assert_eq!(stage.counts().cancelled, 1);
            stage.assert_closed();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_off_keeps_what_was_known() {
    for executor in [FakeExecutor::relaying(), FakeExecutor::echoing()] {
        let script = Script::events(anthropic::begun()).then(Piece::Break);
        let stage = anthropic::stage(1, executor, vec![script]);
        let call = anthropic::native(&stage, true);
        text(stage.dispatcher.call(call).await).await;
        assert_eq!(stage.record()["usage"]["input"], 5);
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_failed_over_costs_nothing_in_the_record() {
    let scripts = vec![
        Script::events([anthropic::START, anthropic::ERROR]),
        Script::json(400, error_body("no", "invalid")),
    ];
    let stage = anthropic::stage(2, FakeExecutor::relaying(), scripts);
    let call = anthropic::native(&stage, true);
    assert!(stage.dispatcher.call(call).await.is_err());
    assert_eq!(stage.record()["usage"], Value::Null);
}
