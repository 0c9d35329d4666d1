//! New secrets, new start: what a credential's health says about a secret goes with the secret, and what
//! it says about the account stays with the account.

use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::{AuthManager, PersistedState, Reconfiguration, Registration};
use jackfield_credential::{
    CandidateQuery, CredentialKind, Failure, Outcome, PoolOptions, Scope, kind,
};

use crate::support::{
    HOUR, MINUTE, MemoryStore, at, id, lease, manager, run_for, token, with_provider,
};

const SECOND: Duration = Duration::from_secs(1);

/// Returns a credential with this API key.
fn key(text: &str) -> Registration {
    let mut registration = token("a", HOUR);
    registration.credential.kind = CredentialKind::ApiKey;
    registration.secrets.clear();
    registration
        .secrets
        .insert("api-key".to_owned(), text.to_owned().into());
    registration.expires_at = None;
    registration
}

/// Returns an account with this access token and e-mail address.
fn login(access_token: &str, email: &str) -> Registration {
    let mut registration = token("a", HOUR);
    registration
        .secrets
        .insert("access-token".to_owned(), access_token.to_owned().into());
    registration
        .metadata
        .insert("email".to_owned(), email.into());
    registration
}

/// Fails the account of `a` now, with this status and kind.
fn fail(auth: &AuthManager, status: u16, kind: &'static str, retry_after: Option<Duration>) {
    let failure = Failure {
        scope: Scope::Credential,
        kind: kind.into(),
        status: Some(status),
        message: "no".to_owned(),
        retry_after,
        refresh_suggested: false,
        sent: true,
    };
    lease(auth, "a").settle(Outcome::Failed(failure), at(Duration::ZERO), None);
}

/// True if a call would get the credential now.
fn is_available(auth: &AuthManager) -> bool {
    let query = CandidateQuery::first_round("gpt");
    auth.candidates(&query, at(Duration::ZERO)).is_ok()
}

fn reconfigure(auth: &AuthManager, registration: Registration) {
    let new = Reconfiguration {
        registrations: vec![registration],
        options: PoolOptions::default(),
        persisted: PersistedState::default(),
    };
    auth.reconfigure(new, |_| {}).unwrap();
}

#[tokio::test(start_paused = true)]
async fn replaced_key_drops_failures_of_the_old_one() {
    for (status, kind) in [(401, kind::AUTHENTICATION), (403, kind::PERMISSION)] {
        let auth = manager(vec![key("old")], &Arc::default());
        fail(&auth, status, kind, None);
        reconfigure(&auth, key("old"));
        assert!(!is_available(&auth), "the same key is refused still");
        reconfigure(&auth, key("new"));
        assert!(is_available(&auth));
        fail(&auth, status, kind, None);
        auth.register(key("newer")).await.unwrap();
        assert!(is_available(&auth));
    }
}

#[tokio::test(start_paused = true)]
async fn quota_stays_through_logins_of_the_same_account() {
    let auth = manager(vec![login("at-1", "me@example.com")], &Arc::default());
    fail(&auth, 429, kind::QUOTA, Some(HOUR));
    reconfigure(&auth, login("at-2", "me@example.com"));
    assert!(!is_available(&auth), "the account has no quota still");
    reconfigure(&auth, login("at-3", "you@example.com"));
    assert!(
        is_available(&auth),
        "the quota of another account is unknown"
    );
}

#[tokio::test(start_paused = true)]
async fn replaced_key_is_tried_at_once_whatever_the_old_one_had_used_up() {
    let auth = manager(vec![key("old")], &Arc::default());
    fail(&auth, 429, kind::QUOTA, Some(HOUR));
    reconfigure(&auth, key("new"));
    assert!(is_available(&auth));
    // One attempt finds out whether the new key has quota.
    let _trial = lease(&auth, "a");
    assert!(!is_available(&auth));
}

#[tokio::test(start_paused = true)]
async fn enabled_credential_is_tried_at_once() {
    let auth = manager(vec![key("one")], &Arc::default());
    fail(&auth, 429, kind::QUOTA, Some(HOUR));
    let a = id("a");
    auth.set_enabled(&a, true).await.unwrap();
    assert!(!is_available(&auth), "it was enabled before");
    auth.set_enabled(&a, false).await.unwrap();
    auth.set_enabled(&a, true).await.unwrap();
    assert!(is_available(&auth));
    let mut off = key("one");
    off.credential.enabled = false;
    // The source no longer disables it.
    let auth = manager(vec![key("one")], &Arc::default());
    fail(&auth, 429, kind::QUOTA, Some(HOUR));
    reconfigure(&auth, off);
    reconfigure(&auth, key("one"));
    assert!(is_available(&auth));
}

#[tokio::test(start_paused = true)]
async fn refresh_drops_an_authentication_failure_and_keeps_a_quota() {
    let (auth, provider) = with_provider(vec![token("a", 6 * MINUTE)]);
    *provider.life.lock() = Some(HOUR);
    fail(&auth, 401, kind::AUTHENTICATION, None);
    run_for(&auth, MINUTE + 2 * SECOND).await;
    assert_eq!(provider.calls(), 1);
    assert!(is_available(&auth));
    fail(&auth, 429, kind::QUOTA, Some(HOUR));
    auth.refresh(&id("a"), u64::MAX).await.unwrap();
    assert!(!is_available(&auth));
}

#[tokio::test(start_paused = true)]
async fn other_base_url_is_tried_at_once() {
    let auth = manager(vec![key("one")], &Arc::default());
    fail(&auth, 401, kind::AUTHENTICATION, None);
    let mut moved = key("one");
    moved.credential.base_url = "http://127.0.0.1:2".into();
    reconfigure(&auth, moved);
    assert!(is_available(&auth));
}

#[tokio::test(start_paused = true)]
async fn edit_without_new_secrets_keeps_health() {
    let auth = manager(vec![key("one")], &Arc::default());
    fail(&auth, 401, kind::AUTHENTICATION, None);
    let mut edited = key("one");
    edited.credential.priority = 7;
    reconfigure(&auth, edited);
    assert!(!is_available(&auth));
}

#[tokio::test(start_paused = true)]
async fn key_that_was_replaced_before_a_restart_drops_failures_of_the_old_one() {
    let store = Arc::new(MemoryStore::default());
    let auth = manager(vec![key("old")], &store);
    fail(&auth, 401, kind::AUTHENTICATION, None);
    auth.flush().await.unwrap();
    for (text, available) in [("old", false), ("new", true)] {
        let restarted = manager(vec![key(text)], &store);
        restarted.load(|_| None).await.unwrap();
        assert_eq!(is_available(&restarted), available, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn key_that_comes_back_changed_drops_failures_of_the_old_one() {
    for (text, available) in [("old", false), ("new", true)] {
        let store = Arc::new(MemoryStore::default());
        let auth = manager(vec![key("old"), token("b", HOUR)], &store);
        fail(&auth, 401, kind::AUTHENTICATION, None);
        let persisted = auth.persisted_state().await.unwrap();
        reconfigure(&auth, token("b", HOUR));
        let new = Reconfiguration {
            registrations: vec![key(text)],
            options: PoolOptions::default(),
            persisted,
        };
        auth.reconfigure(new, |_| {}).unwrap();
        assert_eq!(is_available(&auth), available, "{text}");
    }
}
