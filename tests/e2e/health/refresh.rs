//! Token refresh: bounded by the token's life, patient with a token endpoint that fails for a moment, and never
//! the reason to refuse a token that still works.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::client::{ClientApi, ClientRequest};
use super::replies::well;
use super::scripted::{ReceivedRequest, Reply, ScriptedProvider};
use super::{ONE, TWO, start, time_until_served};

const MESSAGES: ClientApi = ClientApi::Messages;

/// Returns the configuration of one account at a provider with a token endpoint.
fn account(provider: &ScriptedProvider, secrets: &str, expires_at: &str, more: &str) -> String {
    let url = provider.url("");
    let expiry = if expires_at.is_empty() {
        String::new()
    } else {
        format!(", expires-at: {expires_at}")
    };
    format!(
        "  - name: p\n    executor: anthropic\n    base-url: {url}\n    \
         settings: {{ token-url: \"{url}/token\" }}\n{more}    \
         credentials: [ {{ id: acc, kind: oauth, secrets: {{ {secrets} }}{expiry} }} ]\n    \
         models: [ {{ name: m1 }} ]\n"
    )
}

const BOTH_TOKENS: &str = "access-token: at-0, refresh-token: rt-0, client-id: cid";

/// A token whose end was long ago.
const ENDED: &str = "2020-01-01T00:00:00Z";

fn ends_in(life: Duration) -> String {
    humantime::format_rfc3339_seconds(SystemTime::now() + life).to_string()
}

fn call() -> ClientRequest {
    ClientRequest::new(MESSAGES, "m1", "hi")
}

fn tokens(number: usize, expires_in: Option<i64>) -> Value {
    let mut body = json!({ "access_token": format!("at-{number}"), "token_type": "Bearer",
        "refresh_token": format!("rt-{number}") });
    if let Some(expires_in) = expires_in {
        body["expires_in"] = json!(expires_in);
    }
    body
}

fn token_calls(provider: &ScriptedProvider) -> usize {
    let requests = provider.requests();
    requests.iter().filter(|seen| seen.path == "/token").count()
}

/// A provider that accepts every token but `at-0`, and this token endpoint, which gets the number of its call.
async fn provider_with(
    token: impl Fn(usize) -> Reply + Send + Sync + 'static,
    accepts: impl Fn(&ReceivedRequest) -> bool + Send + Sync + 'static,
) -> ScriptedProvider {
    let calls = AtomicUsize::new(0);
    ScriptedProvider::start(move |request| {
        if request.path == "/token" {
            return token(calls.fetch_add(1, Ordering::Relaxed) + 1);
        }
        if accepts(request) {
            return well(request);
        }
        let error = json!({ "type": "error", "error": { "type": "authentication_error",
            "message": "OAuth token has expired." } });
        Reply::json(401, &error)
    })
    .await
}

fn is_refreshed(request: &ReceivedRequest) -> bool {
    request.key() != "at-0"
}

/// `token-life-*`, `refresh-short-life`: 159 to 234 token calls in 5 s. Sources: AxaFrance/oidc-client#923,
/// Bdaya-Dev/oidc#123, nhost/nhost#2037, BerriAI/litellm#35234.
async fn refreshes_are_bounded_by_the_life_of_the_token() {
    // The life in seconds, and the most token calls in 5 s.
    let lives = [
        (Some(-5), 6),
        (Some(0), 6),
        (Some(2), 6),
        (Some(10), 2),
        (Some(60), 1),
        (Some(299), 1),
        (Some(300), 1),
        (Some(301), 1),
        (Some(600), 1),
        (Some(3600), 1),
        (None, 1),
    ];
    let mut providers = Vec::new();
    let mut config = String::new();
    for (number, (life, _)) in lives.into_iter().enumerate() {
        let token = move |calls| Reply::json(200, &tokens(calls, life));
        let provider = provider_with(token, is_refreshed).await;
        let one = account(&provider, BOTH_TOKENS, ENDED, "")
            .replace("name: p\n", &format!("name: p{number}\n"))
            .replace("id: acc,", &format!("id: acc{number},"));
        config.push_str(&one);
        providers.push(provider);
    }
    let _jackfield = start(&config, "").await;
    sleep(Duration::from_secs(5)).await;
    let seen: Vec<_> = lives.iter().zip(&providers).collect();
    for ((life, most), provider) in seen {
        let calls = token_calls(provider);
        assert!(
            (1..=*most).contains(&calls),
            "a life of {life:?} s: {calls} token calls in 5 s"
        );
    }
}

/// `refresh-blip-outage`: out for 361 s. Source: xorbitsai/xagent#1544.
async fn blip_of_the_token_endpoint_heals_in_seconds() {
    let token = |calls| match calls {
        1 => Reply::json(503, &json!({ "error": "temporarily_unavailable" })),
        calls => Reply::json(200, &tokens(calls, Some(3600))),
    };
    let provider = provider_with(token, is_refreshed).await;
    let jackfield = start(&account(&provider, BOTH_TOKENS, ENDED, ""), "").await;
    let began = Instant::now();
    let first = call().by(ONE).send(&jackfield).await;
    assert!(
        !first.body.contains("OAuth token has expired"),
        "{}",
        first.summary()
    );
    assert_ne!(first.status, 429, "{}", first.summary());
    time_until_served(&jackfield, &call().by(ONE), Duration::from_secs(12)).await;
    assert!(
        began.elapsed() < Duration::from_secs(12),
        "{:?}",
        began.elapsed()
    );
    assert!(token_calls(&provider) <= 3, "{}", token_calls(&provider));
}

/// `refresh-401-then-blip`: the token is valid by its date, but refused.
async fn refused_token_and_a_blip_of_the_token_endpoint() {
    let token = |calls| match calls {
        1 => Reply::html(503),
        calls => Reply::json(200, &tokens(calls, Some(3600))),
    };
    let provider = provider_with(token, is_refreshed).await;
    let config = account(&provider, BOTH_TOKENS, "2099-01-01T00:00:00Z", "");
    let jackfield = start(&config, "").await;
    let first = call().by(ONE).send(&jackfield).await;
    assert!([200, 503].contains(&first.status), "{}", first.summary());
    time_until_served(&jackfield, &call().by(TWO), Duration::from_secs(12)).await;
    let shown = jackfield.credential("acc").await;
    assert_eq!(shown["health"]["state"], "ready", "{shown}");
}

/// `invalid-grant-token-alive`. Sources: chenyme/grok2api#636, nicosuave/comradex#56.
#[tokio::test]
async fn rejected_refresh_leaves_a_living_token() {
    let token = |_| Reply::json(400, &json!({ "error": "invalid_grant" }));
    let provider = provider_with(token, |_| true).await;
    let end = ends_in(Duration::from_secs(180));
    let jackfield = start(&account(&provider, BOTH_TOKENS, &end, ""), "").await;
    for _ in 0..3 {
        call()
            .by(ONE)
            .send(&jackfield)
            .await
            .assert_served_by(MESSAGES, "at-0");
        sleep(Duration::from_millis(300)).await;
    }
    assert!(token_calls(&provider) >= 1, "the refresh was tried");
    let shown = jackfield.credential("acc").await;
    assert!(shown.to_string().contains("invalid_grant"), "{shown}");
}

/// A credential with only a refresh token.
#[tokio::test]
async fn refresh_token_alone_is_enough() {
    let token =
        |calls| Reply::json(200, &tokens(calls, Some(3600))).after(Duration::from_millis(300));
    let provider = provider_with(token, |request| request.key() == "at-1").await;
    let config = account(&provider, "refresh-token: rt-0, client-id: cid", "", "");
    let jackfield = start(&config, "").await;
    call()
        .by(ONE)
        .send(&jackfield)
        .await
        .assert_served_by(MESSAGES, "at-1");
    assert_eq!(token_calls(&provider), 1);
}

/// A call that finds its token ended waits for the refresh.
#[tokio::test]
async fn call_waits_for_the_refresh_of_an_ended_token() {
    let token =
        |calls| Reply::json(200, &tokens(calls, Some(3600))).after(Duration::from_millis(1500));
    let provider = provider_with(token, is_refreshed).await;
    let jackfield = start(&account(&provider, BOTH_TOKENS, ENDED, ""), "").await;
    let mut calls = JoinSet::new();
    let jackfield = std::sync::Arc::new(jackfield);
    for client in [ONE, TWO, ONE, TWO] {
        let jackfield = std::sync::Arc::clone(&jackfield);
        calls.spawn(async move { call().by(client).send(&jackfield).await });
    }
    while let Some(response) = calls.join_next().await {
        response.unwrap().assert_served_by(MESSAGES, "at-1");
    }
    assert_eq!(token_calls(&provider), 1);
}

/// The provider refuses every token: refreshes stay bounded, however many clients call.
async fn refused_tokens_are_not_refreshed_without_end() {
    let token = |calls| Reply::json(200, &tokens(calls, Some(3600)));
    let provider = provider_with(token, |_| false).await;
    let config = account(&provider, BOTH_TOKENS, "2099-01-01T00:00:00Z", "");
    let jackfield = start(&config, "").await;
    let began = Instant::now();
    let mut number = 0;
    while began.elapsed() < Duration::from_secs(7) {
        let client = [ONE, TWO][number % 2];
        let request = ClientRequest::new(MESSAGES, "m1", &format!("hi {number}"));
        let response = request.by(client).send(&jackfield).await;
        assert_eq!(response.status, 503, "{}", response.summary());
        number += 1;
        sleep(Duration::from_millis(100)).await;
    }
    // A call waits for the next refresh, so the last one may end later than that.
    let (calls, seconds) = (token_calls(&provider), began.elapsed().as_secs());
    let most = usize::try_from(seconds / 5).unwrap() + 1;
    assert!(
        (1..=most).contains(&calls),
        "{calls} refreshes in {seconds} s"
    );
}

/// Why a refresh failed is shown to the operator.
#[tokio::test]
async fn reason_of_a_failed_refresh_is_shown() {
    let token = |_| {
        let error = json!({ "error": "server_error", "error_description": "down for maintenance" });
        Reply::json(503, &error)
    };
    let provider = provider_with(token, |_| true).await;
    let end = ends_in(Duration::from_secs(60));
    let jackfield = start(&account(&provider, BOTH_TOKENS, &end, ""), "").await;
    crate::harness::wait_until("the refresh failed", async || token_calls(&provider) > 0).await;
    sleep(Duration::from_millis(500)).await;
    let refresh = jackfield.credential("acc").await["refresh"].to_string();
    assert!(refresh.contains("503"), "{refresh}");
}

#[tokio::test]
async fn slow_refreshes() {
    together!(
        refreshes_are_bounded_by_the_life_of_the_token,
        blip_of_the_token_endpoint_heals_in_seconds,
        refused_token_and_a_blip_of_the_token_endpoint,
        refused_tokens_are_not_refreshed_without_end,
    );
}
