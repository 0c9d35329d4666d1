//! Rules of CLIProxyAPI that concern a call. The table is in `host/docs/compat/rules.md`.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use jackfield_auth::Registration;
use jackfield_credential::{CredentialId, ProviderName};
use jackfield_dispatch::plan::{PlannedBody, ResponseMode};
use jackfield_dispatch::port::Choice;
use jackfield_dispatch::snapshot::RetryPolicy;
use jackfield_dispatch::{Call, CallError, ResponseBody};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use crate::chat_fixtures::{COMPLETION, DONE, ERROR, FINISH, ROLE, content, error_body, stream};
use crate::fake_plugins::{FakeExecutor, FakeSelector, planned};
use crate::fake_upstream::{FakeUpstream, Script};
use crate::stage::{SECOND, Setting, Stage, failure, read_body, text};

/// A rate limit that ends after this many seconds.
fn rate_limited(seconds: &'static str) -> Script {
    Script::json(429, error_body("slow down", "rate_limit_error")).header("retry-after", seconds)
}

fn good() -> Script {
    Script::json(200, COMPLETION)
}

/// Replaces the retry policy.
fn set_retry(stage: &Stage, change: impl FnOnce(&mut RetryPolicy)) {
    let mut snapshot = (*stage.dispatcher.snapshot()).clone();
    change(&mut snapshot.retry);
    stage.snapshot.store(Arc::new(snapshot));
}

#[test]
fn cliproxyapi_compat_1_2_retry_policy_has_defaults() {
    let policy = RetryPolicy::default();
    assert_eq!((policy.rounds, policy.max_wait), (3, 30 * SECOND));
    assert_eq!(policy.max_credentials, 0, "0 means no limit");
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_3_call_keeps_its_initial_retry_policy() {
    let stage = Setting::new(1).stage(FakeUpstream::new(|_, _| rate_limited("1").after(SECOND)));
    let change = async {
        sleep(SECOND / 2).await;
        set_retry(&stage, |retry| retry.rounds = 1);
    };
    let (response, ()) = tokio::join!(stage.whole(), change);
    failure(response);
    assert_eq!(
        stage.upstream.calls(),
        3,
        "the running call keeps its three rounds"
    );
    sleep(2 * SECOND).await;
    failure(stage.whole().await);
    assert_eq!(stage.upstream.calls(), 4, "the next call has one round");
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_5_success_ends_the_call() {
    let stage = Setting::new(3).stage(FakeUpstream::in_order(vec![good(), good()]));
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    assert_eq!(stage.upstream.calls(), 1);
    text(stage.whole().await).await;
    assert_eq!(stage.upstream.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_5_single_credential_is_retried_after_500_in_the_next_round() {
    // In CLIProxyAPI it cools for a minute, and a call waits for half a minute at most.
    let scripts = vec![Script::json(500, ""), good()];
    let stage = Setting::new(1).stage(FakeUpstream::in_order(scripts));
    let start = Instant::now();
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    assert!((SECOND..2 * SECOND).contains(&start.elapsed()));
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_5_zero_max_wait_allows_one_round() {
    let mut setting = Setting::new(2);
    setting.retry.max_wait = Duration::ZERO;
    let stage = setting.stage(FakeUpstream::new(|_, _| rate_limited("1")));
    failure(stage.whole().await);
    assert_eq!(stage.upstream.credentials(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_5_disabled_cooling_allows_one_round() {
    for status in [429, 500, 503] {
        let mut setting = Setting::new(2);
        setting.policy.disable_cooling = true;
        let stage = setting.stage(FakeUpstream::new(move |_, _| Script::json(status, "")));
        let start = Instant::now();
        failure(stage.whole().await);
        assert_eq!(stage.upstream.credentials(), ["a", "b"], "{status}");
        assert_eq!(start.elapsed(), Duration::ZERO, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_5_does_not_wait_for_disabled_credentials() {
    let stage = Setting::new(2).stage(FakeUpstream::in_order(vec![
        rate_limited("5"),
        rate_limited("20"),
        good(),
    ]));
    set_retry(&stage, |retry| retry.rounds = 1);
    failure(stage.whole().await);
    let a = CredentialId::from("a");
    let auth = stage.dispatcher.auth();
    auth.set_enabled(&a, false).await.unwrap();
    set_retry(&stage, |retry| retry.rounds = 2);
    let start = Instant::now();
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    assert!((20 * SECOND..25 * SECOND).contains(&start.elapsed()));
    assert_eq!(stage.upstream.credentials(), ["a", "b", "b"]);
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_6_each_round_tries_every_credential_once() {
    let mut setting = Setting::new(3);
    setting.retry.rounds = 2;
    let stage = setting.stage(FakeUpstream::new(|_, _| rate_limited("1")));
    failure(stage.whole().await);
    let called = stage.upstream.credentials();
    let (first, second) = called.split_at(3);
    assert_eq!(first, ["a", "b", "c"]);
    let mut second = second.to_vec();
    second.sort();
    assert_eq!(second, ["a", "b", "c"]);
}

/// Returns the model names that an executor gets, the provider's first, for these names of
/// clients.
async fn model_names_seen(client_models: &[&str]) -> Vec<(String, String)> {
    let recorded: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
    let recorder = Arc::clone(&recorded);
    let executor = FakeExecutor::new(move |context| {
        let names = (context.model.to_string(), context.client_model.to_string());
        recorder.lock().push(names);
        Ok(planned(PlannedBody::Original, ResponseMode::Relay))
    });
    let stage = Setting::new(1)
        .executor(executor)
        .stage(FakeUpstream::new(|_, _| good()));
    for model in client_models {
        let call = Call {
            model: Arc::from(*model),
            ..stage.call(false)
        };
        text(stage.dispatcher.call(call).await).await;
    }
    let recorded = recorded.lock();
    recorded.clone()
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_6_executor_gets_both_model_names() {
    let names = ("upstream-model".to_owned(), "model".to_owned());
    assert_eq!(model_names_seen(&["model"]).await, [names]);
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_12_client_suffix_is_added_to_upstream_name() {
    // The host itself handles the suffix; `thinking_suffix.rs` has one without a meaning.
    let names = ("upstream-model".to_owned(), "model(high)".to_owned());
    assert_eq!(model_names_seen(&["model(high)"]).await, [names]);
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_6_candidates_come_from_all_providers() {
    let setting = Setting::new(4)
        .registered(|registration: &mut Registration| {
            if registration.credential.id.as_str() > "b" {
                registration.credential.provider = ProviderName::new("other");
            }
        })
        .selector(FakeSelector::new(|context, candidates| {
            let turn = usize::try_from(context.sequence).unwrap() % candidates;
            Ok(Choice::Candidate(turn))
        }));
    let stage = setting.stage(FakeUpstream::in_order(vec![good(); 8]));
    let mut snapshot = (*stage.dispatcher.snapshot()).clone();
    let provider = snapshot.providers[&ProviderName::new("provider")].clone();
    let other = ProviderName::new("other");
    snapshot.providers.insert(other, provider);
    stage.snapshot.store(Arc::new(snapshot));
    for _ in 0..8 {
        text(stage.whole().await).await;
    }
    let round = ["a", "b", "c", "d"];
    assert_eq!(stage.upstream.credentials(), [round, round].concat());
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_6_candidates_are_enabled_and_serve_the_model() {
    let setting =
        Setting::new(3).one_round().registered(
            |registration: &mut Registration| match registration.credential.id.as_str() {
                "a" => registration.credential.enabled = false,
                "b" => registration.credential.serves.clear(),
                _ => {}
            },
        );
    let stage = setting.stage(FakeUpstream::new(|_, _| Script::json(500, "")));
    failure(stage.whole().await);
    assert_eq!(stage.upstream.credentials(), ["c"]);
    let c = CredentialId::from("c");
    let auth = stage.dispatcher.auth();
    auth.set_enabled(&c, false).await.unwrap();
    let error = stage.whole().await.unwrap_err();
    assert!(
        matches!(error, CallError::NoCredentialAvailable { .. }),
        "{error:?}"
    );
    assert_eq!(error.code(), Some("auth_not_found"));
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_19_credential_rounds_are_limited() {
    let setting = Setting::new(2).registered(|registration: &mut Registration| {
        if registration.credential.id.as_str() == "b" {
            registration.credential.rounds = Some(1);
        }
    });
    let stage = setting.stage(FakeUpstream::new(|_, _| rate_limited("1")));
    failure(stage.whole().await);
    assert_eq!(stage.upstream.credentials(), ["a", "b", "a", "a"]);
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_7_fails_over_before_content_unless_client_error() {
    for status in [401, 402, 403, 408, 429, 500, 502, 503, 504] {
        let scripts = vec![Script::json(status, ""), Script::events(stream())];
        let stage = Setting::new(2).stage(FakeUpstream::in_order(scripts));
        assert_eq!(text(stage.stream().await).await, stream().concat());
        assert_eq!(stage.upstream.credentials(), ["a", "b"], "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_7_stream_succeeds_only_at_its_end() {
    let script = Script::events(stream()).slowly(SECOND);
    let stage = Setting::new(1).stage(FakeUpstream::in_order(vec![script]));
    let response = stage.stream().await.unwrap();
    let ResponseBody::Stream(mut body) = response.body else {
        panic!("no stream");
    };
    assert!(body.next().await.is_some());
    assert_eq!((stage.counts().success, stage.counts().open), (0, 1));
    while body.next().await.is_some() {}
    assert_eq!((stage.counts().success, stage.counts().open), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_7_stream_error_is_forwarded_and_counted_once() {
    let script = Script::events([ROLE, &content("one"), ERROR, FINISH, DONE]);
    let stage = Setting::new(1).stage(FakeUpstream::in_order(vec![script]));
    let (bytes, _) = read_body(stage.stream().await.unwrap()).await;
    assert!(String::from_utf8_lossy(&bytes).contains("out of order"));
    let counts = stage.counts();
    assert_eq!((counts.failed, counts.success, counts.open), (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_7_empty_stream_fails_over() {
    // In CLIProxyAPI it counts as a response, and reaches the client.
    let empty = Script::events(Vec::<String>::new());
    let stage = Setting::new(2).stage(FakeUpstream::in_order(vec![
        empty,
        Script::events(stream()),
    ]));
    assert_eq!(text(stage.stream().await).await, stream().concat());
    let counts = stage.counts();
    assert_eq!((counts.failed, counts.success), (1, 1));
}
