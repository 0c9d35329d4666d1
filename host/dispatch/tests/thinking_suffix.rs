//! Suffixes of model names: providers get them as parameters, not in the name.

use std::sync::Arc;

use bytes::Bytes;
use jackfield_auth::Registration;
use jackfield_credential::Served;
use jackfield_dialect::Dialect;
use jackfield_dialect::traits::{ReasoningRequest, TraitSet};
use jackfield_dispatch::plan::{PlannedBody, ResponseMode};
use jackfield_dispatch::{Call, CallError, Operation, ProviderTraits, TraitsConfig};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::chat_fixtures::{COMPLETION, error_body, stream};
use crate::fake_plugins::{FakeExecutor, planned};
use crate::fake_upstream::{FakeUpstream, Script};
use crate::stage::{Setting, Stage, text};

fn good() -> Script {
    Script::json(200, COMPLETION)
}

fn stage(executor: FakeExecutor, scripts: Vec<Script>) -> Stage {
    let upstream = FakeUpstream::in_order(scripts);
    Setting::new(2).executor(executor).stage(upstream)
}

/// Returns a call with this model and body.
fn call(stage: &Stage, dialect: Dialect, model: &str, body: &'static str) -> Call {
    Call {
        dialect,
        model: Arc::from(model),
        body: Bytes::from_static(body.as_bytes()),
        ..stage.call(false)
    }
}

fn sent(stage: &Stage, request: usize) -> String {
    String::from_utf8(stage.upstream.body_of(request).into()).unwrap()
}

const CHAT: &str = r#"{ "model" : "model(high)", "messages":[], "seed":1.0 }"#;

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_2_4_suffix_only_adds_its_body_member() {
    let stage = stage(FakeExecutor::patching(), vec![good()]);
    let call = call(&stage, Dialect::OpenaiChat, "model(high)", CHAT);
    assert_eq!(text(stage.dispatcher.call(call).await).await, COMPLETION);
    assert_eq!(
        sent(&stage, 0),
        r#"{ "model" : "upstream-model", "messages":[], "seed":1.0,"reasoning_effort":"high" }"#
    );
}

/// The traits of the configuration say which efforts the model takes, and in which members.
#[tokio::test(start_paused = true)]
async fn suffix_obeys_configured_traits() {
    let stage = stage(FakeExecutor::patching(), vec![good()]);
    let mut snapshot = (*stage.dispatcher.snapshot()).clone();
    for provider in snapshot.providers.values_mut() {
        let config = TraitsConfig {
            provider: TraitSet {
                reasoning_request: Some(ReasoningRequest::EnableThinking),
                ..TraitSet::default()
            },
            ..TraitsConfig::default()
        };
        provider.traits = Arc::new(ProviderTraits::new(&provider.base_url, config));
    }
    stage.snapshot.store(Arc::new(snapshot));
    let call = call(&stage, Dialect::OpenaiChat, "model(high)", CHAT);
    text(stage.dispatcher.call(call).await).await;
    assert_eq!(
        sent(&stage, 0),
        r#"{ "model" : "upstream-model", "messages":[], "seed":1.0,"enable_thinking":true }"#
    );
}

#[tokio::test(start_paused = true)]
async fn stream_with_suffix_is_still_relayed() {
    let stage = stage(
        FakeExecutor::patching(),
        vec![Script::json(500, ""), Script::events(stream())],
    );
    let call = Call {
        model: Arc::from("model(high)"),
        body: Bytes::from_static(CHAT.as_bytes()),
        ..stage.call(true)
    };
    let response = stage.dispatcher.call(call).await;
    assert_eq!(text(response).await, stream().concat());
    // The next credential gets the same request.
    assert_eq!(stage.upstream.credentials(), ["a", "b"]);
    assert_eq!(sent(&stage, 0), sent(&stage, 1));
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_2_4_suffix_overrides_the_body() {
    let body = r#"{"model":"model(none)","reasoning_effort":"high","messages":[]}"#;
    let stage = stage(FakeExecutor::patching(), vec![good()]);
    let call = call(&stage, Dialect::OpenaiChat, "model(none)", body);
    text(stage.dispatcher.call(call).await).await;
    assert_eq!(
        sent(&stage, 0),
        r#"{"model":"upstream-model","reasoning_effort":"none","messages":[]}"#
    );
}

#[tokio::test(start_paused = true)]
async fn unknown_suffix_never_reaches_a_provider() {
    let stage = stage(FakeExecutor::patching(), vec![]);
    for name in ["model(7b)", "model()", "model(high)(7b)", "model(typo)"] {
        let error = stage
            .dispatcher
            .call(call(&stage, Dialect::OpenaiChat, name, CHAT))
            .await;
        let Err(CallError::UnknownModel(unknown)) = error else {
            panic!("{name}: {error:?}")
        };
        assert_eq!(unknown.model, name);
        assert_eq!(unknown.similar.as_deref(), Some("model"), "{name}");
    }
    assert_eq!(stage.upstream.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn configured_name_may_have_an_unknown_suffix() {
    let upstream = FakeUpstream::in_order(vec![good()]);
    let setting = Setting::new(1).executor(FakeExecutor::patching());
    let setting = setting.registered(|registration: &mut Registration| {
        let served = Served::new("upstream-model(7b)", vec![Arc::from("model(7b)")]);
        registration.credential.serves = vec![served];
    });
    let stage = setting.stage(upstream);
    let body = r#"{"model":"MODEL(7B)","messages":[]}"#;
    let call = call(&stage, Dialect::OpenaiChat, "MODEL(7B)", body);
    text(stage.dispatcher.call(call).await).await;
    assert_eq!(
        sent(&stage, 0),
        r#"{"model":"upstream-model(7b)","messages":[]}"#
    );
}

#[tokio::test(start_paused = true)]
async fn upper_and_lower_case_do_not_count() {
    let stage = stage(FakeExecutor::patching(), vec![good(), good()]);
    let body = r#"{"model":"Model","messages":[]}"#;
    text(
        stage
            .dispatcher
            .call(call(&stage, Dialect::OpenaiChat, "Model", body))
            .await,
    )
    .await;
    let with_suffix = r#"{"model":"MODEL(High)","messages":[]}"#;
    let call = call(&stage, Dialect::OpenaiChat, "MODEL(High)", with_suffix);
    text(stage.dispatcher.call(call).await).await;
    assert_eq!(
        [sent(&stage, 0), sent(&stage, 1)],
        [
            r#"{"model":"upstream-model","messages":[]}"#,
            r#"{"model":"upstream-model","messages":[],"reasoning_effort":"high"}"#
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_12_configured_suffix_overrides_the_clients() {
    let upstream = FakeUpstream::in_order(vec![good()]);
    let setting = Setting::new(1).executor(FakeExecutor::patching());
    let setting = setting.registered(|registration: &mut Registration| {
        let served = Served::new("upstream-model(low)", vec![Arc::from("model")]);
        registration.credential.serves = vec![served];
    });
    let stage = setting.stage(upstream);
    let call = call(&stage, Dialect::OpenaiChat, "model(high)", CHAT);
    text(stage.dispatcher.call(call).await).await;
    let sent: Value = serde_json::from_str(&sent(&stage, 0)).unwrap();
    assert_eq!(
        (&sent["model"], &sent["reasoning_effort"]),
        (&json!("upstream-model"), &json!("low"))
    );
}

#[tokio::test(start_paused = true)]
async fn suffix_applies_to_translated_request() {
    let scripts = vec![Script::json(400, error_body("no", "invalid"))];
    let executor = FakeExecutor::patching().accepting("anthropic-messages");
    let stage = stage(executor, scripts);
    let body = r#"{"model":"model(8192)","reasoning_effort":"low","messages":[{"role":"user","content":"a"}]}"#;
    let call = call(&stage, Dialect::OpenaiChat, "model(8192)", body);
    assert!(stage.dispatcher.call(call).await.is_err());
    let sent: Value = serde_json::from_str(&sent(&stage, 0)).unwrap();
    assert_eq!(
        (&sent["model"], &sent["thinking"]),
        (
            &json!("upstream-model"),
            &json!({"type": "enabled", "budget_tokens": 8_192})
        )
    );
    assert!(sent.get("output_config").is_none(), "{sent}");
}

/// Returns the names that the executor gets if the model is in the URL.
async fn model_names_seen(upstream_dialect: Dialect) -> (Vec<(String, String)>, String) {
    let names = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&names);
    let executor = FakeExecutor::new(move |context| {
        let both = (context.model.to_string(), context.client_model.to_string());
        seen.lock().push(both);
        Ok(planned(PlannedBody::Original, ResponseMode::Relay))
    });
    let scripts = vec![Script::json(400, "")];
    let stage = stage(executor.accepting(upstream_dialect.name()), scripts);
    let body = r#"{"contents":[{"role":"user","parts":[{"text":"a"}]}]}"#;
    let call = call(&stage, Dialect::Gemini, "model(512)", body);
    assert!(stage.dispatcher.call(call).await.is_err());
    let names = names.lock().clone();
    (names, sent(&stage, 0))
}

#[tokio::test(start_paused = true)]
async fn executor_gets_bare_name_and_body_name() {
    let upstream = || "upstream-model".to_owned();
    let (names, sent) = model_names_seen(Dialect::Gemini).await;
    assert_eq!(names, [(upstream(), "model(512)".to_owned())]);
    assert_eq!(
        sent,
        r#"{"contents":[{"role":"user","parts":[{"text":"a"}]}],"generationConfig":{"thinkingConfig":{"thinkingBudget":512}}}"#
    );
    // A translated body contains the provider's name already.
    let (names, sent) = model_names_seen(Dialect::OpenaiChat).await;
    assert_eq!(names, [(upstream(), upstream())]);
    let sent: Value = serde_json::from_str(&sent).unwrap();
    assert_eq!(
        (&sent["model"], &sent["reasoning_effort"]),
        (&json!("upstream-model"), &json!("minimal"))
    );
}

#[tokio::test(start_paused = true)]
async fn token_count_omits_the_suffix() {
    let executor = FakeExecutor::patching()
        .accepting("anthropic-messages")
        .planning("count-tokens");
    let stage = stage(executor, vec![Script::json(200, r#"{"input_tokens":3}"#)]);
    let body = r#"{"model":"model(high)","messages":[]}"#;
    let call = Call {
        operation: Operation::CountTokens,
        ..call(&stage, Dialect::AnthropicMessages, "model(high)", body)
    };
    text(stage.dispatcher.call(call).await).await;
    assert_eq!(
        sent(&stage, 0),
        r#"{"model":"upstream-model","messages":[]}"#
    );
}

#[tokio::test(start_paused = true)]
async fn unsupported_suffix_is_returned_as_warning_and_logged() {
    let stage = stage(FakeExecutor::patching(), vec![good()]);
    let body = r#"{"model":"model(8192)","messages":[]}"#;
    let call = call(&stage, Dialect::OpenaiChat, "model(8192)", body);
    let response = stage.dispatcher.call(call).await.unwrap();
    let fields: Vec<_> = response.warnings.iter().map(|it| &*it.field).collect();
    assert_eq!(fields, ["model"]);
    assert_eq!(stage.record()["warnings"][0]["field"], "model");
}

#[tokio::test(start_paused = true)]
async fn rejects_body_that_cannot_carry_the_suffix() {
    let body = r#"{"model":"model(high)","reasoning_effort":"low","reasoning_effort":"low"}"#;
    let stage = stage(FakeExecutor::patching(), vec![]);
    let call = call(&stage, Dialect::OpenaiChat, "model(high)", body);
    let error = stage.dispatcher.call(call).await.unwrap_err();
    assert!(matches!(error, CallError::Untranslatable(_)), "{error:?}");
    assert!(error.to_string().contains("reasoning_effort"), "{error}");
    assert_eq!(stage.failed_credentials(), Vec::<String>::new());
    stage.assert_closed();
}
