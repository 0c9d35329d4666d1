//! What new secrets, and an operator who enables a credential again, mean for its health.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::{AuthManager, PersistedState, Reconfiguration, Registration};
use jackfield_credential::{
    CandidateQuery, CredentialKind, Outcome, PoolOptions, Scope, Timestamp, kind,
};
use serde_json::json;

use crate::support::{HOUR, at, failure, id, lease, lease_at, manager, token};

fn refused() -> Outcome {
    failure(Scope::Credential, kind::AUTHENTICATION, 401)
}

fn unpaid() -> Outcome {
    failure(Scope::Credential, kind::BILLING, 402)
}

fn key(secret: &str) -> Registration {
    let mut key = token("a", HOUR);
    key.credential.kind = CredentialKind::ApiKey;
    key.secrets = [("api-key".to_owned(), secret.into())].into();
    key
}

fn login(secret: &str, email: &str) -> Registration {
    let mut login = token("a", HOUR);
    login.secrets.insert("access-token".into(), secret.into());
    login.metadata.insert("email".into(), json!(email));
    login
}

/// True if an attempt may begin, as one that finds out about a window or as any other.
fn may_begin(auth: &AuthManager, now: Timestamp) -> Option<bool> {
    let set = auth.candidates(&CandidateQuery::first_round("gpt"), now);
    let lease = auth.lease(&set.ok()?, 0, now);
    lease.ok().map(|lease| lease.is_probe())
}

#[tokio::test(start_paused = true)]
async fn a_replaced_key_starts_afresh() {
    let now = at(Duration::ZERO);
    let auth = manager(vec![key("old")], &Arc::default());
    lease(&auth, "a").settle(refused(), now, None);
    auth.register(key("old")).await.unwrap();
    assert_eq!(may_begin(&auth, now), None, "the same key");
    auth.register(key("new")).await.unwrap();
    assert_eq!(may_begin(&auth, now), Some(false));
}

#[tokio::test(start_paused = true)]
async fn a_replaced_key_of_an_unpaid_account_is_tried_once() {
    let now = at(Duration::ZERO);
    let auth = manager(vec![key("old")], &Arc::default());
    lease(&auth, "a").settle(unpaid(), now, None);
    auth.register(key("new")).await.unwrap();
    lease(&auth, "a").settle(unpaid(), now, None);
    assert_eq!(may_begin(&auth, now), None, "the account is unpaid still");
}

#[tokio::test(start_paused = true)]
async fn a_login_of_the_same_account_keeps_what_speaks_of_the_account() {
    let now = at(Duration::ZERO);
    for (email, outcome, expected) in [
        ("me@example.com", refused(), Some(false)),
        ("me@example.com", unpaid(), None),
        ("you@example.com", refused(), Some(false)),
        ("you@example.com", unpaid(), Some(true)),
    ] {
        let auth = manager(vec![login("old", "me@example.com")], &Arc::default());
        lease(&auth, "a").settle(outcome.clone(), now, None);
        auth.register(login("new", email)).await.unwrap();
        assert_eq!(may_begin(&auth, now), expected, "{email} {outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_is_enabled_again_is_tried_once() {
    let now = at(Duration::ZERO);
    let auth = manager(vec![key("old")], &Arc::default());
    lease(&auth, "a").settle(unpaid(), now, None);
    auth.set_enabled(&id("a"), true).await.unwrap();
    assert_eq!(may_begin(&auth, now), None, "it was enabled");
    auth.set_enabled(&id("a"), false).await.unwrap();
    auth.set_enabled(&id("a"), true).await.unwrap();
    lease(&auth, "a").settle(unpaid(), now, None);
    assert_eq!(may_begin(&auth, now), None);
}

#[tokio::test(start_paused = true)]
async fn a_reload_with_another_key_starts_afresh() {
    let now = at(Duration::ZERO);
    let auth = manager(vec![key("old")], &Arc::default());
    let reload = |registration: Registration| Reconfiguration {
        registrations: vec![registration],
        options: PoolOptions::default(),
        persisted: PersistedState::default(),
    };
    lease(&auth, "a").settle(refused(), now, None);
    auth.reconfigure(reload(key("old")), |_| {}).unwrap();
    assert_eq!(may_begin(&auth, now), None, "the same key");
    auth.reconfigure(reload(key("new")), |_| {}).unwrap();
    assert_eq!(may_begin(&auth, now), Some(false));
    // Removed and added again.
    lease(&auth, "a").settle(refused(), now, None);
    let mut other = key("new");
    other.credential.id = id("b");
    auth.reconfigure(reload(other), |_| {}).unwrap();
    auth.reconfigure(reload(key("newer")), |_| {}).unwrap();
    assert_eq!(may_begin(&auth, now), Some(false));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_changed_starts_afresh() {
    let now = at(Duration::ZERO);
    let auth = manager(vec![key("old")], &Arc::default());
    lease(&auth, "a").settle(refused(), now, None);
    let ids = BTreeSet::from([id("a")]);
    auth.sync(|_| true, &ids, vec![key("new")]).await.unwrap();
    assert_eq!(may_begin(&auth, now), Some(false));
    // The refused key of now cools again, for as long as the first time.
    lease(&auth, "a").settle(refused(), now, None);
    assert_eq!(may_begin(&auth, at(Duration::from_millis(4_999))), None);
    let later = at(Duration::from_secs(5));
    drop(lease_at(&auth, "a", later));
}
