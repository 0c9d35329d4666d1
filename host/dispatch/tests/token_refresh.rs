//! Rejected tokens are refreshed, and calls wait for capacity.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::join_all;
use jackfield_auth::{BoxFuture, RefreshError, RefreshJob, Refresher, Registration, TokenPatch};
use jackfield_credential::{CredentialKind, ProviderName};
use jackfield_dispatch::CallError;
use std::time::Duration;
use tokio::time::{Instant, sleep};

use crate::chat_fixtures::{COMPLETION, error_body};
use crate::fake_upstream::{FakeUpstream, Script};
use crate::stage::{SECOND, Setting, Stage, failure, text};

/// A refresher that succeeds or fails.
struct FakeRefresher {
    calls: AtomicU32,
    result: Result<(), RefreshError>,
}

impl Refresher for FakeRefresher {
    fn refresh(&self, job: RefreshJob) -> BoxFuture<'_, Result<TokenPatch, RefreshError>> {
        Box::pin(async move {
            self.calls.fetch_add(1, Ordering::Relaxed);
            sleep(SECOND).await;
            let key = format!("sk-of-{}", job.credential.id);
            self.result.clone().map(|()| TokenPatch {
                secrets: BTreeMap::from([("api-key".to_owned(), key.into())]),
                expires_at: None,
            })
        })
    }

    fn lead(&self, _: &ProviderName) -> Option<Duration> {
        None
    }
}

/// A stage whose credentials have tokens. The first `refused` requests get a 401.
fn stage(
    credentials: usize,
    refused: usize,
    result: Result<(), RefreshError>,
) -> (Stage, Arc<FakeRefresher>) {
    let upstream = FakeUpstream::new(move |_, before| {
        if before < refused {
            Script::json(401, error_body("expired", "invalid_request_error"))
        } else {
            Script::json(200, COMPLETION)
        }
    });
    let setting = Setting::new(credentials).registered(|registration: &mut Registration| {
        registration.credential.kind = CredentialKind::Oauth;
    });
    let stage = setting.stage(upstream);
    let fake_refresher = Arc::new(FakeRefresher {
        calls: AtomicU32::new(0),
        result,
    });
    let refresher = Arc::<FakeRefresher>::clone(&fake_refresher);
    stage.dispatcher.auth().set_refresher(refresher);
    (stage, fake_refresher)
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_19_refreshes_and_retries_same_credential_after_401() {
    let (stage, fake_refresher) = stage(2, 1, Ok(()));
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    assert_eq!(stage.upstream.credentials(), ["a", "a"]);
    assert_eq!(fake_refresher.calls.load(Ordering::Relaxed), 1);
    assert!(stage.cooling().is_empty() && stage.failed_credentials().is_empty());
    let counts = stage.counts();
    assert_eq!(
        (counts.success, counts.inconclusive, counts.failed),
        (1, 1, 0)
    );
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn concurrent_401s_share_one_refresh() {
    let (stage, fake_refresher) = stage(1, 32, Ok(()));
    let calls = (0..32).map(|_| async { text(stage.whole().await).await });
    for response in join_all(calls).await {
        assert_eq!(response, COMPLETION);
    }
    assert_eq!(fake_refresher.calls.load(Ordering::Relaxed), 1);
    assert!(stage.cooling().is_empty());
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn second_401_after_refresh_counts_as_failure() {
    let (stage, fake_refresher) = stage(2, 4, Ok(()));
    let failure = failure(stage.whole().await);
    assert_eq!(failure.failure.status, Some(401));
    assert_eq!(stage.upstream.credentials(), ["a", "a", "b", "b"]);
    assert_eq!(fake_refresher.calls.load(Ordering::Relaxed), 2);
    assert_eq!(stage.cooling(), ["a", "b"]);
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn failed_refresh_fails_over() {
    let rejected = RefreshError::Rejected("invalid_grant".to_owned());
    let (stage, _) = stage(2, 1, Err(rejected));
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    assert_eq!(stage.upstream.credentials(), ["a", "b"]);
    assert_eq!(stage.cooling(), ["a"], "it is barred");
    let counts = stage.counts();
    assert_eq!((counts.success, counts.failed), (1, 1));
    stage.assert_closed();
}

fn one_at_a_time(takes: Duration) -> Stage {
    let setting = Setting::new(1).registered(|registration: &mut Registration| {
        registration.credential.in_flight_max = NonZeroU32::new(1);
    });
    let script = move |_: &str, _| Script::json(200, COMPLETION).after(takes);
    setting.stage(FakeUpstream::new(script))
}

#[tokio::test(start_paused = true)]
async fn calls_above_in_flight_max_are_queued() {
    let stage = one_at_a_time(SECOND);
    let start = Instant::now();
    let calls = (0..8).map(|_| async { text(stage.whole().await).await });
    for response in join_all(calls).await {
        assert_eq!(response, COMPLETION);
    }
    assert_eq!(start.elapsed(), 8 * SECOND);
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn queue_timeout_returns_busy_error() {
    let stage = one_at_a_time(50 * SECOND);
    let (one, other) = tokio::join!(stage.whole(), stage.whole());
    // The order of the two is not defined.
    let (served, rejected) = if one.is_ok() {
        (one, other)
    } else {
        (other, one)
    };
    assert!(served.is_ok(), "{served:?}");
    let Err(CallError::NoCredentialAvailable(none)) = rejected else {
        panic!("it should wait in vain");
    };
    assert!(none.unavailable.has_busy(), "{none}");
    stage.assert_closed();
}
