//! Tokens of any life are refreshed at a bounded rate, and calls wait for a token that has expired.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jackfield_auth::{AuthManager, RefreshError, RefreshFailure, Refresher, Registration};
use jackfield_credential::{Availability, Status, Timestamp};

use crate::support::{
    HOUR, MINUTE, MemoryStore, Provider, access_token, at, clock, id, lease, manager, run_for,
    secret, token, with_provider,
};

const SECOND: Duration = Duration::from_secs(1);

/// Returns a credential with a refresh token and no access token.
fn without_access_token(id: &str) -> Registration {
    let mut registration = token(id, HOUR);
    registration.secrets.remove("access-token");
    registration.expires_at = None;
    registration
}

/// Returns a manager of one token, and a provider whose tokens have this life.
fn setup(life: Option<Duration>) -> (AuthManager, Arc<Provider>) {
    let (auth, provider) = with_provider(vec![token("a", Duration::ZERO)]);
    *provider.life.lock() = life;
    (auth, provider)
}

/// Returns the pauses between the beginnings of refreshes.
fn pauses(began: &[Timestamp]) -> Vec<Duration> {
    let pauses = began.windows(2);
    pauses.map(|two| two[1].saturating_since(two[0])).collect()
}

#[tokio::test(start_paused = true)]
async fn tokens_that_live_no_longer_than_the_lead_are_refreshed_at_a_bounded_rate() {
    // The lead is 5 minutes. A life of zero is unknown, as one that is not reported.
    for (life, refreshes) in [
        (None, 2..=2),
        (Some(0), 2..=2),
        (Some(1), 240..=301),
        (Some(60), 18..=20),
        (Some(299), 4..=4),
        (Some(300), 4..=4),
        (Some(301), 4..=4),
        (Some(3600), 1..=1),
    ] {
        let (auth, provider) = setup(life.map(Duration::from_secs));
        run_for(&auth, 10 * MINUTE - SECOND).await;
        let began = provider.began.lock().clone();
        assert!(
            refreshes.contains(&began.len()),
            "{life:?}: {}",
            began.len()
        );
        assert!(
            pauses(&began).iter().all(|pause| *pause >= SECOND),
            "{life:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn long_interval_does_not_refresh_short_tokens_without_pause() {
    let mut hourly = token("a", Duration::ZERO);
    hourly.timing.interval = Some(HOUR);
    let (auth, provider) = with_provider(vec![hourly]);
    *provider.life.lock() = Some(MINUTE);
    run_for(&auth, 10 * MINUTE).await;
    let calls = provider.calls();
    assert!((18..=21).contains(&calls), "{calls}");
}

#[tokio::test(start_paused = true)]
async fn rejected_tokens_are_refreshed_five_seconds_apart_and_thrice_in_five_minutes() {
    let (auth, provider) = with_provider(vec![token("a", 900 * MINUTE)]);
    *provider.life.lock() = Some(10 * HOUR);
    let a = id("a");
    let calling = async {
        loop {
            let version = lease(&auth, "a").token_version();
            let refreshed = auth.refresh_rejected(&a, version).await;
            assert!(
                matches!(refreshed, Ok(()) | Err(RefreshError::Postponed { .. })),
                "{refreshed:?}"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        () = calling => {}
        () = run_for(&auth, 20 * MINUTE) => {}
    }
    let began = provider.began.lock().clone();
    assert!(pauses(&began).iter().all(|pause| *pause >= 5 * SECOND));
    for four in began.windows(4) {
        assert!(four[3].saturating_since(four[0]) >= 5 * MINUTE, "{began:?}");
    }
    assert!((4..=6).contains(&began.len()), "{began:?}");
}

#[tokio::test(start_paused = true)]
async fn rejected_token_is_refreshed_without_further_calls_once_that_is_allowed() {
    let (auth, provider) = with_provider(vec![token("a", 900 * MINUTE)]);
    *provider.life.lock() = Some(10 * HOUR);
    let down = RefreshError::Failed("status 503".into());
    provider.failures.lock().push_back(down.clone());
    // By its date the token is good for 900 minutes.
    assert_eq!(auth.refresh_rejected(&id("a"), 1).await, Err(down));
    run_for(&auth, 10 * SECOND).await;
    assert_eq!(access_token(&auth, "a"), "at-1-a");
    let due = auth.get(&id("a")).unwrap().refresh.due_at;
    assert!(due > Some(at(9 * HOUR)), "{due:?}");
}

#[tokio::test(start_paused = true)]
async fn calls_with_an_expired_token_share_the_refresh_under_way() {
    let (auth, provider) = setup(Some(HOUR));
    let a = id("a");
    let calls = (0..20).map(|_| async {
        let expired = lease(&auth, "a");
        assert!(expired.awaits_refresh());
        auth.refresh_expired(&a, expired.token_version())
            .await
            .unwrap();
        lease(&auth, "a").token_version()
    });
    assert_eq!(join_all(calls).await, [2; 20]);
    assert_eq!(provider.calls(), 1);
    assert!(!lease(&auth, "a").awaits_refresh());
}

#[tokio::test(start_paused = true)]
async fn expired_token_is_not_refreshed_during_the_backoff() {
    let (auth, provider) = setup(Some(HOUR));
    let failed = RefreshFailure {
        status: Some(503),
        ..RefreshFailure::from("down")
    };
    provider
        .failures
        .lock()
        .push_back(RefreshError::Failed(failed.clone()));
    let a = id("a");
    let first = auth.refresh_expired(&a, 1).await;
    assert_eq!(first, Err(RefreshError::Failed(failed.clone())));
    let second = auth.refresh_expired(&a, 1).await;
    let Err(RefreshError::Postponed { until, last }) = &second else {
        panic!("{second:?}");
    };
    assert!((at(5 * SECOND)..=at(6 * SECOND)).contains(until), "{until}");
    assert_eq!(last.as_ref(), Some(&failed));
    let message = second.unwrap_err().to_string();
    assert!(
        message.ends_with("the last one failed: status 503: down"),
        "{message}"
    );
    run_for(&auth, 9 * SECOND).await;
    assert_eq!(access_token(&auth, "a"), "at-1-a", "tried again by itself");
}

#[tokio::test(start_paused = true)]
async fn token_without_refresh_token_is_used_after_its_end() {
    let mut lone = token("a", Duration::ZERO);
    lone.secrets.remove("refresh-token");
    let (auth, _) = with_provider(vec![lone]);
    assert!(!lease(&auth, "a").awaits_refresh());
}

#[tokio::test(start_paused = true)]
async fn credential_with_only_a_refresh_token_is_refreshed_before_its_first_use() {
    let (auth, provider) = with_provider(vec![without_access_token("a"), token("b", HOUR)]);
    *provider.life.lock() = Some(HOUR);
    let waiting = lease(&auth, "a");
    assert!(waiting.awaits_refresh());
    assert_eq!(waiting.credential().secret_fields, ["refresh-token"]);
    run_for(&auth, 2 * SECOND).await;
    let refreshed = lease(&auth, "a");
    assert!(!refreshed.awaits_refresh());
    assert_eq!(
        refreshed.credential().secret_fields,
        ["access-token", "refresh-token"],
        "executors see the new secret"
    );
    assert_eq!(access_token(&auth, "a"), "at-1-a");
    // A reload of the same source keeps the token, and its name.
    auth.register(without_access_token("a")).await.unwrap();
    let fields = lease(&auth, "a").credential().secret_fields.clone();
    assert_eq!(fields, ["access-token", "refresh-token"]);
}

#[tokio::test(start_paused = true)]
async fn first_access_token_survives_restart() {
    let store = Arc::new(MemoryStore::default());
    let auth = manager(vec![without_access_token("a")], &store);
    auth.set_refresher(Provider::new() as Arc<dyn Refresher>);
    auth.refresh(&id("a"), 1).await.unwrap();
    let restarted = manager(vec![without_access_token("a")], &store);
    restarted.load(|_| None).await.unwrap();
    let lease = lease(&restarted, "a");
    assert_eq!(
        lease.credential().secret_fields,
        ["access-token", "refresh-token"]
    );
    assert_eq!(secret(&restarted, "a", "access-token"), "at-1-a");
}

#[tokio::test(start_paused = true)]
async fn rejected_refresh_leaves_a_valid_access_token_in_use() {
    let (auth, provider) = with_provider(vec![token("a", 10 * MINUTE)]);
    let rejected = RefreshError::Rejected("invalid_grant".into());
    provider.failures.lock().push_back(rejected);
    let a = id("a");
    run_for(&auth, 9 * MINUTE).await;
    let view = auth.get(&a).unwrap();
    assert_eq!(view.refresh.rejected.as_deref(), Some("invalid_grant"));
    assert_eq!(view.refresh.due_at, None);
    assert_eq!(view.aggregate.status, Status::Active);
    assert_eq!(access_token(&auth, "a"), "at-0-a");
    run_for(&auth, MINUTE + SECOND).await;
    let view = auth.get(&a).unwrap();
    assert_eq!(view.status.account.availability, Availability::Barred);
    assert_eq!(view.aggregate.status, Status::Pending);
    assert_eq!(provider.began.lock().len(), 1, "it is not repeated");
}

#[tokio::test(start_paused = true)]
async fn rejected_refresh_bars_once_the_access_token_is_rejected_too() {
    let (auth, provider) = with_provider(vec![token("a", HOUR)]);
    let rejected = RefreshError::Rejected("invalid_grant".into());
    provider.failures.lock().push_back(rejected.clone());
    let a = id("a");
    assert_eq!(auth.refresh(&a, 1).await, Err(rejected.clone()));
    let state = || auth.get(&a).unwrap().status.account.availability;
    assert_eq!(state(), Availability::Ready);
    assert_eq!(auth.refresh_rejected(&a, 1).await, Err(rejected));
    assert_eq!(state(), Availability::Barred);
}

#[tokio::test(start_paused = true)]
async fn rejection_of_the_old_refresh_token_does_not_bar_a_new_login() {
    let (auth, provider) = with_provider(vec![token("a", Duration::ZERO)]);
    let rejected = RefreshError::Rejected("invalid_grant".into());
    provider.failures.lock().push_back(rejected);
    let a = id("a");
    let login = async {
        tokio::time::sleep(SECOND / 2).await;
        let mut updated = token("a", HOUR);
        updated
            .secrets
            .insert("refresh-token".into(), "rt-login".into());
        auth.register(updated).await.unwrap();
    };
    let (refreshed, ()) = tokio::join!(auth.refresh(&a, 1), login);
    assert!(
        matches!(refreshed, Err(RefreshError::Failed(_))),
        "{refreshed:?}"
    );
    let view = auth.get(&a).unwrap();
    assert_eq!(view.status.account.availability, Availability::Ready);
    assert_eq!(view.refresh.rejected, None);
}

#[tokio::test(start_paused = true)]
async fn last_refresh_in_the_future_does_not_postpone_refreshes() {
    let mut skewed = token("a", 10 * MINUTE);
    skewed.refreshed_at = Some(at(1_000 * HOUR));
    let clock = clock();
    let (auth, provider) = with_provider(vec![skewed]);
    run_for(&auth, 9 * MINUTE).await;
    assert_eq!(provider.calls(), 1, "at {}", clock());
}
