//! New secrets, new start: what speaks of a secret ends with the secret. Quotas and rate limits stay.

use std::fs;

use serde_json::json;
use tokio::time::{Duration, sleep};

use super::client::{ClientApi, ClientRequest};
use super::replies::well;
use super::scripted::{Reply, ScriptedProvider};
use super::{ONE, TWO, config, health_of, start, time_until_served};
use crate::harness::{Jackfield, TOKEN};

const CHAT: ClientApi = ClientApi::Chat;

fn one_key(base_url: &str, id: &str, key: &str) -> String {
    format!(
        "  - name: p\n    executor: openai-compatible\n    base-url: {base_url}\n    \
         credentials: [ {{ id: {id}, api-key: {key} }} ]\n    models: [ {{ name: m1 }} ]\n"
    )
}

/// A provider that knows only `new-key`.
async fn refusing(status: u16) -> ScriptedProvider {
    ScriptedProvider::start(move |request| match request.key() {
        "new-key" => well(request),
        _ if status == 429 => Reply::html(429).with_header("retry-after", &600),
        _ => Reply::html(status),
    })
    .await
}

async fn reload(jackfield: &Jackfield, providers: &str) {
    jackfield.configure(&config(providers, ""));
    let (status, body) = jackfield.reload().await;
    assert_eq!(status, 200, "{body}");
}

/// After 401, 402, 403, 404 and a limit the operator replaces the key.
#[tokio::test]
async fn replaced_key_is_used_at_once() {
    for status in [401, 402, 403, 404, 429] {
        let provider = refusing(status).await;
        let url = provider.url("/v1");
        let jackfield = start(&one_key(&url, "a", "old-key"), "").await;
        // The same client and the same request, which opened the window.
        let request = ClientRequest::plain_chat().by(ONE);
        let response = request.send(&jackfield).await;
        assert_ne!(response.status, 200, "{status}");
        reload(&jackfield, &one_key(&url, "a", "new-key")).await;
        let response = request.send(&jackfield).await;
        assert!(response.is_served(CHAT), "{status}: {}", response.summary());
        assert_eq!(
            health_of(&jackfield, "a", None).await["state"],
            "ready",
            "{status}"
        );
    }
}

/// The id disappears and comes back with another key.
#[tokio::test]
async fn id_that_returns_with_another_key_starts_afresh() {
    let provider = refusing(401).await;
    let url = provider.url("/v1");
    let jackfield = start(&one_key(&url, "a", "old-key"), "").await;
    let request = ClientRequest::plain_chat().by(ONE);
    assert_ne!(request.send(&jackfield).await.status, 200);
    reload(&jackfield, &one_key(&url, "b", "old-key")).await;
    reload(&jackfield, &one_key(&url, "a", "new-key")).await;
    request
        .send(&jackfield)
        .await
        .assert_served_by(CHAT, "new-key");
}

/// A reload without a change leaves a limit alone.
#[tokio::test]
async fn reload_keeps_a_rate_limit() {
    let provider = refusing(429).await;
    let url = provider.url("/v1");
    let jackfield = start(&one_key(&url, "a", "old-key"), "").await;
    let request = ClientRequest::plain_chat().by(ONE);
    assert_eq!(request.send(&jackfield).await.status, 429);
    let changed =
        one_key(&url, "a", "old-key").replace("api-key: old-key", "api-key: old-key, weight: 2");
    reload(&jackfield, &changed).await;
    let response = request.send(&jackfield).await;
    assert_eq!(response.status, 429, "{}", response.summary());
    assert_eq!(provider.count(), 1);
}

async fn changed_credential_file_starts_afresh() {
    let provider = refusing(401).await;
    let url = provider.url("/v1");
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("files");
    fs::create_dir_all(&files).unwrap();
    let write = |key: &str| {
        let content = json!({ "provider": "p", "secrets": { "api-key": key } }).to_string();
        let part = files.join("a.part");
        fs::write(&part, content).unwrap();
        fs::rename(part, files.join("a.json")).unwrap();
    };
    write("old-key");
    let providers = format!(
        "credential-files: files\nproviders:\n  - name: p\n    executor: openai-compatible\n    \
         base-url: {url}\n    models: [ {{ name: m1 }} ]\n"
    );
    let jackfield = Jackfield::start_in(folder, &format!("{}{providers}", super::CLIENTS)).await;
    let request = ClientRequest::plain_chat().by(ONE);
    let response = request.send(&jackfield).await;
    assert_ne!(response.status, 200, "{}", response.summary());
    assert_eq!(provider.count(), 1, "{}", response.summary());
    let files = jackfield.folder.path().join("files");
    let content = json!({ "provider": "p", "secrets": { "api-key": "new-key" } }).to_string();
    fs::write(files.join("a.part"), content).unwrap();
    fs::rename(files.join("a.part"), files.join("a.json")).unwrap();
    // Less than the window of the old key.
    time_until_served(&jackfield, &request, Duration::from_secs(4)).await;
    assert_eq!(provider.count_of("old-key"), 1);
}

/// `enable` after `disable` gives one trial at once.
#[tokio::test]
async fn enable_gives_a_trial_at_once() {
    let refuse = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let refused = std::sync::Arc::clone(&refuse);
    let provider = ScriptedProvider::start(move |request| {
        if refused.load(std::sync::atomic::Ordering::Relaxed) {
            return Reply::html(402);
        }
        well(request)
    })
    .await;
    let jackfield = start(&one_key(&provider.url("/v1"), "a", "key-a"), "").await;
    let request = ClientRequest::plain_chat().by(ONE);
    assert_ne!(request.send(&jackfield).await.status, 200);
    refuse.store(false, std::sync::atomic::Ordering::Relaxed);
    for action in ["disable", "enable"] {
        let url = format!("http://{}/admin/v1/credentials/a/{action}", jackfield.admin);
        let response = jackfield
            .client
            .post(url)
            .bearer_auth(TOKEN)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
    }
    request.send(&jackfield).await.assert_served(CHAT);
}

/// After three 401 in a row with the same secret, the operator sees that the key looks revoked.
async fn revoked_key_is_shown() {
    let provider = refusing(401).await;
    let jackfield = start(&one_key(&provider.url("/v1"), "a", "old-key"), "").await;
    let limit = tokio::time::Instant::now() + Duration::from_secs(45);
    let mut number = 0;
    while provider.count() < 3 && tokio::time::Instant::now() < limit {
        let client = [ONE, TWO][number % 2];
        let request = ClientRequest::new(CHAT, "m1", &format!("hi {number}")).by(client);
        request.send(&jackfield).await;
        number += 1;
        sleep(Duration::from_millis(250)).await;
    }
    let shown = jackfield.credential("a").await.to_string();
    assert!(shown.contains("revoked"), "{shown}");
}

#[tokio::test]
async fn slow_operators() {
    together!(revoked_key_is_shown, changed_credential_file_starts_afresh,);
}
