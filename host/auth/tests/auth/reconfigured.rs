//! Reconfiguration: which state stays, which is removed, and what new credentials start with.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::{
    AuthManager, Definition, Origin, PersistedState, Reconfiguration, ReconfigureSummary,
    Refresher, Registration,
};
use jackfield_credential::PoolOptions;
use serde_json::json;

use crate::support::{HOUR, MemoryStore, Provider, access_token, at, id, lease, manager, token};

fn reconfigure(
    auth: &AuthManager,
    registrations: Vec<Registration>,
    persisted: PersistedState,
) -> ReconfigureSummary {
    let new = Reconfiguration {
        registrations,
        options: PoolOptions::default(),
        persisted,
    };
    auth.reconfigure(new, |_| {}).unwrap()
}

#[tokio::test(start_paused = true)]
async fn refreshed_tokens_survive_unchanged_source() {
    let store = Arc::new(MemoryStore::default());
    let auth = manager(vec![token("a", HOUR), token("b", HOUR)], &store);
    auth.set_refresher(Provider::new() as Arc<dyn Refresher>);
    let (a, b) = (id("a"), id("b"));
    auth.refresh(&a, 1).await.unwrap();
    auth.refresh(&b, 1).await.unwrap();
    let mut updated = token("b", HOUR);
    updated
        .secrets
        .insert("access-token".to_owned(), "at-login".to_owned().into());
    let summary = reconfigure(
        &auth,
        vec![token("a", HOUR), updated],
        PersistedState::default(),
    );
    assert_eq!((summary.changed, summary.added, summary.removed), (1, 0, 0));
    assert_eq!(access_token(&auth, "a"), "at-1-a");
    assert_eq!(access_token(&auth, "b"), "at-login");
}

#[tokio::test(start_paused = true)]
async fn readded_credential_is_restored_from_store() {
    let store = Arc::new(MemoryStore::default());
    let auth = manager(vec![token("a", HOUR), token("b", HOUR)], &store);
    auth.set_refresher(Provider::new() as Arc<dyn Refresher>);
    let a = id("a");
    auth.refresh(&a, 1).await.unwrap();
    let summary = reconfigure(&auth, vec![token("b", HOUR)], PersistedState::default());
    assert_eq!((summary.total, summary.removed), (1, 1));
    assert!(auth.get(&a).is_none());
    let persisted = auth.persisted_state().await.unwrap();
    reconfigure(&auth, vec![token("a", HOUR), token("b", HOUR)], persisted);
    assert_eq!(
        access_token(&auth, "a"),
        "at-1-a",
        "the refreshed token is restored"
    );
    // The next refresh replaces the stored record.
    auth.refresh(&a, u64::MAX).await.unwrap();
    assert_eq!(store.records.lock()[&a].version, 2);
}

#[tokio::test(start_paused = true)]
async fn invalid_configuration_changes_and_publishes_nothing() {
    let store = Arc::new(MemoryStore::default());
    let auth = manager(vec![token("a", HOUR)], &store);
    let published = Cell::new(0);
    let try_with = |registrations| {
        let new = Reconfiguration {
            registrations,
            options: PoolOptions::default(),
            persisted: PersistedState::default(),
        };
        auth.reconfigure(new, |number| published.set(number))
    };
    let refused = try_with(vec![token("b", HOUR), token("b", HOUR)]);
    assert!(refused.is_err());
    assert_eq!(published.get(), 0);
    let before = lease(&auth, "a");
    assert_eq!(before.configuration(), 0);
    try_with(vec![token("a", HOUR)]).unwrap();
    assert_eq!(published.get(), 1);
    assert_eq!(lease(&auth, "a").configuration(), 1);
    drop(before);
    assert_eq!(auth.lease_counts().open, 0);
}

#[tokio::test(start_paused = true)]
async fn changed_expiry_applies_unless_token_was_refreshed() {
    let store = Arc::new(MemoryStore::default());
    let auth = manager(vec![token("a", HOUR)], &store);
    auth.set_refresher(Provider::new() as Arc<dyn Refresher>);
    let a = id("a");
    let end = || auth.get(&a).unwrap().expires_at;
    let summary = reconfigure(&auth, vec![token("a", 2 * HOUR)], PersistedState::default());
    assert_eq!(summary.changed, 1);
    assert_eq!(end(), Some(at(2 * HOUR)));
    auth.refresh(&a, u64::MAX).await.unwrap();
    let refreshed = end();
    reconfigure(&auth, vec![token("a", 3 * HOUR)], PersistedState::default());
    assert_eq!(end(), refreshed);
}

#[tokio::test(start_paused = true)]
async fn persisted_state_includes_unsaved_admin_credentials() {
    let store = Arc::new(MemoryStore::default());
    let auth = manager(vec![token("a", HOUR)], &store);
    let mut created = token("created", HOUR);
    created.origin = Origin::Admin;
    created.definition = Some(Definition {
        body: json!({ "id": "created" }),
        secrets: created.secrets.clone(),
    });
    *store.failures.lock() = 100;
    auth.register(created).await.unwrap_err();
    let persisted = auth.persisted_state().await.unwrap();
    let ids: Vec<&str> = persisted
        .admin_created()
        .map(|record| record.id.as_str())
        .collect();
    assert_eq!(ids, ["created"]);
}

#[tokio::test(start_paused = true)]
async fn tokens_refreshed_during_removal_are_saved() {
    let store = Arc::new(MemoryStore::default());
    let auth = manager(vec![token("a", HOUR), token("b", HOUR)], &store);
    auth.set_refresher(Provider::new() as Arc<dyn Refresher>);
    let (a, b) = (id("a"), id("b"));
    let removing = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        reconfigure(&auth, Vec::new(), PersistedState::default());
        // One is added again before its refresh has ended.
        let persisted = auth.persisted_state().await.unwrap();
        reconfigure(&auth, vec![token("b", HOUR)], persisted);
    };
    let (_, refreshed, ()) = tokio::join!(auth.refresh(&a, 1), auth.refresh(&b, 1), removing);
    refreshed.unwrap();
    assert_eq!(access_token(&auth, "b"), "at-2-b");
    assert!(auth.get(&a).is_none());
    let persisted = auth.persisted_state().await.unwrap();
    reconfigure(&auth, vec![token("a", HOUR), token("b", HOUR)], persisted);
    assert_eq!(access_token(&auth, "a"), "at-1-a");
    auth.refresh(&a, u64::MAX).await.unwrap();
    assert_eq!(access_token(&auth, "a"), "at-3-a");
}

#[tokio::test(start_paused = true)]
async fn unsaved_tokens_of_removed_account_are_saved_later() {
    let store = Arc::new(MemoryStore::default());
    let auth = manager(vec![token("a", HOUR)], &store);
    auth.set_refresher(Provider::new() as Arc<dyn Refresher>);
    let a = id("a");
    *store.failures.lock() = u32::MAX;
    let removing = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        reconfigure(&auth, Vec::new(), PersistedState::default());
    };
    let (refreshed, ()) = tokio::join!(auth.refresh(&a, 1), removing);
    refreshed.unwrap();
    assert!(store.records.lock().is_empty());
    auth.flush().await.unwrap_err();
    *store.failures.lock() = 0;
    let persisted = auth.persisted_state().await.unwrap();
    assert!(store.records.lock().contains_key(&a));
    reconfigure(&auth, vec![token("a", HOUR)], persisted);
    assert_eq!(
        access_token(&auth, "a"),
        "at-1-a",
        "the refreshed token is restored"
    );
}

#[tokio::test(start_paused = true)]
async fn operator_override_survives_removal_before_save() {
    let store = Arc::new(MemoryStore::default());
    let auth = manager(vec![token("a", HOUR), token("b", HOUR)], &store);
    let (a, b) = (id("a"), id("b"));
    // The save of one fails; the save of the other is running.
    *store.failures.lock() = 1;
    auth.set_enabled(&a, false).await.unwrap_err();
    *store.takes.lock() = Duration::from_secs(1);
    let removing = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        reconfigure(&auth, Vec::new(), PersistedState::default());
    };
    let (saved, ()) = tokio::join!(auth.set_enabled(&b, false), removing);
    saved.unwrap();
    let persisted = auth.persisted_state().await.unwrap();
    reconfigure(&auth, vec![token("a", HOUR), token("b", HOUR)], persisted);
    for id in [a, b] {
        assert!(!auth.get(&id).unwrap().status.enabled, "{id}");
        assert_eq!(store.records.lock()[&id].enabled, Some(false), "{id}");
    }
}
