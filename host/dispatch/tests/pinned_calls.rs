//! Calls that are pinned to one credential, for tests of an account.

use jackfield_dispatch::{Call, CallError};

use crate::chat_fixtures::{COMPLETION, error_body};
use crate::fake_upstream::{FakeUpstream, Script};
use crate::stage::{SECOND, Setting, Stage, failure, text};

fn pinned(stage: &Stage, id: &str) -> Call {
    Call {
        pinned: Some(id.into()),
        ..stage.call(false)
    }
}

#[tokio::test(start_paused = true)]
async fn pinned_call_uses_its_credential_while_it_cools() {
    let upstream = FakeUpstream::new(|credential, before| match (credential, before) {
        ("a", 0) => Script::json(429, "").header("retry-after", "300"),
        _ => Script::json(200, COMPLETION),
    });
    let stage = Setting::new(2).stage(upstream);
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    let response = stage.dispatcher.call(pinned(&stage, "a")).await;
    assert_eq!(text(response).await, COMPLETION);
    assert_eq!(stage.upstream.credentials(), ["a", "b", "a"]);
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn pinned_call_tries_no_other_credential_and_does_not_wait() {
    for status in [401, 429, 503] {
        let body = error_body("no", "an_error");
        let stage = Setting::new(2).stage(FakeUpstream::new(move |_, _| {
            Script::json(status, body.clone())
        }));
        let start = tokio::time::Instant::now();
        let failed = failure(stage.dispatcher.call(pinned(&stage, "b")).await);
        assert_eq!(failed.failure.status, Some(status));
        assert_eq!(start.elapsed(), 0 * SECOND);
        assert_eq!(stage.upstream.credentials(), ["b"]);
    }
}

#[tokio::test(start_paused = true)]
async fn pinned_call_is_repeated_after_a_reset() {
    let scripts = vec![Script::reset(), Script::json(200, COMPLETION)];
    let stage = Setting::new(2).stage(FakeUpstream::in_order(scripts));
    let response = stage.dispatcher.call(pinned(&stage, "b")).await;
    assert_eq!(text(response).await, COMPLETION);
    assert_eq!(stage.upstream.credentials(), ["b", "b"]);
}

#[tokio::test(start_paused = true)]
async fn pinned_call_needs_an_enabled_credential_that_exists() {
    let stage = Setting::new(2).stage(FakeUpstream::in_order(vec![]));
    let error = stage.dispatcher.call(pinned(&stage, "z")).await;
    let error = error.unwrap_err();
    assert!(
        matches!(&error, CallError::CredentialNotFound(id) if id == "z"),
        "{error:?}"
    );
    assert_eq!(stage.record()["outcome"]["code"], "auth_not_found");
    let auth = stage.dispatcher.auth();
    auth.set_enabled(&"a".into(), false).await.unwrap();
    let error = stage.dispatcher.call(pinned(&stage, "a")).await;
    assert_eq!(error.unwrap_err().code(), Some("auth_not_found"));
}
