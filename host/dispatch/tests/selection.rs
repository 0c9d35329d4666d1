//! Selection with a selector that works, waits, rejects, fails or is missing.

use std::sync::Arc;
use std::time::Duration;

use jackfield_dispatch::CallError;
use jackfield_dispatch::limits::SELECTOR_WAITS_MAX;
use jackfield_dispatch::port::{Choice, PickContext};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::chat_fixtures::COMPLETION;
use crate::fake_plugins::{FakeSelector, fault};
use crate::fake_upstream::{FakeUpstream, Script};
use crate::stage::{SECOND, Setting, text};

fn good(calls: usize) -> FakeUpstream {
    FakeUpstream::in_order(vec![Script::json(200, COMPLETION); calls])
}

#[tokio::test(start_paused = true)]
async fn selector_gets_context_and_its_choice_is_used() {
    let contexts: Arc<Mutex<Vec<(PickContext, usize)>>> = Arc::default();
    let recorder = Arc::clone(&contexts);
    let selector = FakeSelector::new(move |context, candidates| {
        recorder.lock().push((context.clone(), candidates));
        Ok(Choice::Candidate(candidates - 1))
    });
    let scripts = vec![
        Script::json(500, ""),
        Script::json(200, COMPLETION),
        Script::json(200, COMPLETION),
    ];
    let stage = Setting::new(3)
        .selector(selector)
        .stage(FakeUpstream::in_order(scripts));
    text(stage.whole().await).await;
    text(stage.whole().await).await;
    assert_eq!(stage.upstream.credentials(), ["c", "b", "b"]);
    let contexts = contexts.lock();
    let of = |column: fn(&PickContext) -> u64| -> Vec<u64> {
        contexts
            .iter()
            .map(|(context, _)| column(context))
            .collect()
    };
    assert_eq!(of(|context| context.attempt.into()), [0, 1, 0]);
    assert_eq!(of(|context| context.sequence), [0, 1, 2]);
    let sizes: Vec<usize> = contexts.iter().map(|(_, candidates)| *candidates).collect();
    assert_eq!(sizes, [3, 2, 2]);
    assert!(contexts.iter().all(|(context, _)| context.random < 1 << 53));
    assert_eq!(
        (&*contexts[0].0.model, contexts[0].0.dialect),
        ("model", "openai-chat")
    );
    assert_eq!(stage.dispatcher.selector_faults(), 0);
}

#[tokio::test(start_paused = true)]
async fn waiting_selector_is_called_again() {
    let selector = FakeSelector::new(|context, _| {
        Ok(match context.sequence {
            0..3 => Choice::WaitMs(1_500),
            _ => Choice::Candidate(1),
        })
    });
    let stage = Setting::new(2).selector(selector).stage(good(1));
    let start = Instant::now();
    text(stage.whole().await).await;
    assert_eq!(start.elapsed().as_millis(), 4_500);
    assert_eq!(stage.upstream.credentials(), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn selector_wait_is_limited() {
    for (milliseconds, waited) in [
        (100, SELECTOR_WAITS_MAX * SECOND / 10),
        (30_001, Duration::ZERO),
    ] {
        let selector = FakeSelector::new(move |_, _| Ok(Choice::WaitMs(milliseconds)));
        let stage = Setting::new(1).selector(selector).stage(good(0));
        let start = Instant::now();
        let error = stage.whole().await.unwrap_err();
        assert!(
            matches!(error, CallError::SelectorRefused { .. }),
            "{error:?}"
        );
        assert_eq!(start.elapsed(), waited);
        stage.assert_closed();
    }
}

#[tokio::test(start_paused = true)]
async fn selector_refusal_ends_call_with_reason() {
    let selector = FakeSelector::new(|_, _| Ok(Choice::None("closed on Sundays".to_owned())));
    let stage = Setting::new(2).selector(selector).stage(good(0));
    let error = stage.whole().await.unwrap_err();
    assert_eq!(error.label(), "selector-refused");
    assert!(error.to_string().contains("closed on Sundays"), "{error}");
    assert_eq!(stage.counts().cancelled, 0, "nothing was leased");
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn failing_selector_uses_first_candidate_and_is_counted() {
    let selector = FakeSelector::new(|_, _| Err(fault("no good")));
    let stage = Setting::new(2).selector(selector).stage(good(2));
    for faults in 1..3 {
        assert_eq!(text(stage.whole().await).await, COMPLETION);
        assert_eq!(stage.dispatcher.selector_faults(), faults);
    }
    assert_eq!(stage.upstream.credentials(), ["a", "a"]);
}

#[tokio::test(start_paused = true)]
async fn missing_selector_uses_first_candidate() {
    let mut setting = Setting::new(2);
    setting.selector = None;
    let stage = setting.stage(good(1));
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    assert_eq!(stage.dispatcher.selector_faults(), 1);
}

#[tokio::test(start_paused = true)]
async fn credential_cooling_during_selection_is_not_used() {
    // Both calls select at the same time; the first to finish finds that its credential became
    // unavailable.
    let upstream = FakeUpstream::new(|credential, _| match credential {
        "a" => Script::json(401, ""),
        _ => Script::json(200, COMPLETION),
    });
    let slow = FakeSelector::new(|context, _| {
        Ok(match context.sequence {
            0 => Choice::WaitMs(1),
            _ => Choice::Candidate(0),
        })
    });
    let stage = Setting::new(2).selector(slow).stage(upstream);
    let (one, two) = tokio::join!(stage.whole(), stage.whole());
    assert_eq!(
        (text(one).await, text(two).await),
        (COMPLETION.into(), COMPLETION.into())
    );
    assert_eq!(stage.upstream.credentials(), ["a", "b", "b"]);
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn selector_may_delegate_once_to_one_that_is_loaded() {
    let delegating =
        |name: &'static str| FakeSelector::new(move |_, _| Ok(Choice::Delegate(name.to_owned())));
    let last = || FakeSelector::new(|_, candidates| Ok(Choice::Candidate(candidates - 1)));
    for (delegate, other, chosen, fault) in [
        ("other-selector", Some(last()), "c", None),
        ("other-selector", None, "a", Some("which is not loaded")),
        (
            "other-selector",
            Some(delegating("fake-selector")),
            "a",
            Some("delegated again"),
        ),
    ] {
        let mut setting = Setting::new(3).selector(delegating(delegate));
        setting.other_selector = other;
        let stage = setting.stage(good(1));
        text(stage.whole().await).await;
        assert_eq!(stage.upstream.credentials(), [chosen]);
        let record = stage.record();
        let recorded = &record["steps"][0]["selector_fault"];
        match fault {
            None => assert!(recorded.is_null(), "{recorded}"),
            Some(part) => assert!(recorded.to_string().contains(part), "{recorded}"),
        }
    }
}
