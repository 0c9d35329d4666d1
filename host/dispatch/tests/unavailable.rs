//! What clients learn while no credential is available, and the trials that end such a time.

use std::sync::Arc;

use bytes::Bytes;
use jackfield_dispatch::{Call, CallError, NoCredential, NoCredentialReason};

use crate::chat_fixtures::{COMPLETION, error_body};
use crate::fake_plugins::FakeSelector;
use crate::fake_upstream::{FakeUpstream, Script};
use crate::stage::{SECOND, Setting, Stage, failure, text};

/// Returns the reason for which the last call had no credential.
fn none(error: CallError) -> NoCredential {
    match error {
        CallError::NoCredentialAvailable(none) => *none,
        other => panic!("{other:?}"),
    }
}

async fn refused(stage: &Stage) -> NoCredential {
    none(stage.whole().await.unwrap_err())
}

/// A call of another client, with another request.
fn call_of(stage: &Stage, client: &str) -> Call {
    Call {
        principal: Arc::from(client),
        body: Bytes::from(format!(
            r#"{{"model":"model","user":"{client}","messages":[]}}"#
        )),
        ..stage.call(false)
    }
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_are_503_at_once_and_later() {
    let words = "Incorrect API key provided.";
    for (status, kind) in [(401, "authentication_error"), (402, "billing_error")] {
        let body = error_body(words, kind);
        let upstream = FakeUpstream::new(move |_, _| Script::json(status, body.clone()));
        let stage = Setting::new(2).stage(upstream);
        let start = tokio::time::Instant::now();
        for _ in 0..2 {
            let none = refused(&stage).await;
            assert_eq!(none.reason(), NoCredentialReason::Refused, "{status}");
            assert!(none.to_string().contains(words), "{none}");
            assert!(none.retry_after.is_some(), "{status}");
        }
        assert!(start.elapsed() <= 10 * SECOND, "{status}");
        assert!(stage.upstream.calls() <= 4, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn rate_limit_is_not_reported_if_another_credential_is_back_earlier() {
    let upstream = FakeUpstream::new(|credential, _| match credential {
        "a" => Script::json(503, "busy"),
        _ => Script::json(429, "").header("retry-after", "3600"),
    });
    let stage = Setting::new(2).one_round().stage(upstream);
    let none = refused(&stage).await;
    assert_eq!(none.reason(), NoCredentialReason::Overloaded);
    assert!(none.retry_after <= Some(2 * SECOND), "{none:?}");
}

#[tokio::test(start_paused = true)]
async fn missing_model_is_404_only_if_no_credential_serves_it() {
    let missing = || Script::json(404, error_body("The model does not exist.", "not_found"));
    let stage = Setting::new(2)
        .one_round()
        .stage(FakeUpstream::new(move |_, _| missing()));
    assert_eq!(failure(stage.whole().await).failure.status, Some(404));
    let none = refused(&stage).await;
    assert_eq!(none.reason(), NoCredentialReason::Missing);
    let upstream = FakeUpstream::new(move |credential, _| match credential {
        "a" => Script::json(500, ""),
        _ => missing(),
    });
    let stage = Setting::new(2).one_round().stage(upstream);
    let none = refused(&stage).await;
    assert_eq!(none.reason(), NoCredentialReason::Failing);
}

#[tokio::test(start_paused = true)]
async fn call_of_another_client_is_a_trial_that_ends_an_outage() {
    let upstream = FakeUpstream::new(|_, before| match before {
        0 => Script::json(500, ""),
        _ => Script::json(200, COMPLETION),
    });
    let stage = Setting::new(1).one_round().stage(upstream);
    failure(stage.whole().await);
    assert_eq!(stage.cooling(), ["a"]);
    // The same request is never its own trial.
    let none = refused(&stage).await;
    assert_eq!(none.reason(), NoCredentialReason::Failing);
    assert_eq!(stage.upstream.calls(), 1);
    let response = stage.dispatcher.call(call_of(&stage, "other")).await;
    assert_eq!(text(response).await, COMPLETION);
    assert_eq!(stage.record()["steps"][0]["trial"], true);
    assert_eq!(stage.cooling(), Vec::<String>::new());
    assert_eq!(text(stage.whole().await).await, COMPLETION);
}

#[tokio::test(start_paused = true)]
async fn selector_does_not_choose_a_trial() {
    let upstream = FakeUpstream::new(|_, before| match before {
        0 => Script::json(500, ""),
        _ => Script::json(200, COMPLETION),
    });
    let selector = FakeSelector::new(|context, _| {
        assert_eq!(context.sequence, 0, "the second pick is a trial");
        Ok(jackfield_dispatch::port::Choice::Candidate(0))
    });
    let stage = Setting::new(1)
        .one_round()
        .selector(selector)
        .stage(upstream);
    failure(stage.whole().await);
    let response = stage.dispatcher.call(call_of(&stage, "other")).await;
    assert_eq!(text(response).await, COMPLETION);
}

#[tokio::test(start_paused = true)]
async fn waiting_call_is_served_when_the_outage_ends() {
    // Ten clients call at once; the provider is back after two seconds.
    let start = tokio::time::Instant::now();
    let upstream = FakeUpstream::new(move |_, _| match start.elapsed() < 2 * SECOND {
        true => Script::json(503, "busy"),
        false => Script::json(200, COMPLETION),
    });
    let stage = Setting::new(2).stage(upstream);
    let calls = (0..10).map(|client| {
        let call = call_of(&stage, &format!("client-{client}"));
        stage.dispatcher.call(call)
    });
    for response in futures_util::future::join_all(calls).await {
        assert_eq!(text(response).await, COMPLETION);
    }
    assert!(start.elapsed() < 6 * SECOND, "{:?}", start.elapsed());
}
