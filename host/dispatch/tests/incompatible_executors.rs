//! Pools in which some executors cannot express a call: their credentials are skipped, without
//! effect on the others. Token counts have no effect on health for content.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jackfield_credential::ProviderName;
use jackfield_dialect::Dialect;
use jackfield_dispatch::port::Executor;
use jackfield_dispatch::{Call, CallError, Operation};
use tokio::time::Instant;

use crate::anthropic_fixtures::{CHAT_REQUEST, MESSAGE_START, MESSAGE_STOP, call};
use crate::chat_fixtures::{COMPLETION, DONE, ROLE};
use crate::fake_plugins::FakeExecutor;
use crate::fake_upstream::{FakeUpstream, Script};
use crate::stage::{SECOND, Setting, Stage, text};

/// Credential `a` belongs to a provider that accepts Anthropic messages, all others to one that
/// accepts the client's dialect.
fn mixed_dialects(credentials: usize, scripts: Vec<Script>, most: u32) -> Stage {
    let anthropic = FakeExecutor::relaying().accepting("anthropic-messages");
    let mut setting = Setting::new(credentials)
        .executor(anthropic)
        .registered(|registration| {
            if registration.credential.id.as_str() != "a" {
                registration.credential.provider = ProviderName::new("other");
            }
        });
    setting.retry.max_credentials = most;
    let stage = setting.stage(FakeUpstream::in_order(scripts));
    let mut snapshot = (*stage.dispatcher.snapshot()).clone();
    let mut other = snapshot.providers[&ProviderName::new("provider")].clone();
    other.executor = Arc::from("other-executor");
    snapshot.providers.insert(ProviderName::new("other"), other);
    let executor: Arc<dyn Executor> = Arc::new(FakeExecutor::relaying());
    let name = Arc::from("other-executor");
    Arc::make_mut(&mut snapshot.plugins)
        .executors
        .insert(name, executor);
    stage.snapshot.store(Arc::new(snapshot));
    stage
}

/// A call that Anthropic's dialect cannot express.
fn untranslatable_call(stage: &Stage) -> Call {
    Call {
        body: CHAT_REQUEST.replace("}]}", "}],\"n\":2}").into(),
        ..call(stage, false)
    }
}

#[tokio::test(start_paused = true)]
async fn waits_for_cooldown_of_compatible_credential() {
    let scripts = vec![
        Script::json(429, "").header("retry-after", "2"),
        Script::json(200, COMPLETION),
    ];
    let stage = mixed_dialects(2, scripts, 0);
    let began = Instant::now();
    let response = stage.dispatcher.call(untranslatable_call(&stage)).await;
    assert_eq!(text(response).await, COMPLETION);
    assert!(began.elapsed() >= 2 * SECOND);
    assert_eq!(stage.upstream.credentials(), ["b", "b"]);
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn returns_retry_after_of_compatible_credential() {
    let scripts = vec![Script::json(429, "").header("retry-after", "3600")];
    let stage = mixed_dialects(2, scripts, 0);
    stage
        .dispatcher
        .call(untranslatable_call(&stage))
        .await
        .unwrap_err();
    let error = stage
        .dispatcher
        .call(untranslatable_call(&stage))
        .await
        .unwrap_err();
    let CallError::NoCredentialAvailable(none) = error else {
        panic!("{error:?}")
    };
    assert!(none.retry_after > Some(Duration::from_secs(3_000)));
    assert_eq!(stage.upstream.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn incompatible_credentials_do_not_count_as_tried() {
    let scripts = vec![Script::json(500, ""), Script::json(200, COMPLETION)];
    let stage = mixed_dialects(3, scripts, 2);
    let response = stage.dispatcher.call(untranslatable_call(&stage)).await;
    assert_eq!(text(response).await, COMPLETION);
    assert_eq!(stage.upstream.credentials(), ["b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn single_compatible_credential_is_still_retried() {
    let scripts = vec![Script::refuse(), Script::json(200, COMPLETION)];
    let stage = mixed_dialects(2, scripts, 0);
    let response = stage.dispatcher.call(untranslatable_call(&stage)).await;
    assert_eq!(text(response).await, COMPLETION);
    assert_eq!(stage.upstream.credentials(), ["b", "b"]);
}

/// All credentials of a provider have the same executor, so one is enough to know.
#[tokio::test(start_paused = true)]
async fn compatibility_is_checked_once_per_provider() {
    let setting = Setting::new(20).executor(FakeExecutor::relaying().accepting("gemini"));
    let stage = setting.stage(FakeUpstream::in_order(vec![]));
    let error = stage
        .dispatcher
        .call(untranslatable_call(&stage))
        .await
        .unwrap_err();
    assert!(matches!(error, CallError::Untranslatable(_)), "{error:?}");
    let counts = stage.counts();
    assert_eq!((counts.inconclusive, counts.open), (1, 0));
}

fn count(stage: &Stage) -> Call {
    Call {
        operation: Operation::CountTokens,
        dialect: Dialect::AnthropicMessages,
        body: Bytes::from_static(CHAT_REQUEST.as_bytes()),
        ..stage.call(false)
    }
}

#[tokio::test(start_paused = true)]
async fn failed_token_count_is_estimated_without_cooldown() {
    for script in [
        Script::json(404, ""),
        Script::json(429, "").header("retry-after", "60"),
        Script::json(500, ""),
    ] {
        let executor = FakeExecutor::relaying()
            .accepting("anthropic-messages")
            .planning("count-tokens");
        let setting = Setting::new(1).executor(executor);
        let stage = setting.stage(FakeUpstream::in_order(vec![script]));
        let began = Instant::now();
        let response = stage.dispatcher.call(count(&stage)).await.unwrap();
        assert!(response.estimated);
        assert_eq!(began.elapsed(), Duration::ZERO, "the call does not wait");
        assert_eq!(stage.cooling(), Vec::<String>::new());
        stage.assert_closed();
    }
}

/// A failure of the account counts, whatever the operation.
#[tokio::test(start_paused = true)]
async fn rejected_key_cools_for_token_counts_too() {
    let executor = FakeExecutor::relaying()
        .accepting("anthropic-messages")
        .planning("count-tokens");
    let setting = Setting::new(1).executor(executor);
    let stage = setting.stage(FakeUpstream::in_order(vec![Script::json(401, "")]));
    let response = stage.dispatcher.call(count(&stage)).await.unwrap();
    assert!(response.estimated);
    assert_eq!(stage.cooling(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn empty_stream_fails_over_with_and_without_translation() {
    let role_only = || Script::events([ROLE, DONE]);
    let done_only = || Script::events([DONE]);
    for script in [role_only, done_only] {
        let client = Dialect::AnthropicMessages;
        let setting = Setting::new(2).one_round();
        let stage = setting.stage(FakeUpstream::in_order(vec![script(), script()]));
        let translated = Call {
            dialect: client,
            body: Bytes::from_static(br#"{"model":"model","max_tokens":9,"messages":[{"role":"user","content":"hello"}]}"#),
            ..stage.call(true)
        };
        stage.dispatcher.call(translated).await.unwrap_err();
        assert_eq!(stage.upstream.calls(), 2);
    }
    let anthropic = FakeExecutor::relaying().accepting("anthropic-messages");
    let empty = || Script::events([MESSAGE_START, MESSAGE_STOP]);
    let setting = Setting::new(2).one_round().executor(anthropic);
    let stage = setting.stage(FakeUpstream::in_order(vec![empty(), empty()]));
    stage.dispatcher.call(call(&stage, true)).await.unwrap_err();
    assert_eq!(stage.upstream.calls(), 2);
}
