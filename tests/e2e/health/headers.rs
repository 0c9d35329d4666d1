//! Headers of clients: each reaches the providers whose features need it, and no other one. Browsers may call
//! where the operator allows it.

use serde_json::json;

use super::client::{ClientApi, ClientRequest};
use super::replies::{ProviderApi, StreamParts, data, event, well};
use super::scripted::{Reply, ScriptedProvider};
use super::{ONE, TWO, pool, start};

/// What Claude Code sends, with its values.
const CLAUDE_CODE: [(&str, &str); 7] = [
    ("user-agent", "claude-cli/2.0.1 (external, cli)"),
    ("x-app", "cli"),
    ("x-stainless-lang", "js"),
    ("x-stainless-retry-count", "0"),
    ("x-claude-code-session-id", "0c3c1a52"),
    ("anthropic-beta", "context-1m-2025-08-07"),
    ("anthropic-version", "2023-06-01"),
];

fn from_claude_code() -> ClientRequest {
    let request = ClientRequest::new(ClientApi::Messages, "m1", "hi")
        .by(ONE)
        .with_query("beta=true");
    CLAUDE_CODE.iter().fold(request, |request, (name, value)| {
        request.with_header(name, value)
    })
}

/// The case `betas-not-to-others`. Source: router-for-me/CLIProxyAPI#2228.
#[tokio::test]
async fn anthropic_headers_stay_with_anthropic() {
    for executor in ["openai-compatible", "openai", "gemini"] {
        let provider = ScriptedProvider::start(well).await;
        let providers = pool("p", executor, &provider.url("/v1"), &["key-a"]);
        let jackfield = start(&providers, "").await;
        let response = from_claude_code().send(&jackfield).await;
        response.assert_served(ClientApi::Messages);
        let request = &provider.requests()[0];
        let foreign: Vec<_> = request
            .headers
            .iter()
            .filter(|(name, value)| {
                let name_of_claude = name.starts_with("anthropic-")
                    || name.starts_with("x-stainless-")
                    || name.starts_with("x-claude-")
                    || name == "x-app";
                name_of_claude || value.contains("claude-cli")
            })
            .collect();
        assert!(foreign.is_empty(), "{executor} got {foreign:?}");
        assert!(
            !request.query.contains("beta"),
            "{executor} got ?{}",
            request.query
        );
    }
}

/// The case `anthropic-beta`. Source: Compresr-ai/Context-Gateway#37.
#[tokio::test]
async fn anthropic_gets_the_headers_of_its_clients() {
    let provider = ScriptedProvider::start(well).await;
    let providers = pool("p", "anthropic", &provider.url(""), &["key-a"]);
    let jackfield = start(&providers, "").await;
    from_claude_code()
        .send(&jackfield)
        .await
        .assert_served(ClientApi::Messages);
    let request = &provider.requests()[0];
    for (name, value) in CLAUDE_CODE {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
    assert!(request.query.contains("beta=true"), "?{}", request.query);
    assert_eq!(request.key(), "key-a");
    let secret = request.headers.iter().any(|(_, value)| value.contains(ONE));
    assert!(
        !secret,
        "the client's key reached the provider: {:?}",
        request.headers
    );
}

/// The user agent of a client of another API does not reach Anthropic.
#[tokio::test]
async fn other_clients_do_not_look_like_claude_code() {
    let provider = ScriptedProvider::start(well).await;
    let providers = pool("p", "anthropic", &provider.url(""), &["key-a"]);
    let jackfield = start(&providers, "").await;
    let request = ClientRequest::plain_chat()
        .by(ONE)
        .with_header("user-agent", "OpenAI/Python 2.0");
    request
        .send(&jackfield)
        .await
        .assert_served(ClientApi::Chat);
    let agent = provider.requests()[0]
        .header("user-agent")
        .unwrap_or_default()
        .to_owned();
    assert!(!agent.contains("OpenAI/Python"), "{agent}");
}

const PAGE: &str = "https://chat.example.com";

async fn preflight(jackfield: &crate::harness::Jackfield, origin: &str) -> (u16, Option<String>) {
    let url = jackfield.url("/v1/chat/completions");
    let request = jackfield.client.request(http::Method::OPTIONS, url);
    let response = request
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,content-type",
        )
        .send()
        .await
        .unwrap();
    let allowed = response.headers().get("access-control-allow-origin");
    let allowed = allowed.map(|value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), allowed)
}

/// The case `cors-preflight`. Sources: decolua/9router#3659, bricks-cloud/BricksLLM#45.
#[tokio::test]
async fn browsers_may_call_where_configured() {
    let provider = ScriptedProvider::start(well).await;
    let providers = pool("p", "openai-compatible", &provider.url("/v1"), &["key-a"]);
    let more = format!("cors: {{ origins: [ \"{PAGE}\" ] }}\n");
    let jackfield = start(&providers, &more).await;
    let (status, allowed) = preflight(&jackfield, PAGE).await;
    assert!([200, 204].contains(&status), "{status}");
    assert_eq!(allowed.as_deref(), Some(PAGE));
    let request = ClientRequest::plain_chat()
        .by(ONE)
        .with_header("origin", PAGE);
    let response = request.send(&jackfield).await;
    response.assert_served(ClientApi::Chat);
    assert_eq!(response.header("access-control-allow-origin"), Some(PAGE));
    // Errors too: the page shows them.
    let request = ClientRequest::new(ClientApi::Chat, "unknown", "hi").by(ONE);
    let response = request.with_header("origin", PAGE).send(&jackfield).await;
    assert_eq!(response.header("access-control-allow-origin"), Some(PAGE));
    let request = ClientRequest::plain_chat().with_header("origin", PAGE);
    let response = request.send(&jackfield).await;
    assert_eq!(response.status, 401);
    assert_eq!(response.header("access-control-allow-origin"), Some(PAGE));
    let (_, allowed) = preflight(&jackfield, "https://evil.example.com").await;
    assert_eq!(allowed, None);
}

#[tokio::test]
async fn browsers_may_not_call_by_default() {
    let provider = ScriptedProvider::start(well).await;
    let providers = pool("p", "openai-compatible", &provider.url("/v1"), &["key-a"]);
    let jackfield = start(&providers, "").await;
    assert_eq!(preflight(&jackfield, PAGE).await.1, None);
    let request = ClientRequest::plain_chat()
        .by(ONE)
        .with_header("origin", PAGE);
    let response = request.send(&jackfield).await;
    assert_eq!(response.header("access-control-allow-origin"), None);
}

/// `overload-word-kept`: what the first event of a stream reports, at every key, is what the client learns.
/// Source: BerriAI/litellm#38610.
#[tokio::test]
async fn error_in_the_first_event_keeps_its_kind() {
    let anthropic = [
        ("overloaded_error", 529, "overloaded_error"),
        ("rate_limit_error", 429, "rate_limit_error"),
        ("authentication_error", 503, ""),
        ("permission_error", 503, ""),
    ];
    for (kind, status, reported) in anthropic {
        let provider = ScriptedProvider::start(move |request| {
            let error =
                json!({ "type": "error", "error": { "type": kind, "message": "the words" } });
            let parts = StreamParts::of(ProviderApi::of(&request.path), "");
            Reply::stream("text/event-stream", &parts.preamble[..1]).then(&[event("error", &error)])
        })
        .await;
        let providers = pool("p", "anthropic", &provider.url(""), &["key-a", "key-b"]);
        let jackfield = start(&providers, "retry: { rounds: 1 }\n").await;
        for client in [ONE, TWO] {
            let request = ClientRequest::streamed(ClientApi::Messages, "m1", "hi").by(client);
            let response = request.send(&jackfield).await;
            assert_eq!(response.status, status, "{kind}: {}", response.summary());
            if reported.is_empty() {
                assert_eq!(
                    response.code(),
                    "auth_unavailable",
                    "{kind}: {}",
                    response.summary()
                );
            } else {
                assert_eq!(response.kind(), reported, "{kind}: {}", response.summary());
            }
        }
    }
    for (kind, code, statuses) in [
        (
            "overloaded_error",
            json!("server_is_overloaded"),
            [503, 529],
        ),
        ("rate_limit_error", json!("rate_limit_exceeded"), [429, 429]),
    ] {
        let provider = ScriptedProvider::start(move |_| {
            let error = json!({ "error": { "type": kind, "message": "the words", "code": code } });
            Reply::stream("text/event-stream", &[data(&error)])
        })
        .await;
        let providers = pool(
            "p",
            "openai-compatible",
            &provider.url("/v1"),
            &["key-a", "key-b"],
        );
        let jackfield = start(&providers, "retry: { rounds: 1 }\n").await;
        for client in [ONE, TWO] {
            let request = ClientRequest::streamed(ClientApi::Chat, "m1", "hi").by(client);
            let response = request.send(&jackfield).await;
            assert!(
                statuses.contains(&response.status),
                "{kind}: {}",
                response.summary()
            );
        }
    }
}
