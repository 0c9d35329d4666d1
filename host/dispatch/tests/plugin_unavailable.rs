//! Calls whose plugin cannot be called now: it is being compiled, or suspended.

use std::sync::Arc;
use std::time::Duration;

use jackfield_dispatch::CallError;
use jackfield_dispatch::limits::{PLUGIN_COMPILING_WAIT, SUSPENDED_RESPONSE_DELAY};
use jackfield_dispatch::port::{FaultKind, PluginFault, Rejection};
use jackfield_dispatch::snapshot::Plugins;
use tokio::time::{Instant, sleep};

use crate::chat_fixtures::COMPLETION;
use crate::fake_plugins::{FakeExecutor, fault};
use crate::fake_upstream::{FakeUpstream, Script};
use crate::stage::{Setting, Stage};

/// Replaces the plugins of new calls.
fn publish(stage: &Stage, plugins: Plugins) {
    let next = stage.snapshot.load().with_plugins(Arc::new(plugins));
    stage.snapshot.store(Arc::new(next));
}

fn compiling(stage: &Stage) -> Arc<Plugins> {
    let ready = Arc::clone(&stage.snapshot.load().plugins);
    let compiling = Plugins {
        executors: Default::default(),
        compiling: ready.executors.keys().cloned().collect(),
        ..Plugins::clone(&ready)
    };
    publish(stage, compiling);
    ready
}

#[tokio::test(start_paused = true)]
async fn call_waits_for_an_executor_that_is_being_compiled() {
    let upstream = FakeUpstream::in_order(vec![Script::json(200, COMPLETION)]);
    let stage = Setting::new(1).stage(upstream);
    let ready = compiling(&stage);
    let (called, ()) = tokio::join!(stage.whole(), async {
        sleep(PLUGIN_COMPILING_WAIT - Duration::from_secs(1)).await;
        assert_eq!(stage.counts().open, 0, "a waiting call holds no lease");
        publish(&stage, Plugins::clone(&ready));
    });
    assert_eq!(called.unwrap().status, 200);
    assert_eq!(stage.cooling(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn call_fails_if_the_executor_is_not_ready_in_time() {
    let stage = Setting::new(1).stage(FakeUpstream::in_order(vec![]));
    compiling(&stage);
    let began = Instant::now();
    let error = stage.whole().await.unwrap_err();
    assert!(matches!(error, CallError::PluginCompiling(_)), "{error:?}");
    assert_eq!(began.elapsed(), PLUGIN_COMPILING_WAIT);
    assert_eq!(
        (error.code(), error.label()),
        (Some("plugin_compiling"), "plugin-compiling")
    );
    assert_eq!(stage.counts().open, 0);
}

#[tokio::test(start_paused = true)]
async fn response_of_a_suspended_plugin_is_delayed_without_a_lease() {
    let retry_after = Duration::from_secs(7);
    for (kind, code, label) in [
        (
            FaultKind::SuspendedForClient { retry_after },
            "client_suspended",
            "client-suspended",
        ),
        (
            FaultKind::Suspended { retry_after },
            "plugin_suspended",
            "plugin-suspended",
        ),
    ] {
        let executor =
            FakeExecutor::new(move |_| Err(Rejection::Fault(PluginFault { kind, ..fault("x") })));
        let upstream = FakeUpstream::in_order(vec![]);
        let stage = Setting::new(2).executor(executor).stage(upstream);
        let began = Instant::now();
        let (called, ()) = tokio::join!(stage.whole(), async {
            sleep(SUSPENDED_RESPONSE_DELAY / 2).await;
            assert_eq!(stage.counts().open, 0);
        });
        let error = called.unwrap_err();
        assert_eq!(began.elapsed(), SUSPENDED_RESPONSE_DELAY);
        assert_eq!((error.code(), error.label()), (Some(code), label));
        let CallError::Plugin(fault) = error else {
            panic!("{error:?}")
        };
        assert_eq!(fault.kind.retry_after(), Some(retry_after));
        assert_eq!(stage.cooling(), Vec::<String>::new());
    }
}
