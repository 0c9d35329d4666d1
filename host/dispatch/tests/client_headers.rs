//! Which headers of a client reach an executor and its provider.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use jackfield_dialect::Dialect;
use jackfield_dispatch::HeaderPattern;
use jackfield_dispatch::plan::{PlannedBody, ResponseMode};
use jackfield_dispatch::snapshot::Snapshot;
use parking_lot::Mutex;

use crate::chat_fixtures::COMPLETION;
use crate::fake_plugins::{FakeExecutor, planned};
use crate::fake_upstream::{FakeUpstream, Script};
use crate::stage::{Setting, Stage, text};

/// Lets these headers through to the provider of the test.
fn allow(stage: &Stage, patterns: &[&str]) {
    let mut snapshot = Snapshot::clone(&stage.snapshot.load());
    for provider in snapshot.providers.values_mut() {
        let parse = |text: &&str| HeaderPattern::parse(text).unwrap();
        provider.client_headers = patterns.iter().map(parse).collect();
    }
    stage.snapshot.store(Arc::new(snapshot));
}

fn names(headers: &HeaderMap) -> Vec<String> {
    let mut names: Vec<_> = headers.keys().map(ToString::to_string).collect();
    names.sort();
    names
}

#[tokio::test(start_paused = true)]
async fn executor_gets_what_the_operator_lets_through() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let executor = FakeExecutor::new({
        let seen = Arc::clone(&seen);
        move |context| {
            *seen.lock() = names(&context.headers);
            let mut plan = planned(PlannedBody::Original, ResponseMode::Relay);
            plan.request.forward_headers = vec!["x-*".to_owned(), "authorization".to_owned()];
            Ok(plan)
        }
    });
    let script = || Script::json(200, COMPLETION);
    let stage = Setting::new(1)
        .executor(executor)
        .stage(FakeUpstream::in_order(vec![script(), script(), script()]));
    let client: HeaderMap = [
        "authorization",
        "cookie",
        "idempotency-key",
        "user-agent",
        "x-acme-tag-a",
        "x-acme-team",
        "x-api-key",
        "x-forwarded-for",
        "x-other",
    ]
    .into_iter()
    .map(|name| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static("of-client"),
        )
    })
    .collect();
    let cases: [(&[&str], &[&str]); 3] = [
        (&[], &["idempotency-key"]),
        (
            &["X-Acme-Team", "x-acme-tag-*"],
            &["idempotency-key", "x-acme-tag-a", "x-acme-team"],
        ),
        // Keys, cookies and addresses stay here, whatever is configured.
        (
            &["x-*", "user-agent"],
            &[
                "idempotency-key",
                "user-agent",
                "x-acme-tag-a",
                "x-acme-team",
                "x-other",
            ],
        ),
    ];
    for (index, (patterns, expected)) in cases.into_iter().enumerate() {
        allow(&stage, patterns);
        let mut call = stage.call(false);
        call.headers = stage
            .dispatcher
            .forwarded_headers(Dialect::OpenaiChat, &client);
        assert_eq!(text(stage.dispatcher.call(call).await).await, COMPLETION);
        assert_eq!(*seen.lock(), expected, "{patterns:?}");
        let sent = stage.upstream.headers_of(index);
        let forwarded = expected.iter().filter(|name| name.starts_with("x-"));
        let of_client = sent.iter().filter(|(_, value)| *value == "of-client");
        assert_eq!(of_client.count(), forwarded.count(), "{sent:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn provider_gets_no_header_that_another_one_may_get() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let executor = FakeExecutor::new({
        let seen = Arc::clone(&seen);
        move |context| {
            *seen.lock() = names(&context.headers);
            Ok(planned(PlannedBody::Original, ResponseMode::Relay))
        }
    });
    let stage = Setting::new(1)
        .executor(executor)
        .stage(FakeUpstream::in_order(vec![Script::json(200, COMPLETION)]));
    let mut call = stage.call(false);
    // As admission leaves it if another provider of the configuration lists both headers.
    call.headers = Arc::new(HeaderMap::from_iter([
        (
            HeaderName::from_static("x-acme-team"),
            HeaderValue::from_static("of-client"),
        ),
        (
            HeaderName::from_static("user-agent"),
            HeaderValue::from_static("of-client"),
        ),
        (
            HeaderName::from_static("idempotency-key"),
            HeaderValue::from_static("of-client"),
        ),
    ]));
    assert_eq!(text(stage.dispatcher.call(call).await).await, COMPLETION);
    assert_eq!(*seen.lock(), ["idempotency-key"]);
}
