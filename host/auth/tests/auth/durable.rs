//! What survives a restart, and what a removal deletes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::{AuthManager, ChangeError, LoadSummary, Origin, Refresher};
use jackfield_credential::{Availability, CredentialId, Failure, Outcome, Scope, kind};

use crate::support::{
    HOUR, MINUTE, MemoryStore, Provider, access_token, at, id, lease, manager, run_for, token,
};

/// Settles an attempt with a failure of the whole credential.
fn fail_account(auth: &AuthManager, id: &str) {
    let failure = Failure {
        scope: Scope::Credential,
        kind: kind::AUTHENTICATION.into(),
        status: Some(401),
        message: "no".to_owned(),
        retry_after: None,
        refresh_suggested: false,
        sent: true,
    };
    lease(auth, id).settle(Outcome::Failed(failure), at(Duration::ZERO), None);
}

async fn restarted(store: &Arc<MemoryStore>) -> (AuthManager, LoadSummary) {
    let auth = manager(vec![token("a", HOUR), token("b", HOUR)], store);
    let loaded = auth.load(|_| None).await.unwrap();
    (auth, loaded)
}

/// True if the account is not ready.
fn is_account_cooling(auth: &AuthManager, id: &str) -> bool {
    let view = auth.get(&self::id(id)).unwrap();
    view.status.account.availability != Availability::Ready
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_4_load_restores_persisted_state() {
    let store = Arc::new(MemoryStore::default());
    let (auth, loaded) = restarted(&store).await;
    assert_eq!(loaded, LoadSummary::default());
    auth.set_refresher(Provider::new() as Arc<dyn Refresher>);
    let (a, b) = (id("a"), id("b"));
    auth.refresh(&a, 1).await.unwrap();
    auth.set_enabled(&b, false).await.unwrap();
    fail_account(&auth, "a");
    auth.flush().await.unwrap();
    drop(auth);

    let (auth, loaded) = restarted(&store).await;
    assert_eq!((loaded.refreshed, loaded.health), (1, 1));
    assert!(is_account_cooling(&auth, "a"));
    assert!(!auth.get(&b).unwrap().status.enabled);
    auth.reset(&a).unwrap();
    assert_eq!(access_token(&auth, "a"), "at-1-a");
    auth.flush().await.unwrap();
    let (auth, loaded) = restarted(&store).await;
    assert_eq!(loaded.health, 0, "ready health is not stored");
    auth.set_enabled(&b, true).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn changed_source_secrets_override_refreshed_tokens() {
    let store = Arc::new(MemoryStore::default());
    let (auth, _) = restarted(&store).await;
    auth.set_refresher(Provider::new() as Arc<dyn Refresher>);
    auth.refresh(&id("a"), 1).await.unwrap();
    let mut updated = token("a", HOUR);
    updated
        .secrets
        .insert("access-token".to_owned(), "at-login".to_owned().into());
    let auth = manager(vec![updated], &store);
    auth.load(|_| None).await.unwrap();
    assert_eq!(access_token(&auth, "a"), "at-login");
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_4_health_writes_are_deferred_and_batched() {
    let store = Arc::new(MemoryStore::default());
    let (auth, _) = restarted(&store).await;
    fail_account(&auth, "a");
    fail_account(&auth, "b");
    assert_eq!(
        *store.health_writes.lock(),
        0,
        "a result does not wait for the store"
    );
    run_for(&auth, Duration::from_millis(900)).await;
    assert_eq!(
        (*store.health_writes.lock(), store.health.lock().len()),
        (1, 2)
    );
    run_for(&auth, MINUTE).await;
    assert_eq!(
        *store.health_writes.lock(),
        1,
        "without changes nothing is written"
    );
}

#[tokio::test(start_paused = true)]
async fn failing_store_is_retried_without_loss() {
    let store = Arc::new(MemoryStore::default());
    let (auth, _) = restarted(&store).await;
    *store.failures.lock() = 5;
    fail_account(&auth, "a");
    run_for(&auth, 2 * MINUTE).await;
    assert_eq!((*store.failures.lock(), store.health.lock().len()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_4_remove_deletes_stored_state() {
    let store = Arc::new(MemoryStore::default());
    let (auth, _) = restarted(&store).await;
    let c = id("c");
    let mut created = token("c", HOUR);
    created.origin = Origin::Admin;
    auth.register(created.clone()).await.unwrap();
    auth.set_enabled(&c, true).await.unwrap();
    fail_account(&auth, "c");
    auth.flush().await.unwrap();
    assert_eq!(
        (store.records.lock().len(), store.health.lock().len()),
        (1, 1)
    );
    auth.remove(&c).await.unwrap();
    assert_eq!(
        (store.records.lock().len(), store.health.lock().len()),
        (0, 0)
    );
    assert!(auth.get(&c).is_none());
    assert_eq!(auth.remove(&c).await, Err(ChangeError::NotFound(c.clone())));
    auth.register(created).await.unwrap();
    assert!(
        !is_account_cooling(&auth, "c"),
        "a credential added again has no history"
    );

    let refused = auth.remove(&id("a")).await;
    assert!(
        matches!(refused, Err(ChangeError::DefinedBySource { .. })),
        "{refused:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn sync_removes_only_credentials_of_its_source() {
    let store = Arc::new(MemoryStore::default());
    let (auth, _) = restarted(&store).await;
    let mut created = token("created", HOUR);
    created.origin = Origin::Admin;
    auth.register(created).await.unwrap();
    fail_account(&auth, "b");
    let mine = |origin: &Origin| *origin == Origin::Config;
    let remaining = BTreeSet::from(["b", "new"].map(CredentialId::from));
    auth.sync(mine, &remaining, vec![token("new", HOUR)])
        .await
        .unwrap();
    let ids: Vec<String> = auth
        .list()
        .iter()
        .map(|view| view.status.id.to_string())
        .collect();
    assert_eq!(ids, ["b", "created", "new"]);
    assert!(
        is_account_cooling(&auth, "b"),
        "a credential that stays keeps its health"
    );
}

#[tokio::test(start_paused = true)]
async fn failed_delete_leaves_credential_registered() {
    let store = Arc::new(MemoryStore::default());
    let (auth, _) = restarted(&store).await;
    let mut created = token("created", HOUR);
    created.origin = Origin::Admin;
    auth.register(created).await.unwrap();
    let created_id = id("created");
    *store.failures.lock() = 1;
    let refused = auth.remove(&created_id).await;
    assert!(
        matches!(refused, Err(ChangeError::DeleteFailed(_))),
        "{refused:?}"
    );
    assert!(auth.get(&created_id).is_some());
    auth.remove(&created_id).await.unwrap();
    assert!(auth.get(&created_id).is_none());
}

#[tokio::test(start_paused = true)]
async fn unsaved_operator_override_is_saved_later() {
    let store = Arc::new(MemoryStore::default());
    let (auth, _) = restarted(&store).await;
    let b = id("b");
    *store.failures.lock() = 1;
    let result = auth.set_enabled(&b, false).await;
    assert!(
        matches!(result, Err(ChangeError::SaveFailed(_))),
        "{result:?}"
    );
    assert!(
        !auth.get(&b).unwrap().status.enabled,
        "the change is in effect"
    );
    auth.flush().await.unwrap();
    assert_eq!(store.records.lock()[&b].enabled, Some(false));
}
