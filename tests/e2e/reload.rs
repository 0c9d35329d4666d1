//! Tests reloads of the configuration while the server runs: all of it or nothing, without failed calls.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::harness::{Jackfield, TOKEN, Upstream, binary, chat, config_head, wait_until};

/// Returns the configuration of a provider with these credentials, whose keys are their ids. Its model
/// has the alias `mock` under every name.
fn provider(name: &str, upstream: &Upstream, credentials: &[&str]) -> String {
    let credentials = credentials.iter();
    let credentials: Vec<String> = credentials
        .map(|id| format!("{{ id: {id}, api-key: {id} }}"))
        .collect();
    format!(
        "providers:\n  - name: {name}\n    executor: openai-compatible\n    base-url: http://{}/v1\n    \
         credentials: [ {} ]\n    models: [ {{ name: gpt-mock, alias: mock }} ]\n",
        upstream.address,
        credentials.join(", ")
    )
}

async fn start(config: &str) -> Jackfield {
    Jackfield::start_in(tempfile::tempdir().unwrap(), config).await
}

/// Reloads another configuration, which must succeed.
async fn reload_with(jackfield: &Jackfield, config: &str) -> Value {
    jackfield.configure(config);
    let (status, response) = jackfield.reload().await;
    assert_eq!(status, 200, "{response}");
    response
}

/// Returns the ids of the server's credentials.
async fn ids(jackfield: &Jackfield) -> Vec<String> {
    let shown = jackfield.admin("credentials").await;
    let credentials = shown["credentials"].as_array().unwrap();
    let id = |credential: &Value| credential["id"].as_str().unwrap().to_owned();
    credentials.iter().map(id).collect()
}

async fn served_by(jackfield: &Jackfield) -> String {
    let (status, response) = jackfield.call(&chat("mock", false, &json!({}))).await;
    assert_eq!(status, 200, "{response}");
    let key = response["x_mock"]["served_by"].as_str();
    key.unwrap().to_owned()
}

/// Starts callers that make calls and streams until `stop` is set. No call may fail.
fn start_load(
    jackfield: &Arc<Jackfield>,
    stop: &Arc<AtomicBool>,
    calls: &Arc<AtomicU64>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for caller in 0..CALLERS {
        let (jackfield, stop) = (Arc::clone(jackfield), Arc::clone(stop));
        let (calls, streams) = (Arc::clone(calls), caller % 2 == 0);
        tasks.spawn(async move {
            let directives = json!({ "words": 10, "pause_ms": 10 });
            while !stop.load(Ordering::Relaxed) {
                let body = chat("mock", streams, &directives).to_string();
                let request = jackfield.client.post(jackfield.url("/v1/chat/completions"));
                let response = request.body(body).send().await.unwrap();
                let status = response.status();
                let text = response.text().await.unwrap();
                assert_eq!(status, 200, "{text}");
                assert!(!streams || text.ends_with("data: [DONE]\n\n"), "{text}");
                calls.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    tasks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloads_under_load_fail_no_call() {
    let (upstream, other) = (Upstream::start(&[]).await, Upstream::start(&[]).await);
    let configs = [
        provider("acme", &upstream, &["key-a", "key-b"]),
        // Removes one credential, adds one, and changes the address of the other.
        provider("acme", &other, &["key-b", "key-c"]),
        // Replaces the provider and the credentials.
        provider("else", &upstream, &["key-d"]) + "routing: { selector: fill-first }\n",
    ];
    let jackfield = Arc::new(start(&configs[0]).await);
    let (stop, calls) = (Arc::default(), Arc::default());
    let mut tasks = start_load(&jackfield, &stop, &calls);
    for round in 1..=RELOADS {
        let config = &configs[round % configs.len()];
        let response = reload_with(&jackfield, config).await;
        assert_eq!(response["configuration"], round);
        let before = calls.load(Ordering::Relaxed);
        wait_until("calls used the configuration", async || {
            calls.load(Ordering::Relaxed) > before + 2
        })
        .await;
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended.expect("a call failed while the configuration was replaced");
    }
    let leases = jackfield.admin("credentials").await["leases"].clone();
    assert_eq!(leases["open"], 0, "{leases}");
    assert_eq!(leases["failed"], 0, "{leases}");
    let of = |upstream: &Upstream| upstream.provider.calls();
    let (ours, theirs) = (of(&upstream), of(&other));
    for (calls, key) in [(&ours, "key-a"), (&theirs, "key-c"), (&ours, "key-d")] {
        assert!(calls.contains_key(key), "{key}: {ours:?} {theirs:?}");
    }
}

#[tokio::test]
async fn invalid_configuration_changes_nothing_and_reports_every_error() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = start(&provider("acme", &upstream, &["key-a"])).await;
    let invalid = provider("acme", &upstream, &["key-b", "key-b"]) + "retry: { rounds: none }\n";
    jackfield.configure(&invalid);
    let (status, response) = jackfield.reload().await;
    assert_eq!(status, 422, "{response}");
    assert_eq!(response["error"]["code"], "invalid_config");
    let diagnostics = response["error"]["errors"].as_array().unwrap();
    assert_eq!(diagnostics.len(), 2, "{response}");
    for (diagnostic, expected) in diagnostics
        .iter()
        .zip(["credentials[1].id", "retry.rounds"])
    {
        let diagnostic = diagnostic.as_str().unwrap();
        assert!(diagnostic.contains("jackfield.yaml:"), "{diagnostic}");
        assert!(diagnostic.contains(expected), "{diagnostic}");
        wait_until("it is in the log", async || jackfield.has_logged(expected)).await;
    }
    assert_eq!(ids(&jackfield).await, ["key-a"]);
    assert_eq!(served_by(&jackfield).await, "key-a");
    // A missing file is an error.
    fs::remove_file(jackfield.folder.path().join("jackfield.yaml")).unwrap();
    assert_eq!(jackfield.reload().await.0, 422);
    assert_eq!(served_by(&jackfield).await, "key-a");
}

#[tokio::test]
async fn rejects_changes_that_need_a_restart() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = start(&provider("acme", &upstream, &["key-a"])).await;
    let rest = provider("acme", &upstream, &["key-b"]);
    jackfield.write_config(&format!("listen: 127.0.0.1:1\nstore: none\n{rest}"));
    let (status, response) = jackfield.reload().await;
    assert_eq!(status, 422, "{response}");
    let diagnostics = response["error"]["errors"].as_array().unwrap();
    let diagnostics: Vec<&str> = diagnostics.iter().filter_map(Value::as_str).collect();
    let names: Vec<&str> = diagnostics
        .iter()
        .filter_map(|diagnostic| Some(diagnostic.split_once(": ")?.0))
        .collect();
    assert_eq!(names, ["listen", "admin", "store"]);
    let needs_restart = |diagnostic: &&str| diagnostic.ends_with("restart to change it");
    assert!(diagnostics.iter().all(needs_restart), "{diagnostics:?}");
    assert_eq!(ids(&jackfield).await, ["key-a"]);
}

#[tokio::test]
async fn sighup_reloads_the_configuration() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = start(&provider("acme", &upstream, &["key-a"])).await;
    jackfield.configure("lisen: 1\n");
    jackfield.signal("-HUP");
    wait_until("its mistakes are in the log", async || {
        jackfield.has_logged("lisen") && jackfield.has_logged("providers")
    })
    .await;
    assert_eq!(served_by(&jackfield).await, "key-a");
    jackfield.configure(&provider("acme", &upstream, &["key-b"]));
    jackfield.signal("-HUP");
    wait_until("the other credential is there", async || {
        ids(&jackfield).await == ["key-b"]
    })
    .await;
    assert_eq!(served_by(&jackfield).await, "key-b");
}

#[tokio::test]
async fn cooldowns_and_disabled_state_survive_reload() {
    let upstream = Upstream::start(&["key-a", "key-c"]).await;
    let all = ["key-a", "key-b", "key-c"];
    let jackfield = start(&provider("acme", &upstream, &all)).await;
    for _ in all {
        served_by(&jackfield).await;
    }
    let cooling = jackfield.credential("key-b").await["health"].clone();
    assert_eq!(cooling["state"], "cooling");
    let url = format!(
        "http://{}/admin/v1/credentials/key-c/disable",
        jackfield.admin
    );
    let disabled = jackfield.client.post(url).bearer_auth(TOKEN).send().await;
    assert_eq!(disabled.unwrap().status(), 200);

    // Equal credentials do not count as changed.
    let response = reload_with(&jackfield, &provider("acme", &upstream, &all)).await;
    let expected = json!({ "all": 3, "added": 0, "changed": 0, "removed": 0 });
    assert_eq!(response["credentials"], expected, "{response}");
    let edited = provider("acme", &upstream, &all).replace("key-b }", "key-b, weight: 2 }");
    let response = reload_with(&jackfield, &edited).await;
    let expected = json!({ "all": 3, "added": 0, "changed": 1, "removed": 0 });
    assert_eq!(response["credentials"], expected, "{response}");
    let shown = jackfield.credential("key-b").await;
    assert_eq!((&shown["weight"], &shown["health"]), (&json!(2), &cooling));
    assert_eq!(jackfield.credential("key-c").await["enabled"], false);

    // A credential that comes back has its stored health, as after a restart.
    let response = reload_with(&jackfield, &provider("acme", &upstream, &["key-a"])).await;
    assert_eq!(response["credentials"]["removed"], 2);
    let response = reload_with(&jackfield, &edited).await;
    assert_eq!(response["credentials"]["added"], 2);
    let back = jackfield.credential("key-b").await["health"].clone();
    assert_eq!(
        (&back["state"], &back["until_ms"]),
        (&cooling["state"], &cooling["until_ms"])
    );
    assert_eq!(jackfield.credential("key-c").await["enabled"], false);
}

#[tokio::test]
async fn open_streams_of_a_removed_provider_finish() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = start(&provider("acme", &upstream, &["key-a"])).await;
    let directives = json!({ "words": 20, "pause_ms": 50 });
    let body = chat("mock", true, &directives).to_string();
    let request = jackfield.client.post(jackfield.url("/v1/chat/completions"));
    let mut stream = request.body(body).send().await.unwrap().bytes_stream();
    let mut received = stream.next().await.unwrap().unwrap().to_vec();

    let other = provider("else", &upstream, &["key-b"]).replace("mock }", "other }");
    reload_with(&jackfield, &other).await;
    let (status, _) = jackfield.call(&chat("mock", false, &json!({}))).await;
    assert_eq!(status, 404);
    let (status, _) = jackfield.call(&chat("other", false, &json!({}))).await;
    assert_eq!(status, 200);
    while let Some(piece) = stream.next().await {
        received.extend_from_slice(&piece.expect("the stream was cut"));
    }
    let text = String::from_utf8(received).unwrap();
    let whole = text.contains("word-19") && text.ends_with("data: [DONE]\n\n");
    assert!(whole, "{text}");
    assert_eq!(jackfield.admin("credentials").await["leases"]["open"], 0);
}

#[tokio::test]
async fn reload_replaces_client_keys_and_admin_token() {
    let upstream = Upstream::start(&[]).await;
    let rest = provider("acme", &upstream, &["key-a"]);
    let keys = |key: &str| format!("{rest}client-keys: [ {{ name: team, key: {key} }} ]\n");
    let jackfield = start(&keys("first")).await;
    let status_with_key = async |key: &str| {
        let request = jackfield.client.get(jackfield.url("/v1/models"));
        request
            .bearer_auth(key)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(
        (
            status_with_key("first").await,
            status_with_key("second").await
        ),
        (200, 401)
    );
    reload_with(&jackfield, &keys("second")).await;
    assert_eq!(
        (
            status_with_key("first").await,
            status_with_key("second").await
        ),
        (401, 200)
    );

    let other = config_head().replace(TOKEN, "another-admin-token") + &rest;
    jackfield.write_config(&other);
    assert_eq!(jackfield.reload().await.0, 200);
    assert_eq!(jackfield.reload().await.0, 401);
    let url = format!("http://{}/admin/v1/credentials", jackfield.admin);
    let request = jackfield.client.get(url).bearer_auth("another-admin-token");
    assert_eq!(request.send().await.unwrap().status(), 200);
    // Without client keys, every client on this machine may call.
    assert_eq!(status_with_key("unknown").await, 200);
}

#[tokio::test]
async fn reload_preserves_credentials_of_files_and_admin_api() {
    let upstream = Upstream::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("accounts");
    fs::create_dir(&files).unwrap();
    let file = json!({ "type": "acme", "api_key": "key-file" });
    fs::write(files.join("f.json"), file.to_string()).unwrap();
    let with = |name: &str, key: &str| {
        format!(
            "credential-files: accounts\n{}",
            provider(name, &upstream, &[key])
        )
    };
    let jackfield = Jackfield::start_in(folder, &with("acme", "key-a")).await;
    let url = format!("http://{}/admin/v1/credentials", jackfield.admin);
    let body = json!({ "provider": "acme", "id": "made", "api-key": "key-made" });
    let request = jackfield.client.post(url).bearer_auth(TOKEN);
    let added = request.body(body.to_string()).send().await.unwrap();
    assert_eq!(added.status(), 201);
    assert_eq!(ids(&jackfield).await, ["f.json", "key-a", "made"]);

    let response = reload_with(&jackfield, &with("acme", "key-b")).await;
    assert_eq!(response["warnings"], json!([]), "{response}");
    assert_eq!(ids(&jackfield).await, ["f.json", "key-b", "made"]);
    let response = reload_with(&jackfield, &with("else", "key-b")).await;
    let warnings = response["warnings"].to_string();
    assert!(
        warnings.contains("f.json") && warnings.contains("made"),
        "{response}"
    );
    assert_eq!(ids(&jackfield).await, ["key-b"]);
    // Credentials that come back serve the provider's current models.
    let renamed = with("acme", "key-b").replace("alias: mock", "alias: renamed");
    reload_with(&jackfield, &renamed).await;
    assert_eq!(ids(&jackfield).await, ["f.json", "key-b", "made"]);
    let mut keys = Vec::new();
    for _ in 0..3 {
        let (status, response) = jackfield.call(&chat("renamed", false, &json!({}))).await;
        assert_eq!(status, 200, "{response}");
        keys.push(response["x_mock"]["served_by"].as_str().unwrap().to_owned());
    }
    keys.sort();
    assert_eq!(keys, ["key-b", "key-file", "key-made"]);
}

#[tokio::test]
async fn rejects_reload_during_shutdown() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = start(&provider("acme", &upstream, &["key-a"])).await;
    jackfield.configure(&provider("acme", &upstream, &["key-b"]));
    // A request that has begun before the server stops.
    let mut admin = TcpStream::connect(jackfield.admin).await.unwrap();
    let head = format!(
        "POST /admin/v1/reload HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\n\
         content-length: 2\r\nexpect: 100-continue\r\n\r\n"
    );
    admin.write_all(head.as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    admin.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    jackfield.signal("-TERM");
    wait_until("no new connection is accepted", async || {
        TcpStream::connect(jackfield.address).await.is_err()
    })
    .await;
    admin.write_all(b"{}").await.unwrap();
    let mut response = String::new();
    admin.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 409"), "{response}");
    assert!(response.contains("stopping"), "{response}");
    drop(jackfield.stop().await);
}

#[tokio::test]
async fn config_reload_command_reloads_the_server() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = start(&provider("acme", &upstream, &["key-a"])).await;
    let reload = async || {
        let url = format!("http://{}", jackfield.admin);
        let mut command = Command::new(binary());
        command.args(["config", "reload", "--admin", &url]);
        command.env("JACKFIELD_ADMIN_TOKEN", TOKEN);
        command.output().await.unwrap()
    };
    let absent = provider("acme", &upstream, &["key-b"]) + "routing: { selector: absent }\n";
    jackfield.configure(&absent);
    let output = reload().await;
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}");
    assert!(
        stdout.contains("1 added") && stdout.contains("1 removed"),
        "{stdout}"
    );
    assert!(
        stdout.contains("the selector `absent` is not loaded"),
        "{stdout}"
    );
    jackfield.configure("lisen: 1\n");
    let output = reload().await;
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr.contains("jackfield.yaml:1:1") && stderr.contains("providers"),
        "{stderr}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_reloads_are_serialized_and_the_newest_file_wins() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = Arc::new(start(&provider("acme", &upstream, &["key-a"])).await);
    // So many credentials that reading them takes longer than the other reload.
    let many: Vec<String> = (0..2000).map(|number| format!("key-{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let (large, small) = (
        provider("acme", &upstream, &many),
        provider("acme", &upstream, &["key-b"]),
    );
    let mut numbers = Vec::new();
    for _ in 0..ROUNDS_AT_ONCE {
        let mut reloads = JoinSet::new();
        for config in [&large, &small] {
            replace_config(&jackfield, config);
            let jackfield = Arc::clone(&jackfield);
            reloads.spawn(async move { jackfield.reload().await });
            tokio::task::yield_now().await;
        }
        for (status, response) in reloads.join_all().await {
            assert_eq!(status, 200, "{response}");
            numbers.push(response["configuration"].as_u64().unwrap());
        }
        assert_eq!(ids(&jackfield).await, ["key-b"], "an older file won");
        assert_eq!(served_by(&jackfield).await, "key-b");
    }
    numbers.sort_unstable();
    let each_once: Vec<u64> = (1..=2 * ROUNDS_AT_ONCE).collect();
    assert_eq!(numbers, each_once);
}

/// Replaces the configuration with a rename, since the server may be reading it.
fn replace_config(jackfield: &Jackfield, config: &str) {
    let folder = jackfield.folder.path();
    fs::write(folder.join("next.yaml"), config_head() + config).unwrap();
    fs::rename(folder.join("next.yaml"), folder.join("jackfield.yaml")).unwrap();
}

/// The number of reloads under load.
const RELOADS: usize = 30;

/// The number of concurrent callers; every other one streams.
const CALLERS: usize = 8;

/// The number of rounds with two concurrent reloads.
const ROUNDS_AT_ONCE: u64 = 5;
