//! Plans whose secrets sign the request: what the host derives from a secret is hidden as the secret is, each send is signed
//! again, and a wrong plan names its plugin and the parameter.

use jackfield_dispatch::CallError;
use jackfield_dispatch::plan::{Plan, PlannedBody, ResponseMode, SecretPlace};
use jackfield_dispatch::port::FaultKind;

use crate::chat_fixtures::{COMPLETION, error_body};
use crate::fake_plugins::{FakeExecutor, planned};
use crate::fake_upstream::{FakeUpstream, Script};
use crate::stage::{Setting, Stage, failure, text};

fn signed(scheme: &'static str, parameters: &'static [(&str, &str)]) -> FakeExecutor {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    FakeExecutor::new(move |_| {
        let mut plan: Plan = planned(PlannedBody::Original, ResponseMode::Relay);
        plan.request.secrets[0].1 = SecretPlace::Scheme {
            name: scheme.to_owned(),
            parameters: parameters.iter().map(owned).collect(),
        };
        Ok(plan)
    })
}

fn stage(credentials: usize, executor: FakeExecutor, scripts: Vec<Script>) -> Stage {
    Setting::new(credentials)
        .one_round()
        .executor(executor)
        .stage(FakeUpstream::in_order(scripts))
}

#[tokio::test(start_paused = true)]
async fn what_a_scheme_derives_is_redacted() {
    // The Base64 of `u:sk-of-a`.
    let body = error_body(
        "wrong credentials dTpzay1vZi1h, try another",
        "server_error",
    );
    let executor = signed("basic", &[("user", "u")]);
    let stage = stage(1, executor, vec![Script::json(401, body)]);
    let failed = failure(stage.whole().await);
    assert_eq!(
        failed.failure.message,
        "wrong credentials [secret], try another"
    );
    assert!(failed.response.is_none());
    assert_eq!(
        stage.upstream.headers_of(0)["authorization"],
        "Basic dTpzay1vZi1h"
    );
}

#[tokio::test(start_paused = true)]
async fn each_attempt_is_signed_with_its_own_key() {
    let parameters: &[_] = &[
        ("parts", "timestamp,body-sha256"),
        ("header", "x-signature"),
        ("timestamp-header", "x-timestamp"),
    ];
    let executor = signed("hmac-sha256", parameters);
    let failed = Script::json(500, error_body("down", "server_error"));
    let stage = stage(2, executor, vec![failed, Script::json(200, COMPLETION)]);
    text(stage.whole().await).await;
    let signature = |request: usize| stage.upstream.headers_of(request)["x-signature"].clone();
    assert_eq!(signature(0).len(), 64);
    assert_ne!(signature(0), signature(1));
}

#[tokio::test(start_paused = true)]
async fn wrong_scheme_is_a_fault_that_names_plugin_and_parameter() {
    for (executor, part) in [
        (
            signed("aws-sigv4", &[("service", "s")]),
            "the scheme `aws-sigv4` needs the parameter `region`",
        ),
        (
            signed("aws-sigv4", &[("service", "s"), ("region", "r")]),
            "the credential has no secret `access-key-id`",
        ),
        (
            signed("aws-sigv5", &[]),
            "this host does not know the scheme `aws-sigv5`",
        ),
    ] {
        let stage = stage(1, executor, Vec::new());
        let Err(CallError::Plugin(fault)) = stage.whole().await else {
            panic!("no fault of the plugin");
        };
        assert_eq!(fault.kind, FaultKind::InvalidOutput);
        let message = fault.to_string();
        assert!(message.contains("plugin fake-executor#1"), "{message}");
        assert!(message.contains(part), "{message}");
    }
}
