//! Tests hostile plugins: the host stays up and serves other calls, the error names the plugin, and no
//! credential cools down.

use std::time::Duration;

use jackfield_test_support::guest;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::Instant;

use crate::harness::{Jackfield, Upstream, binary, chat, provider, wait_until, write_config_in};

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

/// The client that sends what a plugin loops on is refused after its budget. Another client of the same plugin is not,
/// and neither are those of other plugins.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_that_trips_a_plugin_is_refused_and_another_is_not() {
    let upstream = Upstream::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let bad = format!(
        "  - name: bad\n    executor: hostile\n    base-url: http://{}/v1\n    \
         credentials: [ {{ id: bad-a, api-key: key-b }} ]\n    \
         models: [ {{ name: always, alias: loops }}, {{ name: one-of-20, alias: good }}, \
         {{ name: never, alias: other }} ]\n",
        upstream.address
    );
    let mock = provider("mock", "openai-compatible", &upstream, &["key-a"]);
    let clients = ["mallory", "alice"]
        .map(|name| format!("  - {{ name: {name}, key: key-of-{name}-for-tests }}\n"));
    let keys = format!("client-keys:\n{}", clients.concat());
    let jackfield = Jackfield::start_in(folder, &format!("providers:\n{mock}{bad}{keys}")).await;
    jackfield.install_plugin("hostile", &guest("spins"));
    wait_until("the plugin serves", async || {
        jackfield.generation("hostile").await > 0
    })
    .await;
    let call = async |client: &str, model: &str| {
        let key = format!("key-of-{client}-for-tests");
        jackfield
            .call_as(&key, &chat(model, false, &json!({})))
            .await
    };
    let mut failed = 0;
    let (headers, error) = loop {
        let (status, headers, error) = call("mallory", "loops").await;
        assert_eq!(status, 502, "{error}");
        if error["error"]["code"] != "plugin_failed" {
            break (headers, error);
        }
        failed += 1;
        assert!(failed < 10, "the budget is not used up");
        let (status, _, response) = call("alice", "good").await;
        assert_eq!(status, 200, "{response}");
    };
    assert_eq!(error["error"]["code"], "client_suspended", "{error}");
    assert_eq!(headers["x-jackfield-error"], "client-suspended");
    let retry_after: u64 = headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=10).contains(&retry_after), "{retry_after}");
    // The plugin is not called for another model of this client either. A plan that is remembered needs no call.
    let (status, _, response) = call("mallory", "good").await;
    assert_eq!(status, 200, "{response}");
    let (status, _, error) = call("mallory", "other").await;
    assert_eq!(
        (status, &error["error"]["code"]),
        (502, &json!("client_suspended"))
    );
    for _ in 0..10 {
        for model in ["good", "mock"] {
            let (status, _, response) = call("alice", model).await;
            assert_eq!(status, 200, "{model}: {response}");
        }
    }
    let (status, _, response) = call("mallory", "mock").await;
    assert_eq!(status, 200, "{response}");
    let plugin = jackfield.plugin("hostile").await;
    let suspended = plugin["serving"]["suspended_clients"].as_array().unwrap();
    assert_eq!(suspended.len(), 1, "{plugin}");
    assert_eq!(suspended[0]["client"], "mallory");
    assert!(suspended[0]["next_trial_ms"].as_u64() > suspended[0]["since_ms"].as_u64());
    assert_eq!(plugin["serving"]["suspended"], Value::Null);
    assert!(jackfield.has_logged("plugin suspended for one client"));
    assert_no_credential_cools(&jackfield).await;
}

/// A server whose plugins are not in the code cache listens before they are compiled. Calls wait for them, or are told
/// when to come back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cold_server_listens_before_its_plugins_are_compiled() {
    let upstream = Upstream::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let providers = provider("mock", "openai-compatible", &upstream, &["key-a"]);
    write_config_in(folder.path(), &format!("providers:\n{providers}"));
    let jackfield = Jackfield::start_without_waiting(Command::new(binary()), folder).await;
    let ready = jackfield.client.get(jackfield.url("/readyz")).send().await;
    let ready = ready.unwrap();
    assert_eq!(ready.status(), 503);
    let reasons = ready.text().await.unwrap();
    assert!(reasons.contains("is still being compiled"), "{reasons}");
    let shown = jackfield.admin("plugins").await;
    let plugins = shown["plugins"].as_array().unwrap();
    assert!(
        plugins.iter().any(|plugin| plugin["compiling"] == true),
        "{shown}"
    );
    wait_until("a call is served", async || {
        let (status, headers, response) = jackfield
            .call_as("none", &chat("mock", false, &json!({})))
            .await;
        if status != 200 {
            assert_eq!(
                (status, &response["error"]["code"]),
                (503, &json!("plugin_compiling"))
            );
            assert_eq!(headers["x-jackfield-error"], "plugin-compiling");
            assert_eq!(headers["retry-after"], "5");
        }
        status == 200
    })
    .await;
    wait_until("all plugins are compiled", async || {
        jackfield.has_logged("plugins compiled")
    })
    .await;
    assert!(jackfield.has_logged("compiling plugins that are not in the code cache"));
    assert_no_credential_cools(&jackfield).await;
}
