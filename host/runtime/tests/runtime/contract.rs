//! The contract, with the example guests in every language: all must meet the same requirements.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jackfield_credential::{Failure, Scope};
use jackfield_dialect::json::Patch;
use jackfield_dispatch::plan::{Context, Framing, PlannedBody, Refusal, ResponseMode, SecretPlace};
use jackfield_dispatch::port::{Choice, Executor, FaultKind, PickContext, Rejection, Selector};
use jackfield_runtime::PluginKind;
use jackfield_test_support::{GuestKind, example_guest, guest};

use crate::harness::{
    CapturedLog, TestCandidates, as_executor, as_selector, context, expect_fault, frame, head,
    header, load, pick_context, plan,
};

#[tokio::test]
async fn rust_executor_meets_the_contract() {
    check_executor("rust").await;
}

#[tokio::test]
async fn javascript_executor_meets_the_contract() {
    check_executor("javascript").await;
}

#[tokio::test]
async fn python_executor_meets_the_contract() {
    check_executor("python").await;
}

#[tokio::test]
async fn rust_selector_meets_the_contract() {
    check_selector("rust").await;
}

#[tokio::test]
async fn javascript_selector_meets_the_contract() {
    check_selector("javascript").await;
}

#[tokio::test]
async fn python_selector_meets_the_contract() {
    check_selector("python").await;
}

#[tokio::test]
async fn selector_sees_context_settings_and_columns() {
    let selector = as_selector(&load("echoes_input", guest("echoes_input")).await);
    let context = PickContext {
        attempt: 3,
        affinity: None,
        settings: Arc::from("{\"label\":\"mine\"}"),
        ..pick_context("gpt-test", 7)
    };
    let listed = TestCandidates {
        weights: vec![1, 2],
        in_flight: vec![0, 3],
        regions: vec![Some("eu"), None],
        ..TestCandidates::default()
    };
    let choice = selector.pick(&context, Arc::new(listed)).await;
    let expected = "PickContext { model: \"gpt-test\", dialect: \"openai-chat\", operation: \"generate\", \
                    stream: false, attempt: 3, sequence: 7, affinity: None, random: 9007199254740991, \
                    now-ms: 1766000000000, options: [] }\n\
                    {\"label\":\"mine\"}\n2\n\
                    [9007199254740991, 9007199254740991]\n[1, 2]\n[0, 3]\n[1000, 1000]\n\
                    [4294967295, 4294967295]\n[999, 999]\n\
                    [18446744073709551615, 18446744073709551615]\n\
                    [1766000000001, 1766000000001]\n[Some(\"eu\"), None]";
    assert_eq!(choice.unwrap(), Choice::None(expected.to_owned()));
}

async fn check_executor(language: &str) {
    let plugin = load("example", example_guest(language, GuestKind::Executor)).await;
    assert_eq!(plugin.kind(), PluginKind::Executor);
    assert_eq!(plugin.version(), "1.0.0");
    assert!(plugin.selector().is_none());
    let executor = as_executor(&plugin);
    check_descriptor(&*executor);
    plans_original_body(&*executor).await;
    plans_a_patch_of_the_model(&*executor).await;
    refuses_by_the_body(&*executor).await;
    refuses_other_operations(&*executor).await;
    classifies_errors(&*executor).await;
    passes_a_response_through(&*executor, language).await;
    fails_a_response(&*executor).await;
    assert_eq!(plugin.counts().faults, 0);
}

fn check_descriptor(executor: &dyn Executor) {
    let descriptor = executor.descriptor();
    assert_eq!(descriptor.version, "1.0.0");
    assert_eq!(descriptor.dialects, ["openai-chat"]);
    assert_eq!(descriptor.operations, ["generate"]);
    assert!(descriptor.hosts.is_empty());
    assert!(descriptor.judges_errors);
}

async fn plans_original_body(executor: &dyn Executor) {
    let plan = plan(executor, "gpt-test").await;
    let request = &plan.request;
    assert_eq!(request.method, "POST");
    assert_eq!(
        request.url.as_str(),
        "https://acme.invalid/v1/chat/completions"
    );
    assert_eq!(request.headers.len(), 1);
    assert_eq!(header(&plan, "content-type"), "application/json");
    assert_eq!(
        request.secrets,
        [("api-key".to_owned(), SecretPlace::Bearer)]
    );
    assert!(matches!(request.body, PlannedBody::Original), "{request:?}");
    assert_eq!(plan.response_mode, ResponseMode::Whole);
    assert!(plan.captures.is_empty());
    assert_eq!(plan.state, "gpt-test");
}

async fn plans_a_patch_of_the_model(executor: &dyn Executor) {
    let context = Context {
        client_model: Arc::from("fast"),
        stream: true,
        ..context("le \"modèle\"\n模")
    };
    let planned = executor.prepare(&context, &Bytes::new()).await;
    let plan = planned.expect("a plan");
    let replaced = Patch::Replace {
        path: "/model".to_owned(),
        value: "\"le \\\"modèle\\\"\\n模\"".to_owned(),
    };
    match &plan.request.body {
        PlannedBody::Patched(patches) => {
            // JSON has two ways to write a line feed.
            let patches = format!("{patches:?}").replace("\\\\u000a", "\\\\n");
            assert_eq!(patches, format!("{:?}", [replaced]));
        }
        other => panic!("not a patch, but {other:?}"),
    }
    assert_eq!(plan.response_mode, ResponseMode::Frames(Framing::Sse));
    assert_eq!(plan.state, "le \"modèle\"\n模");
}

async fn refuses_by_the_body(executor: &dyn Executor) {
    let body =
        Bytes::from_static(b"{\"model\": \"m\", \"refuse\": {\"why\" : [1, \"\xC3\xA9\"]} }");
    let refusal = expect_refusal(executor.prepare(&context("gpt-test"), &body).await);
    let expected = Failure {
        scope: Scope::Request,
        kind: "invalid".into(),
        status: Some(400),
        message: "refused: {\"why\" : [1, \"é\"]}".to_owned(),
        retry_after: None,
        refresh_suggested: false,
        sent: true,
    };
    assert_eq!(refusal.failure, expected);
    assert_eq!(refusal.response, None);
}

async fn refuses_other_operations(executor: &dyn Executor) {
    let context = Context {
        operation: "embed",
        ..context("gpt-test")
    };
    let refusal = expect_refusal(executor.prepare(&context, &Bytes::new()).await);
    let expected = Failure {
        scope: Scope::Request,
        kind: "unsupported".into(),
        status: None,
        message: "this executor only generates".to_owned(),
        retry_after: None,
        refresh_suggested: false,
        sent: true,
    };
    assert_eq!(refusal.failure, expected);
}

async fn classifies_errors(executor: &dyn Executor) {
    let retry = |value| {
        [
            ("content-type", b"text/html".as_slice()),
            ("retry-after", value),
        ]
    };
    let rate_limited = |retry_after| expected(Scope::Model, "rate-limit", 429, retry_after);
    let day = Duration::from_secs(86_400);
    for (head, expected) in [
        (
            head(401, &retry(b"7")),
            Failure {
                refresh_suggested: true,
                sent: true,
                ..expected(Scope::Credential, "authentication", 401, None)
            },
        ),
        (head(429, &retry(b"86400")), rate_limited(Some(day))),
        (head(429, &retry(b"0")), rate_limited(Some(Duration::ZERO))),
        (head(429, &retry(b"1234567890")), rate_limited(None)),
        (
            head(429, &retry(b"Fri, 21 Nov 2025 08:00:00 GMT")),
            rate_limited(None),
        ),
        (head(429, &retry(b"7\xE9")), rate_limited(None)),
        (head(429, &[]), rate_limited(None)),
        (
            head(500, &retry(b"7")),
            expected(Scope::Provider, "transient", 500, None),
        ),
    ] {
        let error_body = Bytes::from_static(b"\xFF\x00 no text");
        let result = executor
            .judge(&context("gpt-test"), &Bytes::new(), &head, &error_body)
            .await;
        let refusal = result.expect("a failure");
        assert_eq!(refusal.failure, expected, "{head:?}");
        assert_eq!(refusal.response, Some(error_body));
    }
}

fn expected(
    scope: Scope,
    kind: &'static str,
    status: u16,
    retry_after: Option<Duration>,
) -> Failure {
    Failure {
        scope,
        kind: kind.into(),
        status: Some(status),
        message: format!("the provider returned {status}"),
        retry_after,
        refresh_suggested: false,
        sent: true,
    }
}

async fn passes_a_response_through(executor: &dyn Executor, language: &str) {
    let state = Bytes::from_static(b"gpt-test");
    let reply = executor
        .reply(&context("gpt-test"), &Bytes::new(), state)
        .await;
    let mut reply = reply.expect("a reply");

    let response_head = reply
        .head(head(201, &[("x-twice", b"1"), ("x-twice", b"\xE9")]))
        .await;
    let response_head = response_head.expect("a head");
    assert_eq!(response_head.status, 201);
    let twice: Vec<&[u8]> = response_head
        .headers
        .get_all("x-twice")
        .iter()
        .map(|value| value.as_bytes())
        .collect();
    assert_eq!(twice, [b"1".as_slice(), b"\xE9"]);
    assert_eq!(response_head.headers.len(), 2);

    let frames = vec![
        frame("delta", b"\xFF\x00"),
        frame("", b""),
        frame("", "é".as_bytes()),
    ];
    let output = reply.push(frames.clone(), false).await.expect("an output");
    assert_eq!(output.frames, frames);
    let who = reply.push(vec![frame("", b"who")], false).await;
    let state = format!("{language}:gpt-test");
    assert_eq!(who.expect("an output").frames[0].data, state);
    assert_eq!(output.usage, None);
    assert!(!output.done && output.next.is_none());

    let output = reply.push(Vec::new(), true).await.expect("an output");
    assert!(output.frames.is_empty());
    let usage = output.usage.expect("usage");
    assert_eq!(
        (
            usage.input,
            usage.output,
            usage.cached_input,
            usage.reasoning
        ),
        (3, 5, 0, 0)
    );
}

async fn fails_a_response(executor: &dyn Executor) {
    let reply = executor
        .reply(&context("m"), &Bytes::new(), Bytes::new())
        .await;
    let refusal = expect_refusal(reply.expect("a reply").head(head(299, &[])).await);
    assert_eq!(refusal.failure.message, "not this status");
    let reply = executor
        .reply(&context("m"), &Bytes::new(), Bytes::new())
        .await;
    let mut reply = reply.expect("a reply");
    let frames = vec![frame("", b"fine"), frame("", b"boom")];
    let refusal = expect_refusal(reply.push(frames, false).await);
    assert_eq!(refusal.failure.scope, Scope::Provider);
    assert_eq!(refusal.failure.kind, "transient");
    assert_eq!(refusal.failure.message, "boom");
    // A failure is a result and not a trap: the reply still works.
    let output = reply.push(vec![frame("", b"fine")], true).await;
    assert_eq!(output.expect("an output").frames, [frame("", b"fine")]);
}

/// The author of a plugin finds the exception and its place in the log, not in the client's error.
async fn check_exception(language: &str, place: &str) {
    let (log, _guard) = CapturedLog::capture();
    let plugin = load("example", example_guest(language, GuestKind::Executor)).await;
    let executor = as_executor(&plugin);
    let (context, body) = (context("m"), Bytes::new());
    let reply = executor.reply(&context, &body, Bytes::new()).await;
    let mut reply = reply.expect("a reply");
    let fault = expect_fault(reply.push(vec![frame("", b"mistake")], false).await);
    assert_eq!(fault.kind, FaultKind::Trapped, "{fault}");
    assert!(!fault.detail.contains("a mistake"), "{fault}");
    let lines = log.lines_with("a mistake of this guest");
    assert!(lines.iter().any(|line| line.contains(place)), "{lines:?}");
}

#[tokio::test]
async fn javascript_exceptions_are_in_the_log() {
    check_exception("javascript", "executor.js:").await;
}

#[tokio::test]
async fn python_exceptions_are_in_the_log() {
    check_exception("python", "reply.py").await;
}

fn expect_refusal<T: std::fmt::Debug>(result: Result<T, Rejection>) -> Refusal {
    match result {
        Err(Rejection::Refused(refusal)) => *refusal,
        other => panic!("no refusal, but {other:?}"),
    }
}

async fn check_selector(language: &str) {
    let (log, _guard) = CapturedLog::capture();
    let plugin = load("example", example_guest(language, GuestKind::Selector)).await;
    assert_eq!(plugin.kind(), PluginKind::Selector);
    assert_eq!(plugin.version(), "1.0.0");
    assert!(plugin.executor().is_none());
    let selector = as_selector(&plugin);
    chooses_by_columns(&*selector).await;
    is_round_robin_on_ties(&*selector).await;
    reads_only_needed_columns(&*selector).await;
    chooses_none_or_waits(&*selector).await;
    assert_eq!(plugin.counts().faults, 0);
    // One instance for all picks: a selector sees no content.
    assert_eq!(plugin.counts().created, 1);
    let lines = log.lines_with("pick 9007199254740991 for m");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines
            .iter()
            .all(|line| line.contains("DEBUG") && line.contains("example#1"))
    );
}

async fn chooses_by_columns(selector: &dyn Selector) {
    let all_equal = [0, 0, 0, 0];
    for (in_flight, weights, regions, chosen) in [
        (all_equal, [1, 1, 1, 1], [None; 4], 0),
        (all_equal, [1, 5, 9, 5], [None; 4], 2),
        (all_equal, [1, u32::MAX, 1 << 31, 5], [None; 4], 1),
        ([3, 2, 1, 2], [9, 9, 1, 9], [None; 4], 2),
        (
            [u32::MAX, 1 << 31, u32::MAX, 1 << 31],
            [1, 1, 9, 2],
            [None; 4],
            3,
        ),
        (
            [0, 7, 0, 9],
            [9, 1, 9, 9],
            [Some("us"), Some("eu"), None, Some("eu")],
            1,
        ),
        (
            all_equal,
            [1, 1, 1, 1],
            [Some(""), Some("us"), None, Some("eu")],
            3,
        ),
    ] {
        let listed = TestCandidates {
            in_flight: in_flight.to_vec(),
            weights: weights.to_vec(),
            regions: regions.to_vec(),
            ..TestCandidates::default()
        };
        let choice = selector
            .pick(&pick_context("gpt-test", 0), Arc::new(listed))
            .await;
        let case = format!("{in_flight:?} {weights:?} {regions:?}");
        assert_eq!(
            choice.expect("a choice"),
            Choice::Candidate(chosen),
            "{case}"
        );
    }
}

async fn is_round_robin_on_ties(selector: &dyn Selector) {
    let newest = (1 << 53) - 1;
    for (sequence, count, chosen) in [
        (0, 3, 0),
        (1, 3, 1),
        (5, 3, 2),
        (newest, 2, 1),
        (newest, 10, 1),
        (7, 1, 0),
    ] {
        let listed = Arc::new(TestCandidates::uniform(count));
        let choice = selector.pick(&pick_context("m", sequence), listed).await;
        assert_eq!(
            choice.expect("a choice"),
            Choice::Candidate(chosen),
            "{sequence} of {count}"
        );
    }
}

async fn reads_only_needed_columns(selector: &dyn Selector) {
    let listed = Arc::new(TestCandidates::uniform(2));
    let columns: Arc<TestCandidates> = Arc::clone(&listed);
    selector
        .pick(&pick_context("gpt-test", 0), columns)
        .await
        .expect("a choice");
    assert_eq!(
        listed.columns_read(),
        ["attribute region", "in-flight", "weights"]
    );
}

async fn chooses_none_or_waits(selector: &dyn Selector) {
    let none = selector
        .pick(
            &pick_context("none", 0),
            Arc::new(TestCandidates::uniform(2)),
        )
        .await;
    let why = "no credential may serve this model".to_owned();
    assert_eq!(none.expect("a choice"), Choice::None(why));
    let later = selector
        .pick(
            &pick_context("later", 0),
            Arc::new(TestCandidates::uniform(2)),
        )
        .await;
    assert_eq!(later.expect("a choice"), Choice::WaitMs(250));
}
