//! What the log stores, for how long, and how it is serialized.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use jackfield_credential::{
    Cause, CoolingCause, CoolingClass, Endpoint, Failure, HealthPlace, Outcome, Reasons, Scope,
    Timestamp,
};
use jackfield_dialect::Dialect;
use tokio::time::Instant;

use super::*;
use crate::call::{Operation, StreamFraming};
use crate::error::CallError;

fn call(id: &str, model: &str) -> Call {
    Call {
        id: Arc::from(id),
        dialect: Dialect::OpenaiChat,
        operation: Operation::Generate,
        model: Arc::from(model),
        stream: Some(StreamFraming::Events),
        body: Bytes::from_static(b"the client's text"),
        headers: Arc::new(HeaderMap::new()),
        beta: false,
        principal: Arc::from("team-a"),
        network: None,
        affinity: None,
        pinned: None,
        deadline: Instant::now(),
    }
}

/// A clock that a test moves, from this time on.
fn clock() -> (Arc<AtomicU64>, Clock) {
    let now = Arc::new(AtomicU64::new(1_000));
    let time = Arc::clone(&now);
    let clock = Clock::new(move || Timestamp::from_millis(time.load(Ordering::Relaxed)));
    (now, clock)
}

fn wait(ms: u64) -> Step {
    Step::Wait {
        reason: WaitReason::Cooldown,
        ms,
    }
}

fn cooling_reasons(failure: &Failure) -> Reasons {
    Reasons {
        tried: 1,
        cooling: 2,
        turns: 1,
        first: Some(CoolingCause {
            place: HealthPlace::SiteLane(Endpoint::default()),
            class: CoolingClass::Overload,
            cause: Cause::of(failure).into(),
        }),
        retry_at: Some(Timestamp::from_millis(1_907)),
        ..Reasons::default()
    }
}

#[test]
fn record_lists_decisions_with_their_times() {
    let (now, clock) = clock();
    let call_log = CallLog::default();
    let trace = call_log.begin(&call("r1", "gpt"), &clock);
    now.store(1_007, Ordering::Relaxed);
    trace.step(Step::Picked(PickStep {
        credential: Arc::from("a"),
        round: 1,
        candidates: 3,
        priority: -1,
        passed_over: 1,
        trial: false,
        selector_fault: None,
    }));
    let failure = Failure {
        scope: Scope::Model,
        kind: Cow::Borrowed("rate-limit"),
        status: Some(429),
        message: "é".repeat(300),
        retry_after: Some(Duration::from_secs(2)),
        refresh_suggested: false,
        sent: true,
    };
    trace.step(Step::Attempt(AttemptStep {
        credential: Arc::from("a"),
        provider: Arc::from("p"),
        model: Arc::from("m"),
        probe: true,
        ms: 40,
        first_byte_ms: None,
        cooled: vec!["site"],
        outcome: AttemptOutcome::from(&Outcome::Failed(failure.clone())),
    }));
    let reasons = cooling_reasons(&failure);
    trace.step(Step::Unavailable {
        round: 1,
        reasons: Some(UnavailableCounts::of(&reasons, clock.now())),
    });
    trace.step(wait(5));
    now.store(1_050, Ordering::Relaxed);
    trace.end(CallOutcome::Completed);
    let record = serde_json::to_value(call_log.get("r1").unwrap()).unwrap();
    let expected = serde_json::json!({
        "id": "r1", "started_ms": 1000, "dialect": "openai-chat", "operation": "generate",
        "model": "gpt", "principal": "team-a", "stream": true, "traits": [], "warnings": [], "usage": null,
        "steps": [
            {"after_ms": 7, "step": "picked", "credential": "a", "round": 1, "candidates": 3,
                "priority": -1, "passed_over": 1, "trial": false, "selector_fault": null},
            {"after_ms": 7, "step": "attempt", "credential": "a", "provider": "p", "model": "m",
                "probe": true, "ms": 40, "first_byte_ms": null, "cooled": ["site"], "outcome": "failed",
                "scope": "model", "kind": "rate-limit", "status": 429,
                "message": "é".repeat(256), "retry_after_ms": 2000},
            {"after_ms": 7, "step": "unavailable", "round": 1, "disabled": 0, "tried": 1, "barred": 0,
                "cooling": 2, "probing": 0, "turns": 1, "busy": 0, "rounds_exhausted": 0, "retry_in_ms": 900,
                "first": {"place": "site", "class": "overload"}},
            {"after_ms": 7, "step": "wait", "for": "cooldown", "ms": 5},
        ],
        "steps_dropped": 0, "outcome": {"outcome": "completed"}, "ended_ms": 1050,
    });
    assert_eq!(record, expected);
}

#[test]
fn stores_only_the_latest_calls() {
    let (_, clock) = clock();
    let call_log = CallLog::default();
    for number in 0..CALL_RECORDS_MAX + 3 {
        drop(call_log.begin(&call(&number.to_string(), "m"), &clock));
    }
    assert!(call_log.get("2").is_none());
    assert!(call_log.get("3").is_some());
    assert_eq!(call_log.recent(usize::MAX).len(), CALL_RECORDS_MAX);
    let newest = call_log.recent(2);
    let ids: Vec<&str> = newest.iter().map(|record| &*record.id).collect();
    assert_eq!(ids, ["1002", "1001"]);
}

#[test]
fn stores_a_duplicate_id_once() {
    let (_, clock) = clock();
    let call_log = CallLog::default();
    for model in ["one", "two"] {
        drop(call_log.begin(&call("same", model), &clock));
    }
    assert_eq!(call_log.recent(9).len(), 1);
    assert_eq!(&*call_log.get("same").unwrap().model, "two");
}

#[test]
fn bounds_the_record_of_a_call() {
    let (_, clock) = clock();
    let call_log = CallLog::default();
    let trace = call_log.begin(&call("r1", &"m".repeat(100_000)), &clock);
    for _ in 0..CALL_STEPS_MAX + 5 {
        trace.step(wait(1));
    }
    trace.end(CallOutcome::of(&CallError::Misconfigured(
        "x".repeat(100_000),
    )));
    let record = call_log.get("r1").unwrap();
    assert_eq!(
        (record.steps.len(), record.steps_dropped),
        (CALL_STEPS_MAX, 5)
    );
    let bytes = serde_json::to_vec(&record).unwrap().len();
    assert!(bytes < 10_000, "{bytes}");
}

#[test]
fn dropped_trace_is_cancelled_and_first_end_wins() {
    let (_, clock) = clock();
    let call_log = CallLog::default();
    let trace = call_log.begin(&call("r1", "m"), &clock);
    assert!(call_log.get("r1").unwrap().outcome.is_none());
    drop(trace);
    let outcome = call_log.get("r1").unwrap().outcome;
    assert!(matches!(outcome, Some(CallOutcome::Cancelled)));
    let trace = call_log.begin(&call("r2", "m"), &clock);
    trace.end(CallOutcome::Completed);
    drop(trace);
    let outcome = call_log.get("r2").unwrap().outcome;
    assert!(matches!(outcome, Some(CallOutcome::Completed)));
}
