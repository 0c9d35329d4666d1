//! One client's own mistake: it fails at every key, and the plain requests of other clients must be served.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::client::{ClientApi, ClientRequest};
use super::replies::{ProviderApi, well};
use super::scripted::{ReceivedRequest, Reply, ScriptedProvider};
use super::{ONE, TWO, health_of, pool, start, time_until_served};
use crate::harness::Jackfield;

/// Marks the odd request.
const ODD: &str = "odd-request";

/// Starts a provider that replies so to odd requests, and a server with two of its keys. A call has one round, so that
/// no plain request is served only because it waited.
async fn odd_pool(
    executor: &str,
    reply: impl Fn(&ReceivedRequest) -> Reply + Send + Sync + 'static,
) -> (ScriptedProvider, Jackfield) {
    let provider = ScriptedProvider::start(move |request| {
        if request.contains(ODD) {
            reply(request)
        } else {
            well(request)
        }
    })
    .await;
    let providers = pool("p", executor, &provider.url("/v1"), &["key-a", "key-b"]);
    let jackfield = start(&providers, "retry: { rounds: 1 }\n").await;
    (provider, jackfield)
}

/// Sends the odd request of one client, then the plain chat of another one, which must be served at once.
async fn assert_harmless(jackfield: &Jackfield, odd: ClientRequest) -> u16 {
    let refused = odd.by(ONE).send(jackfield).await;
    assert_ne!(refused.status, 200, "{}", refused.summary());
    let plain = ClientRequest::plain_chat().by(TWO).send(jackfield).await;
    assert!(
        plain.is_served(ClientApi::Chat),
        "after {}\nthe next client got {}",
        refused.summary(),
        plain.summary()
    );
    refused.status
}

/// Sources: openclaw/openclaw#61411, tinyhumansai/openhuman#4010, deltawi/deltallm#100.
#[tokio::test]
async fn missing_endpoint_leaves_chat_alone() {
    let cases = [
        ("openai", ClientApi::Embeddings, ClientApi::Chat),
        ("openai", ClientApi::Completions, ClientApi::Chat),
        ("openai", ClientApi::Responses, ClientApi::Chat),
        ("openai-compatible", ClientApi::Embeddings, ClientApi::Chat),
        ("openai-compatible", ClientApi::Completions, ClientApi::Chat),
        ("gemini", ClientApi::GeminiEmbeddings, ClientApi::Gemini),
    ];
    for (executor, odd, plain) in cases {
        let provider = ScriptedProvider::start(|request| match ProviderApi::of(&request.path) {
            ProviderApi::Chat | ProviderApi::Gemini => well(request),
            _ => Reply::html(404),
        })
        .await;
        let providers = pool("p", executor, &provider.url("/v1"), &["key-a", "key-b"]);
        let jackfield = start(&providers, "").await;
        let refused = ClientRequest::new(odd, "m1", "x")
            .by(ONE)
            .send(&jackfield)
            .await;
        assert_ne!(
            refused.status,
            200,
            "{executor} {odd:?}: {}",
            refused.summary()
        );
        let served = ClientRequest::new(plain, "m1", "hi")
            .by(TWO)
            .send(&jackfield)
            .await;
        assert!(
            served.is_served(plain),
            "{executor}: after {odd:?}, {}: {}",
            refused.summary(),
            served.summary()
        );
    }
}

/// Sources: tashfeenahmed/freellmapi#647, router-for-me/CLIProxyAPI#5476 and #5635. A provider whose words
/// name the request is not called a second time for it.
#[tokio::test]
async fn words_about_the_request_end_the_call() {
    let cases = [
        (
            "tools",
            404,
            "No endpoints found that support tool use. To learn more, visit the docs.",
        ),
        ("image", 404, "No endpoints found that support image input"),
        (
            "preferences",
            404,
            "No allowed providers are available for the selected model.",
        ),
        ("file", 404, "No such File object: file-abc"),
        (
            "balance",
            402,
            "This request requires more credits, or fewer max_tokens. You requested up to 64000 \
             tokens, but can only afford 5000.",
        ),
    ];
    for (case, status, message) in cases {
        let (provider, jackfield) = odd_pool("openai-compatible", move |_| {
            Reply::json(
                status,
                &json!({ "error": { "message": message, "code": status } }),
            )
        })
        .await;
        let odd = ClientRequest::new(ClientApi::Chat, "m1", ODD);
        assert_harmless(&jackfield, odd).await;
        let attempts = provider
            .requests()
            .iter()
            .filter(|seen| seen.contains(ODD))
            .count();
        assert_eq!(
            attempts, 1,
            "{case}: the request's own mistake was sent again"
        );
        for key in ["key-a", "key-b"] {
            let shown = jackfield.credential(key).await.to_string();
            assert!(!shown.contains("\"cooling\""), "{case}: {shown}");
        }
    }
}

/// A status without words about anything: it fails at both keys, and the next client is served.
#[tokio::test]
async fn no_status_of_one_request_takes_the_model_from_others() {
    let statuses = [
        400, 403, 404, 405, 406, 407, 408, 409, 410, 413, 415, 418, 422, 424, 425, 431, 451, 500,
        501, 502, 503, 504, 505, 507, 508, 511, 520, 522, 524, 529, 599,
    ];
    let mut cases = JoinSet::new();
    for status in statuses {
        cases.spawn(async move {
            let (_provider, jackfield) =
                odd_pool("openai-compatible", move |_| Reply::html(status)).await;
            let odd = ClientRequest::new(ClientApi::Chat, "m1", ODD);
            assert_harmless(&jackfield, odd.clone()).await;
            // The same request again, and the same client with a plain one.
            assert_harmless(&jackfield, odd).await;
            let plain = ClientRequest::plain_chat().by(ONE);
            time_until_served(&jackfield, &plain, Duration::from_secs(3)).await;
        });
        // Each case has a process of its own.
        if cases.len() >= 4 {
            cases.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(case) = cases.join_next().await {
        case.unwrap();
    }
}

/// 401 and 402 are the credential's that gave them, but a trial of another client shows that it works.
#[tokio::test]
async fn refused_keys_get_a_trial_of_another_client() {
    for status in [401, 402] {
        let (_provider, jackfield) =
            odd_pool("openai-compatible", move |_| Reply::html(status)).await;
        assert_harmless(&jackfield, ClientRequest::new(ClientApi::Chat, "m1", ODD)).await;
    }
}

/// Faults inside a successful response: the odd request's alone as well.
#[tokio::test]
async fn faulty_responses_to_one_request_take_nothing_from_others() {
    let replies: [fn() -> Reply; 4] = [
        || Reply::bytes(200, "application/json", Vec::new()),
        || Reply::bytes(200, "application/json", b"{\"choices\":".to_vec()),
        || Reply::html(200),
        || Reply::nothing(super::scripted::ReplyEnd::Reset),
    ];
    for reply in replies {
        let (_provider, jackfield) = odd_pool("openai-compatible", move |_| reply()).await;
        assert_harmless(&jackfield, ClientRequest::new(ClientApi::Chat, "m1", ODD)).await;
    }
}

/// One client repeats an odd request, another one sends plain chats. The periods are a tenth of the case's.
async fn poison_without_end(
    executor: &str,
    odd: impl Fn(u32) -> ClientRequest,
    reply: fn() -> Reply,
) {
    let (provider, jackfield) = odd_pool(executor, move |_| reply()).await;
    let began = Instant::now();
    let plain = ClientRequest::plain_chat().by(TWO);
    for number in 0..60 {
        let refused = odd(number).by(ONE).send(&jackfield).await;
        assert_ne!(refused.status, 200, "{}", refused.summary());
        if number % 5 == 4 {
            let response = plain.send(&jackfield).await;
            assert!(
                response.is_served(ClientApi::Chat),
                "after {:?} and {number} odd requests: {}",
                began.elapsed(),
                response.summary()
            );
        }
        sleep(Duration::from_millis(200)).await;
    }
    let served = provider
        .requests()
        .iter()
        .filter(|seen| !seen.contains(ODD))
        .count();
    assert_eq!(served, 12, "each plain chat is sent once");
}

/// The case `poison-persistent`: none of 78 plain chats was served in 13 minutes. The last client's requests all
/// differ, so that a digest of the body does not recognize them.
async fn poison_without_end_fails_no_plain_chat() {
    let embeddings = |_| ClientRequest::new(ClientApi::Embeddings, "m1", ODD);
    let same = |_| ClientRequest::new(ClientApi::Chat, "m1", ODD);
    let other = |number| ClientRequest::new(ClientApi::Chat, "m1", &format!("{ODD} {number}"));
    let executor = "openai-compatible";
    tokio::join!(
        poison_without_end(executor, embeddings, || Reply::html(404)),
        poison_without_end(executor, same, || Reply::html(500)),
        poison_without_end(executor, other, || Reply::html(403)),
    );
}

/// A suffix that is not one: the provider is not called, and the model stays available.
#[tokio::test]
async fn unknown_suffix_never_reaches_the_provider() {
    let (provider, jackfield) = odd_pool("openai-compatible", |_| Reply::html(404)).await;
    for model in ["m1(typo)", "m1()"] {
        let request = ClientRequest::new(ClientApi::Chat, model, ODD).by(ONE);
        let response = request.send(&jackfield).await;
        assert_eq!(response.status, 404, "{model}: {}", response.summary());
    }
    assert_eq!(provider.count(), 0);
    let plain = ClientRequest::plain_chat().by(TWO).send(&jackfield).await;
    plain.assert_served(ClientApi::Chat);
}

/// A gateway wraps the provider's 400 into a 502: the words are the request's.
#[tokio::test]
async fn context_length_inside_a_502_takes_the_fallback() {
    let message = "upstream error: This model's maximum context length is 8192 tokens. However, \
                   your messages resulted in 9000 tokens.";
    let provider = ScriptedProvider::start(move |request| {
        if request.json()["model"] == "m1" && request.contains(ODD) {
            let code = "context_length_exceeded";
            return Reply::json(
                502,
                &json!({ "error": { "message": message, "code": code } }),
            );
        }
        well(request)
    })
    .await;
    let providers = pool(
        "p",
        "openai-compatible",
        &provider.url("/v1"),
        &["key-a", "key-b"],
    );
    let fallback =
        "models: [ { name: m1, fallback: [ { model: m2, on: [ context-length ] } ] } ]\n";
    let jackfield = start(&providers, fallback).await;
    let long = ClientRequest::new(ClientApi::Chat, "m1", ODD).by(ONE);
    long.send(&jackfield).await.assert_served(ClientApi::Chat);
    let models: Vec<Value> = provider
        .requests()
        .iter()
        .map(|seen| seen.json()["model"].clone())
        .collect();
    assert_eq!(models, ["m1", "m2"]);
    assert_eq!(
        health_of(&jackfield, "key-a", Some("m1")).await["state"],
        "ready"
    );
    let short = ClientRequest::plain_chat().by(TWO).send(&jackfield).await;
    short.assert_served(ClientApi::Chat);
}

/// OpenAI's 408 of a body that did not arrive whole.
#[tokio::test]
async fn incomplete_request_is_the_requests() {
    let error = json!({ "error": { "message": "Timed out reading the request body.",
        "type": "invalid_request_error", "code": "request_incomplete" } });
    let (provider, jackfield) =
        odd_pool("openai-compatible", move |_| Reply::json(408, &error)).await;
    let odd = ClientRequest::new(ClientApi::Chat, "m1", ODD);
    assert_harmless(&jackfield, odd).await;
    assert_eq!(
        provider.count(),
        2,
        "the odd request once, and the plain one"
    );
}

/// All clients at once, while one of them sends odd requests without a pause.
async fn concurrent_poison_fails_no_plain_chat() {
    let (_provider, jackfield) = odd_pool("openai-compatible", |_| {
        Reply::html(500).after(Duration::from_millis(50))
    })
    .await;
    let jackfield = Arc::new(jackfield);
    let poison = Arc::clone(&jackfield);
    let mut poisoner = JoinSet::new();
    for _ in 0..4 {
        let poison = Arc::clone(&poison);
        poisoner.spawn(async move {
            let odd = ClientRequest::new(ClientApi::Chat, "m1", ODD).by(ONE);
            loop {
                odd.send(&poison).await;
            }
        });
    }
    sleep(Duration::from_millis(300)).await;
    for number in 0..40 {
        let plain = ClientRequest::new(ClientApi::Chat, "m1", &format!("hi {number}")).by(TWO);
        plain.send(&jackfield).await.assert_served(ClientApi::Chat);
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn slow_poison() {
    together!(
        poison_without_end_fails_no_plain_chat,
        concurrent_poison_fails_no_plain_chat,
    );
}
