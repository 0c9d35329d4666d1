//! Before the commit point, every failure fails over to the next credential, and the client gets
//! one complete response. Client errors are not retried.

use bytes::Bytes;
use jackfield_credential::Scope;
use jackfield_dispatch::CallError;
use jackfield_dispatch::limits::{ERROR_BODY_BYTES_MAX, ERROR_BODY_TIMEOUT};

use crate::chat_fixtures::{COMPLETION, DONE, ERROR, ROLE, content, error_body, stream};
use crate::fake_plugins::FakeExecutor;
use crate::fake_upstream::{FakeUpstream, Piece, Script};
use crate::stage::{SECOND, Setting, failure, text};

/// The first credential fails like this; the second succeeds.
async fn assert_fails_over(name: &str, failing: Script, executor: FakeExecutor, streamed: bool) {
    let (good, expected) = if streamed {
        (Script::events(stream()), stream().concat())
    } else {
        (Script::json(200, COMPLETION), COMPLETION.to_owned())
    };
    let stage = Setting::new(2)
        .executor(executor)
        .stage(FakeUpstream::in_order(vec![failing, good]));
    let response = if streamed {
        stage.stream().await
    } else {
        stage.whole().await
    };
    assert_eq!(text(response).await, expected, "{name}");
    assert_eq!(stage.upstream.credentials(), ["a", "b"], "{name}");
    assert_eq!(
        (stage.counts().failed, stage.counts().success),
        (1, 1),
        "{name}"
    );
    assert_eq!(stage.failed_credentials(), ["a"], "{name}");
    stage.assert_closed();
}

/// Failures of whole responses and of streams.
fn failures() -> Vec<(&'static str, Script)> {
    let html = Bytes::from_static(b"<html>busy</html>");
    vec![
        ("no connection", Script::refuse()),
        ("a reset connection", Script::reset()),
        (
            "429",
            Script::json(429, error_body("slow down", "rate_limit_error")),
        ),
        ("500", Script::json(500, "")),
        (
            "503",
            Script::response(503, "text/html", vec![Piece::Chunk(html.clone())]),
        ),
        (
            "401",
            Script::json(401, error_body("wrong key", "invalid_request_error")),
        ),
        (
            "403",
            Script::json(403, error_body("not yours", "permission")),
        ),
        (
            "404",
            Script::json(404, error_body("no such model", "invalid_request_error")),
        ),
        (
            "billing 400",
            Script::json(
                400,
                error_body(
                    "Your credit balance is too low to access the API.",
                    "invalid_request_error",
                ),
            ),
        ),
        (
            "HTML with 200",
            Script::response(200, "text/html", vec![Piece::Chunk(html)]),
        ),
        (
            "an error with 200",
            Script::json(200, error_body("busy", "overloaded_error")),
        ),
        (
            "no choices",
            Script::json(200, r#"{"id":"x","choices":[]}"#),
        ),
        ("an empty body", Script::json(200, "")),
        (
            "a truncated body",
            Script::json(200, r#"{"choices":[{"message":{"content":"hal"#),
        ),
        (
            "a body that ends with an error",
            Script::json(200, r#"{"choices":[{}"#).then(Piece::Break),
        ),
    ]
}

/// Streams whose provider is silent for too long.
fn silent_streams() -> Vec<(&'static str, Script)> {
    let stalled = Script::events([""; 0]).then(Piece::Hang);
    vec![
        ("no head", Script::hang()),
        (
            "a late response head",
            Script::json(200, COMPLETION).after(61 * SECOND),
        ),
        ("no first byte", stalled),
        (
            "JSON that stalls",
            Script::json(200, r#"{"choices":[{}"#).then(Piece::Hang),
        ),
        (
            "a stream that stalls after its role",
            Script::events([ROLE]).then(Piece::Hang),
        ),
    ]
}

/// Failures of streams only.
fn stream_failures() -> Vec<(&'static str, Script)> {
    let one = content("one");
    let half = &one[..one.len() - 3];
    vec![
        ("an error event", Script::events([ERROR])),
        (
            "an error event after the role",
            Script::events([ROLE, ERROR, &one]),
        ),
        (
            "a named error event",
            Script::events(["event: error\ndata: {\"message\":\"no\"}\n\n"]),
        ),
        (
            "an error at the end, without a line feed",
            Script::events([ROLE, ERROR.trim_end()]),
        ),
        (
            "an error with lone carriage returns",
            Script::events([ERROR.replace('\n', "\r")]),
        ),
        (
            "a malformed event",
            Script::events(["data: {\"choices\":\n\n", &one]),
        ),
        (
            "a malformed event after the role",
            Script::events([ROLE, "data: oops\n\n", &one]),
        ),
        ("an empty stream", Script::events([""; 0])),
        ("nothing but [DONE]", Script::events([DONE])),
        (
            "only [DONE], without a line feed",
            Script::events([DONE.trim_end()]),
        ),
        (
            "only [DONE], and the connection stays open",
            Script::events([DONE]).then(Piece::Hang),
        ),
        ("role and [DONE]", Script::events([ROLE, DONE])),
        ("only comments", Script::events([": a\n\n", ": b\n\n"])),
        ("a stream that ends after its role", Script::events([ROLE])),
        (
            "a stream that ends inside its first content",
            Script::events([ROLE, half]),
        ),
        (
            "a stream with an error after its role",
            Script::events([ROLE]).then(Piece::Break),
        ),
        (
            "a stream with an error inside its first content",
            Script::events([ROLE, half]).then(Piece::Break),
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_6_failure_tries_the_next_credential() {
    for (name, failing) in failures() {
        assert_fails_over(name, failing, FakeExecutor::relaying(), false).await;
    }
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_7_stream_fails_over_until_first_content() {
    let failures = failures().into_iter().chain(stream_failures());
    for (name, failing) in failures.chain(silent_streams()) {
        assert_fails_over(name, failing, FakeExecutor::relaying(), true).await;
    }
}

#[tokio::test(start_paused = true)]
async fn plugin_stream_fails_over() {
    // For a plugin, only a response with events is a stream.
    let failures = failures().into_iter();
    let failures = failures.filter(|(name, _)| !name.contains("200") && !name.contains("body"));
    let stream_failures = stream_failures().into_iter().chain(silent_streams());
    let stream_failures = stream_failures.filter(|(name, _)| !name.contains("JSON"));
    for (name, failing) in failures.chain(stream_failures) {
        assert_fails_over(name, failing, FakeExecutor::echoing(), true).await;
    }
}

#[tokio::test(start_paused = true)]
async fn client_error_is_not_retried() {
    for status in [400, 413, 422] {
        let body = error_body("messages: missing", "invalid_request_error");
        let script = Script::json(status, body.clone()).header("x-request-id", "r1");
        let stage = Setting::new(3).stage(FakeUpstream::in_order(vec![script]));
        let failure = failure(stage.stream().await);
        assert_eq!(failure.failure.scope, Scope::Request);
        let response = failure.response.unwrap();
        assert_eq!(
            (response.status.as_u16(), &response.body),
            (status, &Bytes::from(body))
        );
        assert_eq!(response.headers["x-request-id"], "r1");
        assert_eq!(stage.upstream.calls(), 1);
        assert_eq!(
            (stage.cooling(), stage.failed_credentials()),
            (vec![], vec![])
        );
        stage.assert_closed();
    }
}

#[tokio::test(start_paused = true)]
async fn client_error_in_stream_is_not_retried() {
    let error = format!(
        "data: {}\n\n",
        error_body("too long", "invalid_request_error")
    );
    let stage = Setting::new(3).stage(FakeUpstream::in_order(vec![Script::events([error])]));
    assert_eq!(failure(stage.stream().await).failure.scope, Scope::Request);
    assert_eq!(
        (stage.upstream.calls(), stage.failed_credentials()),
        (1, vec![])
    );
}

#[tokio::test(start_paused = true)]
async fn billing_400_cools_the_account() {
    let body = error_body("Insufficient Balance", "invalid_request_error");
    let scripts = vec![Script::json(400, body), Script::json(200, COMPLETION)];
    let stage = Setting::new(2).stage(FakeUpstream::in_order(scripts));
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    assert_eq!(stage.cooling(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_19_connect_error_cools_no_credential() {
    let scripts = vec![Script::refuse(), Script::json(200, COMPLETION)];
    let stage = Setting::new(2).stage(FakeUpstream::in_order(scripts));
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    assert_eq!(
        (stage.cooling(), stage.failed_credentials()),
        (vec![], vec!["a".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_6_returns_the_last_failure() {
    let scripts = vec![Script::json(500, "first"), Script::json(502, "last")];
    let stage = Setting::new(2)
        .one_round()
        .stage(FakeUpstream::in_order(scripts));
    let error = stage.whole().await.unwrap_err();
    assert_eq!(error.label(), "upstream");
    let CallError::Upstream(failure) = error else {
        panic!("{error:?}")
    };
    let response = failure.response.unwrap();
    assert_eq!(
        (response.status.as_u16(), &response.body[..]),
        (502, &b"last"[..])
    );
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn error_body_is_truncated() {
    let long = Script::json(400, "x".repeat(ERROR_BODY_BYTES_MAX - 1)).then(Piece::Chunk(
        Bytes::from_static(b"yz and more that is not read"),
    ));
    let stage = Setting::new(1).stage(FakeUpstream::in_order(vec![long.then(Piece::Hang)]));
    let body = failure(stage.whole().await).response.unwrap().body;
    assert_eq!(body.len(), ERROR_BODY_BYTES_MAX);
    assert!(body.ends_with(b"xy"));
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn slow_error_body_times_out() {
    let scripts = vec![
        Script::dripping(500, "application/json", SECOND, " ", 1_000),
        Script::json(200, COMPLETION),
    ];
    let stage = Setting::new(2).stage(FakeUpstream::in_order(scripts));
    let start = tokio::time::Instant::now();
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    assert!(start.elapsed() <= ERROR_BODY_TIMEOUT + SECOND);
}

#[tokio::test(start_paused = true)]
async fn idle_timeout_starts_at_last_byte() {
    let mut setting = Setting::new(2);
    setting.timeouts.idle = 5 * SECOND;
    let silent = Script::events([ROLE]).slowly(SECOND).then(Piece::Hang);
    let upstream = FakeUpstream::in_order(vec![silent, Script::events(stream())]);
    let stage = setting.stage(upstream);
    let start = tokio::time::Instant::now();
    assert_eq!(text(stage.stream().await).await, stream().concat());
    assert_eq!(start.elapsed(), 6 * SECOND);
}
