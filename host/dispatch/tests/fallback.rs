//! Fallback models.

use std::collections::BTreeMap;
use std::sync::Arc;

use jackfield_credential::{Scope, Served};
use jackfield_dispatch::Condition::{ContextLength, Cooling, Failed, Unavailable};
use jackfield_dispatch::{Condition, Fallback};
use serde_json::Value;
use tokio::time::Instant;

use crate::chat_fixtures::{COMPLETION, error_body};
use crate::fake_plugins::FakeExecutor;
use crate::fake_upstream::{FakeUpstream, Script};
use crate::stage::{SECOND, Setting, Stage, failure, text};

/// A stage in which credential `a` serves `model`, `b` serves `other`, and `c` serves `third`.
fn stage(upstream: FakeUpstream, chain: &[(&str, &[Condition])]) -> Stage {
    let setting = Setting::new(3)
        .one_round()
        .executor(FakeExecutor::patching());
    let stage = setting
        .registered(|registration| {
            let (upstream, name) = match registration.credential.id.as_str() {
                "a" => ("upstream-model", "model"),
                "b" => ("upstream-other", "other"),
                _ => ("upstream-third", "third"),
            };
            registration.credential.serves = vec![Served::new(upstream, vec![Arc::from(name)])];
        })
        .stage(upstream);
    let fallback = |(model, on): &(&str, &[Condition])| Fallback {
        model: Arc::from(*model),
        on: on.to_vec(),
    };
    let mut snapshot = (*stage.dispatcher.snapshot()).clone();
    let chain = chain.iter().map(fallback).collect();
    snapshot.routing.fallbacks = BTreeMap::from([(Arc::from("model"), chain)]);
    stage.snapshot.store(Arc::new(snapshot));
    stage
}

fn rate_limited() -> Script {
    Script::json(429, error_body("slow down", "rate_limit_error")).header("retry-after", "300")
}

#[tokio::test(start_paused = true)]
async fn fallback_model_is_sent_with_its_own_name() {
    let scripts = vec![rate_limited(), Script::json(200, COMPLETION)];
    let stage = stage(FakeUpstream::in_order(scripts), &[("other", &[Cooling])]);
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    assert_eq!(stage.upstream.credentials(), ["a", "b"]);
    let body: Value = serde_json::from_slice(&stage.upstream.body_of(1)).unwrap();
    assert_eq!(
        body["model"], "upstream-other",
        "the client's body named `model`"
    );
    let record = stage.dispatcher.call_log().get("call-1").unwrap();
    let record = serde_json::to_value(record).unwrap();
    let steps = record["steps"].as_array().unwrap();
    let fell = steps.iter().find(|step| step["step"] == "fallback");
    let fell = fell.unwrap();
    assert_eq!(
        (&fell["to"], &fell["reason"]),
        (&"other".into(), &"rate-limit".into())
    );
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn unavailable_model_falls_back_without_attempt() {
    let upstream = FakeUpstream::new(|credential, _| match credential {
        "a" => rate_limited(),
        _ => Script::json(200, COMPLETION),
    });
    let stage = stage(upstream, &[("other", &[Unavailable, Cooling])]);
    for _ in 0..2 {
        assert_eq!(text(stage.whole().await).await, COMPLETION);
    }
    assert_eq!(stage.upstream.credentials(), ["a", "b", "b"]);
}

#[tokio::test(start_paused = true)]
async fn fallback_chain_follows_order_and_conditions() {
    let upstream = FakeUpstream::new(|credential, _| match credential {
        "a" => Script::json(500, ""),
        "b" => Script::json(401, ""),
        _ => Script::json(200, COMPLETION),
    });
    let chain: [(&str, &[Condition]); 3] = [
        ("nobody", &[Cooling, Unavailable]),
        ("other", &[Failed]),
        ("third", &[Cooling, Failed]),
    ];
    let stage = stage(upstream, &chain);
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    assert_eq!(stage.upstream.credentials(), ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn client_error_falls_back_only_if_configured() {
    let long = r#"{"error":{"message":"m m","code":"context_length_exceeded"}}"#;
    let upstream = || {
        FakeUpstream::new(move |credential, _| match credential {
            "a" => Script::json(400, long),
            _ => Script::json(200, COMPLETION),
        })
    };
    let any = stage(upstream(), &[("other", &[Cooling, Unavailable, Failed])]);
    assert_eq!(failure(any.whole().await).failure.scope, Scope::Request);
    assert_eq!(any.upstream.calls(), 1);
    let long = stage(upstream(), &[("other", &[ContextLength])]);
    assert_eq!(text(long.whole().await).await, COMPLETION);
    assert_eq!(long.failed_credentials(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn fallback_models_share_one_deadline() {
    let upstream = FakeUpstream::new(|_, _| Script::json(500, "").after(7 * SECOND));
    let stage = stage(upstream, &[("other", &[Failed]), ("third", &[Failed])]);
    let mut snapshot = (*stage.dispatcher.snapshot()).clone();
    snapshot.timeouts.total = 10 * SECOND;
    stage.snapshot.store(Arc::new(snapshot));
    let start = Instant::now();
    let error = stage.whole().await.unwrap_err();
    assert_eq!(error.code(), Some("deadline_exceeded"));
    assert_eq!(start.elapsed(), 10 * SECOND);
    assert_eq!(stage.upstream.credentials(), ["a", "b"]);
    stage.assert_closed();
}
