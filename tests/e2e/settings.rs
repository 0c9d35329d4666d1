//! Tests settings that CLIProxyAPI changes by calls to its manager, and Jackfield by a reload: clients must
//! see the effect.

use jackfield_mock_provider::MockFailure;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Jackfield, Upstream, chat, provider};

/// Starts a server with two credentials; calls with `key-a` fail with this status.
async fn start(upstream: &Upstream, status: StatusCode) -> Jackfield {
    let failure = MockFailure {
        status,
        retry_after: None,
    };
    upstream.provider.fail("key-a", Some(failure));
    Jackfield::start(upstream, &["key-a", "key-b"], FILL_FIRST).await
}

/// Uses `key-a` while it is available.
const FILL_FIRST: &str = "routing: { selector: fill-first }\n";

/// Reloads the configuration with `more` appended.
async fn reconfigure(jackfield: &Jackfield, upstream: &Upstream, more: &str) {
    let providers = provider("mock", "openai-compatible", upstream, &["key-a", "key-b"]);
    jackfield.configure(&format!("providers:\n{providers}{more}"));
    let (status, response) = jackfield.reload().await;
    assert_eq!(status, 200, "{response}");
}

/// Makes a call; returns the key that served it, or the status of its failure.
async fn call(jackfield: &Jackfield) -> Result<String, u16> {
    let (status, response) = jackfield.call(&chat("mock", false, &json!({}))).await;
    let key = response["x_mock"]["served_by"].as_str();
    key.map(str::to_owned).ok_or(status)
}

#[tokio::test]
async fn cliproxyapi_compat_1_4_selector_can_change_while_serving() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = Jackfield::start(&upstream, &["key-a", "key-b"], FILL_FIRST).await;
    for _ in 0..3 {
        assert_eq!(call(&jackfield).await.as_deref(), Ok("key-a"));
    }
    reconfigure(
        &jackfield,
        &upstream,
        "routing: { selector: round-robin }\n",
    )
    .await;
    let mut keys = Vec::new();
    for _ in 0..4 {
        keys.push(call(&jackfield).await.unwrap());
    }
    keys.sort();
    assert_eq!(keys, ["key-a", "key-a", "key-b", "key-b"]);
    reconfigure(&jackfield, &upstream, "routing: { selector: ff }\n").await;
    for _ in 0..3 {
        assert_eq!(call(&jackfield).await.as_deref(), Ok("key-a"));
    }
}

#[tokio::test]
async fn cliproxyapi_compat_1_4_retries_can_change_while_serving() {
    let upstream = Upstream::start(&[]).await;
    // Failures cause no cooldown, so each call tries the failing credential first.
    let uncooled = format!("disable-cooling: true\n{FILL_FIRST}");
    let jackfield = start(&upstream, StatusCode::INTERNAL_SERVER_ERROR).await;
    reconfigure(&jackfield, &upstream, &uncooled).await;
    assert_eq!(call(&jackfield).await.as_deref(), Ok("key-b"));
    let only_one = format!("{uncooled}retry: {{ max-credentials: 1, rounds: 1 }}\n");
    reconfigure(&jackfield, &upstream, &only_one).await;
    assert!(call(&jackfield).await.is_err_and(|status| status >= 500));
    reconfigure(&jackfield, &upstream, &uncooled).await;
    assert_eq!(call(&jackfield).await.as_deref(), Ok("key-b"));
}

#[tokio::test]
async fn cliproxyapi_compat_1_4_cooling_can_be_toggled_while_serving() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = start(&upstream, StatusCode::INTERNAL_SERVER_ERROR).await;
    let state = async || {
        let shown = jackfield.credential("mock-key-a").await;
        shown["models"][0]["health"]["state"].clone()
    };
    reconfigure(
        &jackfield,
        &upstream,
        &format!("disable-cooling: true\n{FILL_FIRST}"),
    )
    .await;
    assert_eq!(call(&jackfield).await.as_deref(), Ok("key-b"));
    assert_eq!(state().await, "ready");
    reconfigure(&jackfield, &upstream, FILL_FIRST).await;
    assert_eq!(call(&jackfield).await.as_deref(), Ok("key-b"));
    assert_eq!(state().await, "cooling");
}

#[tokio::test]
async fn cliproxyapi_compat_1_12_channel_aliases_can_change_while_serving() {
    let upstream = Upstream::start(&[]).await;
    let config = |alias: &str| {
        format!(
            "providers:\n  - name: qwen\n    executor: openai-compatible\n    base-url: http://{}/v1\n    \
             credentials: [ {{ id: me, secrets: {{ access-token: at }} }} ]\n    \
             models: [ {{ name: qwen-max }} ]\n{alias}",
            upstream.address
        )
    };
    let names = async |jackfield: &Jackfield| -> Vec<String> {
        let request = jackfield.client.get(jackfield.url("/v1/models"));
        let text = request.send().await.unwrap().text().await.unwrap();
        let listed: Value = serde_json::from_str(&text).unwrap();
        let listed = listed["data"].as_array().unwrap();
        let name = |model: &Value| model["id"].as_str().unwrap().to_owned();
        listed.iter().map(name).collect()
    };
    let jackfield = Jackfield::start_in(tempfile::tempdir().unwrap(), &config("")).await;
    assert_eq!(names(&jackfield).await, ["qwen-max"]);
    let alias = "oauth-model-alias: { qwen: [ { name: qwen-max, alias: best } ] }\n";
    jackfield.configure(&config(alias));
    assert_eq!(jackfield.reload().await.0, 200);
    assert_eq!(names(&jackfield).await, ["best"]);
    let fork = alias.replace("best }", "best, fork: true }");
    jackfield.configure(&config(&fork));
    assert_eq!(jackfield.reload().await.0, 200);
    assert_eq!(names(&jackfield).await, ["best", "qwen-max"]);
}

#[tokio::test]
async fn reload_applies_caps_timeouts_and_executor_settings() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = Jackfield::start(&upstream, &["key-a"], "").await;
    let providers = provider("mock", "openai-compatible", &upstream, &["key-a"]);
    let capped = providers.replace("api-key: key-a", "api-key: key-a, max-in-flight: 1");
    let more = "timeouts: { stream: 300ms }\nrouting: { queue-timeout: 1ms }\n";
    jackfield.configure(&format!("providers:\n{capped}{more}"));
    assert_eq!(jackfield.reload().await.0, 200);
    let shown = jackfield.credential("mock-key-a").await;
    assert_eq!(shown["max_in_flight"], 1, "{shown}");
    // Longer than the new timeout.
    let slow = chat("mock", true, &json!({ "words": 100, "pause_ms": 50 }));
    let request = jackfield.client.post(jackfield.url("/v1/chat/completions"));
    let response = request.body(slow.to_string()).send().await.unwrap();
    let text = response.text().await.unwrap();
    assert!(!text.ends_with("data: [DONE]\n\n"), "{text}");
    jackfield.configure(&format!("providers:\n{providers}"));
    assert_eq!(jackfield.reload().await.0, 200);
    let shown = jackfield.credential("mock-key-a").await;
    assert_eq!(shown["max_in_flight"], Value::Null, "{shown}");
    assert_eq!(call(&jackfield).await.as_deref(), Ok("key-a"));
}
