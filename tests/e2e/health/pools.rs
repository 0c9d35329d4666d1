//! Pools in which some keys or providers fail: a well credential serves every request, and the provider that
//! fails is left alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::client::{ClientApi, ClientRequest};
use super::replies::well;
use super::scripted::{Reply, ReplyEnd, ScriptedProvider};
use super::{ONE, TWO, burst, health_of, pool, pool_with, start};

/// The credentials of the preferred provider.
fn preferred(name: &str, base_url: &str, keys: &[&str]) -> String {
    pool_with(name, "openai-compatible", base_url, keys, ", priority: 5")
}

fn plain() -> ClientRequest {
    ClientRequest::plain_chat().by(ONE)
}

#[tokio::test]
async fn two_revoked_keys_and_a_good_third() {
    let provider = ScriptedProvider::start(|request| match request.key() {
        "key-c" => well(request),
        _ => Reply::json(
            401,
            &json!({ "error": { "message": "Incorrect API key provided." } }),
        ),
    })
    .await;
    let keys = ["key-a", "key-b", "key-c"];
    let jackfield = start(
        &pool("p", "openai-compatible", &provider.url("/v1"), &keys),
        "",
    )
    .await;
    plain()
        .send(&jackfield)
        .await
        .assert_served_by(ClientApi::Chat, "key-c");
    for key in ["key-a", "key-b"] {
        let health = health_of(&jackfield, key, None).await;
        assert_eq!(health["state"], "cooling", "{key}: {health}");
    }
    for _ in 0..5 {
        plain()
            .send(&jackfield)
            .await
            .assert_served_by(ClientApi::Chat, "key-c");
    }
    assert_eq!(
        (provider.count_of("key-a"), provider.count_of("key-b")),
        (1, 1)
    );
}

/// The case takes 30 s; here it takes 6 s.
async fn outage_of_one_provider_is_invisible() {
    let p = ScriptedProvider::start(|_| Reply::html(503)).await;
    let q = ScriptedProvider::start(well).await;
    let providers = preferred("p", &p.url("/v1"), &["key-a", "key-b"])
        + &pool("q", "openai-compatible", &q.url("/v1"), &["key-q"]);
    let jackfield = start(&providers, "").await;
    let began = Instant::now();
    plain()
        .send(&jackfield)
        .await
        .assert_served_by(ClientApi::Chat, "key-q");
    assert!(
        p.count() <= 2,
        "the first request tries each key at most once"
    );
    let mut number = 0;
    while began.elapsed() < Duration::from_secs(6) {
        let client = if number % 2 == 0 { ONE } else { TWO };
        let response = ClientRequest::plain_chat()
            .by(client)
            .send(&jackfield)
            .await;
        response.assert_served_by(ClientApi::Chat, "key-q");
        number += 1;
        sleep(Duration::from_millis(40)).await;
    }
    let requests = p.requests();
    let later = &requests[2.min(requests.len())..];
    let seconds = began.elapsed().as_secs() + 1;
    assert!(
        later.len() as u64 <= seconds,
        "{} requests in {seconds} s of outage",
        later.len()
    );
}

async fn one_forbidden_key_among_three_well_ones() {
    let provider = ScriptedProvider::start(|request| match request.key() {
        "key-b" => Reply::html(403),
        _ => well(request),
    })
    .await;
    let keys = ["key-a", "key-b", "key-c", "key-d"];
    let providers = pool("p", "openai-compatible", &provider.url("/v1"), &keys);
    let jackfield = start(&providers, "routing: { selector: round-robin }\n").await;
    for number in 0..40 {
        let client = if number % 2 == 0 { ONE } else { TWO };
        let request = ClientRequest::new(ClientApi::Chat, "m1", &format!("hi {number}"));
        request
            .by(client)
            .send(&jackfield)
            .await
            .assert_served(ClientApi::Chat);
        sleep(Duration::from_millis(50)).await;
    }
    // One before the first success of the key could have counted; then it cools for 5 s.
    let refused = provider.count_of("key-b");
    assert!(
        refused <= 2,
        "the forbidden key was used {refused} times in 2 s"
    );
}

/// After the second unattributed failure of a provider another provider is next.
#[tokio::test]
async fn second_failure_of_a_provider_moves_to_another_provider() {
    let p = ScriptedProvider::start(|_| Reply::html(500)).await;
    let q = ScriptedProvider::start(well).await;
    let keys = ["key-a", "key-b", "key-c", "key-d", "key-e"];
    let providers = preferred("p", &p.url("/v1"), &keys)
        + &pool("q", "openai-compatible", &q.url("/v1"), &["key-q"]);
    let jackfield = start(&providers, "").await;
    plain()
        .send(&jackfield)
        .await
        .assert_served_by(ClientApi::Chat, "key-q");
    assert_eq!(p.count(), 2);
}

/// A key of several that fails with 5xx does not take the others with it.
#[tokio::test]
async fn one_failing_key_is_left_alone() {
    let provider = ScriptedProvider::start(|request| match request.key() {
        "key-a" => Reply::html(500),
        _ => well(request),
    })
    .await;
    let providers = pool(
        "p",
        "openai-compatible",
        &provider.url("/v1"),
        &["key-a", "key-b"],
    );
    let jackfield = start(&providers, "").await;
    for _ in 0..20 {
        plain()
            .send(&jackfield)
            .await
            .assert_served_by(ClientApi::Chat, "key-b");
    }
    assert!(
        provider.count_of("key-a") <= 2,
        "{} requests",
        provider.count_of("key-a")
    );
}

/// The cases `burst-one-provider-dies`: 102 of 250 were served.
#[tokio::test]
async fn retry_budget_lets_a_burst_move_to_a_well_provider() {
    let p = ScriptedProvider::start(|_| Reply::html(503).after(Duration::from_millis(500))).await;
    let q = ScriptedProvider::start(well).await;
    let providers = preferred("p", &p.url("/v1"), &["key-a"])
        + &pool("q", "openai-compatible", &q.url("/v1"), &["key-q"]);
    let jackfield = Arc::new(start(&providers, "").await);
    assert_all_served(&burst(&jackfield, &plain(), 250, 250).await);
}

/// The case `burst-one-key-dies`: 103 of 250 were served.
#[tokio::test]
async fn retry_budget_lets_a_burst_move_to_a_well_key() {
    let provider = ScriptedProvider::start(|request| match request.key() {
        "key-a" => Reply::html(503).after(Duration::from_millis(500)),
        _ => well(request),
    })
    .await;
    let providers = pool(
        "p",
        "openai-compatible",
        &provider.url("/v1"),
        &["key-a", "key-b"],
    );
    let jackfield = Arc::new(start(&providers, "").await);
    // Others are served by the well key at the same time.
    jackfield
        .client
        .get(jackfield.url("/healthz"))
        .send()
        .await
        .unwrap();
    assert_all_served(&burst(&jackfield, &plain(), 250, 250).await);
}

/// `budget-*`: without cooldowns each call tries the key that fails; 182 of 400 were served.
#[tokio::test]
async fn retry_budget_without_cooling() {
    let provider = ScriptedProvider::start(|request| match request.key() {
        "key-a" => Reply::html(500),
        _ => well(request),
    })
    .await;
    let providers = pool(
        "p",
        "openai-compatible",
        &provider.url("/v1"),
        &["key-a", "key-b"],
    );
    let jackfield = Arc::new(start(&providers, "disable-cooling: true\n").await);
    assert_all_served(&burst(&jackfield, &plain(), 400, 8).await);
}

#[track_caller]
fn assert_all_served(responses: &[super::client::ClientResponse]) {
    let refused: Vec<_> = responses
        .iter()
        .filter(|seen| !seen.is_served(ClientApi::Chat))
        .collect();
    assert!(
        refused.is_empty(),
        "{} of {} were not served: {}",
        refused.len(),
        responses.len(),
        refused[0].summary()
    );
}

/// Default rounds: one key is limited for 2 s, the connection of the other is reset.
async fn waits_for_the_limit_though_another_key_failed() {
    let over = Arc::new(AtomicBool::new(false));
    let limited = Arc::clone(&over);
    let provider = ScriptedProvider::start(move |request| match request.key() {
        "key-b" => Reply::nothing(ReplyEnd::Reset),
        _ if limited.swap(true, Ordering::Relaxed) => well(request),
        _ => Reply::html(429).with_header("retry-after", &2),
    })
    .await;
    let providers = pool(
        "p",
        "openai-compatible",
        &provider.url("/v1"),
        &["key-a", "key-b"],
    );
    let jackfield = start(&providers, "").await;
    let response = plain().send(&jackfield).await;
    response.assert_served_by(ClientApi::Chat, "key-a");
    assert!(
        response.elapsed >= Duration::from_secs(2),
        "{:?}",
        response.elapsed
    );
}

/// `rounds: 1` on the credentials: a call that may not try again does not wait.
#[tokio::test]
async fn spent_rounds_are_not_waited_for() {
    let provider =
        ScriptedProvider::start(|_| Reply::html(429).with_header("retry-after", &8)).await;
    let url = provider.url("/v1");
    let keys = ["key-a", "key-b"];
    let providers = pool_with("p", "openai-compatible", &url, &keys, ", rounds: 1");
    let jackfield = start(&providers, "").await;
    let response = plain().send(&jackfield).await;
    assert_eq!(response.status, 429, "{}", response.summary());
    assert!(
        response.elapsed < Duration::from_secs(3),
        "{:?}",
        response.elapsed
    );
    assert!(
        (1..=8).contains(&response.retry_after()),
        "{}",
        response.summary()
    );
}

/// `max-credentials` below the size of the pool does not switch rounds off.
async fn max_credentials_keeps_rounds() {
    let began = Mutex::new(None);
    let provider = ScriptedProvider::start(move |request| {
        let began = *began.lock().get_or_insert_with(Instant::now);
        if began.elapsed() < Duration::from_millis(900) {
            return Reply::html(429).with_header("retry-after", &1);
        }
        well(request)
    })
    .await;
    let url = provider.url("/v1");
    let providers = pool("p", "openai-compatible", &url, &["key-a", "key-b"]);
    let jackfield = start(&providers, "retry: { max-credentials: 1, rounds: 3 }\n").await;
    plain()
        .send(&jackfield)
        .await
        .assert_served(ClientApi::Chat);
}

/// A single credential whose connection is reset: one more try, over a fresh connection.
#[tokio::test]
async fn single_credential_is_tried_again_after_a_reset() {
    let provider = ScriptedProvider::start({
        let reset = AtomicBool::new(false);
        move |request| match reset.swap(true, Ordering::Relaxed) {
            true => well(request),
            false => Reply::nothing(ReplyEnd::Reset),
        }
    })
    .await;
    let providers = pool("p", "openai-compatible", &provider.url("/v1"), &["key-a"]);
    let jackfield = start(&providers, "retry: { rounds: 1 }\n").await;
    plain()
        .send(&jackfield)
        .await
        .assert_served_by(ClientApi::Chat, "key-a");
    let connections: Vec<usize> = provider
        .requests()
        .iter()
        .map(|seen| seen.connection)
        .collect();
    assert_eq!(connections, [0, 1]);
}

#[tokio::test]
async fn slow_pools() {
    together!(
        outage_of_one_provider_is_invisible,
        one_forbidden_key_among_three_well_ones,
        waits_for_the_limit_though_another_key_failed,
        max_credentials_keeps_rounds,
    );
}
