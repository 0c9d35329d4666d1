//! Some providers repeat a rejected key in their error message. It must not appear anywhere.

use jackfield_dispatch::UpstreamFailure;

use crate::chat_fixtures::{COMPLETION, content, error_body};
use crate::fake_plugins::FakeExecutor;
use crate::fake_upstream::{FakeUpstream, Script};
use crate::stage::{Setting, Stage, failure, text};

fn body() -> String {
    error_body("wrong key sk-of-a, try another", "server_error")
}

fn event() -> String {
    format!("data: {}\n\n", body())
}

fn stage(executor: FakeExecutor, script: Script) -> Stage {
    Setting::new(1)
        .one_round()
        .executor(executor)
        .stage(FakeUpstream::in_order(vec![script]))
}

/// Everything that the admin API shows of the credentials.
fn status(stage: &Stage) -> String {
    let now = stage.dispatcher.clock().now();
    format!("{:?}", stage.dispatcher.auth().status(now))
}

#[tokio::test(start_paused = true)]
async fn redacts_key_from_errors_and_status() {
    for (script, executor) in [
        (Script::json(401, body()), FakeExecutor::relaying()),
        (Script::json(200, body()), FakeExecutor::relaying()),
        (Script::events([event()]), FakeExecutor::relaying()),
        (Script::events([event()]), FakeExecutor::echoing()),
    ] {
        let stage = stage(executor, script);
        let UpstreamFailure {
            failure,
            response,
            reported,
        } = failure(stage.stream().await);
        assert_eq!(failure.message, "wrong key [secret], try another");
        assert!(response.is_none(), "{response:?}");
        assert!(!format!("{reported:?}").contains("sk-of-a"), "{reported:?}");
        assert!(status(&stage).contains("wrong key [secret]"));
        assert!(!status(&stage).contains("sk-of-a"));
    }
}

#[tokio::test(start_paused = true)]
async fn redacts_key_after_commit() {
    let script = || Script::events([content("one"), event()]);
    let via_plugin = stage(FakeExecutor::echoing(), script());
    let given = text(via_plugin.stream().await).await;
    assert!(given.contains("wrong key [secret]") && !given.contains("sk-of-a"));
    assert!(!status(&via_plugin).contains("sk-of-a"));
    let relayed = stage(FakeExecutor::relaying(), script());
    text(relayed.stream().await).await;
    assert!(!status(&relayed).contains("sk-of-a"));
}

#[tokio::test(start_paused = true)]
async fn error_body_without_key_is_unchanged() {
    let body = error_body("wrong key sk-of-b", "server_error");
    let stage = stage(FakeExecutor::relaying(), Script::json(401, body.clone()));
    let failure = failure(stage.stream().await);
    assert_eq!(failure.response.unwrap().body, body);
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_1_sends_configured_headers_of_the_credential() {
    let setting = Setting::new(1).registered(|registration| {
        let attributes = [
            ("header:X-Team", "blue"),
            ("header:content-length", "7"),
            ("header:not a name", "x"),
            ("region", "eu"),
        ];
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned()));
        registration.credential.attributes.extend(attributes);
    });
    let stage = setting.stage(FakeUpstream::in_order(vec![Script::json(200, COMPLETION)]));
    text(stage.whole().await).await;
    let headers = stage.upstream.headers_of(0);
    assert_eq!(headers["x-team"], "blue");
    let of_connection = headers.get("content-length");
    assert_eq!(
        of_connection, None,
        "the host controls headers of the connection"
    );
    assert_eq!(headers.get("region"), None);
}
