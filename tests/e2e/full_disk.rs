//! A disk without space for the data folder. A limit of the process makes each write fail, as a full disk does.

use std::time::Duration;

use jackfield_mock_provider::{MockOAuthOptions, Rotation};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::harness::{Jackfield, TOKEN, Upstream, binary, chat, wait_until};
use crate::oauth::{CLIENT_SECRET, account, accounts};

/// The binary, with the signal ignored that would end it at the first write beyond the limit.
fn without_signal() -> Command {
    let mut command = Command::new("sh");
    let script = r#"trap "" XFSZ; exec "$0" "$@""#;
    command.args(["-c", script]).arg(binary());
    command
}

/// Lets the process write files up to this length only. It may be raised again.
async fn limit_files(jackfield: &Jackfield, bytes: &str) {
    let script = "import resource, sys\n\
                  limit = resource.RLIM_INFINITY if sys.argv[2] == 'none' else int(sys.argv[2])\n\
                  resource.prlimit(int(sys.argv[1]), resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))";
    let id = jackfield.child.id().unwrap().to_string();
    let mut command = Command::new("python3");
    let status = command.args(["-c", script, &id, bytes]).status().await;
    assert!(status.unwrap().success(), "Python 3 cannot set the limit");
}

async fn admin(jackfield: &Jackfield, method: Method, path: &str, body: &Value) -> (u16, Value) {
    let url = format!("http://{}/admin/v1/{path}", jackfield.admin);
    let request = jackfield.client.request(method, url).bearer_auth(TOKEN);
    let request = request.header("content-type", "application/json");
    let response = request.body(body.to_string()).send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or_default())
}

#[tokio::test]
async fn tokens_that_a_full_disk_cannot_take_are_shown_and_saved_later() {
    let upstream = Upstream::with_oauth(MockOAuthOptions {
        // A used refresh token is refused, so that a lost one would show.
        rotation: Rotation::Strict,
        client: Some(("me".to_owned(), CLIENT_SECRET.to_owned())),
        ..MockOAuthOptions::default()
    })
    .await;
    let tokens = upstream.oauth().open("alice");
    let alice = account("alice", &tokens, Duration::from_hours(1));
    let config = format!("providers:\n{}", accounts(&upstream, "2s", &alice));
    let jackfield = Jackfield::start_in(tempfile::tempdir().unwrap(), &config).await;
    let folder = jackfield.stop().await;
    let jackfield = Jackfield::restart_by(without_signal(), folder).await;
    let call = async || jackfield.call(&chat("accounts", false, &json!({}))).await;
    assert_eq!(call().await.0, 200);

    limit_files(&jackfield, "1").await;
    let none = Value::Null;
    let refreshed = admin(&jackfield, Method::POST, "credentials/alice/refresh", &none);
    let (status, response) = refreshed.await;
    assert_eq!(status, 200, "{response}");
    assert_eq!(response["credential"]["refresh"]["unsaved"], true);
    assert!(jackfield.has_logged("a restart now would lose them"));
    let new = json!({ "id": "bob", "provider": "accounts", "kind": "api-key", "secrets": { "api-key": "k" } });
    let (status, response) = admin(&jackfield, Method::POST, "credentials", &new).await;
    assert!(status >= 500, "{response}");
    // The old token is revoked, so the new one serves.
    let (status, response) = call().await;
    assert_eq!(status, 200, "{response}");
    assert_eq!(
        jackfield.credential("alice").await["refresh"]["unsaved"],
        true
    );

    limit_files(&jackfield, "none").await;
    wait_until("the tokens are saved", async || {
        jackfield.credential("alice").await["refresh"]["unsaved"] == false
    })
    .await;
    let folder = jackfield.kill().await;
    let jackfield = Jackfield::restart(folder).await;
    let refreshed = admin(&jackfield, Method::POST, "credentials/alice/refresh", &none);
    let (status, response) = refreshed.await;
    assert_eq!(status, 200, "the new refresh token is lost: {response}");
}
