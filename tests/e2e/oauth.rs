//! Tests token refresh: ahead of the expiry, after a 401, after a restart, and with a revoked account.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jackfield_mock_provider::{MockOAuthOptions, MockTokens, Rotation};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::harness::{Jackfield, TEST_TIMEOUT, TOKEN, Upstream, chat, wait_until};

/// The number of concurrent calls when a token expires.
const CALLERS: usize = 32;

const DAY: Duration = Duration::from_hours(24);

/// A secret with characters that need form encoding. A configuration accepts neither spaces nor
/// non-ASCII characters in secrets; the tests of `dispatch` and of the mock provider use these.
pub(crate) const CLIENT_SECRET: &str = "s3:cr%t&+=~";

/// Returns the configuration of one account.
pub(crate) fn account(id: &str, tokens: &MockTokens, ends_in: Duration) -> String {
    let end = humantime::format_rfc3339_millis(SystemTime::now() + ends_in);
    let refresh = tokens.refresh.as_deref().unwrap();
    format!(
        "      - id: {id}\n        secrets: {{ access-token: {}, refresh-token: {refresh}, \
         client-id: me, client-secret: \"{CLIENT_SECRET}\" }}\n        expires-at: {end}\n",
        tokens.access
    )
}

/// Returns the configuration of a provider `accounts`. It refreshes tokens `lead` before their expiry.
pub(crate) fn accounts(upstream: &Upstream, lead: &str, accounts: &str) -> String {
    let address = upstream.address;
    format!(
        "  - name: accounts\n    executor: openai-compatible\n    base-url: http://{address}/v1\n    \
         settings: {{ token-url: \"http://{address}/oauth/token\", client-authentication: basic }}\n    \
         refresh: {{ lead: {lead} }}\n    credentials:\n{accounts}    \
         models: [ {{ name: gpt-accounts, alias: accounts }} ]\n"
    )
}

fn options(rotation: Rotation) -> MockOAuthOptions {
    MockOAuthOptions {
        rotation,
        client: Some(("me".to_owned(), CLIENT_SECRET.to_owned())),
        ..MockOAuthOptions::default()
    }
}

async fn start(config: &str) -> Jackfield {
    start_in(tempfile::tempdir().unwrap(), config).await
}

async fn start_in(folder: TempDir, config: &str) -> Jackfield {
    Jackfield::start_in(folder, &format!("providers:\n{config}")).await
}

fn hello() -> Value {
    chat("accounts", false, &json!({}))
}

#[tokio::test]
async fn refreshes_tokens_before_they_expire() {
    let lifetime = Duration::from_secs(3);
    let upstream = Upstream::with_oauth(MockOAuthOptions {
        lifetime,
        ..options(Rotation::Strict)
    })
    .await;
    let alice = account("alice", &upstream.oauth().open("alice"), lifetime);
    let jackfield = start(&accounts(&upstream, "2s", &alice)).await;
    wait_until("there were four rotations", async || {
        let (status, response) = jackfield.call(&hello()).await;
        assert_eq!(status, 200, "{response}");
        upstream.oauth().counts().refreshed >= 4
    })
    .await;
    let counts = upstream.oauth().counts();
    assert_eq!(counts.unauthorized, 0, "a call used an expired token");
    assert_eq!(
        counts.invalid_grant + counts.invalid_request,
        0,
        "{counts:?}"
    );
}

#[tokio::test]
async fn concurrent_401s_share_one_refresh() {
    let upstream = Upstream::with_oauth(MockOAuthOptions {
        // All calls get their 401 before the new token arrives.
        pause: Duration::from_millis(500),
        ..options(Rotation::Strict)
    })
    .await;
    let alice = account("alice", &upstream.oauth().open("alice"), DAY);
    let jackfield = Arc::new(start(&accounts(&upstream, "1s", &alice)).await);
    assert_eq!(jackfield.call(&hello()).await.0, 200);
    upstream.oauth().end_access("alice");
    let mut calls = JoinSet::new();
    for _ in 0..CALLERS {
        let jackfield = Arc::clone(&jackfield);
        calls.spawn(async move { jackfield.call(&hello()).await });
    }
    while let Some(ended) = calls.join_next().await {
        let (status, response) = ended.unwrap();
        assert_eq!(status, 200, "{response}");
    }
    let counts = upstream.oauth().counts();
    assert_eq!(
        (counts.refreshed, counts.invalid_grant),
        (1, 0),
        "{counts:?}"
    );
    assert!(counts.unauthorized > 1, "{counts:?}");
    assert_eq!(
        jackfield.credential("alice").await["health"]["state"],
        "ready"
    );
}

#[tokio::test]
async fn rotated_token_survives_restart() {
    let upstream = Upstream::with_oauth(options(Rotation::Strict)).await;
    let alice = account("alice", &upstream.oauth().open("alice"), DAY);
    let config = accounts(&upstream, "1s", &alice);
    let mut folder = tempfile::tempdir().unwrap();
    for rotation in 1..=3 {
        let jackfield = start_in(folder, &config).await;
        upstream.oauth().end_access("alice");
        let (status, response) = jackfield.call(&hello()).await;
        assert_eq!(status, 200, "rotation {rotation}: {response}");
        assert_eq!(upstream.oauth().counts().refreshed, rotation);
        folder = if rotation == 2 {
            jackfield.kill().await
        } else {
            jackfield.stop().await
        };
    }
    assert_eq!(upstream.oauth().counts().invalid_grant, 0);
}

#[tokio::test]
async fn refresh_response_without_refresh_token_preserves_the_old_one() {
    let upstream = Upstream::with_oauth(options(Rotation::Never)).await;
    let alice = account("alice", &upstream.oauth().open("alice"), DAY);
    let jackfield = start(&accounts(&upstream, "1s", &alice)).await;
    // Rejected tokens are refreshed at most every 5 s, and the second call waits for that.
    for rotation in 1..=2 {
        upstream.oauth().end_access("alice");
        let (status, response) = jackfield.call(&hello()).await;
        assert_eq!(status, 200, "{response}");
        assert_eq!(upstream.oauth().counts().refreshed, rotation);
    }
}

#[tokio::test]
async fn invalid_grant_bars_only_its_credential() {
    let upstream = Upstream::with_oauth(options(Rotation::Strict)).await;
    let both = ["alice", "bob"].map(|id| account(id, &upstream.oauth().open(id), DAY));
    let jackfield = start(&accounts(&upstream, "1s", &both.concat())).await;
    let url = format!("http://{}/admin/v1/events", jackfield.admin);
    let mut events = jackfield
        .client
        .get(url)
        .bearer_auth(TOKEN)
        .send()
        .await
        .unwrap();
    assert_eq!(events.status(), 200);
    upstream.oauth().revoke("alice");
    for _ in 0..6 {
        let (status, response) = jackfield.call(&hello()).await;
        assert_eq!(status, 200, "{response}");
        assert_eq!(response["x_mock"]["served_by"], "bob");
    }
    assert_eq!(
        upstream.oauth().counts().invalid_grant,
        1,
        "the revoked account was refreshed again"
    );
    let alice = jackfield.credential("alice").await;
    assert_eq!(alice["health"]["state"], "barred", "{alice}");
    assert_eq!(
        jackfield.credential("bob").await["health"]["state"],
        "ready"
    );
    let event = timeout(TEST_TIMEOUT, wait_for_event(&mut events, "barred"));
    let event = event.await.expect("there is no event");
    assert!(
        !event.contains(".access.") && !event.contains(".refresh."),
        "{event}"
    );
}

/// Reads events until one of them contains this word.
async fn wait_for_event(events: &mut reqwest::Response, word: &str) -> String {
    let mut received = String::new();
    while !received.contains(word) {
        let piece = events.chunk().await.unwrap().expect("the stream ended");
        received.push_str(&String::from_utf8_lossy(&piece));
    }
    received
}
