//! The retry budget bounds the load on a provider that fails, and refuses no failover to one that serves.

use std::sync::Arc;

use futures_util::future::join_all;
use jackfield_credential::{BudgetPolicy, ProviderName};

use crate::chat_fixtures::COMPLETION;
use crate::fake_upstream::{FakeUpstream, Script};
use crate::stage::{SECOND, Setting, Stage, failure, text};

/// A budget that never grows.
fn burst_of(burst: u32) -> BudgetPolicy {
    BudgetPolicy {
        ratio_permille: 0,
        per_second: 0,
        burst,
    }
}

/// A stage whose last credential is of another provider, with a lower priority.
fn stage_with_two_providers(mut setting: Setting, upstream: FakeUpstream) -> Stage {
    setting.registered = |registration| {
        let credential = &mut registration.credential;
        match credential.id.as_str() {
            "c" => credential.provider = ProviderName::new("other"),
            _ => credential.priority = 5,
        }
    };
    let stage = setting.stage(upstream);
    let mut snapshot = (*stage.dispatcher.snapshot()).clone();
    let other = snapshot.providers[&ProviderName::new("provider")].clone();
    snapshot.providers.insert(ProviderName::new("other"), other);
    stage.snapshot.store(Arc::new(snapshot));
    stage
}

fn down() -> Script {
    Script::json(503, "down")
}

fn good() -> Script {
    Script::json(200, COMPLETION)
}

/// Runs this many calls at once, and returns how many were served.
async fn served_of(stage: &Stage, calls: usize) -> usize {
    let responses = join_all((0..calls).map(|_| stage.whole())).await;
    responses.iter().filter(|response| response.is_ok()).count()
}

#[tokio::test(start_paused = true)]
async fn retry_budget_limits_amplification() {
    let mut setting = Setting::new(5);
    setting.policy.disable_cooling = true;
    setting.retry.rounds = 1;
    setting.retry.budget = BudgetPolicy {
        ratio_permille: 500,
        per_second: 0,
        burst: 10,
    };
    let stage = setting.stage(FakeUpstream::new(|_, _| down()));
    for _ in 0..100 {
        failure(stage.whole().await);
    }
    let further = stage.upstream.calls() - 100;
    assert!(
        (50..=60).contains(&further),
        "{further}: the burst, and a half of 100"
    );
}

#[tokio::test(start_paused = true)]
async fn retry_budget_limits_amplification_by_calls_at_once() {
    let mut setting = Setting::new(5);
    setting.policy.disable_cooling = true;
    setting.retry.rounds = 1;
    setting.retry.budget = burst_of(10);
    let stage = setting.stage(FakeUpstream::new(|_, _| down().after(SECOND)));
    assert_eq!(served_of(&stage, 250).await, 0);
    assert_eq!(stage.upstream.calls(), 250 + 10);
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn outage_that_begins_under_load_is_amplified_by_two_bursts_at_most() {
    let mut setting = Setting::new(5);
    setting.policy.disable_cooling = true;
    setting.retry.rounds = 1;
    setting.retry.budget = burst_of(10);
    let upstream = FakeUpstream::new(|_, before| if before < 20 { good() } else { down() });
    let stage = setting.stage(upstream);
    assert_eq!(served_of(&stage, 20).await, 20);
    for _ in 0..100 {
        failure(stage.whole().await);
    }
    assert_eq!(stage.upstream.calls(), 120 + 2 * 10);
}

#[tokio::test(start_paused = true)]
async fn calls_at_once_fail_over_to_another_provider() {
    let upstream = FakeUpstream::new(|credential, _| match credential {
        "a" => down().after(SECOND / 2),
        _ => good(),
    });
    let mut setting = Setting::new(3);
    setting.retry.budget = burst_of(1);
    // Without `b`, as in the report: the provider that fails has one key.
    let stage = stage_with_two_providers(setting, upstream);
    stage
        .dispatcher
        .auth()
        .set_enabled(&"b".into(), false)
        .await
        .unwrap();
    assert_eq!(served_of(&stage, 250).await, 250);
    assert_eq!(stage.upstream.calls(), 500);
}

#[tokio::test(start_paused = true)]
async fn calls_at_once_fail_over_to_another_key() {
    let upstream = FakeUpstream::new(|credential, _| match credential {
        "a" => down().after(SECOND / 2),
        _ => good().after(SECOND),
    });
    let stage = Setting::new(2).stage(upstream);
    assert_eq!(served_of(&stage, 250).await, 250);
    assert_eq!(stage.upstream.calls(), 500);
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn failovers_to_a_well_key_are_not_used_up() {
    let upstream = FakeUpstream::new(|credential, _| match credential {
        "a" | "b" | "c" => Script::json(500, ""),
        _ => good(),
    });
    let mut setting = Setting::new(4);
    setting.policy.disable_cooling = true;
    let stage = setting.stage(upstream);
    for _ in 0..50 {
        assert_eq!(served_of(&stage, 8).await, 8);
    }
    assert_eq!(stage.upstream.calls(), 400 * 4);
}

#[tokio::test(start_paused = true)]
async fn refused_provider_leaves_the_others() {
    let upstream = FakeUpstream::new(|credential, _| match credential {
        "a" | "b" => down(),
        _ => good(),
    });
    let mut setting = Setting::new(3);
    setting.retry.budget = burst_of(0);
    let stage = stage_with_two_providers(setting, upstream);
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    assert_eq!(stage.upstream.credentials(), ["a", "c"]);
    let record = stage.record();
    let steps = record["steps"].as_array().unwrap();
    let refused = steps.iter().find(|step| step["step"] == "budget-exhausted");
    assert_eq!(refused.unwrap()["provider"], "provider");
}
