//! Rules of CLIProxyAPI's manager, tested through the public interface.

use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::{AuthManager, AuthParts, ChangeError, LoadSummary};
use jackfield_credential::{
    Availability, CandidateQuery, CooldownPolicy, PoolOptions, Scope, Served, kind,
};

use crate::support::{
    HOUR, MemoryStore, at, clock, failure, id, lease, lease_at, manager, secret, token,
    transient_failure,
};

/// Settles an attempt with a failure of the model.
fn fail_model(auth: &AuthManager, id: &str) {
    lease(auth, id).settle(transient_failure(), at(Duration::ZERO), None);
}

/// True if an endpoint of the first model is cooling.
fn is_model_cooling(auth: &AuthManager, id: &str) -> bool {
    let view = auth.get(&self::id(id)).unwrap();
    let mut lanes = view.status.models[0].lanes.iter();
    lanes.any(|lane| matches!(lane.health.availability, Availability::Cooling { .. }))
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_3_manager_works_without_store() {
    let registrations = vec![token("a", HOUR)];
    let auth = AuthManager::new(AuthParts::new(registrations, clock())).unwrap();
    assert_eq!(auth.load(|_| None).await, Ok(LoadSummary::default()));
    assert_eq!(auth.set_enabled(&id("a"), false).await, Ok(()));
    assert_eq!(auth.register(token("b", HOUR)).await, Ok(()));
    assert_eq!(auth.flush().await, Ok(()));
    assert_eq!(auth.list().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_3_cooling_can_be_disabled_globally_at_run_time() {
    let auth = manager(vec![token("a", HOUR), token("b", HOUR)], &Arc::default());
    fail_model(&auth, "a");
    auth.set_options(PoolOptions {
        policy: CooldownPolicy {
            disable_cooling: true,
            ..CooldownPolicy::default()
        },
        ..PoolOptions::default()
    });
    fail_model(&auth, "b");
    assert!(!is_model_cooling(&auth, "b"));
    assert!(is_model_cooling(&auth, "a"), "a window that is open stays");
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_4_unknown_id_is_not_found() {
    let auth = manager(vec![token("a", HOUR)], &Arc::default());
    let missing_id = id("b");
    let unknown = Err(ChangeError::NotFound(missing_id.clone()));
    assert!(auth.get(&missing_id).is_none());
    assert!(auth.get(&id("")).is_none());
    assert_eq!(auth.set_enabled(&missing_id, true).await, unknown);
    assert_eq!(auth.remove(&missing_id).await, unknown);
    assert_eq!(auth.reset(&missing_id), unknown);
    let listed: Vec<_> = auth.list().into_iter().map(|view| view.status.id).collect();
    assert_eq!(listed, [id("a")]);
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_4_register_of_known_id_updates_it() {
    // CLIProxyAPI replaces the health too. Here an edit ends no cooldown; new secrets are tried once.
    let auth = manager(vec![token("a", HOUR), token("b", HOUR)], &Arc::default());
    fail_model(&auth, "a");
    let mut edited = token("a", HOUR);
    edited.credential.label = Some("edited".into());
    auth.register(edited.clone()).await.unwrap();
    let view = auth.get(&id("a")).unwrap();
    assert_eq!(view.status.label.as_deref(), Some("edited"));
    assert!(is_model_cooling(&auth, "a"));
    edited.secrets.insert("access-token".into(), "new".into());
    auth.register(edited).await.unwrap();
    assert!(!is_model_cooling(&auth, "a"), "a trial is due");
    auth.reset(&id("a")).unwrap();
    assert_eq!(secret(&auth, "a", "access-token"), "new");
    assert_eq!(auth.list().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_4_stores_only_changes_from_the_source() {
    // A key of the configuration is never written, not even when it is used or cooling.
    let store = Arc::new(MemoryStore::default());
    let auth = manager(vec![token("a", HOUR)], &store);
    auth.load(|_| None).await.unwrap();
    auth.register(token("a", HOUR)).await.unwrap();
    fail_model(&auth, "a");
    auth.flush().await.unwrap();
    assert!(store.health.lock().is_empty(), "it is found out again");
    let limited = failure(Scope::Model, kind::RATE_LIMIT, 429);
    let now = at(Duration::from_secs(2));
    lease_at(&auth, "a", now).settle(limited, now, None);
    auth.flush().await.unwrap();
    assert!(store.records.lock().is_empty());
    assert_eq!(store.health.lock().len(), 1, "but its health is stored");
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_17_model_is_listed_with_its_providers() {
    let mut other = token("b", HOUR);
    other.credential.provider = "other".into();
    other.credential.serves = vec![
        Served::new("upstream", vec!["gpt".into()]),
        Served::new("more", vec!["extra".into()]),
    ];
    let auth = manager(vec![token("a", HOUR), other], &Arc::default());
    let listed = |auth: &AuthManager| -> Vec<(String, usize)> {
        let names = auth.names().into_iter();
        names
            .map(|name| (name.name.to_string(), name.providers.len()))
            .collect()
    };
    let both = [("extra".to_owned(), 1), ("gpt".to_owned(), 2)];
    assert_eq!(listed(&auth), both);
    // CLIProxyAPI hides a model without available credentials, and some never return.
    fail_model(&auth, "a");
    fail_model(&auth, "b");
    let now = at(Duration::ZERO);
    assert!(
        auth.candidates(&CandidateQuery::first_round("gpt"), now)
            .is_err()
    );
    assert_eq!(listed(&auth), both);
    auth.set_enabled(&id("b"), false).await.unwrap();
    assert_eq!(listed(&auth), [("gpt".to_owned(), 1)]);
}

#[tokio::test(start_paused = true)]
async fn operator_override_wins_over_updated_source() {
    let auth = manager(vec![token("a", HOUR)], &Arc::default());
    auth.set_enabled(&id("a"), false).await.unwrap();
    auth.register(token("a", HOUR)).await.unwrap();
    assert!(!auth.get(&id("a")).unwrap().status.enabled);
}
