//! Attacks on the real binary: web pages in the operator's browser, and providers that repeat secrets, redirect
//! clients, or write to the log.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Response};
use futures_util::StreamExt;
use jackfield_http::serve as serve_http;
use reqwest::header::{HOST, ORIGIN};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::harness::{Jackfield, TOKEN, Upstream, chat};

/// The provider's key. Clients must not get a part of it.
const KEY: &str = "sk-PROVKEY/SECRET-a1b2c3d4e5";

#[tokio::test]
async fn web_pages_cannot_spend_credentials() {
    let upstream = Upstream::start(&[]).await;
    let config =
        "allowed-hosts: [ proxy.internal ]\ncors: { origins: [ \"https://chat.example.com\" ] }\n";
    let jackfield = Jackfield::start(&upstream, &["a"], config).await;
    let body = chat("mock", false, &Value::Null).to_string();
    let port = jackfield.address.port();
    let local = format!("127.0.0.1:{port}");
    let own = format!("http://{local}");
    for (expected, host, headers) in browser_requests(&local, &own) {
        let request = jackfield.client.post(jackfield.url("/v1/chat/completions"));
        let request = headers
            .iter()
            .fold(request.header(HOST, host), |request, (name, value)| {
                request.header(*name, *value)
            });
        let response = request.body(body.clone()).send().await.unwrap();
        assert_eq!(response.status(), expected, "{host} {headers:?}");
        if expected == 403 {
            assert_eq!(response.headers()["x-jackfield-error"], "forbidden");
        }
    }
    let calls = upstream.provider.requests().len();
    assert_eq!(calls, 5, "refused requests reached the provider");
    for path in ["/v1/models", "/v1beta/models", "/v1/models/mock"] {
        let request = jackfield.client.get(jackfield.url(path));
        let response = request.header(HOST, "rebind.evil.example").send().await;
        let response = response.unwrap();
        assert_eq!(response.status(), 403, "{path}");
        let text = response.text().await.unwrap();
        assert!(text.contains("allowed-hosts"), "{text}");
    }
    web_pages_cannot_call_the_admin_api(&jackfield).await;
}

/// Requests with the status that they get: the host, and headers. `local` is the server's authority, and `own` its
/// origin.
fn browser_requests<'a>(
    local: &'a str,
    own: &'a str,
) -> Vec<(u16, &'a str, Vec<(&'a str, &'a str)>)> {
    let json = "application/json";
    vec![
        (200, local, vec![]),
        (200, local, vec![("content-type", "text/plain")]),
        (200, "proxy.internal", vec![("content-type", json)]),
        (200, local, vec![("origin", own), ("content-type", json)]),
        (
            200,
            local,
            vec![
                ("origin", "https://chat.example.com"),
                ("content-type", json),
            ],
        ),
        // A form post or `fetch` of another page, which needs no preflight request.
        (
            403,
            local,
            vec![
                ("origin", "https://evil.example"),
                ("sec-fetch-site", "cross-site"),
                ("content-type", "text/plain;charset=UTF-8"),
            ],
        ),
        // A sandboxed frame, and a page of another port of this machine.
        (403, local, vec![("origin", "null"), ("content-type", json)]),
        (
            403,
            local,
            vec![("origin", "http://127.0.0.1:1"), ("content-type", json)],
        ),
        (403, local, vec![("sec-fetch-site", "cross-site")]),
        // A form of a listed page, and of our own.
        (
            403,
            local,
            vec![
                ("origin", "https://chat.example.com"),
                ("content-type", "text/plain"),
            ],
        ),
        // DNS rebinding.
        (403, "rebind.evil.example", vec![("content-type", json)]),
    ]
}

async fn web_pages_cannot_call_the_admin_api(jackfield: &Jackfield) {
    let url = format!("http://{}/admin/v1/credentials", jackfield.admin);
    for (name, value, expected) in [
        ("host", "rebind.evil.example", 403),
        ("origin", "https://chat.example.com", 403),
        ("sec-fetch-site", "same-site", 403),
        ("sec-fetch-site", "none", 200),
    ] {
        let request = jackfield.client.get(&url).bearer_auth(TOKEN);
        let response = request.header(name, value).send().await.unwrap();
        assert_eq!(response.status(), expected, "{name}: {value}");
    }
}

#[tokio::test]
async fn with_client_keys_pages_need_one() {
    let upstream = Upstream::start(&[]).await;
    let keys = "client-keys: [ { name: one, key: client-one } ]\n";
    let jackfield = Jackfield::start(&upstream, &["a"], keys).await;
    let request = jackfield.client.get(jackfield.url("/v1/models"));
    let request = request
        .header(HOST, "proxy.example.com")
        .header(ORIGIN, "app://desktop");
    let response = request.try_clone().unwrap().send().await.unwrap();
    assert_eq!(response.status(), 401);
    let response = request.bearer_auth("client-one").send().await.unwrap();
    assert_eq!(response.status(), 200);
}

/// A provider that repeats its key. The model's name says how.
async fn answer(request: Request) -> Response<Body> {
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await;
    let body: Value = serde_json::from_slice(&body.unwrap()).unwrap();
    let error = |message: &str| json!({"error": {"message": message, "type": "server_error"}});
    let plain = error("it failed").to_string();
    let reply = Response::builder().header("content-type", "application/json");
    let reply = match body["model"].as_str().unwrap() {
        "header-of-error" => reply
            .status(400)
            .header("x-debug-auth", KEY)
            .header("x-request-id", format!("req {KEY}"))
            .header("www-authenticate", format!("Bearer realm={KEY:?}"))
            .body(Body::from(plain)),
        "redirect" => reply
            .status(307)
            .header("location", format!("http://127.0.0.1:1/steal?key={KEY}"))
            .body(Body::from(error(KEY).to_string())),
        "gzip" => reply
            .status(400)
            .header("content-encoding", "gzip")
            .body(Body::from(gzip(error(KEY).to_string().as_bytes()))),
        "odd-encoding" => reply
            .status(400)
            .header("content-encoding", "x-odd")
            .body(Body::from(error(KEY).to_string())),
        "escaped" => {
            let key = KEY.replace('/', "\\/").replace('s', "\\u0073");
            let body = error("MARK").to_string().replace("MARK", &key);
            reply.status(400).body(Body::from(body))
        }
        "cut" => {
            let filler = "x".repeat((64 << 10) - 20);
            let body = format!("{filler}{KEY}");
            reply.status(400).body(Body::from(body))
        }
        "event" => {
            let content = json!({"choices": [{"index": 0, "delta": {"content": "Hello"}}]});
            let events = [content, error(KEY)].map(|event| format!("data: {event}\n\n"));
            let reply = Response::builder().header("content-type", "text/event-stream");
            // The pause lets the client have the first event.
            let events = futures_util::stream::iter(events).then(async |event| {
                sleep(Duration::from_millis(300)).await;
                Ok::<_, Infallible>(event)
            });
            reply.body(Body::from_stream(events))
        }
        "header-of-success" => {
            let message = json!({"role": "assistant", "content": "Hello"});
            let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
            reply
                .header("x-debug-auth", KEY)
                .header("x-jackfield-error", "forged")
                .header("connection", "x-hop")
                .header("x-hop", KEY)
                .header("x-request-id", KEY)
                .body(Body::from(json!({"choices": [choice]}).to_string()))
        }
        "forged-log" => {
            let message = "for request: x\n2026-01-01T00:00:00Z  INFO forged: line\u{1b}[2J";
            reply
                .status(402)
                .body(Body::from(error(message).to_string()))
        }
        other => panic!("unknown model {other}"),
    };
    reply.unwrap()
}

fn gzip(body: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(body).unwrap();
    writer.finish().unwrap()
}

const MODELS: [&str; 9] = [
    "header-of-error",
    "redirect",
    "gzip",
    "odd-encoding",
    "escaped",
    "cut",
    "event",
    "header-of-success",
    "forged-log",
];

/// The parts of the key that must not be anywhere.
fn shows_key(text: &str) -> bool {
    text.contains("PROVKEY") || text.contains("\\u0073k-") || text.contains("SECRET")
}

fn text_of(headers: &HeaderMap) -> String {
    format!("{headers:?}")
}

#[tokio::test]
async fn providers_cannot_show_their_key_or_redirect_clients() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(answer);
    let never = std::future::pending();
    let server = tokio::spawn(serve_http(listener, router, never, Duration::ZERO));
    // A credential for each model, since some of the answers cool it.
    let mut providers = "retry: { rounds: 1, max-credentials: 1 }\nproviders:\n".to_owned();
    for model in MODELS {
        providers += &format!(
            "  - name: {model}\n    executor: openai-compatible\n    base-url: http://{address}/v1\n    \
             credentials: [ {{ id: {model}, api-key: {KEY} }} ]\n    models: [ {{ name: {model} }} ]\n"
        );
    }
    let jackfield = Jackfield::start_in(tempfile::tempdir().unwrap(), &providers).await;
    for model in MODELS {
        for path in ["/v1/chat/completions", "/v1/messages"] {
            let message = json!({"role": "user", "content": "Hello"});
            let body = json!({
                "model": model, "stream": model == "event", "max_tokens": 9, "messages": [message],
            });
            let request = jackfield
                .client
                .post(jackfield.url(path))
                .body(body.to_string());
            let response = request.send().await.unwrap();
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let text = response.text().await.unwrap();
            assert!(!shows_key(&text), "{model} {path}: {text}");
            assert!(
                !shows_key(&text_of(&headers)),
                "{model} {path}: {headers:?}"
            );
            assert!(!headers.contains_key("location"), "{model}");
            assert!(!(300..400).contains(&status), "{model} {path}: {status}");
            match model {
                "event" => assert!(text.contains("Hello") && text.contains("error"), "{text}"),
                "header-of-success" => {
                    assert_eq!(status, 200, "{text}");
                    assert!(!headers.contains_key("x-jackfield-error"), "{headers:?}");
                }
                _ => assert!(status >= 400, "{model} {path}: {status}"),
            }
        }
        let shown = jackfield.credential(model).await;
        assert!(!shows_key(&shown.to_string()), "{model}: {shown}");
    }
    let records = jackfield.admin("requests").await.to_string();
    assert!(!shows_key(&records), "{records}");
    assert!(!jackfield.has_logged("PROVKEY"), "the key is in the log");
    assert!(
        jackfield.has_logged("INFO forged: line"),
        "the message is not in the log"
    );
    assert!(!jackfield.has_logged("\n2026-01-01T00:00:00Z  INFO forged"));
    server.abort();
}

/// A body of 27 MB took 745 MiB while it was translated, and seconds of a core.
#[tokio::test]
async fn many_small_values_take_little_memory() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = Jackfield::start(&upstream, &["a"], "").await;
    let message = r#"{"role":"user","content":"a"}"#;
    let messages = vec![message; 900_000].join(",");
    let body = format!(r#"{{"model":"mock","max_tokens":9,"messages":[{messages}]}}"#);
    let before = jackfield.resident_kib();
    let request = jackfield.client.post(jackfield.url("/v1/messages"));
    let response = request.body(body).send().await.unwrap();
    assert_eq!(response.status(), 400);
    let text = response.text().await.unwrap();
    assert!(text.contains("524,288 values"), "{text}");
    let grown = jackfield.resident_kib().saturating_sub(before);
    // The pieces of the body and the whole, and what the allocator has not returned.
    assert!(grown < 100 << 10, "{grown} KiB");
    assert_eq!(upstream.provider.requests().len(), 0);
}
