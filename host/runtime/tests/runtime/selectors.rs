//! The choices of the built-in selectors, as components.

use std::sync::Arc;

use jackfield_dispatch::port::{Choice, PickContext, Selector};
use jackfield_test_support::plugin;

use crate::harness::{TestCandidates, as_selector, load, pick_context};

async fn selector(name: &str) -> Arc<dyn Selector> {
    as_selector(&load(name, plugin(name)).await)
}

/// Returns the choices for these picks, with the same candidates.
async fn choices(
    selector: &dyn Selector,
    listed: &Arc<TestCandidates>,
    contexts: impl Iterator<Item = PickContext>,
) -> Vec<usize> {
    let mut chosen = Vec::new();
    for context in contexts {
        let candidates = Arc::clone(listed);
        match selector.pick(&context, candidates).await.expect("no fault") {
            Choice::Candidate(index) => chosen.push(index),
            other => panic!("no candidate, but {other:?}"),
        }
    }
    chosen
}

fn counts(chosen: &[usize], candidates: usize) -> Vec<usize> {
    let count = |index| chosen.iter().filter(|chosen| **chosen == index).count();
    (0..candidates).map(count).collect()
}

#[tokio::test]
async fn cliproxyapi_compat_1_11_round_robin_takes_each_candidate_once_per_round() {
    let selector = selector("round-robin").await;
    let listed = Arc::new(TestCandidates::uniform(3));
    let turns = (5..11).map(|sequence| pick_context("m", sequence));
    assert_eq!(
        choices(&*selector, &listed, turns).await,
        [2, 0, 1, 2, 0, 1]
    );
    assert!(listed.columns_read().is_empty());
}

#[tokio::test]
async fn cliproxyapi_compat_1_2_round_robin_cursor_wraps_around() {
    let selector = selector("round-robin").await;
    let listed = Arc::new(TestCandidates::uniform(3));
    let end = [u64::MAX - 2, u64::MAX - 1, u64::MAX, 0, 1];
    let turns = end.into_iter().map(|sequence| pick_context("m", sequence));
    let chosen = choices(&*selector, &listed, turns).await;
    assert_eq!(chosen, [1, 2, 0, 0, 1]);
}

#[tokio::test]
async fn cliproxyapi_compat_1_11_fill_first_always_takes_the_first_candidate() {
    let selector = selector("fill-first").await;
    let listed = Arc::new(TestCandidates::uniform(3));
    let turns = (0..4).map(|sequence| pick_context("m", sequence));
    assert_eq!(choices(&*selector, &listed, turns).await, [0, 0, 0, 0]);
    assert!(listed.columns_read().is_empty());
}

#[tokio::test]
async fn cliproxyapi_compat_1_19_weighted_gives_each_candidate_its_weight() {
    let selector = selector("weighted").await;
    let listed = Arc::new(TestCandidates {
        weights: vec![5, 1, 2],
        ..TestCandidates::uniform(3)
    });
    let turns = (3..19).map(|sequence| pick_context("m", sequence));
    let chosen = choices(&*selector, &listed, turns).await;
    assert_eq!(counts(&chosen, 3), [10, 2, 4]);
    assert_eq!(listed.columns_read(), ["weights"]);
}

#[tokio::test]
async fn cliproxyapi_compat_1_19_sticky_keeps_a_session_on_its_credential() {
    let selector = selector("sticky").await;
    let session = |affinity| PickContext {
        affinity: Some(affinity),
        ..pick_context("m", affinity)
    };
    let all = Arc::new(TestCandidates {
        identities: (100..108).collect(),
        ..TestCandidates::uniform(8)
    });
    let chosen = choices(&*selector, &all, (0..200).map(session)).await;
    let again = (0..200).map(|affinity| PickContext {
        attempt: 1,
        random: 7,
        ..session(affinity)
    });
    assert_eq!(choices(&*selector, &all, again).await, chosen);
    assert!(
        counts(&chosen, 8).iter().all(|count| *count > 5),
        "{chosen:?}"
    );
    assert_eq!(all.columns_read(), ["identities", "weights"]);

    let but_the_first = Arc::new(TestCandidates {
        identities: (101..108).collect(),
        ..TestCandidates::uniform(7)
    });
    let after = choices(&*selector, &but_the_first, (0..200).map(session)).await;
    for (before, after) in chosen.iter().zip(after) {
        assert!(*before == 0 || *before == after + 1);
    }
}

#[tokio::test]
async fn sticky_without_session_is_round_robin() {
    let selector = selector("sticky").await;
    let turns = (0..6).map(|sequence| PickContext {
        affinity: None,
        ..pick_context("m", sequence)
    });
    let listed = Arc::new(TestCandidates::uniform(3));
    assert_eq!(
        choices(&*selector, &listed, turns).await,
        [0, 1, 2, 0, 1, 2]
    );
}

#[tokio::test]
async fn least_busy_weighs_load_by_weight() {
    let selector = selector("least-busy").await;
    let listed = Arc::new(TestCandidates {
        weights: vec![4, 1, 2, 1],
        in_flight: vec![3, 1, 1, 9],
        ..TestCandidates::default()
    });
    let turns = |listed| {
        let turns = (0..4).map(|sequence| pick_context("m", sequence));
        choices(&*selector, listed, turns)
    };
    assert_eq!(turns(&listed).await, [2; 4]);
    assert_eq!(listed.columns_read(), ["in-flight", "weights"]);
    let idle = Arc::new(TestCandidates::uniform(2));
    assert_eq!(turns(&idle).await, [0, 1, 0, 1]);
}
