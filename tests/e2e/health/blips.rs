//! Blips: the provider fails once or for a moment. Service is back within seconds, and until then the client
//! learns what really happened.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::client::{ClientApi, ClientRequest};
use super::replies::well;
use super::scripted::{Reply, ReplyEnd, ScriptedProvider};
use super::{ONE, TWO, pool, start, time_until_served};
use crate::harness::Jackfield;

/// The bound for guessed outages is 2 s. Machines may be slow.
const OUTAGE_LIMIT: Duration = Duration::from_secs(4);

/// The bound for one refusal is 5 s. Machines may be slow.
const REFUSED_LIMIT: Duration = Duration::from_secs(8);

/// A call does not wait for a cooldown, so that the tests see what is reported.
const ONE_ROUND: &str = "retry: { rounds: 1 }\n";

/// Starts a provider that fails `times` times, and a server with its keys. Each call has one round.
async fn failing(
    executor: &str,
    keys: &[&str],
    times: usize,
    reply: impl Fn() -> Reply + Send + Sync + 'static,
) -> (ScriptedProvider, Jackfield) {
    let failures = AtomicUsize::new(0);
    let provider = ScriptedProvider::start(move |request| {
        if failures.fetch_add(1, Ordering::Relaxed) < times {
            reply()
        } else {
            well(request)
        }
    })
    .await;
    let jackfield = start(&pool("p", executor, &provider.url("/v1"), keys), ONE_ROUND).await;
    (provider, jackfield)
}

/// The cases `lone-*`: one failure of a single key blacked it out for 60 s.
#[tokio::test]
async fn single_failure_of_a_single_key_heals_at_once() {
    let mut cases = JoinSet::new();
    for status in [500, 502, 503, 504, 529, 408, 0] {
        cases.spawn(async move {
            let reply = move || match status {
                0 => Reply::bytes(200, "application/json", Vec::new()),
                _ => Reply::html(status),
            };
            let (_provider, jackfield) = failing("openai-compatible", &["key-a"], 1, reply).await;
            let began = Instant::now();
            let first = ClientRequest::plain_chat().by(ONE).send(&jackfield).await;
            assert_ne!(first.status, 429, "{}", first.summary());
            let other = ClientRequest::plain_chat().by(TWO);
            time_until_served(&jackfield, &other, OUTAGE_LIMIT).await;
            assert!(
                began.elapsed() < OUTAGE_LIMIT,
                "{status}: {:?}",
                began.elapsed()
            );
            let own = ClientRequest::plain_chat().by(ONE);
            own.send(&jackfield).await.assert_served(ClientApi::Chat);
        });
        if cases.len() >= 3 {
            cases.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(case) = cases.join_next().await {
        case.unwrap();
    }
}

/// The same client repeats the same request until it is served: no other client opens the way for it.
async fn lonely_client_is_served_again() {
    for more in [ONE_ROUND, ""] {
        let failures = AtomicUsize::new(0);
        let provider = ScriptedProvider::start(move |request| {
            match failures.fetch_add(1, Ordering::Relaxed) {
                0 => Reply::html(500),
                _ => well(request),
            }
        })
        .await;
        let providers = pool("p", "openai-compatible", &provider.url("/v1"), &["key-a"]);
        let jackfield = start(&providers, more).await;
        let plain = ClientRequest::plain_chat().by(ONE);
        time_until_served(&jackfield, &plain, OUTAGE_LIMIT).await;
    }
}

/// The cases `lone-401`, `lone-403`, `lone-404`: 30 min, 30 min and 310 s.
async fn single_refusal_heals_in_seconds() {
    let mut cases = JoinSet::new();
    for status in [401, 403, 404, 405] {
        cases.spawn(async move {
            let (_provider, jackfield) = failing("openai-compatible", &["key-a"], 1, move || {
                Reply::html(status)
            })
            .await;
            let first = ClientRequest::plain_chat().by(ONE).send(&jackfield).await;
            assert_ne!(first.status, 200, "{}", first.summary());
            // The client that failed, alone: no trial of another client helps it.
            let own = ClientRequest::plain_chat().by(ONE);
            time_until_served(&jackfield, &own, REFUSED_LIMIT).await;
        });
    }
    while let Some(case) = cases.join_next().await {
        case.unwrap();
    }
}

/// The case `pool-blackout`: three keys, 500 for 2 s; the first success was 60.1 s later.
async fn outage_of_two_seconds_ends_in_two_seconds() {
    let (jackfield, well_at) = pool_in_outage(2).await;
    let clients = [ONE, TWO];
    let mut number = 0;
    loop {
        let client = clients[number % 2];
        let response = ClientRequest::plain_chat()
            .by(client)
            .send(&jackfield)
            .await;
        if response.is_served(ClientApi::Chat) {
            break;
        }
        assert_ne!(response.status, 429, "{}", response.summary());
        assert!(response.retry_after() <= 5, "{}", response.summary());
        assert!(
            Instant::now() < well_at + OUTAGE_LIMIT,
            "{}",
            response.summary()
        );
        number += 1;
        sleep(Duration::from_millis(100)).await;
    }
}

/// Three keys of a provider that fails for some seconds.
async fn pool_in_outage(seconds: u64) -> (Jackfield, Instant) {
    let well_at = Arc::new(Mutex::new(None));
    let until = Arc::clone(&well_at);
    let provider = ScriptedProvider::start(move |request| {
        let mut until = until.lock();
        let until = until.get_or_insert_with(|| Instant::now() + Duration::from_secs(seconds));
        if Instant::now() < *until {
            Reply::html(500)
        } else {
            well(request)
        }
    })
    .await;
    let keys = ["key-a", "key-b", "key-c"];
    let jackfield = start(
        &pool("p", "openai-compatible", &provider.url("/v1"), &keys),
        ONE_ROUND,
    )
    .await;
    ClientRequest::plain_chat().by(ONE).send(&jackfield).await;
    let at = well_at.lock().unwrap();
    // The provider runs until the test ends.
    Box::leak(Box::new(provider));
    (jackfield, at)
}

/// `529-both-then-well`, `cooling-status-of-overload`: an overload is reported as an overload.
#[tokio::test]
async fn overload_is_reported_as_overload() {
    let overloaded = json!({ "type": "error",
        "error": { "type": "overloaded_error", "message": "Overloaded" } });
    let (_provider, jackfield) = failing("anthropic", &["key-a", "key-b"], usize::MAX, move || {
        Reply::json(529, &overloaded)
    })
    .await;
    let call = ClientRequest::new(ClientApi::Messages, "m1", "hi");
    for number in 0..6 {
        let client = if number % 2 == 0 { ONE } else { TWO };
        let response = call.clone().by(client).send(&jackfield).await;
        assert_eq!(response.status, 529, "{number}: {}", response.summary());
        assert_eq!(
            response.kind(),
            "overloaded_error",
            "{}",
            response.summary()
        );
    }
    let chat = ClientRequest::plain_chat().by(ONE).send(&jackfield).await;
    assert!([503, 529].contains(&chat.status), "{}", chat.summary());
}

/// A pool whose keys are refused is unavailable: the client's own key is good.
#[tokio::test]
async fn refused_pool_is_unavailable_not_limited() {
    for (status, words) in [
        (401, "Incorrect API key provided: the key was revoked."),
        (403, "Your organization was suspended."),
        (402, "Your account is out of funds."),
    ] {
        let body = json!({ "error": { "message": words, "type": "some_error" } });
        let (_provider, jackfield) = failing(
            "openai-compatible",
            &["key-a", "key-b"],
            usize::MAX,
            move || Reply::json(status, &body),
        )
        .await;
        for (number, api) in ClientApi::CONVERSATIONS.into_iter().enumerate() {
            // Two requests of each client: the first ones fail at the provider, the others here.
            let client = if number % 2 == 0 { ONE } else { TWO };
            let request = ClientRequest::new(api, "m1", "hi").by(client);
            let response = request.send(&jackfield).await;
            assert_eq!(
                response.status,
                503,
                "{status} {api:?}: {}",
                response.summary()
            );
            if api != ClientApi::Gemini {
                assert_eq!(
                    response.code(),
                    "auth_unavailable",
                    "{}",
                    response.summary()
                );
            }
            assert!(
                response.body.contains(words),
                "{status} {api:?}: {}",
                response.summary()
            );
            let limit = if status == 402 { 1_800 } else { 60 };
            let wait = response.retry_after();
            assert!(
                (1..=limit).contains(&wait),
                "{status}: {}",
                response.summary()
            );
        }
    }
}

/// Only a missing model cools: the next request is no rate limit either.
#[tokio::test]
async fn missing_model_is_not_a_rate_limit() {
    let error = json!({ "error": { "message": "The model `m1` does not exist.",
        "type": "invalid_request_error", "code": "model_not_found" } });
    let (_provider, jackfield) = failing(
        "openai-compatible",
        &["key-a", "key-b"],
        usize::MAX,
        move || Reply::json(404, &error),
    )
    .await;
    for client in [ONE, TWO, ONE, TWO] {
        let response = ClientRequest::plain_chat()
            .by(client)
            .send(&jackfield)
            .await;
        assert!(
            [404, 503].contains(&response.status),
            "{}",
            response.summary()
        );
        assert_ne!(response.code(), "model_cooldown", "{}", response.summary());
    }
}

/// Quotas and rate limits are 429, with the provider's delay.
#[tokio::test]
async fn rate_limits_are_reported_as_rate_limits() {
    let (_provider, jackfield) =
        failing("openai-compatible", &["key-a", "key-b"], usize::MAX, || {
            Reply::html(429).with_header("retry-after", &90)
        })
        .await;
    for client in [ONE, TWO, ONE] {
        let response = ClientRequest::plain_chat()
            .by(client)
            .send(&jackfield)
            .await;
        assert_eq!(response.status, 429, "{}", response.summary());
        assert!(
            (80..=90).contains(&response.retry_after()),
            "{}",
            response.summary()
        );
    }
}

/// `blackout-disable-cooling`.
#[tokio::test]
async fn without_cooling_the_next_request_is_served() {
    let failures = AtomicUsize::new(0);
    let provider =
        ScriptedProvider::start(
            move |request| match failures.fetch_add(1, Ordering::Relaxed) {
                0 => Reply::html(500),
                _ => well(request),
            },
        )
        .await;
    let providers = pool("p", "openai-compatible", &provider.url("/v1"), &["key-a"]);
    let jackfield = start(&providers, "disable-cooling: true\n").await;
    ClientRequest::plain_chat().by(ONE).send(&jackfield).await;
    let next = ClientRequest::plain_chat().by(ONE).send(&jackfield).await;
    next.assert_served(ClientApi::Chat);
}

/// An endless outage: six clients with 80 requests a second in all. The provider gets one request a second, also
/// where windows end.
async fn trials_are_bounded() {
    let (provider, jackfield) =
        failing("openai-compatible", &["key-a", "key-b"], usize::MAX, || {
            Reply::html(500)
        })
        .await;
    let jackfield = Arc::new(jackfield);
    let mut clients = JoinSet::new();
    for number in 0..6 {
        let jackfield = Arc::clone(&jackfield);
        clients.spawn(async move {
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(5) {
                let text = format!("hi {number}");
                let client = [ONE, TWO][number % 2];
                ClientRequest::new(ClientApi::Chat, "m1", &text)
                    .by(client)
                    .send(&jackfield)
                    .await;
                sleep(Duration::from_millis(50)).await;
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    let requests = provider.requests();
    let first = requests[0].at;
    // Until the failures of two clients are known, a failure may be the request's.
    let later = requests.iter().map(|seen| seen.at - first);
    let later: Vec<Duration> = later
        .filter(|at| *at > Duration::from_millis(500))
        .collect();
    assert!(
        (3..=5).contains(&later.len()),
        "{later:?} in 4.5 s of outage"
    );
    // Machines may be slow: the second is one between two beginnings, and these are arrivals.
    let mut gaps = later.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(
        gaps.all(|gap| gap > Duration::from_millis(800)),
        "{later:?}"
    );
}

/// Resets are guesses too.
async fn resets_heal_at_once() {
    let (_provider, jackfield) = failing("openai-compatible", &["key-a"], 2, || {
        Reply::nothing(ReplyEnd::Reset)
    })
    .await;
    let plain = ClientRequest::plain_chat();
    time_until_served(&jackfield, &plain.by(ONE), OUTAGE_LIMIT).await;
}

#[tokio::test]
async fn slow_blips() {
    together!(
        single_refusal_heals_in_seconds,
        trials_are_bounded,
        outage_of_two_seconds_ends_in_two_seconds,
        lonely_client_is_served_again,
        resets_heal_at_once,
    );
}
