//! Tests credential files: read at start, watched while the server runs, and never written.

use std::fs;
use std::path::{Path, PathBuf};

use jackfield_mock_provider::{MockOAuthOptions, Rotation};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Jackfield, Upstream, chat, wait_until};

/// Starts a server whose credentials are files.
async fn start(upstream: &Upstream, files: &[(&str, Value)]) -> Jackfield {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        put(folder.path(), name, &content.to_string());
    }
    let address = upstream.address;
    let config = format!(
        "credential-files: accounts\n\
         providers:\n  - name: acme\n    executor: openai-compatible\n    \
         base-url: http://{address}/v1\n    \
         settings: {{ token-url: \"http://{address}/oauth/token\" }}\n    \
         refresh: {{ lead: 1m }}\n    \
         models: [ {{ name: gpt-mock, alias: mock }} ]\n"
    );
    Jackfield::start_in(folder, &config).await
}

/// Writes a file with a rename, so that the server never reads a part of it.
fn put(folder: &Path, name: &str, text: &str) {
    let path = path(folder, name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let part = path.with_extension("part");
    fs::write(&part, text).unwrap();
    fs::rename(part, path).unwrap();
}

fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join("accounts").join(name)
}

fn key(key: &str) -> Value {
    json!({ "type": "acme", "api_key": key })
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
    response["x_mock"]["served_by"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn cliproxyapi_compat_1_18_credential_files_are_watched_while_serving() {
    let upstream = Upstream::start(&[]).await;
    let files = [("a.json", key("key-a")), ("team/b.json", key("key-b"))];
    let jackfield = start(&upstream, &files).await;
    assert_eq!(ids(&jackfield).await, ["a.json", "team/b.json"]);
    let shown = jackfield.credential("a.json").await;
    assert_eq!(shown["origin"]["file"], "a.json", "{shown}");

    let folder = jackfield.folder.path();
    put(folder, "c.json", &key("key-c").to_string());
    wait_until("the new file serves", async || {
        ids(&jackfield).await.len() == 3
    })
    .await;
    fs::remove_file(path(folder, "a.json")).unwrap();
    fs::remove_file(path(folder, "c.json")).unwrap();
    wait_until("those that are gone are forgotten", async || {
        ids(&jackfield).await == ["team/b.json"]
    })
    .await;
    let shown = jackfield.admin("credentials/team%2Fb.json").await;
    assert_eq!(shown["credential"]["id"], "team/b.json", "{shown}");
    assert_eq!(served_by(&jackfield).await, "key-b");
    put(folder, "team/b.json", &key("key-new").to_string());
    wait_until("the other key is used", async || {
        served_by(&jackfield).await == "key-new"
    })
    .await;
}

#[tokio::test]
async fn invalid_file_does_not_affect_others() {
    let upstream = Upstream::start(&[]).await;
    let files = [
        ("a.json", key("key-a")),
        ("broken.json", json!("sk-secret")),
        (
            "stranger.json",
            json!({ "type": "nobody", "api_key": "sk-secret" }),
        ),
    ];
    let jackfield = start(&upstream, &files).await;
    let folder = jackfield.folder.path();
    assert_eq!(ids(&jackfield).await, ["a.json"]);
    // A partial file does not replace the previous content.
    put(folder, "a.json", "{ \"type\": \"ac");
    put(folder, "b.json", &key("key-b").to_string());
    wait_until("the good one is there", async || {
        ids(&jackfield).await.len() == 2
    })
    .await;
    assert_eq!(ids(&jackfield).await, ["a.json", "b.json"]);
    put(folder, "broken.json", &key("key-mended").to_string());
    wait_until("it is mended", async || ids(&jackfield).await.len() == 3).await;
}

#[tokio::test]
async fn ignores_symlinked_and_hidden_files() {
    let upstream = Upstream::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let beyond: TempDir = tempfile::tempdir().unwrap();
    fs::write(beyond.path().join("x.json"), key("key-x").to_string()).unwrap();
    let accounts = folder.path().join("accounts");
    fs::create_dir(&accounts).unwrap();
    std::os::unix::fs::symlink(beyond.path().join("x.json"), accounts.join("x.json")).unwrap();
    std::os::unix::fs::symlink(beyond.path(), accounts.join("beyond")).unwrap();
    put(folder.path(), "a.json", &key("key-a").to_string());
    put(folder.path(), ".b.json", &key("key-b").to_string());
    put(folder.path(), "c.txt", &key("key-c").to_string());
    let config = format!(
        "credential-files: accounts\nproviders:\n  - name: acme\n    executor: openai-compatible\n    \
         base-url: http://{}/v1\n    models: [ {{ name: gpt-mock }} ]\n",
        upstream.address
    );
    let jackfield = Jackfield::start_in(folder, &config).await;
    assert_eq!(ids(&jackfield).await, ["a.json"]);
}

#[tokio::test]
async fn refreshed_token_survives_restart_until_file_changes() {
    let upstream = Upstream::with_oauth(MockOAuthOptions {
        rotation: Rotation::Strict,
        ..MockOAuthOptions::default()
    })
    .await;
    let account = |name: &str| {
        let tokens = upstream.oauth().open(name);
        json!({
            "type": "acme", "email": "me@example.com", "access_token": tokens.access,
            "refresh_token": tokens.refresh, "expired": "2020-01-01 00:00",
        })
    };
    let file = account("alice");
    let jackfield = start(&upstream, &[("alice.json", file.clone())]).await;
    wait_until("the token was renewed", async || {
        upstream.oauth().counts().refreshed >= 1
    })
    .await;
    assert_eq!(served_by(&jackfield).await, "alice");
    let shown = jackfield.credential("alice.json").await;
    assert_eq!(shown["account"], "me@example.com", "{shown}");
    let folder = jackfield.folder.path();
    let text = fs::read_to_string(path(folder, "alice.json")).unwrap();
    assert_eq!(text, file.to_string(), "files are not written");

    let jackfield = Jackfield::restart(jackfield.stop().await).await;
    assert_eq!(served_by(&jackfield).await, "alice");
    assert_eq!(upstream.oauth().counts().invalid_grant, 0);

    // The user logs in again, here as another account, to tell the logins apart.
    put(
        jackfield.folder.path(),
        "alice.json",
        &account("bob").to_string(),
    );
    wait_until("the new login is used", async || {
        served_by(&jackfield).await == "bob"
    })
    .await;
    assert_eq!(upstream.oauth().counts().invalid_grant, 0);
}
