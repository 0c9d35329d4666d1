//! What survives a restart, and what is forgotten.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::{AuthManager, ChangeError, LoadSummary, Origin, Refresher};
use jackfield_credential::{Availability, CredentialId, Failure, Outcome, Scope, kind};
use tokio::time::timeout;

use crate::support::{MemoryStore, Provider, access_token, at, lease, manager, token};

const HOUR: Duration = Duration::from_secs(3600);

fn fail(auth: &AuthManager, id: &str) {
    let failure = Failure {
        scope: Scope::Credential,
        kind: kind::AUTHENTICATION.into(),
        status: Some(401),
        message: "no".to_owned(),
        retry_after: None,
        refresh_suggested: false,
    };
    lease(auth, id).settle(Outcome::Failed(failure), at(Duration::ZERO), None);
}

async fn restarted(store: &Arc<MemoryStore>) -> (AuthManager, LoadSummary) {
    let auth = manager(vec![token("a", HOUR), token("b", HOUR)], store);
    let loaded = auth.load(|_| None).await.unwrap();
    (auth, loaded)
}

fn cools(auth: &AuthManager, id: &str) -> bool {
    let view = auth.get(&CredentialId::from(id)).unwrap();
    view.status.account.availability != Availability::Ready
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_4_load_restores_persisted_state() {
    let store = Arc::new(MemoryStore::default());
    let (auth, loaded) = restarted(&store).await;
    assert_eq!(loaded, LoadSummary::default());
    auth.set_refresher(Provider::new() as Arc<dyn Refresher>);
    let (a, b) = (CredentialId::from("a"), CredentialId::from("b"));
    auth.refresh(&a, 1).await.unwrap();
    auth.set_enabled(&b, false).await.unwrap();
    fail(&auth, "a");
    auth.flush().await.unwrap();
    drop(auth);

    let (auth, loaded) = restarted(&store).await;
    assert_eq!((loaded.refreshed, loaded.health), (1, 1));
    assert!(cools(&auth, "a"));
    assert!(!auth.get(&b).unwrap().status.enabled);
    auth.reset(&a).unwrap();
    assert_eq!(access_token(&auth, "a"), "at-1-a");
    auth.flush().await.unwrap();
    let (auth, loaded) = restarted(&store).await;
    assert_eq!(loaded.health, 0, "what is ready again is not kept");
    auth.set_enabled(&b, true).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn changed_source_secrets_override_refreshed_tokens() {
    let store = Arc::new(MemoryStore::default());
    let (auth, _) = restarted(&store).await;
    auth.set_refresher(Provider::new() as Arc<dyn Refresher>);
    auth.refresh(&CredentialId::from("a"), 1).await.unwrap();
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
    fail(&auth, "a");
    fail(&auth, "b");
    assert_eq!(
        *store.health_writes.lock(),
        0,
        "a result does not wait for the store"
    );
    let _ = timeout(Duration::from_millis(900), auth.run()).await;
    assert_eq!(
        (*store.health_writes.lock(), store.health.lock().len()),
        (1, 2)
    );
    let _ = timeout(Duration::from_secs(60), auth.run()).await;
    assert_eq!(
        *store.health_writes.lock(),
        1,
        "nothing changed, nothing is written"
    );
}

#[tokio::test(start_paused = true)]
async fn failing_store_is_retried_without_loss() {
    let store = Arc::new(MemoryStore::default());
    let (auth, _) = restarted(&store).await;
    *store.failures.lock() = 5;
    fail(&auth, "a");
    let _ = timeout(Duration::from_secs(120), auth.run()).await;
    assert_eq!((*store.failures.lock(), store.health.lock().len()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_4_remove_deletes_stored_state() {
    let store = Arc::new(MemoryStore::default());
    let (auth, _) = restarted(&store).await;
    let c = CredentialId::from("c");
    let mut created = token("c", HOUR);
    created.origin = Origin::Admin;
    auth.register(created.clone()).await.unwrap();
    auth.set_enabled(&c, true).await.unwrap();
    fail(&auth, "c");
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
    assert!(!cools(&auth, "c"), "who comes again begins anew");

    let refused = auth.remove(&CredentialId::from("a")).await;
    assert!(
        matches!(refused, Err(ChangeError::DefinedBySource { .. })),
        "{refused:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn sync_removes_only_credentials_of_its_source() {
    let store = Arc::new(MemoryStore::default());
    let (auth, _) = restarted(&store).await;
    let mut created = token("made", HOUR);
    created.origin = Origin::Admin;
    auth.register(created).await.unwrap();
    fail(&auth, "b");
    let mine = |origin: &Origin| *origin == Origin::Config;
    let ids = BTreeSet::from(["b", "new"].map(CredentialId::from));
    auth.sync(mine, &ids, vec![token("new", HOUR)])
        .await
        .unwrap();
    let ids: Vec<String> = auth
        .list()
        .iter()
        .map(|view| view.status.id.to_string())
        .collect();
    assert_eq!(ids, ["b", "made", "new"]);
    assert!(cools(&auth, "b"), "who stays keeps its health");
}

#[tokio::test(start_paused = true)]
async fn failed_delete_leaves_credential_registered() {
    let store = Arc::new(MemoryStore::default());
    let (auth, _) = restarted(&store).await;
    let mut created = token("made", HOUR);
    created.origin = Origin::Admin;
    auth.register(created).await.unwrap();
    let id = CredentialId::from("made");
    *store.failures.lock() = 1;
    let refused = auth.remove(&id).await;
    assert!(
        matches!(refused, Err(ChangeError::DeleteFailed(_))),
        "{refused:?}"
    );
    assert!(auth.get(&id).is_some());
    auth.remove(&id).await.unwrap();
    assert!(auth.get(&id).is_none());
}

#[tokio::test(start_paused = true)]
async fn unsaved_operator_override_is_saved_later() {
    let store = Arc::new(MemoryStore::default());
    let (auth, _) = restarted(&store).await;
    let b = CredentialId::from("b");
    *store.failures.lock() = 1;
    let result = auth.set_enabled(&b, false).await;
    assert!(
        matches!(result, Err(ChangeError::SaveFailed(_))),
        "{result:?}"
    );
    assert!(!auth.get(&b).unwrap().status.enabled, "it holds");
    auth.flush().await.unwrap();
    assert_eq!(store.records.lock()[&b].enabled, Some(false));
}
