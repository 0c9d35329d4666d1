//! Every call can be explained afterwards: who was tried, why not, and what came of it.

use jackfield_dispatch::CallError;
use serde_json::{Value, json};

use crate::chat_fixtures::{COMPLETION, error_body, stream};
use crate::fake_upstream::{FakeUpstream, Script};
use crate::stage::{Setting, failure, read_body, text};

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
async fn failover_logs_both_attempts_and_the_response() {
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
    assert_eq!(record["outcome"]["outcome"], json!("completed"));
    let shown = record.to_string();
    assert!(
        shown.contains("oops") && !shown.contains("sk-of-a"),
        "{shown}"
    );
}

#[tokio::test(start_paused = true)]
async fn logs_unavailable_credentials_with_reasons() {
    let mut setting = Setting::new(2);
    setting.retry.rounds = 1;
    let rate_limited = || Script::json(429, error_body("slow down", "rate_limit_error"));
    let stage = setting.stage(FakeUpstream::new(move |_, _| rate_limited()));
    failure(stage.whole().await);
    assert!(matches!(
        stage.whole().await,
        Err(CallError::NoCredentialAvailable { .. })
    ));
    let record = stage.record();
    let unavailable = &record["steps"][0];
    assert_eq!(
        (&unavailable["step"], &unavailable["cooling"]),
        (&json!("unavailable"), &json!(2))
    );
    assert_eq!(record["outcome"]["outcome"], json!("failed"));
}

#[tokio::test(start_paused = true)]
async fn stream_outcome_is_set_at_end_or_on_drop() {
    let stage = Setting::new(1).stage(FakeUpstream::new(|_, _| Script::events(stream())));
    let response = stage.stream().await.unwrap();
    assert_eq!(stage.record()["outcome"], Value::Null, "it goes on");
    read_body(response).await;
    assert_eq!(stage.record()["outcome"]["outcome"], json!("completed"));
    drop(stage.stream().await.unwrap());
    assert_eq!(stage.record()["outcome"]["outcome"], json!("cancelled"));
}
