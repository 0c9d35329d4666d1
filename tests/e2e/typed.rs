//! An executor that speaks no dialect, in front of a made-up provider with a format of its own: clients of each API get
//! whole responses, streams and errors in their own dialect.

use std::fs;

use jackfield_test_support::{acme_guest, guest};
use serde_json::{Value, json};

use crate::clouds::{check_every_api, check_sdks, requests, send};
use crate::harness::{Jackfield, Upstream};

/// The provider's only key, and the id of its credential.
const KEY: &str = "key-of-acme";

/// What the format does not have: cached tokens, and a choice of tools.
const WITHOUT: [&str; 2] = ["messages_usage", "messages_tool_choice"];

/// Starts a server with an executor of `tests/components/rust` for the made-up provider; each credential's key is its id.
async fn start(executor: &str, upstream: &Upstream, credentials: &[&str]) -> Jackfield {
    start_component(executor, guest(executor), upstream, credentials).await
}

async fn start_component(
    executor: &str,
    component: Vec<u8>,
    upstream: &Upstream,
    credentials: &[&str],
) -> Jackfield {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("plugins")).unwrap();
    let file = folder.path().join(format!("plugins/{executor}.wasm"));
    fs::write(file, component).unwrap();
    let credentials: String = credentials
        .iter()
        .map(|id| format!("      - {{ id: {id}, api-key: {id} }}\n"))
        .collect();
    let config = format!(
        "providers:\n  - name: acme\n    executor: {executor}\n    base-url: {}/acme\n    credentials:\n{credentials}    \
         models: [ {{ name: acme-1, alias: acme }}, {{ name: no-finish }}, {{ name: not-begun }}, {{ name: relay }}, \
         {{ name: original }} ]\nrouting: {{ selector: fill-first }}\n",
        upstream.origin()
    );
    Jackfield::start_in(folder, &config).await
}

#[tokio::test]
async fn clients_of_each_api_are_served_by_events() {
    let upstream = Upstream::start(&[KEY]).await;
    let jackfield = start("acme", &upstream, &[KEY]).await;
    check_every_api(&jackfield, "acme", KEY).await;
    assert_eq!(upstream.provider.calls()[KEY], 8);
    assert_eq!(upstream.provider.streams_open(), 0);
    let request = upstream.provider.requests().remove(0);
    assert_eq!(request.path, "/acme/generate");
    let sees = jackfield.plugin("acme").await["serving"]["sees"].clone();
    assert_eq!(sees, json!(["body", "error-bodies", "responses"]));
}

/// As with the one in Rust. Python's is in the tests of the runtime: an unoptimized host compiles it for a minute.
#[tokio::test]
async fn clients_of_each_api_are_served_by_an_executor_in_javascript() {
    let upstream = Upstream::start(&[KEY]).await;
    let component = acme_guest("javascript");
    let jackfield = start_component("acme", component, &upstream, &[KEY]).await;
    check_every_api(&jackfield, "acme", KEY).await;
    assert_eq!(upstream.provider.calls()[KEY], 8);
    check_sdks(&jackfield, "acme", KEY, &WITHOUT).await;
}

#[tokio::test]
async fn the_python_sdk_features_work_with_events() {
    let upstream = Upstream::start(&[KEY]).await;
    let jackfield = start("acme", &upstream, &[KEY]).await;
    check_sdks(&jackfield, "acme", KEY, &WITHOUT).await;
}

/// The words of each API for an error.
fn error_message(path: &str, body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{path}: {body}"));
    body["error"]["message"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test]
async fn errors_reach_each_client_in_its_own_words() {
    let upstream = Upstream::start(&[KEY]).await;
    let jackfield = start("acme", &upstream, &[KEY]).await;
    let too_long = r#"mock:directive {"status":413}"#;
    for stream in [false, true] {
        for (path, body, _) in requests("acme", too_long, stream) {
            let (status, response) = send(&jackfield, &path, &body).await;
            assert_eq!(status, 413, "{path}: {response}");
            let message = error_message(&path, response.trim_start_matches('['));
            assert_eq!(
                message, "a directive requested this status",
                "{path}: {response}"
            );
            assert!(!response.contains("problem"), "{path}: {response}");
        }
    }
    // After some content, the error is the last event.
    let invalid = r#"mock:directive {"events_error_after":2,"words":9}"#;
    for (path, body, end) in requests("acme", invalid, true) {
        let (status, response) = send(&jackfield, &path, &body).await;
        assert_eq!(status, 200, "{path}: {response}");
        assert!(
            response.contains("a directive requested this status"),
            "{path}: {response}"
        );
        assert!(!response.contains(end), "{path}: {response}");
    }
}

#[tokio::test]
async fn a_bad_key_leads_to_the_next_credential() {
    let upstream = Upstream::start(&[KEY]).await;
    let jackfield = start("acme", &upstream, &["a-wrong-key", KEY]).await;
    for stream in [false, true] {
        for (path, body, _) in requests("acme", "hello", stream) {
            let (status, response) = send(&jackfield, &path, &body).await;
            assert_eq!(status, 200, "{path}: {response}");
        }
    }
    let refused = jackfield.credential("a-wrong-key").await;
    assert_eq!(
        refused["health"]["cause"]["kind"], "authentication",
        "{refused}"
    );
    assert_eq!(jackfield.credential(KEY).await["health"]["state"], "ready");
}

#[tokio::test]
async fn an_image_is_refused_where_the_executor_takes_only_text() {
    let upstream = Upstream::start(&[KEY]).await;
    let jackfield = start("acme", &upstream, &[KEY]).await;
    let image =
        json!({ "type": "image_url", "image_url": { "url": "https://example.test/a.png" } });
    let body = json!({ "model": "acme", "messages": [{ "role": "user", "content": [image] }] });
    let (status, response) = jackfield.call(&body).await;
    assert_eq!(status, 400, "{response}");
    assert_eq!(
        response["error"]["message"],
        "this provider takes only text"
    );
    assert!(upstream.provider.calls().is_empty());
}

#[tokio::test]
async fn events_out_of_order_are_the_plugins_fault_and_cool_nothing() {
    let upstream = Upstream::start(&[KEY]).await;
    let jackfield = start("typed_faults", &upstream, &[KEY]).await;
    for (model, detail) in [
        (
            "no-finish",
            "event 3 of its response, `finish`: it is missing: the response has ended",
        ),
        (
            "not-begun",
            "event 3 of its response, `delta`: the item 9 was not begun",
        ),
        (
            "relay",
            "the response of a plan must be `whole` or `frames`",
        ),
        (
            "original",
            "the body of a plan must be `written` or `empty`",
        ),
    ] {
        let body = json!({ "model": model, "messages": [{ "role": "user", "content": "hello" }] });
        let (status, response) = jackfield.call(&body).await;
        assert_eq!(status, 502, "{model}: {response}");
        assert_eq!(
            response["error"]["code"], "plugin_failed",
            "{model}: {response}"
        );
        assert!(jackfield.has_logged(detail), "{model}: {response}");
    }
    let credential = jackfield.credential(KEY).await;
    assert_eq!(credential["health"]["state"], "ready", "{credential}");
}
