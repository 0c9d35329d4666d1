//! Rules of the system that we succeed, as its manager is asked from outside.

use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::{AuthManager, AuthParts, ChangeError, LoadSummary};
use jackfield_credential::{
    Availability, CandidateQuery, CooldownPolicy, CredentialId, Failure, Outcome, PoolOptions,
    Scope, Served, kind,
};

use crate::support::{MemoryStore, at, clock, lease, manager, secret, token};

const HOUR: Duration = Duration::from_secs(3600);

fn id(text: &str) -> CredentialId {
    CredentialId::from(text)
}

fn fail(auth: &AuthManager, id: &str) {
    let failure = Failure {
        scope: Scope::Model,
        kind: kind::TRANSIENT.into(),
        status: Some(500),
        message: "out of order".to_owned(),
        retry_after: None,
        refresh_suggested: false,
    };
    let outcome = Outcome::Failed(failure);
    lease(auth, id).settle(outcome, at(Duration::ZERO), None);
}

fn cools(auth: &AuthManager, id: &str) -> bool {
    let view = auth.get(&CredentialId::from(id)).unwrap();
    let health = &view.status.models[0].health;
    matches!(health.availability, Availability::Cooling { .. })
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
    fail(&auth, "a");
    auth.set_options(PoolOptions {
        policy: CooldownPolicy {
            disable_cooling: true,
            ..CooldownPolicy::default()
        },
        ..PoolOptions::default()
    });
    fail(&auth, "b");
    assert!(!cools(&auth, "b"));
    assert!(cools(&auth, "a"), "what cools already cools on");
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
    // The seed replaces health too; here an edit lifts no cooldown.
    let auth = manager(vec![token("a", HOUR), token("b", HOUR)], &Arc::default());
    fail(&auth, "a");
    let mut edited = token("a", HOUR);
    edited.credential.label = Some("edited".into());
    edited.secrets.insert("access-token".into(), "new".into());
    auth.register(edited.clone()).await.unwrap();
    let view = auth.get(&id("a")).unwrap();
    assert_eq!(view.status.label.as_deref(), Some("edited"));
    assert!(cools(&auth, "a"));
    auth.reset(&id("a")).unwrap();
    assert_eq!(secret(&auth, "a", "access-token"), "new");
    assert_eq!(auth.list().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_4_stores_only_changes_from_the_source() {
    // A key of the configuration is never written, not even when it is called or cools.
    let store = Arc::new(MemoryStore::default());
    let auth = manager(vec![token("a", HOUR)], &store);
    auth.load(|_| None).await.unwrap();
    auth.register(token("a", HOUR)).await.unwrap();
    fail(&auth, "a");
    auth.flush().await.unwrap();
    assert!(store.records.lock().is_empty());
    assert_eq!(store.health.lock().len(), 1, "its health is");
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
    // The seed hides a model that nobody is fit for, and some never come back.
    fail(&auth, "a");
    fail(&auth, "b");
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
