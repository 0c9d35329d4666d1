//! Reloads during calls: calls go on, and each attempt uses the configuration that its credential
//! belongs to.

use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::{Reconfiguration, ReconfigureSummary};
use jackfield_credential::{PoolOptions, ProviderName};
use jackfield_dispatch::snapshot::Snapshot;
use tokio::time::sleep;

use crate::chat_fixtures::COMPLETION;
use crate::fake_upstream::{FakeUpstream, Script};
use crate::stage::{Setting, Stage, registration, text};

/// Replaces the provider by another one with another name.
fn replace_provider(stage: &Stage, to: &str, credentials: usize) -> ReconfigureSummary {
    let mut registrations: Vec<_> = (5..5 + credentials).map(registration).collect();
    for registration in &mut registrations {
        registration.credential.provider = ProviderName::new(to);
    }
    let new = Reconfiguration {
        registrations,
        options: PoolOptions::default(),
        persisted: jackfield_auth::PersistedState::default(),
    };
    let publish = |configuration| {
        let mut snapshot = Snapshot::clone(&stage.snapshot.load());
        let provider = snapshot.providers.pop_first().unwrap().1;
        snapshot.providers.insert(ProviderName::new(to), provider);
        snapshot.configuration = configuration;
        stage.snapshot.store(Arc::new(snapshot));
    };
    stage.dispatcher.auth().reconfigure(new, publish).unwrap()
}

#[tokio::test(start_paused = true)]
async fn attempt_after_reload_uses_new_configuration() {
    let failing = Script::json(500, "").after(Duration::from_secs(2));
    let good = Script::json(200, COMPLETION);
    let stage = Setting::new(2).stage(FakeUpstream::in_order(vec![failing, good]));
    let meanwhile = async {
        sleep(Duration::from_secs(1)).await;
        replace_provider(&stage, "other", 1)
    };
    let (response, counted) = tokio::join!(stage.whole(), meanwhile);
    let expected = ReconfigureSummary {
        total: 1,
        added: 1,
        changed: 0,
        removed: 2,
    };
    assert_eq!(counted, expected);
    assert_eq!(text(response).await, COMPLETION);
    assert_eq!(stage.upstream.credentials(), ["a", "f"]);
    let counts = stage.counts();
    assert_eq!((counts.open, counts.failed, counts.success), (0, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn queued_call_uses_added_credential() {
    let slow = Script::json(200, COMPLETION).after(Duration::from_secs(20));
    let good = Script::json(200, COMPLETION);
    let stage = Setting::new(1)
        .registered(|only| only.credential.in_flight_max = std::num::NonZeroU32::new(1))
        .stage(FakeUpstream::in_order(vec![slow, good]));
    let meanwhile = async {
        sleep(Duration::from_secs(1)).await;
        replace_provider(&stage, "other", 1);
    };
    let began = tokio::time::Instant::now();
    let call = async || {
        let response = stage.whole().await;
        assert_eq!(text(response).await, COMPLETION);
        began.elapsed().as_secs()
    };
    let (one, other, ()) = tokio::join!(call(), call(), meanwhile);
    assert_eq!(stage.upstream.credentials(), ["a", "f"]);
    assert_eq!((one.min(other), one.max(other)), (1, 20));
    stage.assert_closed();
}
