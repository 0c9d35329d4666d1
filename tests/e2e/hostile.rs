//! Tests hostile plugins: the host stays up and serves other calls, the error names the plugin, and no
//! credential cools down.

use std::time::Duration;

use jackfield_test_support::guest;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::harness::{Jackfield, Upstream, chat, provider, wait_until};

/// Starts a server with the provider `mock`, and with `bad`, which uses the hostile executor.
async fn start_with_plugin(upstream: &Upstream, component: &[u8]) -> Jackfield {
    let folder = tempfile::tempdir().unwrap();
    let good = provider("mock", "openai-compatible", upstream, &["key-a"]);
    let bad = provider("bad", "hostile", upstream, &["key-b"]);
    let jackfield = Jackfield::start_in(folder, &format!("providers:\n{good}{bad}")).await;
    jackfield.install_plugin("hostile", component);
    wait_until("the plugin is loaded or refused", async || {
        !jackfield.plugin("hostile").await.is_null()
    })
    .await;
    jackfield
}

/// Checks that calls through the hostile executor fail with an error that names it, and others succeed.
async fn assert_contained(name: &str, kind: &str) {
    let upstream = Upstream::start(&[]).await;
    let jackfield = start_with_plugin(&upstream, &guest(name)).await;
    let bad = async {
        let (status, error) = jackfield.call(&chat("bad", false, &json!({}))).await;
        (status, error, Instant::now())
    };
    let others = async {
        for _ in 0..20 {
            let (status, response) = jackfield.call(&chat("mock", false, &json!({}))).await;
            assert_eq!(status, 200, "{response}");
        }
        Instant::now()
    };
    let ((status, error, failed), served) = tokio::join!(bad, others);
    assert_eq!(status, 502, "{name}: {error}");
    assert_eq!(error["error"]["code"], "plugin_failed", "{name}: {error}");
    let message = error["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("plugin hostile#") && message.contains(kind),
        "{name}: {message}"
    );
    if kind == "ran out of time" {
        assert!(
            served < failed + Duration::from_secs(5),
            "others waited for the plugin"
        );
    }
    assert_no_credential_cools(&jackfield).await;
    let plugin = jackfield.plugin("hostile").await;
    assert!(plugin["serving"]["faults"].as_u64() > Some(0), "{plugin}");
}

async fn assert_no_credential_cools(jackfield: &Jackfield) {
    let shown = jackfield.admin("credentials").await;
    for credential in shown["credentials"].as_array().unwrap() {
        assert_eq!(credential["health"]["state"], "ready", "{credential}");
        for model in credential["models"].as_array().unwrap() {
            assert_eq!(model["health"]["state"], "ready", "{credential}");
        }
    }
    assert_eq!(shown["leases"]["open"], 0);
}

#[tokio::test]
async fn contains_a_spinning_plugin() {
    assert_contained("spins", "ran out of time").await;
}

#[tokio::test]
async fn contains_a_trapping_plugin() {
    assert_contained("traps", "trapped").await;
}

#[tokio::test]
async fn contains_a_plugin_that_hoards_memory() {
    assert_contained("hoards", "trapped").await;
}

#[tokio::test]
async fn contains_a_plugin_that_floods_output() {
    assert_contained("floods", "returned too much output").await;
}

#[tokio::test]
async fn contains_a_plugin_that_names_another_host() {
    assert_contained("other_origin", "returned an invalid response").await;
}

async fn assert_rejected(component: &[u8], reason: &str) {
    let upstream = Upstream::start(&[]).await;
    let jackfield = start_with_plugin(&upstream, component).await;
    let plugin = jackfield.plugin("hostile").await;
    assert_eq!(plugin["serving"], Value::Null);
    let problem = plugin["problem"].as_str().unwrap();
    assert!(problem.contains(reason), "{problem}");
    let (status, response) = jackfield.call(&chat("mock", false, &json!({}))).await;
    assert_eq!(status, 200, "{response}");
    assert_no_credential_cools(&jackfield).await;
}

#[tokio::test]
async fn rejects_a_file_that_is_no_component() {
    assert_rejected(b"no component at all", "not a WebAssembly file").await;
}

#[tokio::test]
async fn failing_selector_fails_no_call() {
    let upstream = Upstream::start(&[]).await;
    let more = "routing: { selector: hostile }\n";
    let jackfield = Jackfield::start(&upstream, &["key-a", "key-b"], more).await;
    jackfield.install_plugin("hostile", &guest("selector_traps"));
    wait_until("the plugin serves", async || {
        jackfield.generation("hostile").await > 0
    })
    .await;
    for _ in 0..5 {
        let (status, response) = jackfield.call(&chat("mock", false, &json!({}))).await;
        assert_eq!(status, 200, "{response}");
        assert_eq!(
            response["x_mock"]["served_by"], "key-a",
            "the first candidate is taken"
        );
    }
    let shown = jackfield.admin("plugins").await;
    assert!(shown["selector_faults"].as_u64() >= Some(5), "{shown}");
}
