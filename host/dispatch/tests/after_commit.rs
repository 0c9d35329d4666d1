//! After content was sent, a failure ends the stream with exactly one error event.

use jackfield_auth::LeaseCounts;
use jackfield_dispatch::ResponseBody;

use crate::chat_fixtures::{DONE, ERROR, FINISH, ROLE, content, split_final_error, stream};
use crate::fake_plugins::FakeExecutor;
use crate::fake_upstream::{FakeUpstream, Piece, Script};
use crate::stage::{SECOND, Setting, read_body, text};

/// Runs a stream that commits and then fails. It must end in one error event, after complete
/// events only.
async fn assert_one_error_event(name: &str, script: Script, executor: FakeExecutor) -> String {
    let stage = Setting::new(2)
        .executor(executor)
        .stage(FakeUpstream::in_order(vec![script]));
    let response = stage.stream().await.unwrap();
    assert!(matches!(response.body, ResponseBody::Stream(_)), "{name}");
    let (bytes, body_error) = read_body(response).await;
    assert!(body_error.is_none(), "{name}: {body_error:?}");
    let (before, error) = split_final_error(&bytes);
    assert_eq!(
        before,
        [ROLE, &content("one"), &content("two")].concat(),
        "{name}"
    );
    let failed = LeaseCounts {
        failed: 1,
        ..LeaseCounts::default()
    };
    assert_eq!(stage.counts(), failed, "{name}");
    stage.assert_closed();
    error.message
}

fn committed_events() -> Script {
    Script::events([ROLE, &content("one"), &content("two")])
}

fn chunk(text: &str) -> Piece {
    Piece::Chunk(text.to_owned().into())
}

fn transport_failures() -> Vec<(&'static str, Script)> {
    let three = content("three");
    let half = &three[..three.len() - 4];
    vec![
        ("a broken connection", committed_events().then(Piece::Break)),
        (
            "a broken connection inside an event",
            committed_events().then(chunk(half)).then(Piece::Break),
        ),
        ("an early end", committed_events()),
        (
            "an early end inside an event",
            committed_events().then(chunk(half)),
        ),
        ("silence", committed_events().then(Piece::Hang)),
        (
            "silence inside an event",
            committed_events().then(chunk(half)).then(Piece::Hang),
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_7_reports_late_error_in_the_stream() {
    let malformed = committed_events().then(chunk("data: {\"choices\":[{]}\n\n"));
    let malformed = (
        "a malformed event",
        malformed.then(chunk(&content("three"))),
    );
    for (name, script) in transport_failures().into_iter().chain([malformed]) {
        assert_one_error_event(name, script.clone(), FakeExecutor::relaying()).await;
        assert_one_error_event(name, script, FakeExecutor::echoing()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn forwards_upstream_error_event() {
    for rest in [
        ERROR.to_owned(),
        [ERROR, &content("three"), ERROR, DONE].concat(),
    ] {
        let relayed = committed_events().then(chunk(&rest));
        assert_eq!(
            assert_one_error_event("relayed", relayed, FakeExecutor::relaying()).await,
            "out of order"
        );
        let via_plugin = committed_events().then(chunk(&rest));
        assert_eq!(
            assert_one_error_event("guided", via_plugin, FakeExecutor::echoing()).await,
            "out of order"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn upstream_error_keeps_its_kind_and_code() {
    let error =
        r#"data: {"error":{"message":"slow","type":"tokens","code":"rate_limit_exceeded"}}"#;
    for executor in [FakeExecutor::relaying(), FakeExecutor::echoing()] {
        let script = committed_events().then(chunk(&format!("{error}\n\n")));
        let setting = Setting::new(1).executor(executor);
        let stage = setting.stage(FakeUpstream::in_order(vec![script]));
        let (_, error) = split_final_error(text(stage.stream().await).await.as_bytes());
        assert_eq!(error.kind.as_deref(), Some("tokens"), "{error:?}");
        assert_eq!(error.code.as_deref(), Some("rate_limit_exceeded"));
    }
}

#[tokio::test(start_paused = true)]
async fn delivers_content_sharing_a_chunk_with_error() {
    for executor in [FakeExecutor::relaying(), FakeExecutor::echoing()] {
        let together = chunk(&[&content("two"), ERROR].concat());
        let script = Script::events([ROLE, &content("one")]).then(together);
        assert_eq!(
            assert_one_error_event("together", script, executor).await,
            "out of order"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn error_after_finish_counts_as_failure() {
    let script = Script::events([&content("one"), FINISH, ERROR.trim_end()]);
    let stage = Setting::new(1).stage(FakeUpstream::in_order(vec![script]));
    let (before, error) = split_final_error(text(stage.stream().await).await.as_bytes());
    assert_eq!(
        (before, &*error.message),
        ([&content("one"), FINISH].concat(), "out of order")
    );
    assert_eq!(stage.counts().failed, 1);
}

#[tokio::test(start_paused = true)]
async fn large_response_error_aborts_body() {
    let filler = format!("{{\"choices\":[{{}}],\"a\":\"{}", "x".repeat(300 << 10));
    let script = Script::json(200, filler.clone()).then(Piece::Break);
    let stage = Setting::new(1).stage(FakeUpstream::in_order(vec![script]));
    let (bytes, body_error) = read_body(stage.whole().await.unwrap()).await;
    assert_eq!(bytes, filler);
    assert!(body_error.unwrap().to_string().contains("interrupted"));
    assert_eq!(stage.counts().failed, 1);
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn slow_reader_does_not_trigger_idle_timeout() {
    let script = Script::events(stream()).slowly(SECOND);
    let stage = Setting::new(1).stage(FakeUpstream::in_order(vec![script]));
    let response = stage.stream().await.unwrap();
    tokio::time::sleep(200 * SECOND).await;
    assert_eq!(text(Ok(response)).await, stream().concat());
    assert_eq!(stage.counts().success, 1);
}
