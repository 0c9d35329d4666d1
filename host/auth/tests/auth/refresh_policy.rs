//! Executors that decide themselves when to refresh (CLIProxyAPI's `RefreshEvaluator`).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::{
    AuthManager, BoxFuture, PolicyQuery, RefreshError, RefreshJob, Refresher, Registration,
    TokenPatch,
};
use jackfield_credential::{CredentialId, CredentialKind, ProviderName, Timestamp};
use parking_lot::Mutex;
use tokio::time::sleep;

use crate::support::{
    Concurrency, MINUTE, Provider, access_token, at, clock, manager, run_for, token,
};

/// Refreshes like [`Provider`], and has a policy for all providers but `plain`.
struct PolicyRefresher {
    provider: Arc<Provider>,
    clock: jackfield_auth::Clock,
    decision: Mutex<Option<bool>>,
    /// How long a check takes.
    delay: Mutex<Duration>,
    /// The checks: when, of which credential, and the token's expiry.
    checks: Mutex<Vec<(Timestamp, CredentialId, Option<Timestamp>)>>,
    concurrency: Mutex<Concurrency>,
}

impl PolicyRefresher {
    fn new(decision: Option<bool>) -> Arc<Self> {
        Arc::new(Self {
            provider: Provider::new(),
            clock: clock(),
            decision: Mutex::new(decision),
            delay: Mutex::default(),
            checks: Mutex::default(),
            concurrency: Mutex::default(),
        })
    }

    fn check_count(&self) -> usize {
        self.checks.lock().len()
    }
}

impl Refresher for PolicyRefresher {
    fn refresh(&self, job: RefreshJob) -> BoxFuture<'_, Result<TokenPatch, RefreshError>> {
        self.provider.refresh(job)
    }

    fn lead(&self, provider: &ProviderName) -> Option<Duration> {
        self.provider.lead(provider)
    }

    fn has_refresh_policy(&self, provider: &ProviderName) -> bool {
        provider.as_str() != "plain"
    }

    fn should_refresh(&self, query: PolicyQuery) -> BoxFuture<'_, Option<bool>> {
        Box::pin(async move {
            let id = query.credential.id.clone();
            let check = ((self.clock)(), id, query.expires_at);
            self.checks.lock().push(check);
            self.concurrency.lock().enter();
            let delay = *self.delay.lock();
            sleep(delay).await;
            self.concurrency.lock().now -= 1;
            *self.decision.lock()
        })
    }
}

fn setup(
    registrations: Vec<Registration>,
    decision: Option<bool>,
) -> (AuthManager, Arc<PolicyRefresher>) {
    let auth = manager(registrations, &Arc::default());
    let executor = PolicyRefresher::new(decision);
    auth.set_refresher(Arc::<PolicyRefresher>::clone(&executor) as Arc<dyn Refresher>);
    (auth, executor)
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_14_policy_yes_refreshes_before_interval_and_lead() {
    let (auth, executor) = setup(vec![token("a", 600 * MINUTE)], Some(false));
    run_for(&auth, 10 * MINUTE).await;
    assert_eq!(access_token(&auth, "a"), "at-0-a");
    *executor.decision.lock() = Some(true);
    // The next check is at most a minute and a fifth away; the refresh takes a second. The policy
    // would refresh again soon, so stop at the first new token.
    let refreshed = async {
        while access_token(&auth, "a") == "at-0-a" {
            sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        () = run_for(&auth, 74 * MINUTE / 60) => {}
        () = refreshed => {}
    }
    assert_eq!(access_token(&auth, "a"), "at-1-a");
    let checks = executor.checks.lock();
    assert!(checks.iter().all(|(_, id, _)| id.as_str() == "a"));
    assert_eq!(
        checks[0].2,
        Some(at(600 * MINUTE)),
        "the query has the expiry"
    );
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_14_policy_no_overrides_lead() {
    let mut hourly = token("b", 30 * MINUTE);
    hourly.timing.interval = Some(20 * MINUTE);
    let (auth, executor) = setup(vec![token("a", 30 * MINUTE), hourly], Some(false));
    run_for(&auth, 60 * MINUTE).await;
    assert_eq!(executor.provider.calls(), 0);
    // Each is checked once a minute, give or take a fifth.
    let checks = executor.check_count();
    assert!((2 * 50..=2 * 76).contains(&checks), "{checks}");
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_14_policy_none_falls_back_to_interval_and_lead() {
    let (auth, executor) = setup(vec![token("a", 30 * MINUTE)], None);
    run_for(&auth, 25 * MINUTE - Duration::from_secs(1)).await;
    assert_eq!(executor.provider.calls(), 0);
    let before = executor.check_count();
    run_for(&auth, Duration::from_secs(3)).await;
    assert_eq!(access_token(&auth, "a"), "at-1-a");
    let last = executor.checks.lock().last().cloned().unwrap();
    assert!(
        executor.check_count() > before,
        "the policy is checked when the lead is due"
    );
    assert_eq!(last.0, at(25 * MINUTE));
}

#[tokio::test(start_paused = true)]
async fn always_true_policy_refreshes_at_most_once_a_minute() {
    let (auth, executor) = setup(vec![token("a", 600 * MINUTE)], Some(true));
    run_for(&auth, 60 * MINUTE).await;
    let calls = executor.provider.calls();
    assert!((48..=76).contains(&calls), "{calls}");
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_14_policy_is_skipped_for_keys_disabled_and_plain_executors() {
    let mut key = token("key", MINUTE);
    key.credential.kind = CredentialKind::ApiKey;
    let mut off = token("off", MINUTE);
    off.credential.enabled = false;
    let mut plain = token("plain", 10 * MINUTE);
    plain.credential.provider = "plain".into();
    let (auth, executor) = setup(vec![key, off, plain], Some(true));
    run_for(&auth, 6 * MINUTE).await;
    assert_eq!(executor.check_count(), 0);
    assert_eq!(access_token(&auth, "plain"), "at-1-plain", "by its lead");
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_14_failure_backoff_precedes_policy_check() {
    let (auth, executor) = setup(vec![token("a", 600 * MINUTE)], Some(true));
    let down = RefreshError::Failed("status 503".into());
    executor.provider.failures.lock().extend(vec![down; 4]);
    // 5, 15, 60 and 120 s, minus up to a fifth.
    let backoffs = Duration::from_secs(4 + 12 + 48 + 96);
    run_for(&auth, backoffs).await;
    let checks = executor.check_count();
    assert!(checks <= 5, "{checks} checks in {backoffs:?}");
    assert_eq!(access_token(&auth, "a"), "at-0-a");
    run_for(&auth, 2 * MINUTE).await;
    assert_ne!(access_token(&auth, "a"), "at-0-a");
}

#[tokio::test(start_paused = true)]
async fn hanging_policy_checks_are_bounded_and_block_no_other_refresh() {
    let ids: Vec<String> = (0..20).map(|number| format!("c{number:02}")).collect();
    let mut registrations: Vec<_> = ids.iter().map(|id| token(id, 600 * MINUTE)).collect();
    let mut plain = token("plain", 10 * MINUTE);
    plain.credential.provider = "plain".into();
    registrations.push(plain);
    let (auth, executor) = setup(registrations, Some(false));
    *executor.delay.lock() = 30 * MINUTE;
    run_for(&auth, 6 * MINUTE).await;
    assert_eq!(
        (executor.check_count(), executor.concurrency.lock().most),
        (4, 4)
    );
    assert_eq!(access_token(&auth, "plain"), "at-1-plain");
}

#[tokio::test(start_paused = true)]
async fn every_credential_is_checked() {
    let ids: Vec<String> = (0..200).map(|number| format!("c{number:03}")).collect();
    let registrations = ids.iter().map(|id| token(id, 600 * MINUTE)).collect();
    let (auth, executor) = setup(registrations, Some(false));
    *executor.delay.lock() = Duration::from_millis(10);
    run_for(&auth, Duration::from_secs(2)).await;
    let checks = executor.checks.lock();
    let checked: BTreeSet<_> = checks.iter().map(|(_, id, _)| id).collect();
    assert_eq!((checked.len(), checks.len()), (200, 200));
}

#[tokio::test(start_paused = true)]
async fn dropped_policy_check_is_repeated() {
    let (auth, executor) = setup(vec![token("a", 600 * MINUTE)], Some(true));
    *executor.delay.lock() = MINUTE;
    run_for(&auth, Duration::from_secs(1)).await;
    assert_eq!(executor.check_count(), 1);
    *executor.delay.lock() = Duration::ZERO;
    run_for(&auth, Duration::from_secs(2)).await;
    assert_eq!(
        (executor.check_count(), &*access_token(&auth, "a")),
        (2, "at-1-a")
    );
}

#[tokio::test(start_paused = true)]
async fn policy_decision_on_replaced_tokens_is_ignored() {
    let (auth, executor) = setup(vec![token("a", 600 * MINUTE)], Some(false));
    *executor.delay.lock() = Duration::from_secs(10);
    let login = async {
        sleep(Duration::from_secs(5)).await;
        let mut updated = token("a", 900 * MINUTE);
        updated
            .secrets
            .insert("access-token".into(), "at-login".into());
        auth.register(updated).await.unwrap();
        // The first check ends in five seconds; it is about the old token.
        sleep(Duration::from_secs(7)).await;
        let checks = executor.checks.lock().clone();
        assert_eq!(checks.len(), 2, "the new token is checked");
        assert_eq!(checks[1].2, Some(at(900 * MINUTE)));
    };
    tokio::join!(run_for(&auth, 2 * MINUTE), login);
    assert_eq!(access_token(&auth, "a"), "at-login");
}

#[tokio::test(start_paused = true)]
async fn reschedule_checks_newly_added_policy() {
    let mut a = token("a", 600 * MINUTE);
    a.credential.provider = "plain".into();
    let (auth, executor) = setup(vec![a.clone()], Some(true));
    run_for(&auth, MINUTE).await;
    assert_eq!(executor.check_count(), 0);
    a.credential.provider = "acme".into();
    auth.register(a).await.unwrap();
    auth.reschedule();
    run_for(&auth, Duration::from_secs(2)).await;
    assert_eq!(access_token(&auth, "a"), "at-1-a");
}

#[tokio::test(start_paused = true)]
async fn on_demand_refresh_postpones_policy_check() {
    let (auth, executor) = setup(vec![token("a", 600 * MINUTE)], Some(false));
    run_for(&auth, 45 * MINUTE / 60).await;
    auth.refresh(&CredentialId::from("a"), 1).await.unwrap();
    // Without the refresh, the next check would be at most a minute and a fifth after the first.
    run_for(&auth, 40 * MINUTE / 60).await;
    assert_eq!(executor.check_count(), 1);
    run_for(&auth, 45 * MINUTE / 60).await;
    assert_eq!(executor.check_count(), 2);
}
