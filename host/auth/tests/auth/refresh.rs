//! Tokens are refreshed in time, once for all concurrent callers, without losing other changes.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jackfield_auth::{AuthManager, Origin, RefreshError, Refresher, StoredCredential};
use jackfield_credential::{Availability, Failure, Outcome, Scope, Status, kind};
use proptest::prelude::*;
use secrecy::ExposeSecret;
use tokio::time::{sleep, timeout};

use crate::support::{
    MINUTE, MemoryStore, Provider, access_token, at, id, lease, manager, run_for, token,
    with_provider,
};

fn setup(ids: &[&str], expires_after: Duration) -> (AuthManager, Arc<MemoryStore>, Arc<Provider>) {
    let store = Arc::new(MemoryStore::default());
    let auth = manager(
        ids.iter().map(|id| token(id, expires_after)).collect(),
        &store,
    );
    let provider = Provider::new();
    auth.set_refresher(Arc::<Provider>::clone(&provider) as Arc<dyn Refresher>);
    (auth, store, provider)
}

#[tokio::test(start_paused = true)]
async fn refreshes_token_before_expiry() {
    let (auth, store, provider) = setup(&["a"], 10 * MINUTE);
    run_for(&auth, 5 * MINUTE - Duration::from_secs(1)).await;
    assert_eq!(
        (provider.calls(), &*access_token(&auth, "a")),
        (0, "at-0-a")
    );
    run_for(&auth, Duration::from_secs(3)).await;
    assert_eq!(
        (provider.calls(), &*access_token(&auth, "a")),
        (1, "at-1-a")
    );
    assert!(store.records.lock().contains_key(&id("a")), "it is saved");
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_14_skips_refresh_of_keys_and_disabled_credentials() {
    let mut key = token("key", MINUTE);
    key.credential.kind = jackfield_credential::CredentialKind::ApiKey;
    let mut off = token("off", MINUTE);
    off.credential.enabled = false;
    let (auth, provider) = with_provider(vec![key, off]);
    run_for(&auth, 60 * MINUTE).await;
    assert_eq!(provider.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn concurrent_callers_share_one_refresh() {
    let (auth, _, provider) = setup(&["a"], 60 * MINUTE);
    let version = lease(&auth, "a").token_version();
    let a = id("a");
    let refreshes = (0..100).map(|_| auth.refresh(&a, version));
    let results = join_all(refreshes).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(provider.calls(), 1);
    assert_eq!(
        auth.refresh(&a, version).await,
        Ok(()),
        "the tokens are newer"
    );
    assert_eq!(provider.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn cancelled_caller_does_not_cancel_shared_refresh() {
    let (auth, _, provider) = setup(&["a"], 60 * MINUTE);
    let (a, other) = (id("a"), auth.clone());
    let first = timeout(Duration::from_millis(10), auth.refresh(&a, 1));
    let second = async {
        sleep(Duration::from_millis(5)).await;
        other.refresh(&a, 1).await
    };
    let (cancelled, stayed) = tokio::join!(first, second);
    assert!(cancelled.is_err());
    assert_eq!((stayed, provider.calls()), (Ok(()), 1));
}

#[tokio::test(start_paused = true)]
async fn refresh_completes_without_callers() {
    let (auth, _, provider) = setup(&["a"], 60 * MINUTE);
    let a = id("a");
    assert!(
        timeout(Duration::from_millis(10), auth.refresh(&a, 1))
            .await
            .is_err()
    );
    assert_eq!(provider.calls(), 1);
    run_for(&auth, Duration::from_secs(2)).await;
    assert_eq!(access_token(&auth, "a"), "at-1-a");
}

#[tokio::test(start_paused = true)]
async fn publishes_tokens_only_after_save() {
    let (auth, store, _) = setup(&["a"], 60 * MINUTE);
    *store.takes.lock() = Duration::from_secs(3);
    let a = id("a");
    let watching = async {
        sleep(Duration::from_millis(3900)).await;
        assert_eq!(access_token(&auth, "a"), "at-0-a", "not yet saved");
        assert!(store.records.lock().is_empty());
    };
    let (result, ()) = tokio::join!(auth.refresh(&a, 1), watching);
    assert_eq!(result, Ok(()));
    assert!(store.records.lock()[&a].tokens.is_some());
    assert_eq!(access_token(&auth, "a"), "at-1-a");
}

#[tokio::test(start_paused = true)]
async fn retries_token_save_until_store_recovers() {
    let (auth, store, provider) = setup(&["a"], 60 * MINUTE);
    *store.failures.lock() = 3;
    assert_eq!(auth.refresh(&id("a"), 1).await, Ok(()));
    assert_eq!(provider.calls(), 1, "one request to the provider");
    assert!(store.records.lock()[&id("a")].tokens.is_some());
}

#[tokio::test(start_paused = true)]
async fn rejected_refresh_bars_credential_until_secrets_change() {
    let (auth, _, provider) = setup(&["a", "b"], Duration::ZERO);
    let rejected = RefreshError::Rejected("invalid_grant".into());
    provider.failures.lock().push_back(rejected.clone());
    let a = id("a");
    assert_eq!(auth.refresh(&a, 1).await, Err(rejected.clone()));
    let view = auth.get(&a).unwrap();
    assert_eq!(view.status.account.availability, Availability::Barred);
    assert_eq!(view.aggregate.status, Status::Pending);
    assert_eq!(view.refresh.rejected.as_deref(), Some("invalid_grant"));
    assert_eq!(
        auth.refresh(&a, 1).await,
        Err(rejected),
        "without another request"
    );
    run_for(&auth, 600 * MINUTE).await;
    let now = auth.get(&a).unwrap();
    assert_eq!((now.refresh.running, now.refresh.due_at), (false, None));

    let mut updated = token("a", 900 * MINUTE);
    updated
        .secrets
        .insert("refresh-token".to_owned(), "rt-login".to_owned().into());
    auth.register(updated).await.unwrap();
    let view = auth.get(&a).unwrap();
    assert_eq!(view.status.account.availability, Availability::Ready);
    assert_eq!(auth.refresh(&a, 2).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_14_failed_refresh_backs_off_without_affecting_health() {
    let (auth, _, provider) = setup(&["a"], 6 * MINUTE);
    let failed = RefreshError::Failed("out of order".into());
    provider.failures.lock().extend(vec![failed; 3]);
    run_for(&auth, MINUTE + Duration::from_secs(3)).await;
    let view = auth.get(&id("a")).unwrap();
    assert_eq!(view.refresh.failures, 1);
    let last = view.refresh.last_failure.unwrap();
    assert_eq!(last.at, at(MINUTE + Duration::from_secs(1)));
    assert_eq!(last.failure.message, "out of order");
    assert_eq!(view.status.account.availability, Availability::Ready);
    assert_eq!(access_token(&auth, "a"), "at-0-a");
    run_for(&auth, 3 * MINUTE).await;
    assert_eq!(access_token(&auth, "a"), "at-1-a");
    let refresh = auth.get(&id("a")).unwrap().refresh;
    assert_eq!((refresh.failures, refresh.last_failure), (0, None));
    let began = provider.began.lock();
    let pauses = began.windows(2).map(|two| two[1].saturating_since(two[0]));
    // 5, 15 and 60 s, minus up to a fifth; each refresh takes a second.
    for (pause, expected) in pauses.zip([5, 15, 60]) {
        let share = (pause.as_secs_f64() - 1.0) / f64::from(expected);
        assert!(
            (0.8..=1.001).contains(&share),
            "{pause:?}, not {expected} s"
        );
    }
    assert_eq!(began.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn limits_concurrent_refreshes_per_provider() {
    let ids: Vec<String> = (0..20).map(|number| format!("c{number:02}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let (auth, _, provider) = setup(&ids, MINUTE);
    run_for(&auth, Duration::from_secs(30)).await;
    assert_eq!(
        (provider.calls(), provider.concurrency.lock().most),
        (20, 4)
    );
}

#[tokio::test(start_paused = true)]
async fn operator_edit_wins_over_running_refresh() {
    let (auth, _, _) = setup(&["a"], 60 * MINUTE);
    let editing = async {
        sleep(Duration::from_millis(500)).await;
        let mut updated = token("a", 60 * MINUTE);
        updated
            .secrets
            .insert("access-token".to_owned(), "at-operators".to_owned().into());
        auth.register(updated).await.unwrap();
    };
    let a = id("a");
    let (result, ()) = tokio::join!(auth.refresh(&a, 1), editing);
    assert!(matches!(result, Err(RefreshError::Failed(_))), "{result:?}");
    assert_eq!(access_token(&auth, "a"), "at-operators");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Results that arrive during a refresh have the same effect as without one, and the refresh
    /// still replaces the tokens.
    #[test]
    fn refresh_and_results_commute(
        results in prop::collection::vec((0_u64..2_000, result()), 0..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let with = runtime.block_on(run_with_results(results.clone(), true));
        let without = runtime.block_on(run_with_results(results, false));
        prop_assert_eq!(&with.0, &without.0);
        prop_assert_eq!((&*with.1, &*without.1), ("at-1-a", "at-0-a"));
    }
}

async fn run_with_results(
    results: Vec<(u64, Outcome)>,
    refresh: bool,
) -> (Vec<Availability>, String) {
    let (auth, _, _) = setup(&["a"], 60 * MINUTE);
    let a = id("a");
    let settling = async {
        for (pause, outcome) in results {
            sleep(Duration::from_millis(pause)).await;
            let now = at(Duration::from_secs(1));
            let Ok(set) = auth.candidates(
                &jackfield_credential::CandidateQuery::first_round("gpt"),
                now,
            ) else {
                continue;
            };
            auth.lease(&set, 0, now).unwrap().settle(outcome, now, None);
        }
    };
    let refreshing = async {
        if refresh {
            auth.refresh(&a, 1).await.unwrap();
        }
    };
    tokio::join!(settling, refreshing);
    let view = auth.get(&a).unwrap();
    let health = std::iter::once(view.status.account.availability);
    let models = view.status.models.iter();
    let health = health
        .chain(models.map(|model| model.health.availability))
        .collect();
    auth.reset(&a).unwrap();
    (health, access_token(&auth, "a"))
}

fn result() -> impl Strategy<Value = Outcome> {
    let failure = |(scope, status): (Scope, u16)| {
        Outcome::Failed(Failure {
            scope,
            kind: kind::TRANSIENT.into(),
            status: Some(status),
            message: String::new(),
            retry_after: None,
            refresh_suggested: false,
            sent: true,
        })
    };
    let scopes = prop::sample::select(vec![Scope::Model, Scope::Credential, Scope::Transport]);
    prop_oneof![
        Just(Outcome::Success),
        Just(Outcome::Cancelled),
        (scopes, 500_u16..504).prop_map(failure),
    ]
}

#[tokio::test(start_paused = true)]
async fn refresh_of_removed_credential_does_not_affect_its_successor() {
    let store = Arc::new(MemoryStore::default());
    let mut created = token("a", 60 * MINUTE);
    created.origin = Origin::Admin;
    let auth = manager(vec![created.clone()], &store);
    let provider = Provider::new();
    auth.set_refresher(Arc::<Provider>::clone(&provider) as Arc<dyn Refresher>);
    let (a, other) = (id("a"), auth.clone());
    let first_refresh = other.refresh(&a, 1);
    let another = async {
        sleep(Duration::from_millis(500)).await;
        auth.remove(&a).await.unwrap();
        created
            .secrets
            .insert("access-token".into(), "other".into());
        created.secrets.insert("refresh-token".into(), "rt".into());
        auth.register(created.clone()).await.unwrap();
        // The refresh of the new credential is running when the old one's ends.
        timeout(Duration::from_millis(800), auth.refresh(&a, 1)).await
    };
    let (first, second) = tokio::join!(first_refresh, another);
    assert_eq!(first, Err(RefreshError::NotFound));
    assert!(second.is_err(), "it is still running");
    assert_eq!(access_token(&auth, "a"), "other");
    assert_eq!(auth.refresh(&a, 1).await, Ok(()));
    assert_eq!(provider.calls(), 2, "each was refreshed once");
    assert_eq!(access_token(&auth, "a"), "at-2-a");
}

#[tokio::test(start_paused = true)]
async fn refreshed_tokens_overwrite_conflicting_record() {
    let (auth, store, _) = setup(&["a"], 60 * MINUTE);
    let conflicting = StoredCredential {
        id: id("a"),
        enabled: None,
        tokens: None,
        definition: None,
        created_at: at(Duration::ZERO),
        updated_at: at(Duration::ZERO),
        version: 7,
    };
    store.records.lock().insert(id("a"), conflicting);
    assert_eq!(auth.refresh(&id("a"), 1).await, Ok(()));
    assert_eq!(access_token(&auth, "a"), "at-1-a");
    let records = store.records.lock();
    let stored = records[&id("a")].tokens.as_ref().unwrap();
    assert_eq!(stored.secrets["refresh-token"].expose_secret(), "rt-1-a");
}

#[tokio::test(start_paused = true)]
async fn unsaved_tokens_are_saved_after_store_recovers() {
    let (auth, store, _) = setup(&["a"], 60 * MINUTE);
    *store.failures.lock() = 4;
    assert_eq!(auth.refresh(&id("a"), 1).await, Ok(()));
    assert!(store.records.lock().is_empty());
    assert_eq!(access_token(&auth, "a"), "at-1-a", "the tokens are used");
    assert!(auth.get(&id("a")).unwrap().refresh.is_unsaved);
    run_for(&auth, Duration::from_secs(2)).await;
    assert!(!auth.get(&id("a")).unwrap().refresh.is_unsaved);
    let records = store.records.lock();
    let stored = records[&id("a")].tokens.as_ref().unwrap();
    assert_eq!(stored.secrets["refresh-token"].expose_secret(), "rt-1-a");
}

#[tokio::test(start_paused = true)]
async fn login_during_token_save_wins() {
    let (auth, store, _) = setup(&["a"], 60 * MINUTE);
    *store.takes.lock() = Duration::from_secs(2);
    let mut updated = token("a", 60 * MINUTE);
    updated
        .secrets
        .insert("access-token".into(), "at-login".into());
    let a = id("a");
    let login = async {
        // The provider responds after one second; the save ends after three.
        sleep(Duration::from_secs(2)).await;
        auth.register(updated).await
    };
    let (refreshed, login) = tokio::join!(auth.refresh(&a, 1), login);
    assert!(
        matches!(refreshed, Err(RefreshError::Failed(_))),
        "{refreshed:?}"
    );
    assert_eq!(login, Ok(()));
    assert_eq!(access_token(&auth, "a"), "at-login");
}
