//! Windows that providers report: account windows, hopeless quotas, arrears. They are obeyed and not waited for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::client::{ClientApi, ClientRequest};
use super::replies::well;
use super::scripted::{Reply, ScriptedProvider};
use super::{ONE, TWO, health_of, pool, start};
use crate::harness::Jackfield;

const HOUR: u64 = 3_600;

fn epoch_in(seconds: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs() + seconds
}

/// Anthropic's 429 of an account: the states and resets of its windows, in seconds from now.
fn anthropic_limit(windows: &[(&str, &str, u64)]) -> Reply {
    let body = json!({ "type": "error", "error": { "type": "rate_limit_error",
        "message": "This request would exceed your account's rate limit. Please try again later." } });
    let mut reply =
        Reply::json(429, &body).with_header("anthropic-ratelimit-unified-status", "rejected");
    for (window, status, reset) in windows {
        let name = format!("anthropic-ratelimit-unified-{window}");
        reply = reply
            .with_header(&format!("{name}-status"), status)
            .with_header(&format!("{name}-reset"), &epoch_in(*reset));
    }
    reply
}

async fn seconds_left(jackfield: &Jackfield, id: &str, model: Option<&str>) -> u64 {
    let health = health_of(jackfield, id, model).await;
    let now = jackfield.admin("credentials").await["now_ms"]
        .as_u64()
        .unwrap();
    let until = health["until_ms"].as_u64().unwrap_or(now);
    until.saturating_sub(now) / 1000
}

/// `anthropic-5h-window`: it cooled one model for one second. Sources: lidge-jun/opencodex#3809 and #578,
/// Wei-Shaw/sub2api#3809.
#[tokio::test]
async fn spent_5h_window_is_the_accounts() {
    let provider = ScriptedProvider::start(|request| match request.key() {
        "key-a" => anthropic_limit(&[("5h", "rejected", 2 * HOUR), ("7d", "allowed", 90 * HOUR)]),
        _ => well(request),
    })
    .await;
    let providers = pool("p", "anthropic", &provider.url(""), &["key-a", "key-b"]);
    let jackfield = start(&providers, "").await;
    for model in ["m1", "m2", "m1"] {
        let request = ClientRequest::new(ClientApi::Messages, model, "hi").by(ONE);
        let response = request.send(&jackfield).await;
        response.assert_served_by(ClientApi::Messages, "key-b");
        assert!(
            response.elapsed < Duration::from_secs(2),
            "{:?}",
            response.elapsed
        );
    }
    assert_eq!(provider.count_of("key-a"), 1);
    let left = seconds_left(&jackfield, "key-a", None).await;
    assert!((2 * HOUR - 60..=2 * HOUR).contains(&left), "{left} s");
}

/// `anthropic-7d-and-5h`: the latest rejected reset counts.
#[tokio::test]
async fn latest_spent_window_counts() {
    let provider = ScriptedProvider::start(|request| match request.key() {
        "key-a" => anthropic_limit(&[("5h", "rejected", HOUR), ("7d", "rejected", 50 * HOUR)]),
        _ => well(request),
    })
    .await;
    let providers = pool("p", "anthropic", &provider.url(""), &["key-a", "key-b"]);
    let jackfield = start(&providers, "").await;
    let request = ClientRequest::new(ClientApi::Messages, "m1", "hi").by(ONE);
    request
        .send(&jackfield)
        .await
        .assert_served_by(ClientApi::Messages, "key-b");
    let left = seconds_left(&jackfield, "key-a", None).await;
    assert!((50 * HOUR - 60..=50 * HOUR).contains(&left), "{left} s");
}

/// Both accounts spent: a call took 3.4 s and six tries, the next one 13.8 s, and no delay was reported.
#[tokio::test]
async fn spent_windows_are_not_waited_for() {
    let provider = ScriptedProvider::start(|request| match request.key() {
        "key-a" => anthropic_limit(&[("5h", "rejected", 2 * HOUR)]),
        _ => anthropic_limit(&[("7d", "rejected", 40 * HOUR)]),
    })
    .await;
    let providers = pool("p", "anthropic", &provider.url(""), &["key-a", "key-b"]);
    let jackfield = start(&providers, "").await;
    for client in [ONE, TWO, ONE] {
        let request = ClientRequest::new(ClientApi::Messages, "m1", "hi").by(client);
        let response = request.send(&jackfield).await;
        assert_eq!(response.status, 429, "{}", response.summary());
        assert_eq!(
            response.kind(),
            "rate_limit_error",
            "{}",
            response.summary()
        );
        assert!(
            response.elapsed < Duration::from_secs(2),
            "{:?}",
            response.elapsed
        );
        let wait = response.retry_after();
        // One second more: the clocks of both processes may differ by a moment, and the wait is rounded up.
        assert!(
            (2 * HOUR - 60..=2 * HOUR + 1).contains(&wait),
            "{}",
            response.summary()
        );
    }
    assert_eq!(provider.count(), 2);
}

/// Only the overage is rejected: that is the model's. Sources: router-for-me/CLIProxyAPI#5915 and #5920.
#[tokio::test]
async fn overage_is_the_models() {
    let provider = ScriptedProvider::start(|request| {
        if request.key() == "key-a" && request.json()["model"] == "m1" {
            return anthropic_limit(&[
                ("5h", "allowed", HOUR),
                ("7d", "allowed", 50 * HOUR),
                ("7d_oi", "rejected", 50 * HOUR),
                ("overage", "rejected", 50 * HOUR),
            ]);
        }
        well(request)
    })
    .await;
    let providers = pool("p", "anthropic", &provider.url(""), &["key-a", "key-b"]);
    let jackfield = start(&providers, "").await;
    for (model, key) in [("m1", "key-b"), ("m2", "key-a"), ("m1", "key-b")] {
        let request = ClientRequest::new(ClientApi::Messages, model, "hi").by(ONE);
        request
            .send(&jackfield)
            .await
            .assert_served_by(ClientApi::Messages, key);
    }
}

/// `codex-usage-header`.
#[tokio::test]
async fn codex_usage_window_is_the_accounts() {
    let provider = ScriptedProvider::start(|request| match request.key() {
        "key-a" => {
            let error = json!({ "error": { "type": "usage_limit_reached",
                "message": "The usage limit has been reached", "plan_type": "plus" } });
            Reply::json(429, &error)
                .with_header("x-codex-primary-used-percent", "100")
                .with_header("x-codex-primary-window-minutes", "300")
                .with_header("x-codex-primary-reset-after-seconds", &(3 * HOUR))
                .with_header("x-codex-secondary-used-percent", "40")
                .with_header("x-codex-secondary-reset-after-seconds", &(90 * HOUR))
        }
        _ => well(request),
    })
    .await;
    let providers = pool("p", "openai", &provider.url("/v1"), &["key-a", "key-b"]);
    let jackfield = start(&providers, "").await;
    for model in ["m1", "m2"] {
        let request = ClientRequest::new(ClientApi::Responses, model, "hi").by(ONE);
        request
            .send(&jackfield)
            .await
            .assert_served_by(ClientApi::Responses, "key-b");
    }
    assert_eq!(provider.count_of("key-a"), 1);
    let left = seconds_left(&jackfield, "key-a", None).await;
    assert!((3 * HOUR - 60..=3 * HOUR).contains(&left), "{left} s");
}

fn hopeless_quotas() -> Vec<(&'static str, u16, Value)> {
    let insufficient = json!({ "error": { "type": "insufficient_quota", "param": null,
        "message": "You exceeded your current quota, please check your plan and billing details.",
        "code": "insufficient_quota" } });
    let workspace = json!({ "error": { "type": "usage_limit_reached",
        "message": "Your workspace is out of credits. Ask your workspace owner to refill." } });
    let overdue = json!({ "error": { "type": "Arrearage", "code": "Arrearage",
        "message": "Access denied, please make sure your account is in good standing." } });
    vec![
        ("openai-insufficient-quota", 429, insufficient),
        ("codex-workspace-credits", 429, workspace),
        // Alibaba. Source: router-for-me/CLIProxyAPI#4846.
        ("bailian-overdue-400", 400, overdue),
    ]
}

/// `quota-fail-fast`: 3.3 s and 3 tries, then 13.6 s. Sources: OpenHands/software-agent-sdk#4936,
/// google-gemini/gemini-cli#10925, manaflow-ai/subrouter#346.
#[tokio::test]
async fn hopeless_quota_is_not_waited_for() {
    for (case, status, body) in hopeless_quotas() {
        let provider = ScriptedProvider::start(move |_| Reply::json(status, &body)).await;
        let providers = pool("p", "openai-compatible", &provider.url("/v1"), &["key-a"]);
        let jackfield = start(&providers, "").await;
        for client in [ONE, ONE] {
            let response = ClientRequest::plain_chat()
                .by(client)
                .send(&jackfield)
                .await;
            assert_ne!(response.status, 200, "{case}");
            let elapsed = response.elapsed;
            assert!(elapsed < Duration::from_secs(1), "{case}: {elapsed:?}");
        }
        assert_eq!(provider.count(), 1, "{case}");
        let left = seconds_left(&jackfield, "key-a", None).await;
        assert!((1_700..=1_800).contains(&left), "{case}: {left} s");
    }
}

/// It rotates at once, and the account is left alone: F12.
#[tokio::test]
async fn hopeless_quota_rotates_at_once() {
    for (case, status, body) in hopeless_quotas() {
        let provider = ScriptedProvider::start(move |request| match request.key() {
            "key-a" => Reply::json(status, &body),
            _ => well(request),
        })
        .await;
        let providers = pool(
            "p",
            "openai-compatible",
            &provider.url("/v1"),
            &["key-a", "key-b"],
        );
        let jackfield = start(&providers, "").await;
        for model in ["m1", "m2", "m1"] {
            let request = ClientRequest::new(ClientApi::Chat, model, "hi").by(ONE);
            let response = request.send(&jackfield).await;
            assert!(
                response.text(ClientApi::Chat).contains("key-b"),
                "{case}: {}",
                response.summary()
            );
            assert!(
                response.elapsed < Duration::from_secs(1),
                "{case}: {:?}",
                response.elapsed
            );
        }
        assert_eq!(provider.count_of("key-a"), 1, "{case}");
    }
}

/// A reported window survives a restart; a guess does not.
#[tokio::test]
async fn account_window_survives_a_restart() {
    let provider = ScriptedProvider::start(|request| match request.key() {
        "key-a" => anthropic_limit(&[("5h", "rejected", 2 * HOUR)]),
        _ => well(request),
    })
    .await;
    let providers = pool("p", "anthropic", &provider.url(""), &["key-a", "key-b"]);
    let jackfield = start(&providers, "").await;
    let request = ClientRequest::new(ClientApi::Messages, "m1", "hi").by(ONE);
    request
        .send(&jackfield)
        .await
        .assert_served_by(ClientApi::Messages, "key-b");
    let jackfield = Jackfield::restart(jackfield.stop().await).await;
    request
        .send(&jackfield)
        .await
        .assert_served_by(ClientApi::Messages, "key-b");
    assert_eq!(provider.count_of("key-a"), 1);
}
