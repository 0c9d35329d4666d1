//! Every call can be explained afterwards: who was tried, why not, and what came of it.

use jackfield_dispatch::CallError;
use serde_json::{Value, json};

use crate::stage::{Setting, failure, gathered, text};
use crate::upstream::{FakeUpstream, Script};
use crate::wire::{COMPLETION, error_body, stream};

fn steps(record: &Value) -> Vec<(&str, &str, &str)> {
    let steps = record["steps"].as_array().unwrap();
    steps
        .iter()
        .map(|step| {
            let of = |name: &str| step[name].as_str().unwrap_or_default();
            (of("step"), of("credential"), of("outcome"))
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_failover_tells_both_attempts_and_the_answer() {
    let scripts = vec![
        Script::json(500, error_body("oops", "server_error")),
        Script::json(200, COMPLETION),
    ];
    let stage = Setting::new(2).stage(FakeUpstream::in_order(scripts));
    text(stage.whole().await).await;
    let record = stage.record();
    let attempts: Vec<_> = steps(&record)
        .into_iter()
        .filter(|step| step.0 == "attempt")
        .collect();
    assert_eq!(
        attempts,
        [("attempt", "a", "failed"), ("attempt", "b", "success")]
    );
    assert_eq!(record["outcome"]["outcome"], json!("answered"));
    let shown = record.to_string();
    assert!(
        shown.contains("oops") && !shown.contains("sk-of-a"),
        "{shown}"
    );
}

#[tokio::test(start_paused = true)]
async fn who_was_not_fit_and_why_is_told() {
    let mut setting = Setting::new(2);
    setting.retry.rounds = 1;
    let limited = || Script::json(429, error_body("slow down", "rate_limit_error"));
    let stage = setting.stage(FakeUpstream::new(move |_, _| limited()));
    failure(stage.whole().await);
    assert!(matches!(stage.whole().await, Err(CallError::NoCredentialAvailable { .. })));
    let record = stage.record();
    let unfit = &record["steps"][0];
    assert_eq!(
        (&unfit["step"], &unfit["cooling"]),
        (&json!("unfit"), &json!(2))
    );
    assert_eq!(record["outcome"]["outcome"], json!("failed"));
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_over_when_its_last_byte_is_and_cancelled_when_it_is_dropped() {
    let stage = Setting::new(1).stage(FakeUpstream::new(|_, _| Script::events(stream())));
    let answer = stage.stream().await.unwrap();
    assert_eq!(stage.record()["outcome"], Value::Null, "it goes on");
    gathered(answer).await;
    assert_eq!(stage.record()["outcome"]["outcome"], json!("answered"));
    drop(stage.stream().await.unwrap());
    assert_eq!(stage.record()["outcome"]["outcome"], json!("cancelled"));
}
