//! Calls that fail before any provider is called.

use std::sync::Arc;

use jackfield_credential::Unavailable;
use jackfield_dispatch::CallError;

use crate::fake_plugins::FakeExecutor;
use crate::fake_upstream::{FakeUpstream, Script};
use crate::stage::{SECOND, Setting, Stage, failure};

fn stage_without_requests(setting: Setting) -> Stage {
    setting.stage(FakeUpstream::in_order(vec![]))
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_10_unserved_model_is_unknown() {
    let stage = stage_without_requests(Setting::new(2));
    let mut call = stage.call(true);
    call.model = Arc::from("other");
    let error = stage.dispatcher.call(call).await.unwrap_err();
    assert!(
        matches!(&error, CallError::UnknownModel(unknown) if unknown.model == "other"),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_10_all_cooling_returns_retry_after() {
    let upstream = FakeUpstream::new(|credential, _| match credential {
        "a" => Script::json(429, "").header("retry-after", "900"),
        _ => Script::json(429, "").header("retry-after", "90"),
    });
    let stage = Setting::new(2).stage(upstream);
    failure(stage.stream().await);
    tokio::time::advance(20 * SECOND).await;
    let Err(CallError::NoCredentialAvailable(none)) = stage.stream().await else {
        panic!("a credential was available")
    };
    assert_eq!(
        (&*none.model, none.retry_after),
        ("model", Some(70 * SECOND))
    );
    assert_eq!(none.provider.as_deref(), Some("provider"));
    assert!(matches!(
        none.unavailable,
        Unavailable::NoneAvailable(jackfield_credential::Reasons {
            cooling: 2,
            tried: 0,
            disabled: 0,
            ..
        })
    ));
    assert_eq!(stage.upstream.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn misconfiguration_is_reported_without_affecting_health() {
    let loaded = stage_without_requests(Setting::new(2));
    let mut snapshot = (*loaded.dispatcher.snapshot()).clone();
    Arc::make_mut(&mut snapshot.plugins).executors.clear();
    loaded.snapshot.store(Arc::new(snapshot.clone()));
    let configured = stage_without_requests(Setting::new(2));
    snapshot.providers.clear();
    configured.snapshot.store(Arc::new(snapshot));
    let dialect = stage_without_requests(
        Setting::new(2).executor(FakeExecutor::relaying().accepting("smoke-signals")),
    );
    for (stage, code, word) in [
        (loaded, "executor_not_found", "not loaded"),
        (configured, "provider_not_found", "not configured"),
        (dialect, "misconfigured", "accepts no dialect"),
    ] {
        let error = stage.stream().await.unwrap_err();
        assert_eq!(error.code(), Some(code), "{error:?}");
        assert!(error.to_string().contains(word), "{error}");
        assert_eq!(stage.failed_credentials(), Vec::<String>::new());
        stage.assert_closed();
    }
}
