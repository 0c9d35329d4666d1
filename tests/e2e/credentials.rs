//! Tests `jackfield credential` against a real server, and what a restart keeps.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::harness::{Jackfield, TOKEN, Upstream, binary, chat};

/// Runs `jackfield credential` with the admin token, more environment variables, and an input.
async fn run_credential_command(
    jackfield: &Jackfield,
    arguments: &[&str],
    variables: &BTreeMap<&str, &str>,
    input: &str,
) -> Output {
    let url = format!("http://{}", jackfield.admin);
    let mut command = Command::new(binary());
    command
        .args(["credential", "--admin", &url])
        .args(arguments)
        .env("JACKFIELD_ADMIN_TOKEN", TOKEN)
        .envs(variables)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    piped(command, input).await
}

async fn piped(mut command: Command, input: &str) -> Output {
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that rejects its arguments does not read its input, so the write may fail.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    child.wait_with_output().await.unwrap()
}

/// Runs a command that must succeed, and returns its standard output.
async fn stdout_of(jackfield: &Jackfield, arguments: &[&str]) -> String {
    let output = run_credential_command(jackfield, arguments, &BTreeMap::new(), "").await;
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        stderr(&output)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command that must fail, and returns its standard error.
async fn stderr_of_failure(jackfield: &Jackfield, arguments: &[&str], input: &str) -> String {
    let output = run_credential_command(jackfield, arguments, &BTreeMap::new(), input).await;
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    assert!(output.stdout.is_empty());
    stderr(&output)
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[tokio::test]
async fn credentials_are_listed_and_shown() {
    let upstream = Upstream::start(&["key-a"]).await;
    let jackfield = Jackfield::start(&upstream, &["key-a", "key-b"], "").await;
    for _ in 0..2 {
        let (status, _) = jackfield.call(&chat("mock", false, &json!({}))).await;
        assert_eq!(status, 200);
    }
    let listed = stdout_of(&jackfield, &["list"]).await;
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 3, "{listed}");
    assert!(lines[0].trim_start().starts_with("ID "), "{listed}");
    assert!(
        lines[1].contains("mock-key-a") && lines[1].contains("ready"),
        "{listed}"
    );
    assert!(
        lines[2].contains("mock-key-b") && lines[2].contains("authentication"),
        "{listed}"
    );

    let shown = stdout_of(&jackfield, &["show", "mock-key-b"]).await;
    for fact in [
        "mock-key-b",
        "api-key",
        "config",
        "gpt-mock",
        "cooling, ends in",
        "last failure",
    ] {
        assert!(shown.contains(fact), "{fact}: {shown}");
    }
    let json = stdout_of(&jackfield, &["list", "--json"]).await;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["credentials"][1]["origin"]["kind"], "config");
    assert_eq!(json["credentials"][1]["status"], "error");
}

#[tokio::test]
async fn credential_is_added_used_persisted_and_removed() {
    let upstream = Upstream::start(&["key-new"]).await;
    let jackfield = Jackfield::start(&upstream, &["key-wrong"], "").await;
    let (status, _) = jackfield.call(&chat("mock", false, &json!({}))).await;
    assert_eq!(status, 503);
    let add = [
        "add",
        "new",
        "--provider",
        "mock",
        "--label",
        "Of Ada",
        "--priority",
        "-3",
        "--attribute",
        "region=eu",
    ];
    let output = run_credential_command(&jackfield, &add, &BTreeMap::new(), "key-new\n").await;
    assert!(output.status.success(), "{}", stderr(&output));
    let (status, _) = jackfield.call(&chat("mock", false, &json!({}))).await;
    assert_eq!(status, 200);
    stdout_of(&jackfield, &["disable", "mock-key-wrong"]).await;

    // A restart keeps the added credential, and that the other one is disabled.
    let jackfield = Jackfield::restart(jackfield.stop().await).await;
    let (status, _) = jackfield.call(&chat("mock", false, &json!({}))).await;
    assert_eq!(status, 200);
    let shown = jackfield.admin("credentials/new").await;
    let new = &shown["credential"];
    assert_eq!(
        (&new["label"], &new["priority"]),
        (&json!("Of Ada"), &json!(-3))
    );
    assert_eq!(new["origin"], json!({ "kind": "admin" }));
    let other = jackfield.admin("credentials/mock-key-wrong").await;
    assert_eq!(other["credential"]["enabled"], false);

    assert!(
        stdout_of(&jackfield, &["remove", "new"])
            .await
            .contains("new is removed")
    );
    let (status, error) = jackfield.call(&chat("mock", false, &json!({}))).await;
    assert_eq!(
        (status, &error["error"]["code"]),
        (503, &json!("auth_not_found")),
        "{error}"
    );
    // A restart does not bring the removed credential back.
    let jackfield = Jackfield::restart(jackfield.stop().await).await;
    let listed = stdout_of(&jackfield, &["list"]).await;
    assert!(!listed.contains("new"), "{listed}");
    stdout_of(&jackfield, &["enable", "mock-key-wrong"]).await;
    let (status, error) = jackfield.call(&chat("mock", false, &json!({}))).await;
    assert_eq!(
        (status, &error["error"]["code"]),
        (503, &json!("auth_unavailable")),
        "{error}"
    );
}

#[tokio::test]
async fn a_reset_credential_may_be_used_at_once() {
    let upstream = Upstream::start(&["key-other"]).await;
    let jackfield = Jackfield::start(&upstream, &["key-a"], "").await;
    let (status, _) = jackfield.call(&chat("mock", false, &json!({}))).await;
    assert_eq!(status, 503);
    let health = jackfield.credential("mock-key-a").await["health"].clone();
    assert_eq!(health["state"], "cooling", "{health}");
    let output = stdout_of(&jackfield, &["reset", "mock-key-a"]).await;
    assert!(
        output.contains("mock-key-a is reset; it is ready now"),
        "{output}"
    );
    let health = jackfield.credential("mock-key-a").await["health"].clone();
    assert_eq!(health["state"], "ready", "{health}");
    let (status, error) = jackfield.call(&chat("mock", false, &json!({}))).await;
    assert_eq!(status, 503, "{error}");
    let health = jackfield.credential("mock-key-a").await["health"].clone();
    assert_eq!(health["state"], "cooling", "it was tried again: {health}");
}

#[tokio::test]
async fn secrets_come_from_variables_files_and_input_but_never_from_arguments() {
    let upstream = Upstream::start(&["key-of-env", "key-of-file"]).await;
    let jackfield = Jackfield::start(&upstream, &["key-wrong"], "").await;
    let file = jackfield.folder.path().join("key");
    std::fs::write(&file, "key-of-file\n").unwrap();
    let of_file = format!("api-key=file:{}", file.display());
    let variables = BTreeMap::from([("MY_KEY", "key-of-env")]);
    for (id, secret) in [("a", "api-key=env:MY_KEY"), ("b", &of_file)] {
        let add = ["add", id, "--provider", "mock", "--secret", secret];
        let output = run_credential_command(&jackfield, &add, &variables, "").await;
        assert!(output.status.success(), "{}", stderr(&output));
    }
    stdout_of(&jackfield, &["disable", "mock-key-wrong"]).await;
    for _ in 0..2 {
        let (status, _) = jackfield.call(&chat("mock", false, &json!({}))).await;
        assert_eq!(status, 200);
    }
    let shown = jackfield.admin("credentials").await.to_string();
    assert!(!shown.contains("key-of-"), "{shown}");

    for secret in ["sk-very-secret", "api-key=sk-very-secret"] {
        let add = ["add", "c", "--provider", "mock", "--secret", secret];
        let error = stderr_of_failure(&jackfield, &add, "").await;
        assert!(error.contains("never an argument itself"), "{error}");
        assert!(!error.contains("very-secret"), "{error}");
    }
    let add = [
        "add",
        "c",
        "--provider",
        "mock",
        "--secret",
        "api-key=env:NOT_SET_ANYWHERE",
    ];
    let error = stderr_of_failure(&jackfield, &add, "").await;
    assert!(error.contains("NOT_SET_ANYWHERE is not set"), "{error}");
}

#[tokio::test]
async fn explains_failed_commands() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = Jackfield::start(&upstream, &["key-a"], "").await;
    for command in ["show", "remove", "enable", "disable", "reset", "refresh"] {
        let error = stderr_of_failure(&jackfield, &[command, "nobody"], "").await;
        assert!(
            error.contains("nobody") || error.contains("no such credential"),
            "{command}: {error}"
        );
    }
    let error = stderr_of_failure(&jackfield, &["remove", "mock-key-a"], "").await;
    assert!(error.contains("disable it here"), "{error}");
    let error = stderr_of_failure(&jackfield, &["refresh", "mock-key-a"], "").await;
    assert!(error.contains("has no tokens to refresh"), "{error}");
    let error = stderr_of_failure(&jackfield, &["add", "x", "--provider", "nowhere"], "k").await;
    assert!(error.contains("no provider `nowhere`"), "{error}");
    let add = [
        "add",
        "X",
        "--provider",
        "mock",
        "--weight",
        "0",
        "--kind",
        "both",
    ];
    let error = stderr_of_failure(&jackfield, &add, "k").await;
    for message in ["id: must be", "weight: must be", "kind: must be"] {
        assert!(error.contains(message), "{message}: {error}");
    }
    let error = stderr_of_failure(
        &jackfield,
        &["add", "mock-key-a", "--provider", "mock"],
        "k",
    )
    .await;
    assert!(error.contains("already"), "{error}");
}

#[tokio::test]
async fn explains_missing_server_or_token() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = Jackfield::start(&upstream, &["key-a"], "").await;
    let url = format!("http://{}", jackfield.admin);
    let run = async |arguments: Vec<&str>, token: Option<&str>| {
        let mut command = Command::new(binary());
        command
            .arg("credential")
            .args(arguments)
            .env_remove("JACKFIELD_ADMIN_TOKEN");
        if let Some(token) = token {
            command.env("OTHER_NAME", token);
        }
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        piped(command, "").await
    };
    let named = ["--admin", &url, "--token-env", "OTHER_NAME", "list"];
    assert!(run(named.to_vec(), Some(TOKEN)).await.status.success());
    let denied = run(named.to_vec(), Some("a-wrong-token")).await;
    assert!(
        stderr(&denied).contains("refuses the admin token"),
        "{}",
        stderr(&denied)
    );
    assert!(!stderr(&denied).contains("a-wrong-token"));
    let missing = run(vec!["--admin", &url, "list"], None).await;
    assert!(stderr(&missing).contains("JACKFIELD_ADMIN_TOKEN is not set"));
    let unreachable = [
        "--admin",
        "http://127.0.0.1:9",
        "--token-env",
        "OTHER_NAME",
        "list",
    ];
    let unreachable = run(unreachable.to_vec(), Some(TOKEN)).await;
    assert!(
        stderr(&unreachable).contains("is the server running"),
        "{}",
        stderr(&unreachable)
    );
    let foreign = format!("http://{}", upstream.address);
    let foreign = run(
        vec!["--admin", &foreign, "--token-env", "OTHER_NAME", "list"],
        Some(TOKEN),
    )
    .await;
    assert!(
        stderr(&foreign).contains("no admin API"),
        "{}",
        stderr(&foreign)
    );

    // The configuration has the address and the token; its other secrets need not be readable.
    let config = configuration(jackfield.folder.path(), jackfield.admin.port());
    let listed = run(vec!["--config", &config, "list"], None).await;
    assert!(listed.status.success(), "{}", stderr(&listed));
    let silent = jackfield.folder.path().join("silent.yaml");
    std::fs::write(&silent, "listen: 127.0.0.1:1\n").unwrap();
    let silent = run(vec!["--config", silent.to_str().unwrap(), "list"], None).await;
    assert!(
        stderr(&silent).contains("no `admin` section"),
        "{}",
        stderr(&silent)
    );
}

/// Writes a configuration with the same admin listener, and a secret that is not set.
fn configuration(folder: &Path, port: u16) -> String {
    let path = folder.join("other.yaml");
    let text = format!(
        "admin: {{ listen: 127.0.0.2:{port}, token: {TOKEN} }}\n\
         providers: [ {{ name: p, credentials: [ {{ api-key: {{ env: NOT_SET_ANYWHERE }} }} ] }} ]\n"
    );
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}
