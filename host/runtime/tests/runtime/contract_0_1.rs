//! Components of version 0.1 of the contract, as binaries that were built with it: they load and serve
//! through the adapter.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use jackfield_dispatch::plan::{Context, PlannedBody, ResponseMode};
use jackfield_dispatch::port::Choice;
use jackfield_runtime::PluginKind;
use jackfield_test_support::guest_0_1;

use crate::harness::{
    TestCandidates, as_executor, as_selector, context, frame, head, header, load_remembering,
    pick_context,
};

#[tokio::test]
async fn an_executor_plans_judges_and_replies() {
    let plugin = load_remembering("example", guest_0_1("example_executor")).await;
    assert_eq!(
        (plugin.kind(), plugin.version()),
        (PluginKind::Executor, "1.0.0")
    );
    let sees: Vec<&str> = plugin.sees().words().collect();
    assert_eq!(
        sees,
        ["client-headers", "body", "error-bodies", "responses"]
    );
    let executor = as_executor(&plugin);
    assert!(executor.descriptor().judges_errors);
    let (context, nothing) = (context("gpt-test"), Bytes::new());
    for _ in 0..2 {
        let plan = executor.prepare(&context, &nothing).await.unwrap();
        // It gets the time and the headers in each call.
        assert!(!plan.is_remembered());
        assert_eq!(plan.request.url.path(), "/v1/chat/completions");
        assert_eq!(plan.request.body, PlannedBody::Original);
        assert_eq!(plan.response_mode, ResponseMode::Whole);
        assert_eq!(plan.state, "gpt-test");
    }
    let judged = executor
        .judge(&context, &nothing, &head(401, &[]), &nothing)
        .await;
    assert!(judged.unwrap().failure.refresh_suggested);
    let reply = executor.reply(&context, &nothing, "s".into()).await;
    let mut reply = reply.unwrap();
    let own = reply.head(head(200, &[])).await.unwrap();
    assert_eq!(own.headers["x-guest"], "rust:s");
    let output = reply.push(vec![frame("", b"x")], true).await.unwrap();
    assert_eq!(output.frames, [frame("", b"x")]);
    assert_eq!(output.usage.unwrap().output, 5);
    assert_eq!(plugin.counts().faults, 0);
}

#[tokio::test]
async fn an_executor_decides_about_refreshes() {
    let plugin = load_remembering("evaluates", guest_0_1("evaluates_refresh")).await;
    let executor = as_executor(&plugin);
    assert!(executor.descriptor().evaluates_refresh);
    assert!(
        executor
            .descriptor()
            .operations
            .iter()
            .any(|each| each == "refresh")
    );
}

/// The body is read as before, and what an instance has seen reaches no other call: also not headers, which
/// are in the context.
#[tokio::test]
async fn an_instance_that_saw_a_client_is_dropped() {
    let plugin = load_remembering("reads", guest_0_1("reads_body")).await;
    let executor = as_executor(&plugin);
    for model in ["read", "at"] {
        let body = Bytes::from_static(b"{\"secret\":\"of this client\"}");
        let plan = executor.prepare(&context(model), &body).await.unwrap();
        assert!(header(&plan, "x-now").contains("of this client"));
        assert_eq!(header(&plan, "x-seen"), "");
    }
    let mut headers = HeaderMap::new();
    headers.insert("anthropic-beta", HeaderValue::from_static("a"));
    let with_headers = Context {
        headers: Arc::new(headers),
        ..context("length")
    };
    for (context, before) in [
        (context("length"), ""),
        (context("length"), "4"),
        (with_headers, "4"),
        (context("length"), ""),
    ] {
        let body = Bytes::from_static(b"four");
        let plan = executor.prepare(&context, &body).await.unwrap();
        assert_eq!(header(&plan, "x-seen"), before);
    }
}

#[tokio::test]
async fn a_selector_picks() {
    let plugin = load_remembering("selector", guest_0_1("example_selector")).await;
    assert_eq!(plugin.kind(), PluginKind::Selector);
    let selector = as_selector(&plugin);
    let candidates = Arc::new(TestCandidates::uniform(3));
    let choice = selector.pick(&pick_context("m", 5), candidates).await;
    assert_eq!(choice.unwrap(), Choice::Candidate(2));
}
