//! Retry rounds: when another one begins, and how many requests a call may cost.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jackfield_auth::Registration;
use jackfield_credential::Scope;
use jackfield_dispatch::CallError;
use jackfield_dispatch::port::Choice;
use jackfield_dispatch::snapshot::RetryPolicy;
use proptest::prelude::*;
use tokio::time::Instant;

use crate::chat_fixtures::{COMPLETION, error_body, stream};
use crate::fake_plugins::FakeSelector;
use crate::fake_upstream::{FakeUpstream, Script};
use crate::stage::{SECOND, Setting, failure, property_config, run_paused, text};

fn rate_limited(seconds: &'static str) -> Script {
    Script::json(429, error_body("slow down", "rate_limit_error")).header("retry-after", seconds)
}

/// At least as long as required, and up to a quarter longer: jitter spreads calls that failed
/// together.
fn within_jitter(waited: Duration, least: Duration) -> bool {
    (least..=least + least / 4).contains(&waited)
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_5_waits_for_the_shortest_cooldown() {
    let scripts = vec![
        rate_limited("9"),
        rate_limited("7"),
        Script::json(200, COMPLETION),
    ];
    let stage = Setting::new(2).stage(FakeUpstream::in_order(scripts));
    let start = Instant::now();
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    assert!(
        within_jitter(start.elapsed(), 7 * SECOND),
        "until the first is back"
    );
    assert_eq!(stage.upstream.credentials(), ["a", "b", "b"]);
}

#[tokio::test(start_paused = true)]
async fn waits_when_all_credentials_are_cooling() {
    let scripts = vec![rate_limited("5"), Script::json(200, COMPLETION)];
    let mut setting = Setting::new(1);
    setting.retry.rounds = 1;
    let stage = setting.stage(FakeUpstream::in_order(scripts));
    failure(stage.whole().await);
    assert!(
        matches!(
            stage.whole().await,
            Err(CallError::NoCredentialAvailable { .. })
        ),
        "one round"
    );
    let mut snapshot = (*stage.dispatcher.snapshot()).clone();
    snapshot.retry.rounds = 2;
    stage.snapshot.store(Arc::new(snapshot));
    let start = Instant::now();
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    assert!(within_jitter(start.elapsed(), 5 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_5_does_not_wait_longer_than_max_wait() {
    let stage = Setting::new(1).stage(FakeUpstream::in_order(vec![rate_limited("31")]));
    let start = Instant::now();
    let failure = failure(stage.whole().await);
    assert_eq!(
        (failure.failure.scope, failure.failure.status),
        (Scope::Model, Some(429))
    );
    assert_eq!(
        (start.elapsed(), stage.upstream.calls()),
        (Duration::ZERO, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn does_not_wait_past_the_deadline() {
    let mut setting = Setting::new(1);
    setting.timeouts.total = 10 * SECOND;
    let stage = setting.stage(FakeUpstream::in_order(vec![rate_limited("10")]));
    let start = Instant::now();
    failure(stage.whole().await);
    assert_eq!(
        (start.elapsed(), stage.upstream.calls()),
        (Duration::ZERO, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_5_rounds_are_limited() {
    for rounds in 1..5 {
        let mut setting = Setting::new(2);
        setting.retry.rounds = rounds;
        let stage = setting.stage(FakeUpstream::new(|_, _| rate_limited("1")));
        let start = Instant::now();
        failure(stage.stream().await);
        assert!(within_jitter(start.elapsed(), (rounds - 1) * SECOND));
        assert_eq!(stage.upstream.calls(), 2 * rounds as usize);
        stage.assert_closed();
    }
}

#[tokio::test(start_paused = true)]
async fn single_credential_is_retried_once_after_transport_error() {
    let scripts = vec![Script::refuse(), Script::json(200, COMPLETION)];
    let stage = Setting::new(1).stage(FakeUpstream::in_order(scripts));
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    let stage = Setting::new(1).stage(FakeUpstream::new(|_, _| Script::refuse()));
    failure(stage.whole().await);
    assert_eq!(stage.upstream.calls(), 2, "one retry");
}

#[tokio::test(start_paused = true)]
async fn single_credential_is_retried_after_transport_error_in_its_only_round() {
    for own_rounds in [false, true] {
        let mut setting = Setting::new(1);
        if own_rounds {
            setting.registered = |registration| registration.credential.rounds = Some(1);
        } else {
            setting.retry.rounds = 1;
        }
        let scripts = vec![Script::refuse(), Script::json(200, COMPLETION)];
        let stage = setting.stage(FakeUpstream::in_order(scripts));
        let start = Instant::now();
        assert_eq!(text(stage.whole().await).await, COMPLETION);
        assert_eq!(start.elapsed(), Duration::ZERO);
        stage.assert_closed();
    }
}

#[tokio::test(start_paused = true)]
async fn round_waits_for_a_cooldown_although_another_credential_was_available() {
    let upstream = || {
        FakeUpstream::new(|credential, before| match (credential, before) {
            ("a", 0) => rate_limited("2"),
            ("a", _) => Script::json(200, COMPLETION),
            _ => Script::refuse(),
        })
    };
    let stage = Setting::new(2).stage(upstream());
    let start = Instant::now();
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    assert!(within_jitter(start.elapsed(), 2 * SECOND));
    assert_eq!(stage.upstream.credentials(), ["a", "b", "a"]);
}

#[tokio::test(start_paused = true)]
async fn rounds_go_on_with_a_credential_that_resets_and_one_that_is_limited() {
    let upstream = FakeUpstream::new(|credential, before| match (credential, before) {
        ("a", 0) => rate_limited("2"),
        ("a", _) => Script::json(200, COMPLETION),
        _ => Script::reset(),
    });
    let stage = Setting::new(2).stage(upstream);
    let start = Instant::now();
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    assert!((2 * SECOND..4 * SECOND).contains(&start.elapsed()));
    assert_eq!(stage.upstream.credentials(), ["a", "b", "b", "a"]);
}

#[tokio::test(start_paused = true)]
async fn single_credential_is_tried_at_once_after_a_reset_in_its_only_round() {
    let mut setting = Setting::new(1);
    setting.retry.rounds = 1;
    let scripts = vec![Script::reset(), Script::json(200, COMPLETION)];
    let stage = setting.stage(FakeUpstream::in_order(scripts));
    let start = Instant::now();
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(stage.cooling(), Vec::<String>::new());
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn call_waits_for_busy_credential_although_one_that_it_tried_is_available() {
    let mut setting = Setting::new(2).registered(|registration: &mut Registration| {
        registration.credential.in_flight_max = NonZeroU32::new(1);
    });
    setting.policy.disable_cooling = true;
    let upstream = FakeUpstream::new(|credential, _| match credential {
        "a" => Script::json(500, ""),
        _ => Script::json(200, COMPLETION).after(5 * SECOND),
    });
    let stage = setting.stage(upstream);
    let start = Instant::now();
    let (one, other) = tokio::join!(stage.whole(), stage.whole());
    assert_eq!(text(one).await, COMPLETION);
    assert_eq!(text(other).await, COMPLETION);
    assert_eq!(start.elapsed(), 10 * SECOND);
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn cooldown_that_ends_within_its_round_needs_no_wait() {
    let upstream = FakeUpstream::new(|credential, before| match (credential, before) {
        ("a", 0) => rate_limited("2"),
        ("a", _) => Script::json(200, COMPLETION),
        _ => Script::refuse().after(3 * SECOND),
    });
    let stage = Setting::new(2).stage(upstream);
    let start = Instant::now();
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    assert_eq!(start.elapsed(), 3 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn limit_of_credentials_below_the_pool_size_leaves_rounds_on() {
    let mut setting = Setting::new(3);
    setting.retry.max_credentials = 2;
    let upstream = FakeUpstream::new(|_, before| match before {
        0..2 => rate_limited("2"),
        _ => Script::json(200, COMPLETION),
    });
    let stage = setting.stage(upstream);
    let start = Instant::now();
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    assert!(within_jitter(start.elapsed(), 2 * SECOND));
    assert_eq!(stage.upstream.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn does_not_wait_for_credentials_without_further_rounds() {
    let setting = Setting::new(2)
        .registered(|registration: &mut Registration| registration.credential.rounds = Some(1));
    let stage = setting.stage(FakeUpstream::new(|_, _| rate_limited("8")));
    for _ in 0..2 {
        let start = Instant::now();
        assert!(stage.whole().await.is_err());
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
    assert_eq!(stage.upstream.credentials(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn does_not_wait_for_a_credential_that_is_disabled_meanwhile() {
    let upstream = FakeUpstream::new(|credential, _| match credential {
        "a" => rate_limited("5"),
        _ => Script::refuse().after(2 * SECOND),
    });
    let stage = Setting::new(2).stage(upstream);
    let start = Instant::now();
    let disable = async {
        tokio::time::sleep(SECOND).await;
        let auth = stage.dispatcher.auth();
        auth.set_enabled(&"a".into(), false).await.unwrap();
    };
    let (answer, ()) = tokio::join!(stage.whole(), disable);
    failure(answer);
    assert_eq!(start.elapsed(), 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn does_not_wait_for_an_account_without_credit() {
    let mut setting = Setting::new(2);
    setting.retry.max_wait = 3600 * SECOND;
    setting.timeouts.total = 7200 * SECOND;
    let stage = setting.stage(FakeUpstream::new(|_, _| Script::json(402, "{}")));
    let start = Instant::now();
    assert!(stage.whole().await.is_err());
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(stage.upstream.credentials(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_5_failures_without_cooldown_start_no_new_round() {
    // The third refusal in a row would cool the way.
    let stage = Setting::new(2).stage(FakeUpstream::new(|_, _| Script::refuse()));
    failure(stage.stream().await);
    assert_eq!(stage.upstream.credentials(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_19_tried_credentials_are_limited() {
    let mut setting = Setting::new(5);
    setting.retry.max_credentials = 2;
    setting.retry.rounds = 1;
    let stage = setting.stage(FakeUpstream::new(|_, _| Script::json(500, "")));
    failure(stage.stream().await);
    assert_eq!(stage.upstream.credentials(), ["a", "b"]);
}

/// How a credential's requests end.
#[derive(Debug, Clone, Copy)]
enum UpstreamBehavior {
    Succeeds,
    EndsEarly,
    EmptyStream,
    ServiceUnavailable,
    RateLimited,
    RateLimitedWithoutRetryAfter,
    ConnectionRefused,
    BadRequest,
    Unauthorized,
}

impl UpstreamBehavior {
    fn script(self) -> Script {
        match self {
            Self::Succeeds => Script::events(stream()),
            Self::EndsEarly => Script::events([crate::chat_fixtures::ROLE]),
            Self::EmptyStream => Script::events([crate::chat_fixtures::DONE]),
            Self::ServiceUnavailable => Script::json(503, "down"),
            Self::RateLimited => rate_limited("2"),
            Self::RateLimitedWithoutRetryAfter => Script::json(429, ""),
            Self::ConnectionRefused => Script::refuse(),
            Self::BadRequest => Script::json(400, "{}"),
            Self::Unauthorized => Script::json(401, "{}"),
        }
    }
}

fn faults() -> impl Strategy<Value = UpstreamBehavior> {
    prop::sample::select(vec![
        UpstreamBehavior::EndsEarly,
        UpstreamBehavior::EmptyStream,
        UpstreamBehavior::ServiceUnavailable,
        UpstreamBehavior::RateLimited,
        UpstreamBehavior::RateLimitedWithoutRetryAfter,
        UpstreamBehavior::ConnectionRefused,
        UpstreamBehavior::Unauthorized,
    ])
}

/// A selector that chooses pseudo-randomly (a linear congruential generator, reproducible from its
/// seed).
fn random_selector(seed: u64) -> FakeSelector {
    let state = AtomicU64::new(seed);
    FakeSelector::new(move |_, candidates| {
        let step = |state: u64| {
            state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1)
        };
        let random = step(state.load(Ordering::Relaxed));
        state.store(random, Ordering::Relaxed);
        Ok(Choice::Candidate((random >> 33) as usize % candidates))
    })
}

proptest! {
    #![proptest_config(property_config())]

    #[test]
    fn attempts_are_bounded_by_rounds_times_credentials(
        pool in 1_usize..6,
        rounds in 1_u32..5,
        most in 0_u32..5,
        total in 1_u32..40,
        seed in any::<u64>(),
        outcomes in prop::collection::vec(prop_oneof![
            8 => faults(), 1 => Just(UpstreamBehavior::Succeeds), 1 => Just(UpstreamBehavior::BadRequest),
        ], 32),
    ) {
        run_paused(async {
            let mut setting = Setting::new(pool).selector(random_selector(seed));
            setting.retry = RetryPolicy { rounds, max_credentials: most, ..RetryPolicy::default() };
            setting.timeouts.total = total * SECOND;
            let upstream = FakeUpstream::new(move |_, before| outcomes[before % outcomes.len()].script());
            let stage = setting.stage(upstream);
            let credentials_per_round = if most == 0 { pool } else { pool.min(most as usize) };
            for _ in 0..4 {
                let before = stage.upstream.calls();
                let start = Instant::now();
                if let Ok(response) = stage.stream().await {
                    prop_assert_eq!(text(Ok(response)).await, stream().concat());
                }
                prop_assert!(start.elapsed() <= total * SECOND);
                let calls = stage.upstream.credentials().split_off(before);
                // One more attempt if a single attempt failed with a transport error.
                let most = (rounds as usize * credentials_per_round).max(2);
                prop_assert!(calls.len() <= most + 1, "{:?}", calls);
                stage.assert_closed();
            }
            let counts = stage.counts();
            let settled = counts.success + counts.failed;
            prop_assert_eq!(settled, stage.upstream.calls() as u64);
            prop_assert_eq!(counts.cancelled + counts.inconclusive, 0);
            Ok(())
        })?;
    }

    #[test]
    fn with_one_healthy_credential_every_call_succeeds(
        others in prop::collection::vec(faults(), 0..6),
        healthy in 0_usize..7,
        seed in any::<u64>(),
    ) {
        run_paused(async {
            let mut all = others;
            all.insert(healthy % (all.len() + 1), UpstreamBehavior::Succeeds);
            // Each has a way of its own: a connection is not refused to one key and open to another.
            let stage = Setting::new(all.len())
                .selector(random_selector(seed))
                .registered(|registration| {
                    let id = &registration.credential.id;
                    registration.proxy = Some(format!("http://proxy-of-{id}.test").into());
                });
            let upstream = FakeUpstream::new(move |credential, _| {
                all[usize::from(credential.as_bytes()[0] - b'a')].script()
            });
            let stage = stage.stage(upstream);
            let several = (0..8).map(|_| async { text(stage.stream().await).await });
            for given in futures_util::future::join_all(several).await {
                prop_assert_eq!(given, stream().concat());
            }
            prop_assert_eq!(stage.counts().success, 8);
            stage.assert_closed();
            Ok(())
        })?;
    }
}
