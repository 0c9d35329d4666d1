//! Rejected tokens are refreshed, and calls wait for capacity.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::join_all;
use jackfield_auth::{
    BoxFuture, Origin, RefreshError, RefreshFailure, RefreshJob, Refresher, Registration,
    TokenPatch,
};
use jackfield_credential::{CredentialId, CredentialKind, ProviderName};
use jackfield_dispatch::CallError;
use std::time::Duration;
use tokio::time::{Instant, sleep};

use crate::chat_fixtures::{COMPLETION, error_body};
use crate::fake_upstream::{FakeUpstream, Script};
use crate::stage::{EPOCH, SECOND, Setting, Stage, failure, text};

/// A refresher whose first refreshes fail.
struct FakeRefresher {
    calls: AtomicU32,
    /// The errors of the first refreshes; all later ones succeed.
    errors: Vec<RefreshError>,
}

impl Refresher for FakeRefresher {
    fn refresh(&self, job: RefreshJob) -> BoxFuture<'_, Result<TokenPatch, RefreshError>> {
        Box::pin(async move {
            let number = self.calls.fetch_add(1, Ordering::Relaxed);
            sleep(SECOND).await;
            if let Some(error) = self.errors.get(usize::try_from(number).unwrap()) {
                return Err(error.clone());
            }
            let key = format!("sk-of-{}", job.credential.id);
            Ok(TokenPatch {
                secrets: BTreeMap::from([("api-key".to_owned(), key.into())]),
                expires_at: None,
            })
        })
    }

    fn lead(&self, _: &ProviderName) -> Option<Duration> {
        None
    }
}

/// A stage whose credentials have tokens. The first `refused` requests get a 401, and the first refreshes
/// these errors.
fn stage(
    credentials: usize,
    refused: usize,
    errors: Vec<RefreshError>,
) -> (Stage, Arc<FakeRefresher>) {
    stage_with(credentials, refused, errors, |registration| {
        registration.credential.kind = CredentialKind::Oauth;
    })
}

/// The same with expired tokens, which the provider knows as those of `old-a` and so on.
fn stage_of_expired(
    credentials: usize,
    refused: usize,
    errors: Vec<RefreshError>,
) -> (Stage, Arc<FakeRefresher>) {
    stage_with(credentials, refused, errors, expire)
}

fn expire(registration: &mut Registration) {
    registration.credential.kind = CredentialKind::Oauth;
    registration.expires_at = Some(EPOCH);
    let old = format!("sk-of-old-{}", registration.credential.id);
    let secrets = [("api-key", old), ("refresh-token", "rt".to_owned())];
    registration.secrets = secrets
        .map(|(name, secret)| (name.to_owned(), secret.into()))
        .into();
}

fn stage_with(
    credentials: usize,
    refused: usize,
    errors: Vec<RefreshError>,
    registered: fn(&mut Registration),
) -> (Stage, Arc<FakeRefresher>) {
    let upstream = FakeUpstream::new(move |_, before| {
        if before < refused {
            Script::json(401, error_body("expired", "invalid_request_error"))
        } else {
            Script::json(200, COMPLETION)
        }
    });
    let stage = Setting::new(credentials)
        .registered(registered)
        .stage(upstream);
    let fake_refresher = Arc::new(FakeRefresher {
        calls: AtomicU32::new(0),
        errors,
    });
    let refresher = Arc::<FakeRefresher>::clone(&fake_refresher);
    stage.dispatcher.auth().set_refresher(refresher);
    (stage, fake_refresher)
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_19_refreshes_and_retries_same_credential_after_401() {
    let (stage, fake_refresher) = stage(2, 1, vec![]);
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
    let (stage, fake_refresher) = stage(1, 32, vec![]);
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
    let (stage, fake_refresher) = stage(2, 4, vec![]);
    let mut snapshot = (*stage.dispatcher.snapshot()).clone();
    snapshot.retry.rounds = 1;
    stage.snapshot.store(Arc::new(snapshot));
    let failure = failure(stage.whole().await);
    assert_eq!(failure.failure.status, Some(401));
    assert_eq!(stage.upstream.credentials(), ["a", "a", "b", "b"]);
    assert_eq!(fake_refresher.calls.load(Ordering::Relaxed), 2);
    assert_eq!(stage.cooling(), ["a", "b"]);
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn failed_refresh_fails_over() {
    let rejected = RefreshError::Rejected("invalid_grant".into());
    let (stage, _) = stage(2, 1, vec![rejected]);
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    assert_eq!(stage.upstream.credentials(), ["a", "b"]);
    assert_eq!(stage.cooling(), ["a"], "it is barred");
    let counts = stage.counts();
    assert_eq!((counts.success, counts.failed), (1, 1));
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn calls_with_expired_tokens_wait_for_one_refresh_and_send_the_new_token() {
    let (stage, fake_refresher) = stage_of_expired(1, 0, vec![]);
    let start = Instant::now();
    let calls = (0..32).map(|_| async { text(stage.whole().await).await });
    for response in join_all(calls).await {
        assert_eq!(response, COMPLETION);
    }
    assert_eq!(start.elapsed(), SECOND);
    assert_eq!(fake_refresher.calls.load(Ordering::Relaxed), 1);
    assert_eq!(stage.upstream.credentials(), ["a"; 32], "no expired token");
    assert_eq!(stage.counts().success, 32);
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn failed_refresh_of_expired_token_fails_over_without_sending_it() {
    for error in [
        RefreshError::Failed("down".into()),
        RefreshError::Rejected("invalid_grant".into()),
    ] {
        let (stage, _) = stage_of_expired(2, 0, vec![error]);
        assert_eq!(text(stage.whole().await).await, COMPLETION);
        assert_eq!(stage.upstream.credentials(), ["b"]);
        assert_eq!(stage.cooling(), ["a"]);
        stage.assert_closed();
    }
}

/// One 503 of the token endpoint, with one account: the call waits for the second refresh.
#[tokio::test(start_paused = true)]
async fn one_failure_of_the_token_endpoint_fails_no_call() {
    let down = RefreshError::Failed("down".into());
    let (stage, fake_refresher) = stage_of_expired(1, 0, vec![down]);
    let auth = stage.dispatcher.auth().clone();
    let start = Instant::now();
    let response = tokio::select! {
        response = stage.whole() => response,
        () = auth.run() => unreachable!("it never returns"),
    };
    assert_eq!(text(response).await, COMPLETION);
    assert!(start.elapsed() < 12 * SECOND, "{:?}", start.elapsed());
    assert_eq!(fake_refresher.calls.load(Ordering::Relaxed), 2);
    assert_eq!(stage.upstream.credentials(), ["a"]);
    assert!(stage.cooling().is_empty());
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn token_rejected_at_its_first_use_is_refreshed_once_more() {
    let (stage, fake_refresher) = stage_of_expired(1, 1, vec![]);
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    assert_eq!(stage.upstream.credentials(), ["a", "a"]);
    assert_eq!(fake_refresher.calls.load(Ordering::Relaxed), 2);
    assert!(stage.cooling().is_empty());
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn expired_token_that_nothing_can_refresh_is_sent() {
    let unplanned = RefreshFailure {
        planned: false,
        ..RefreshFailure::from("the setting `token-url` is missing")
    };
    let (stage, fake_refresher) = stage_of_expired(1, 0, vec![RefreshError::Failed(unplanned)]);
    for _ in 0..2 {
        assert_eq!(text(stage.whole().await).await, COMPLETION);
    }
    assert_eq!(stage.upstream.credentials(), ["old-a"; 2]);
    assert_eq!(fake_refresher.calls.load(Ordering::Relaxed), 1);
    assert!(stage.cooling().is_empty());
}

#[tokio::test(start_paused = true)]
async fn token_of_a_credential_that_was_removed_during_the_refresh_is_not_sent() {
    let (stage, _) = stage_with(2, 0, vec![], |registration| {
        expire(registration);
        registration.origin = Origin::Admin;
    });
    let removed = async {
        sleep(SECOND / 2).await;
        stage
            .dispatcher
            .auth()
            .remove(&CredentialId::new("a"))
            .await
    };
    let (response, removed) = tokio::join!(stage.whole(), removed);
    assert_eq!(removed, Ok(()));
    assert_eq!(text(response).await, COMPLETION);
    assert_eq!(stage.upstream.credentials(), ["b"]);
    assert!(stage.cooling().is_empty());
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn deadline_bounds_the_wait_for_a_token() {
    let (stage, _) = stage_of_expired(1, 0, vec![]);
    let mut call = stage.call(false);
    call.deadline = Instant::now() + SECOND / 2;
    let ended = stage.dispatcher.call(call).await;
    assert!(matches!(ended, Err(CallError::Deadline(_))), "{ended:?}");
    assert_eq!(stage.upstream.calls(), 0);
    assert!(stage.failed_credentials().is_empty());
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
