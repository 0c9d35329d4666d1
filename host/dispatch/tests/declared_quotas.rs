//! Allowances in headers that an executor declares: selectors see them, and a limit waits for their reset.

use http::HeaderName;
use jackfield_dispatch::{QuotaHeaders, ResetForm};

use crate::chat_fixtures::COMPLETION;
use crate::fake_plugins::FakeExecutor;
use crate::fake_upstream::{FakeUpstream, Script};
use crate::stage::{SECOND, Setting, Stage, failure, text};

fn stage(response: Script) -> Stage {
    let mut executor = FakeExecutor::relaying();
    executor.descriptor.quota_headers = vec![QuotaHeaders {
        of_credential: true,
        limit: Some(HeaderName::from_static("x-acme-limit")),
        left: Some(HeaderName::from_static("x-acme-left")),
        resets: Some(HeaderName::from_static("x-acme-resets")),
        form: ResetForm::Duration,
    }];
    Setting::new(1)
        .one_round()
        .executor(executor)
        .stage(FakeUpstream::in_order(vec![response]))
}

fn with_quota(response: Script, left: &'static str) -> Script {
    response
        .header("x-acme-limit", "40")
        .header("x-acme-left", left)
        .header("x-acme-resets", "1m30s")
}

#[tokio::test(start_paused = true)]
async fn selectors_see_declared_quotas() {
    let stage = stage(with_quota(Script::json(200, COMPLETION), "10"));
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    let now = stage.dispatcher.clock().now();
    let status = stage.dispatcher.auth().status(now);
    let quota = status[0].models[0].quota;
    assert_eq!(quota.left_permille, Some(250));
    assert_eq!(quota.resets_at, Some(now + 90 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_limit_waits_for_the_reset_of_what_is_used_up() {
    for (left, wait) in [("0", Some(90 * SECOND)), ("10", None)] {
        let stage = stage(with_quota(Script::json(429, "{}"), left));
        let failure = failure(stage.whole().await);
        assert_eq!(failure.failure.retry_after, wait, "{left}");
    }
}
