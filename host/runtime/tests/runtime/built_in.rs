//! The plugins that the binary carries, as components: what they plan and what they choose.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use jackfield_credential::{Credential, Scope};
use jackfield_dispatch::plan::{Context, Plan, PlannedBody, Refusal, Response, SecretPlace};
use jackfield_dispatch::port::{Choice, Executor, PickContext, Rejection, Selector};
use jackfield_test_support::plugin;

use crate::stage::{Listed, as_executor, as_selector, context, header, load, pick};

async fn selector(name: &str) -> Arc<dyn Selector> {
    as_selector(&load(name, plugin(name)).await)
}

/// The indexes that a selector chooses for these picks, always of the same candidates.
async fn choices(
    selector: &dyn Selector,
    listed: &Arc<Listed>,
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
async fn seed_1_11_round_robin_takes_each_candidate_once_a_round() {
    let selector = selector("round-robin").await;
    let listed = Arc::new(Listed::alike(3));
    let turns = (5..11).map(|sequence| pick("m", sequence));
    assert_eq!(
        choices(&*selector, &listed, turns).await,
        [2, 0, 1, 2, 0, 1]
    );
    assert!(listed.columns_read().is_empty());
}

#[tokio::test]
async fn seed_1_2_the_cursor_goes_on_over_its_end() {
    let selector = selector("round-robin").await;
    let listed = Arc::new(Listed::alike(3));
    let end = [u64::MAX - 2, u64::MAX - 1, u64::MAX, 0, 1];
    let turns = end.into_iter().map(|sequence| pick("m", sequence));
    let chosen = choices(&*selector, &listed, turns).await;
    assert_eq!(chosen, [1, 2, 0, 0, 1]);
}

#[tokio::test]
async fn seed_1_11_fill_first_takes_the_first_candidate_for_as_long_as_it_is_there() {
    let selector = selector("fill-first").await;
    let listed = Arc::new(Listed::alike(3));
    let turns = (0..4).map(|sequence| pick("m", sequence));
    assert_eq!(choices(&*selector, &listed, turns).await, [0, 0, 0, 0]);
    assert!(listed.columns_read().is_empty());
}

#[tokio::test]
async fn seed_1_19_weighted_gives_each_candidate_its_weight() {
    let selector = selector("weighted").await;
    let listed = Arc::new(Listed {
        weights: vec![5, 1, 2],
        ..Listed::alike(3)
    });
    let turns = (3..19).map(|sequence| pick("m", sequence));
    let chosen = choices(&*selector, &listed, turns).await;
    assert_eq!(counts(&chosen, 3), [10, 2, 4]);
    assert_eq!(listed.columns_read(), ["weights"]);
}

#[tokio::test]
async fn seed_1_19_sticky_keeps_a_session_where_it_is() {
    let selector = selector("sticky").await;
    let session = |affinity| PickContext {
        affinity: Some(affinity),
        ..pick("m", affinity)
    };
    let all = Arc::new(Listed {
        identities: (100..108).collect(),
        ..Listed::alike(8)
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

    let but_the_first = Arc::new(Listed {
        identities: (101..108).collect(),
        ..Listed::alike(7)
    });
    let after = choices(&*selector, &but_the_first, (0..200).map(session)).await;
    for (before, after) in chosen.iter().zip(after) {
        assert!(*before == 0 || *before == after + 1);
    }
}

#[tokio::test]
async fn sticky_takes_turns_where_there_is_no_session() {
    let selector = selector("sticky").await;
    let turns = (0..6).map(|sequence| PickContext {
        affinity: None,
        ..pick("m", sequence)
    });
    let listed = Arc::new(Listed::alike(3));
    assert_eq!(
        choices(&*selector, &listed, turns).await,
        [0, 1, 2, 0, 1, 2]
    );
}

#[tokio::test]
async fn least_busy_takes_who_has_the_least_to_do_for_its_weight() {
    let selector = selector("least-busy").await;
    let listed = Arc::new(Listed {
        weights: vec![4, 1, 2, 1],
        in_flight: vec![3, 1, 1, 9],
        ..Listed::default()
    });
    let turns = |listed| {
        let turns = (0..4).map(|sequence| pick("m", sequence));
        choices(&*selector, listed, turns)
    };
    assert_eq!(turns(&listed).await, [2; 4]);
    assert_eq!(listed.columns_read(), ["in-flight", "weights"]);
    let idle = Arc::new(Listed::alike(2));
    assert_eq!(turns(&idle).await, [0, 1, 0, 1]);
}

async fn openai() -> Arc<dyn Executor> {
    as_executor(&load("openai-compatible", plugin("openai-compatible")).await)
}

fn with_secrets(context: Context, secrets: &[&str]) -> Context {
    let credential = Credential {
        secret_fields: secrets.iter().map(|name| (*name).to_owned()).collect(),
        ..Credential::clone(&context.credential)
    };
    Context {
        credential: Arc::new(credential),
        ..context
    }
}

fn refresh(settings: &str, secrets: &[&str]) -> Context {
    let context = Context {
        operation: "refresh",
        settings: Arc::from(settings),
        ..context("")
    };
    with_secrets(context, secrets)
}

async fn planned(context: &Context) -> Plan {
    let planned = openai().await.prepare(context, &Bytes::new()).await;
    planned.expect("a plan")
}

async fn refused(context: &Context) -> Refusal {
    match openai().await.prepare(context, &Bytes::new()).await {
        Err(Rejection::Refused(refusal)) => *refusal,
        other => panic!("no refusal, but {other:?}"),
    }
}

fn form(field: &str) -> SecretPlace {
    SecretPlace::Form(field.to_owned())
}

fn secrets(plan: &Plan) -> Vec<(&str, SecretPlace)> {
    let secrets = plan.request.secrets.iter();
    secrets
        .map(|(name, place)| (name.as_str(), place.clone()))
        .collect()
}

fn body(plan: &Plan) -> &str {
    match &plan.request.body {
        PlannedBody::Bytes(bytes) => str::from_utf8(bytes).expect("a form is text"),
        other => panic!("no body of its own, but {other:?}"),
    }
}

#[tokio::test]
async fn a_call_carries_the_access_token_before_the_api_key() {
    let mut headers = HeaderMap::new();
    headers.insert("x-title", HeaderValue::from_static("mine"));
    for (held, sent) in [
        (&["api-key"][..], "api-key"),
        (
            &["access-token", "api-key", "refresh-token"],
            "access-token",
        ),
    ] {
        let context = Context {
            headers: Arc::new(headers.clone()),
            ..with_secrets(context("m"), held)
        };
        let plan = planned(&context).await;
        assert_eq!(secrets(&plan), [(sent, SecretPlace::Bearer)]);
        assert_eq!(header(&plan, "x-title"), "mine");
        assert!(plan.captures.is_empty());
    }
}

#[tokio::test]
async fn a_refresh_sends_the_token_in_a_form_and_captures_the_new_ones() {
    let settings = r#"{"token-url": "https://auth.invalid/token", "scope": "chat all",
        "token-params": {"audience": "a&b=ü*"}, "of-another-part": 1}"#;
    let held = [
        "access-token",
        "client-id",
        "client-secret",
        "refresh-token",
    ];
    let plan = planned(&refresh(settings, &held)).await;
    assert_eq!(plan.request.method, "POST");
    assert_eq!(plan.request.url.as_str(), "https://auth.invalid/token");
    let form_kind = "application/x-www-form-urlencoded";
    assert_eq!(header(&plan, "content-type"), form_kind);
    assert_eq!(header(&plan, "accept"), "application/json");
    let fields = "grant_type=refresh_token&scope=chat+all&audience=a%26b%3D%C3%BC*";
    assert_eq!(body(&plan), fields);
    let placed = [
        ("refresh-token", form("refresh_token")),
        ("client-id", form("client_id")),
        ("client-secret", form("client_secret")),
    ];
    assert_eq!(secrets(&plan), placed);
    let captures = [
        ("/access_token", "access-token"),
        ("/refresh_token", "refresh-token"),
        ("/expires_in", "expires-in"),
    ];
    let captures = captures.map(|(pointer, into)| (pointer.to_owned(), into.to_owned()));
    assert_eq!(plan.captures, captures);
    assert_eq!(plan.response, Response::Relay);
}

#[tokio::test]
async fn a_client_authenticates_as_it_is_set_and_with_what_it_has() {
    let basic = r#"{"token-url": "https://auth.invalid/token", "client-authentication": "basic"}"#;
    let held = ["client-id", "client-secret", "refresh-token"];
    let placed = [
        ("refresh-token", form("refresh_token")),
        ("client-id", SecretPlace::OauthClientId),
        ("client-secret", SecretPlace::OauthClientSecret),
    ];
    assert_eq!(secrets(&planned(&refresh(basic, &held)).await), placed);

    let public = r#"{"token-url": "https://auth.invalid/token"}"#;
    let plan = planned(&refresh(public, &["refresh-token"])).await;
    assert_eq!(secrets(&plan), placed[..1]);
    assert_eq!(body(&plan), "grant_type=refresh_token");
}

#[tokio::test]
async fn a_refresh_that_cannot_be_is_refused_in_words() {
    let url = r#"{"token-url": "https://auth.invalid/token"}"#;
    let style = r#"{"token-url": "https://auth.invalid/token", "client-authentication": "secret"}"#;
    for (settings, held, words) in [
        ("{}", &["refresh-token"][..], "`token-url` is missing"),
        (url, &["access-token"], "no `refresh-token`"),
        (style, &["refresh-token"], "unknown variant `secret`"),
    ] {
        let refusal = refused(&refresh(settings, held)).await;
        assert_eq!(refusal.failure.scope, Scope::Request);
        assert!(
            refusal.failure.message.contains(words),
            "{}",
            refusal.failure.message
        );
    }
}

#[tokio::test]
async fn it_says_what_it_plans_and_that_token_endpoints_are_anywhere() {
    let executor = openai().await;
    let descriptor = executor.descriptor();
    assert_eq!(
        descriptor.operations,
        ["generate", "refresh", "http-request"]
    );
    assert_eq!(descriptor.hosts, ["*"]);
}
