//! A whole new configuration: what stays, what goes, and what is known of those that are new.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::{
    AuthManager, Counted, Definition, Kept, Origin, Reconfiguration, Refresher, Registration,
};
use jackfield_credential::{CredentialId, PoolOptions};
use serde_json::json;

use crate::stage::{MemoryStore, Provider, access_token, at, lease, manager, token};

const HOUR: Duration = Duration::from_secs(3600);

fn reconfigure(auth: &AuthManager, registrations: Vec<Registration>, kept: Kept) -> Counted {
    let new = Reconfiguration {
        registrations,
        options: PoolOptions::default(),
        kept,
    };
    auth.reconfigure(new, |_| {}).unwrap()
}

#[tokio::test(start_paused = true)]
async fn renewed_tokens_stay_while_the_source_says_the_same() {
    let store = Arc::new(MemoryStore::default());
    let auth = manager(vec![token("a", HOUR), token("b", HOUR)], &store);
    auth.set_refresher(Provider::new() as Arc<dyn Refresher>);
    let (a, b) = (CredentialId::from("a"), CredentialId::from("b"));
    auth.refresh(&a, 1).await.unwrap();
    auth.refresh(&b, 1).await.unwrap();
    let mut anew = token("b", HOUR);
    anew.secrets
        .insert("access-token".to_owned(), "at-login".to_owned().into());
    let counted = reconfigure(&auth, vec![token("a", HOUR), anew], Kept::default());
    assert_eq!((counted.changed, counted.added, counted.removed), (1, 0, 0));
    assert_eq!(access_token(&auth, "a"), "at-1-a");
    assert_eq!(access_token(&auth, "b"), "at-login");
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_is_as_after_a_restart() {
    let store = Arc::new(MemoryStore::default());
    let auth = manager(vec![token("a", HOUR), token("b", HOUR)], &store);
    auth.set_refresher(Provider::new() as Arc<dyn Refresher>);
    let a = CredentialId::from("a");
    auth.refresh(&a, 1).await.unwrap();
    let counted = reconfigure(&auth, vec![token("b", HOUR)], Kept::default());
    assert_eq!((counted.all, counted.removed), (1, 1));
    assert!(auth.get(&a).is_none());
    let kept = auth.kept().await.unwrap();
    reconfigure(&auth, vec![token("a", HOUR), token("b", HOUR)], kept);
    assert_eq!(access_token(&auth, "a"), "at-1-a", "the old one is void");
    // It is renewed again, and saved over what is there.
    auth.refresh(&a, u64::MAX).await.unwrap();
    assert_eq!(store.records.lock()[&a].version, 2);
}

#[tokio::test(start_paused = true)]
async fn what_the_pool_refuses_changes_and_publishes_nothing() {
    let store = Arc::new(MemoryStore::default());
    let auth = manager(vec![token("a", HOUR)], &store);
    let published = Cell::new(0);
    let try_with = |registrations| {
        let new = Reconfiguration {
            registrations,
            options: PoolOptions::default(),
            kept: Kept::default(),
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
    assert_eq!(auth.leases_open(), 0);
}

#[tokio::test(start_paused = true)]
async fn another_end_of_the_same_token_counts_unless_it_was_renewed() {
    let store = Arc::new(MemoryStore::default());
    let auth = manager(vec![token("a", HOUR)], &store);
    auth.set_refresher(Provider::new() as Arc<dyn Refresher>);
    let a = CredentialId::from("a");
    let end = || auth.get(&a).unwrap().expires_at;
    let counted = reconfigure(&auth, vec![token("a", 2 * HOUR)], Kept::default());
    assert_eq!(counted.changed, 1);
    assert_eq!(end(), Some(at(2 * HOUR)));
    auth.refresh(&a, u64::MAX).await.unwrap();
    let renewed = end();
    reconfigure(&auth, vec![token("a", 3 * HOUR)], Kept::default());
    assert_eq!(end(), renewed);
}

#[tokio::test(start_paused = true)]
async fn what_the_admin_api_made_is_kept_even_before_it_is_saved() {
    let store = Arc::new(MemoryStore::default());
    let auth = manager(vec![token("a", HOUR)], &store);
    let mut made = token("made", HOUR);
    made.origin = Origin::Admin;
    made.definition = Some(Definition {
        body: json!({ "id": "made" }),
        secrets: made.secrets.clone(),
    });
    *store.failures.lock() = 100;
    auth.register(made).await.unwrap_err();
    let kept = auth.kept().await.unwrap();
    let ids: Vec<&str> = kept.made().map(|record| record.id.as_str()).collect();
    assert_eq!(ids, ["made"]);
}

#[tokio::test(start_paused = true)]
async fn tokens_that_are_renewed_while_their_account_goes_are_kept() {
    let store = Arc::new(MemoryStore::default());
    let auth = manager(vec![token("a", HOUR), token("b", HOUR)], &store);
    auth.set_refresher(Provider::new() as Arc<dyn Refresher>);
    let (a, b) = (CredentialId::from("a"), CredentialId::from("b"));
    let go = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        reconfigure(&auth, Vec::new(), Kept::default());
        // One comes back before its refresh has ended.
        let kept = auth.kept().await.unwrap();
        reconfigure(&auth, vec![token("b", HOUR)], kept);
    };
    let (_, renewed, ()) = tokio::join!(auth.refresh(&a, 1), auth.refresh(&b, 1), go);
    renewed.unwrap();
    assert_eq!(access_token(&auth, "b"), "at-2-b");
    assert!(auth.get(&a).is_none());
    let kept = auth.kept().await.unwrap();
    reconfigure(&auth, vec![token("a", HOUR), token("b", HOUR)], kept);
    assert_eq!(access_token(&auth, "a"), "at-1-a");
    auth.refresh(&a, u64::MAX).await.unwrap();
    assert_eq!(access_token(&auth, "a"), "at-3-a");
}

#[tokio::test(start_paused = true)]
async fn tokens_that_cannot_be_saved_while_their_account_goes_are_saved_later() {
    let store = Arc::new(MemoryStore::default());
    let auth = manager(vec![token("a", HOUR)], &store);
    auth.set_refresher(Provider::new() as Arc<dyn Refresher>);
    let a = CredentialId::from("a");
    *store.failures.lock() = u32::MAX;
    let go = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        reconfigure(&auth, Vec::new(), Kept::default());
    };
    let (renewed, ()) = tokio::join!(auth.refresh(&a, 1), go);
    renewed.unwrap();
    assert!(store.records.lock().is_empty());
    auth.flush().await.unwrap_err();
    *store.failures.lock() = 0;
    let kept = auth.kept().await.unwrap();
    assert!(store.records.lock().contains_key(&a));
    reconfigure(&auth, vec![token("a", HOUR)], kept);
    assert_eq!(access_token(&auth, "a"), "at-1-a", "the old one is void");
}

#[tokio::test(start_paused = true)]
async fn the_operators_word_is_kept_though_the_account_goes_before_it_is_saved() {
    let store = Arc::new(MemoryStore::default());
    let auth = manager(vec![token("a", HOUR), token("b", HOUR)], &store);
    let (a, b) = (CredentialId::from("a"), CredentialId::from("b"));
    // Of one the saving fails, of the other it is under way.
    *store.failures.lock() = 1;
    auth.set_enabled(&a, false).await.unwrap_err();
    *store.takes.lock() = Duration::from_secs(1);
    let go = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        reconfigure(&auth, Vec::new(), Kept::default());
    };
    let (saved, ()) = tokio::join!(auth.set_enabled(&b, false), go);
    saved.unwrap();
    let kept = auth.kept().await.unwrap();
    reconfigure(&auth, vec![token("a", HOUR), token("b", HOUR)], kept);
    for id in [a, b] {
        assert!(!auth.get(&id).unwrap().status.enabled, "{id}");
        assert_eq!(store.records.lock()[&id].enabled, Some(false), "{id}");
    }
}
