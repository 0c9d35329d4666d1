//! Executors that declare a refresh policy decide when tokens are refreshed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::{PolicyQuery, RefreshJob, Refresher, Registration};
use jackfield_credential::{CredentialKind, ProviderName};
use jackfield_dispatch::PlannedRefresher;
use jackfield_dispatch::plan::{Plan, PlannedBody, ResponseMode};
use tokio::time::timeout;

use crate::chat_fixtures::COMPLETION;
use crate::fake_plugins::{FakeExecutor, fault, planned};
use crate::fake_upstream::{FakeUpstream, Script};
use crate::stage::{EPOCH, SECOND, Setting, Stage, text};

const HOUR: Duration = Duration::from_secs(3600);

/// A refresh whose response has a new key.
fn refresh_plan() -> Plan {
    let mut plan = planned(PlannedBody::Empty, ResponseMode::Relay);
    plan.captures = vec![("/access_token".to_owned(), "api-key".to_owned())];
    plan
}

fn executor() -> FakeExecutor {
    FakeExecutor::new(|context| {
        Ok(match context.operation {
            "refresh" => refresh_plan(),
            _ => planned(PlannedBody::Original, ResponseMode::Relay),
        })
    })
    .planning("refresh")
}

fn stage(executor: FakeExecutor) -> (Stage, Arc<PlannedRefresher>) {
    let upstream = FakeUpstream::new(|_, before| {
        let tokens = r#"{"access_token":"sk-of-a"}"#;
        Script::json(200, if before == 0 { tokens } else { COMPLETION })
    });
    let setting = Setting::new(1).executor(executor);
    let setting = setting.registered(|registration: &mut Registration| {
        registration.credential.kind = CredentialKind::Oauth;
        registration.expires_at = Some(EPOCH + 10 * HOUR);
    });
    let stage = setting.stage(upstream);
    let refresher = Arc::new(PlannedRefresher {
        snapshot: Arc::clone(&stage.snapshot),
        upstream: Arc::<FakeUpstream>::clone(&stage.upstream),
        clock: stage.dispatcher.clock().clone(),
    });
    (stage, refresher)
}

fn provider() -> ProviderName {
    ProviderName::new("provider")
}

fn question(stage: &Stage) -> PolicyQuery {
    let access = stage.dispatcher.auth().access(&"a".into()).unwrap();
    PolicyQuery {
        credential: Arc::clone(access.credential()),
        expires_at: Some(EPOCH + HOUR),
        refreshed_at: Some(EPOCH),
    }
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_14_refresh_policy_triggers_refresh() {
    let (stage, refresher) = stage(executor().evaluating(|evaluation| {
        assert_eq!(evaluation.credential.id.as_str(), "a");
        assert_eq!(evaluation.expires_at, Some(EPOCH + 10 * HOUR));
        assert_eq!(&*evaluation.settings, "{}");
        let late = evaluation.now_ms >= (EPOCH + 5 * HOUR).as_millis();
        Ok(Some(late))
    }));
    let auth = stage.dispatcher.auth().clone();
    auth.set_refresher(refresher);
    let _ = timeout(5 * HOUR - 2 * SECOND, auth.run()).await;
    assert_eq!(stage.upstream.calls(), 0);
    // The next check is at most 72 s away.
    let _ = timeout(80 * SECOND, auth.run()).await;
    assert_eq!(stage.upstream.calls(), 1);
    assert_eq!(text(stage.whole().await).await, COMPLETION);
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_14_does_not_refresh_without_executor_support() {
    for loaded in [true, false] {
        let (stage, refresher) = stage(FakeExecutor::relaying());
        if !loaded {
            let mut snapshot = (*stage.dispatcher.snapshot()).clone();
            Arc::make_mut(&mut snapshot.plugins).executors.clear();
            stage.snapshot.store(Arc::new(snapshot));
        }
        let auth = stage.dispatcher.auth().clone();
        auth.set_refresher(refresher);
        let _ = timeout(20 * HOUR, auth.run()).await;
        assert_eq!(stage.upstream.calls(), 0);
        let refresh_state = auth.get(&"a".into()).unwrap().refresh;
        assert_eq!((refresh_state.due_at, refresh_state.failures), (None, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn refresh_policy_requires_refresh_support() {
    let (_, with) = stage(executor().evaluating(|_| Ok(Some(true))));
    assert!(with.has_refresh_policy(&provider()));
    assert!(!with.has_refresh_policy(&ProviderName::new("another")));
    let (_, silent) = stage(executor());
    assert!(!silent.has_refresh_policy(&provider()));
    let (_, plans_none) = stage(FakeExecutor::relaying().evaluating(|_| Ok(Some(true))));
    assert!(!plans_none.has_refresh_policy(&provider()));
}

#[tokio::test(start_paused = true)]
async fn failing_refresh_policy_returns_none() {
    for (decision, expected) in [
        (Some(true), Some(true)),
        (Some(false), Some(false)),
        (None, None),
    ] {
        let (stage, refresher) = stage(executor().evaluating(move |_| Ok(decision)));
        assert_eq!(refresher.should_refresh(question(&stage)).await, expected);
    }
    let (stage, refresher) = stage(executor().evaluating(|_| Err(fault("it trapped"))));
    assert_eq!(refresher.should_refresh(question(&stage)).await, None);
}

#[tokio::test(start_paused = true)]
async fn refresh_context_has_a_dialect_that_the_executor_declared() {
    let executor = FakeExecutor::new(|context| {
        assert_eq!((context.operation, context.dialect), ("refresh", "gemini"));
        Ok(refresh_plan())
    });
    let (stage, refresher) = stage(executor.planning("refresh").accepting("gemini"));
    let access = stage.dispatcher.auth().access(&"a".into()).unwrap();
    let job = RefreshJob {
        credential: Arc::clone(access.credential()),
        secrets: BTreeMap::from([("api-key".to_owned(), "old".into())]),
        proxy: None,
    };
    let patch = refresher.refresh(job).await.unwrap();
    assert!(patch.secrets.contains_key("api-key"));
}
