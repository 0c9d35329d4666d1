//! The usage of a response is in the call's record, on every path through the host.

use futures_util::StreamExt;
use jackfield_dispatch::ResponseBody;
use jackfield_dispatch::plan::{Framing, Output, ResponseMode, Usage};
use serde_json::{Value, json};

use crate::anthropic_fixtures;
use crate::chat_fixtures::{COMPLETION, DONE, FINISH, content, error_body, stream};
use crate::fake_plugins::{FakeExecutor, FakeReply};
use crate::fake_upstream::{FakeUpstream, Piece, Script};
use crate::stage::{Setting, Stage, text};

const USAGE: &str = r#""usage":{"prompt_tokens":9,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":2}}"#;

fn expected_usage() -> Value {
    json!({"input": 9, "output": 5, "cached_input": 3, "cache_write_input": 0, "reasoning": 2})
}

fn completion_with_usage() -> Script {
    Script::json(200, COMPLETION.replacen('{', &format!("{{{USAGE},"), 1))
}

fn events_with_usage() -> Vec<String> {
    let usage_event = format!("data: {{\"choices\":[],{USAGE}}}\n\n");
    vec![
        content("one"),
        FINISH.to_owned(),
        usage_event,
        DONE.to_owned(),
    ]
}

fn stage(executor: FakeExecutor, script: Script) -> Stage {
    let setting = Setting::new(1).executor(executor);
    setting.stage(FakeUpstream::in_order(vec![script]))
}

/// Processes the whole response, and forwards it.
fn buffering() -> FakeExecutor {
    FakeExecutor::replying(ResponseMode::Whole, |_| Ok(FakeReply::echoing()))
}

#[tokio::test(start_paused = true)]
async fn records_usage_of_response() {
    for executor in [FakeExecutor::relaying(), buffering()] {
        let stage = stage(executor, completion_with_usage());
        text(stage.whole().await).await;
        assert_eq!(stage.record()["usage"], expected_usage());
    }
    for executor in [FakeExecutor::relaying(), buffering()] {
        let script = Script::json(200, anthropic_fixtures::MESSAGE);
        let stage = anthropic_fixtures::stage(1, executor, vec![script]);
        let call = anthropic_fixtures::call(&stage, false);
        text(stage.dispatcher.call(call).await).await;
        let usage = &stage.record()["usage"];
        assert_eq!((&usage["input"], &usage["output"]), (&json!(5), &json!(7)));
    }
}

#[tokio::test(start_paused = true)]
async fn records_usage_of_stream() {
    for executor in [FakeExecutor::relaying(), FakeExecutor::echoing()] {
        let stage = stage(executor, Script::events(events_with_usage()));
        text(stage.stream().await).await;
        assert_eq!(stage.record()["usage"], expected_usage());
    }
    for executor in [FakeExecutor::relaying(), FakeExecutor::echoing()] {
        let script = Script::events(anthropic_fixtures::stream());
        let stage = anthropic_fixtures::stage(1, executor, vec![script]);
        let call = anthropic_fixtures::call(&stage, true);
        text(stage.dispatcher.call(call).await).await;
        let usage = &stage.record()["usage"];
        assert_eq!((&usage["input"], &usage["output"]), (&json!(5), &json!(7)));
    }
}

#[tokio::test(start_paused = true)]
async fn plugin_usage_overrides_response_usage() {
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
    let stage = stage(executor, Script::events(events_with_usage()));
    text(stage.stream().await).await;
    let usage =
        json!({"input": 1, "output": 2, "cached_input": 0, "cache_write_input": 0, "reasoning": 0});
    assert_eq!(stage.record()["usage"], usage);
}

#[tokio::test(start_paused = true)]
async fn response_without_usage_records_none() {
    for executor in [FakeExecutor::relaying(), FakeExecutor::echoing()] {
        let stage = stage(executor, Script::events(stream()));
        text(stage.stream().await).await;
        assert_eq!(stage.record()["usage"], Value::Null);
    }
}

#[tokio::test(start_paused = true)]
async fn cancelled_stream_records_known_usage() {
    for translated in [false, true] {
        for executor in [FakeExecutor::relaying(), FakeExecutor::echoing()] {
            let script = Script::events(anthropic_fixtures::events_before_end()).then(Piece::Hang);
            let stage = anthropic_fixtures::stage(1, executor, vec![script]);
            let call = match translated {
                true => anthropic_fixtures::call(&stage, true),
                false => anthropic_fixtures::anthropic_call(&stage, true),
            };
            let response = stage.dispatcher.call(call).await.unwrap();
            let ResponseBody::Stream(mut response) = response.body else {
                panic!("not a stream")
            };
            response.next().await.unwrap().unwrap();
            drop(response);
            let record = stage.record();
            assert_eq!(record["usage"]["input"], 5, "{record}");
            assert_eq!(record["outcome"]["outcome"], "cancelled");
            assert_eq!(stage.counts().cancelled, 1);
            stage.assert_closed();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn interrupted_stream_records_known_usage() {
    for executor in [FakeExecutor::relaying(), FakeExecutor::echoing()] {
        let script = Script::events(anthropic_fixtures::events_before_end()).then(Piece::Break);
        let stage = anthropic_fixtures::stage(1, executor, vec![script]);
        let call = anthropic_fixtures::anthropic_call(&stage, true);
        text(stage.dispatcher.call(call).await).await;
        assert_eq!(stage.record()["usage"]["input"], 5);
    }
}

#[tokio::test(start_paused = true)]
async fn failed_attempt_records_no_usage() {
    let scripts = vec![
        Script::events([anthropic_fixtures::MESSAGE_START, anthropic_fixtures::ERROR]),
        Script::json(400, error_body("no", "invalid")),
    ];
    let stage = anthropic_fixtures::stage(2, FakeExecutor::relaying(), scripts);
    let call = anthropic_fixtures::anthropic_call(&stage, true);
    assert!(stage.dispatcher.call(call).await.is_err());
    assert_eq!(stage.record()["usage"], Value::Null);
}
