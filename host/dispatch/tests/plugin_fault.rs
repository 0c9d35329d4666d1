//! A plugin's failure ends the exchange, without effect on any credential.

use jackfield_auth::LeaseCounts;
use jackfield_credential::{Failure, Scope};
use jackfield_dispatch::CallError;
use jackfield_dispatch::plan::{Plan, PlannedBody, Refusal, ResponseMode};
use jackfield_dispatch::port::{FaultKind, PluginFault, Rejection};
use url::Url;

use crate::chat_fixtures::{COMPLETION, content, split_final_error, stream};
use crate::fake_plugins::{FakeExecutor, FakeReply, fault, output, planned};
use crate::fake_upstream::{FakeUpstream, Script};
use crate::stage::{Setting, Stage, failure, text};

const UNJUDGED: LeaseCounts = LeaseCounts {
    open: 0,
    success: 0,
    failed: 0,
    cancelled: 0,
    inconclusive: 1,
};

async fn expect_plugin_fault(name: &str, stage: &Stage) -> PluginFault {
    let error = stage.stream().await.unwrap_err();
    let CallError::Plugin(fault) = error else {
        panic!("{name}: {error:?}")
    };
    assert_eq!(stage.counts(), UNJUDGED, "{name}");
    assert_eq!(
        (stage.cooling(), stage.failed_credentials()),
        (vec![], vec![]),
        "{name}"
    );
    stage.assert_closed();
    fault
}

#[tokio::test(start_paused = true)]
async fn fault_before_commit_fails_call_without_affecting_health() {
    let reply = |reply: fn() -> FakeReply| {
        FakeExecutor::replying(ResponseMode::Whole, move |_| Ok(reply()))
    };
    let relaying = FakeExecutor::relaying;
    let unauthorized = || Script::json(401, "");
    let good = || Script::events(stream());
    for (name, executor, script) in [
        (
            "prepare",
            FakeExecutor::new(|_| Err(fault("x").into())),
            None,
        ),
        (
            "judge",
            relaying().judging(|_, _| Err(fault("x"))),
            Some(unauthorized()),
        ),
        (
            "reply",
            FakeExecutor::replying(ResponseMode::Whole, |_| Err(fault("x"))),
            Some(good()),
        ),
        (
            "head",
            reply(|| FakeReply::echoing().with_head(|_| Err(fault("x").into()))),
            Some(good()),
        ),
        (
            "push",
            reply(|| FakeReply::new(|_, _| Err(fault("x").into()))),
            Some(good()),
        ),
    ] {
        let scripts = script.into_iter().collect();
        let stage = Setting::new(2)
            .executor(executor)
            .stage(FakeUpstream::in_order(scripts));
        assert_eq!(
            expect_plugin_fault(name, &stage).await.kind,
            FaultKind::Trapped,
            "{name}"
        );
        assert_eq!(
            stage.executor.faults(),
            0,
            "the runtime counts these faults itself"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn fault_after_commit_ends_stream_with_error_event() {
    let executor = FakeExecutor::replying(
        ResponseMode::Frames(jackfield_dispatch::plan::Framing::Sse),
        |_| {
            let mut pushes = 0;
            Ok(FakeReply::new(move |frames, _| {
                pushes += 1;
                if pushes > 2 {
                    return Err(fault("worn out").into());
                }
                Ok(output(frames))
            }))
        },
    );
    let upstream = FakeUpstream::in_order(vec![Script::events(stream())]);
    let stage = Setting::new(2).executor(executor).stage(upstream);
    let given = text(stage.stream().await).await;
    let (before, error) = split_final_error(given.as_bytes());
    assert!(before.ends_with(&content("one")));
    assert!(error.message.contains("fake-executor"), "{}", error.message);
    assert_eq!(stage.counts(), UNJUDGED);
    assert_eq!(stage.failed_credentials(), Vec::<String>::new());
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn invalid_plan_is_never_sent() {
    let origin = FakeExecutor::new(|_| {
        let mut plan = planned(PlannedBody::Original, ResponseMode::Relay);
        plan.request.url = Url::parse("https://elsewhere.test/v1").unwrap();
        Ok(plan)
    });
    let captures = FakeExecutor::new(|_| {
        let mut plan = planned(PlannedBody::Original, ResponseMode::Relay);
        plan.captures = vec![("/access_token".to_owned(), "access-token".to_owned())];
        Ok(plan)
    });
    let secret = FakeExecutor::new(|_| {
        let mut plan = planned(PlannedBody::Original, ResponseMode::Relay);
        plan.request.secrets[0].0 = "another-name".to_owned();
        Ok(plan)
    });
    let patch = FakeExecutor::new(|_| {
        let path = "/nowhere".to_owned();
        let patch = jackfield_dialect::json::Patch::Remove { path };
        Ok(planned(
            PlannedBody::Patched(vec![patch]),
            ResponseMode::Relay,
        ))
    });
    for (word, executor) in [
        ("elsewhere.test", origin),
        ("captures", captures),
        ("another-name", secret),
        ("patch", patch),
    ] {
        let stage = Setting::new(2)
            .executor(executor)
            .stage(FakeUpstream::in_order(vec![]));
        let fault = expect_plugin_fault(word, &stage).await;
        assert_eq!(fault.kind, FaultKind::InvalidOutput, "{word}");
        assert!(fault.detail.contains(word), "{}", fault.detail);
        assert_eq!(
            (stage.executor.faults(), stage.upstream.calls()),
            (1, 0),
            "{word}"
        );
    }
}

fn patched(path: &str) -> Plan {
    let path = path.to_owned();
    let patch = jackfield_dialect::json::Patch::Remove { path };
    planned(PlannedBody::Patched(vec![patch]), ResponseMode::Relay)
}

/// A remembered plan whose patch does not fit the body is no fault: the executor is asked again.
#[tokio::test(start_paused = true)]
async fn remembered_plan_that_does_not_fit_is_planned_again() {
    let executor = FakeExecutor::relaying().remembering(patched("/nowhere"));
    let upstream = FakeUpstream::in_order(vec![Script::json(200, COMPLETION)]);
    let stage = Setting::new(1).executor(executor).stage(upstream);
    text(stage.whole().await).await;
    assert_eq!((stage.executor.faults(), stage.upstream.calls()), (0, 1));
    let record = stage.record();
    assert_eq!(record["steps"][1]["step"], "planned");
    assert_eq!(record["steps"][1]["remembered"], true);
}

/// If the new plan does not fit either, it is the executor's fault.
#[tokio::test(start_paused = true)]
async fn plan_that_does_not_fit_again_is_a_fault() {
    let executor = FakeExecutor::new(|_| Ok(patched("/elsewhere")));
    let executor = executor.remembering(patched("/nowhere"));
    let stage = Setting::new(2)
        .executor(executor)
        .stage(FakeUpstream::in_order(vec![]));
    let fault = expect_plugin_fault("patch", &stage).await;
    assert!(fault.detail.contains("/elsewhere"), "{}", fault.detail);
    assert_eq!((stage.executor.faults(), stage.upstream.calls()), (1, 0));
}

/// All checks are made at each send.
#[tokio::test(start_paused = true)]
async fn remembered_plan_is_checked_as_any_other() {
    let mut plan = planned(PlannedBody::Original, ResponseMode::Relay);
    plan.request.url = Url::parse("https://elsewhere.test/v1").unwrap();
    let executor = FakeExecutor::relaying().remembering(plan);
    let stage = Setting::new(2)
        .executor(executor)
        .stage(FakeUpstream::in_order(vec![]));
    let fault = expect_plugin_fault("origin", &stage).await;
    assert!(fault.detail.contains("elsewhere.test"), "{}", fault.detail);
    assert_eq!(stage.upstream.calls(), 0);
}

fn rejection(scope: Scope, kind: &'static str, status: Option<u16>) -> Rejection {
    Rejection::Refused(Box::new(Refusal {
        failure: Failure {
            scope,
            kind: kind.into(),
            status,
            message: "as the executor says".to_owned(),
            retry_after: None,
            refresh_suggested: false,
            sent: true,
        },
        response: Some("{\"mine\":1}".into()),
    }))
}

#[tokio::test(start_paused = true)]
async fn executor_rejection_applies_to_its_scope() {
    for (scope, status, expected_status, kind, cools) in [
        (Scope::Request, None, 400, "invalid", &[][..]),
        (Scope::Request, Some(422), 422, "invalid", &[]),
        (Scope::Credential, None, 502, "billing", &["a", "b"]),
        (Scope::Model, Some(404), 404, "not-found", &["a", "b"]),
        (Scope::Transport, None, 502, "transient", &[]),
        // Clients get errors only: `101` would switch the protocol of their connection, and a redirect send their
        // prompt elsewhere.
        (Scope::Transport, Some(101), 502, "transient", &[]),
        (Scope::Transport, Some(200), 502, "transient", &[]),
        (Scope::Transport, Some(307), 502, "transient", &[]),
        (Scope::Transport, Some(999), 502, "transient", &[]),
    ] {
        let executor = FakeExecutor::new(move |_| Err(rejection(scope, kind, status)));
        let stage = Setting::new(2)
            .one_round()
            .executor(executor)
            .stage(FakeUpstream::in_order(vec![]));
        let failure = failure(stage.stream().await);
        let response = failure.response.unwrap();
        assert_eq!(
            (response.status.as_u16(), &response.body[..]),
            (expected_status, &b"{\"mine\":1}"[..])
        );
        let tries = if scope == Scope::Request { 1 } else { 2 };
        assert_eq!(stage.counts().failed, tries, "{scope:?}");
        assert_eq!(stage.cooling(), cools, "{scope:?}");
        stage.assert_closed();
    }
}

/// A judgement without a body: the host writes the error with the executor's message, unless clients can read the
/// provider's own one.
#[tokio::test(start_paused = true)]
async fn message_of_a_judgement_reaches_the_client() {
    for (body, passes) in [
        (r#"{"problem":422,"why":"too many words"}"#, false),
        (r#"{"error":{"message":"too many words"}}"#, true),
        ("<html>too many words</html>", true),
    ] {
        let executor = FakeExecutor::relaying().judging(|_, _| {
            match rejection(Scope::Request, "context-too-long", Some(422)) {
                Rejection::Refused(refusal) => Ok(Refusal {
                    response: None,
                    ..*refusal
                }),
                Rejection::Fault(fault) => Err(fault),
            }
        });
        let upstream = FakeUpstream::in_order(vec![Script::json(422, body)]);
        let stage = Setting::new(1).executor(executor).stage(upstream);
        let failure = failure(stage.whole().await);
        assert_eq!(failure.failure.message, "as the executor says");
        assert_eq!(failure.response.is_some(), passes, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn executor_classification_overrides_host() {
    let executor = FakeExecutor::relaying().judging(|head, body| {
        assert_eq!((head.status.as_u16(), &body[..]), (400, &b"odd"[..]));
        match rejection(Scope::Credential, "billing", Some(400)) {
            Rejection::Refused(refusal) => Ok(*refusal),
            Rejection::Fault(fault) => Err(fault),
        }
    });
    let odd = Script::json(400, "odd").header("content-encoding", "x-odd");
    let scripts = vec![odd.clone(), Script::json(200, COMPLETION), odd];
    let stage = Setting::new(2)
        .executor(executor)
        .stage(FakeUpstream::in_order(scripts));
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    assert_eq!(stage.cooling(), ["a"]);
    let response = failure(stage.whole().await).response.unwrap();
    assert_eq!(
        (response.status.as_u16(), &response.body[..]),
        (400, &b"{\"mine\":1}"[..])
    );
    assert!(
        !response.headers.contains_key("content-encoding"),
        "of the provider's body"
    );
}
