//! Tokens that ended early are renewed, and caps on what is under way are waited for.

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

use crate::stage::{SECOND, Setting, Stage, failure, text};
use crate::upstream::{FakeUpstream, Script};
use crate::wire::{COMPLETION, error_body};

/// Renews tokens, or does not.
struct Renews {
    calls: AtomicU32,
    result: Result<(), RefreshError>,
}

impl Refresher for Renews {
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

/// A stage whose credentials hold tokens. The first `refused` requests are refused with 401.
fn stage(
    credentials: usize,
    refused: usize,
    result: Result<(), RefreshError>,
) -> (Stage, Arc<Renews>) {
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
    let renews = Arc::new(Renews {
        calls: AtomicU32::new(0),
        result,
    });
    let refresher = Arc::<Renews>::clone(&renews);
    stage.dispatcher.auth().set_refresher(refresher);
    (stage, renews)
}

#[tokio::test(start_paused = true)]
async fn seed_1_19_after_a_401_the_same_credential_is_tried_with_new_tokens() {
    let (stage, renews) = stage(2, 1, Ok(()));
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    assert_eq!(stage.upstream.credentials(), ["a", "a"]);
    assert_eq!(renews.calls.load(Ordering::Relaxed), 1);
    assert!(stage.cooling().is_empty() && stage.blamed().is_empty());
    let counts = stage.counts();
    assert_eq!((counts.success, counts.inconclusive, counts.failed), (1, 1, 0));
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn many_calls_with_an_ended_token_are_one_refresh() {
    let (stage, renews) = stage(1, 32, Ok(()));
    let calls = (0..32).map(|_| async { text(stage.whole().await).await });
    for answer in join_all(calls).await {
        assert_eq!(answer, COMPLETION);
    }
    assert_eq!(renews.calls.load(Ordering::Relaxed), 1);
    assert!(stage.cooling().is_empty());
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn tokens_are_renewed_once_a_credential_and_then_the_401_counts() {
    let (stage, renews) = stage(2, 4, Ok(()));
    let failure = failure(stage.whole().await);
    assert_eq!(failure.failure.status, Some(401));
    assert_eq!(stage.upstream.credentials(), ["a", "a", "b", "b"]);
    assert_eq!(renews.calls.load(Ordering::Relaxed), 2);
    assert_eq!(stage.cooling(), ["a", "b"]);
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn without_new_tokens_the_401_counts_and_the_next_one_serves() {
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
async fn calls_beyond_the_cap_wait_and_all_are_served() {
    let stage = one_at_a_time(SECOND);
    let start = Instant::now();
    let calls = (0..8).map(|_| async { text(stage.whole().await).await });
    for answer in join_all(calls).await {
        assert_eq!(answer, COMPLETION);
    }
    assert_eq!(start.elapsed(), 8 * SECOND);
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_for_room_is_told_that_all_are_busy() {
    let stage = one_at_a_time(50 * SECOND);
    let (one, other) = tokio::join!(stage.whole(), stage.whole());
    // Which of them came first is not for this test to say.
    let (served, told) = if one.is_ok() {
        (one, other)
    } else {
        (other, one)
    };
    assert!(served.is_ok(), "{served:?}");
    let Err(CallError::NoCredentialAvailable { unavailable, .. }) = told else {
        panic!("it should wait in vain");
    };
    assert!(unfit.has_busy(), "{unfit}");
    stage.assert_closed();
}
