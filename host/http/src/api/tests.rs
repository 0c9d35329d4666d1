//! The endpoints with an empty pool: what passes the edge is an unknown model.

use std::io::Write;

use arc_swap::ArcSwap;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, CONTENT_ENCODING, ORIGIN, RETRY_AFTER,
};
use axum::http::request::Builder;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::BodyExt;
use jackfield_auth::{AuthManager, AuthParts};
use jackfield_dispatch::snapshot::Snapshot;
use jackfield_dispatch::{Clock, DispatcherParts, HeldMemory};
use secrecy::SecretString;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use super::*;
use crate::{GuardNames, HttpUpstream};

fn api(keys: ClientKeys, origins: &[&str]) -> Arc<Api> {
    let clock = Clock::system();
    let auth = AuthManager::new(AuthParts::new(Vec::new(), clock.shared())).unwrap();
    let dispatcher = Dispatcher::new(DispatcherParts {
        snapshot: Arc::new(ArcSwap::from_pointee(Snapshot::default())),
        auth,
        upstream: Arc::new(HttpUpstream::new()),
        clock,
        seed: 0,
    });
    let options = ApiOptions {
        request_body_bytes_max: LIMIT,
        memory_bytes_max: 4 * LIMIT,
        cors: Cors::new(origins.iter().copied()),
    };
    let guard = BrowserGuard::new(GuardNames {
        origins: origins.iter().map(ToString::to_string).collect(),
        ..GuardNames::default()
    });
    Arc::new(Api::new(Arc::new(dispatcher), keys, options, guard.into()))
}

async fn response_to(api: Arc<Api>, request: Builder, body: impl Into<Body>) -> Response<Body> {
    let request = request.body(body.into()).unwrap();
    api_router(api).oneshot(request).await.unwrap()
}

async fn parts(response: Response<Body>) -> (u16, String, Value) {
    let label = response.headers().get(render::GATEWAY_ERROR);
    let label = label.map_or("", |label| label.to_str().unwrap()).to_owned();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    (status, label, body)
}

fn post(path: &str) -> Builder {
    Request::post(path)
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut writer = GzEncoder::new(Vec::new(), Compression::best());
    writer.write_all(body).unwrap();
    writer.finish().unwrap()
}

#[tokio::test]
async fn reads_encoded_body() {
    let body = br#"{"model":"absent","messages":[]}"#;
    let both = zstd::encode_all(&*gzip(body), 3).unwrap();
    for (coding, body) in [
        ("identity", body.to_vec()),
        ("gzip", gzip(body)),
        ("zstd", zstd::encode_all(&body[..], 3).unwrap()),
        ("gzip, zstd", both),
    ] {
        let request = post("/v1/chat/completions").header(CONTENT_ENCODING, coding);
        let response = response_to(api(ClientKeys::default(), &[]), request, body).await;
        let (status, label, body) = parts(response).await;
        assert_eq!(
            (status, &*label),
            (404, "unknown-model"),
            "{coding}: {body}"
        );
    }
}

#[tokio::test]
async fn refuses_unknown_encoding_in_the_dialect_of_the_client() {
    for (path, dialect_member) in [
        ("/v1/messages", "/type"),
        ("/v1/responses", "/error/code"),
        ("/v1beta/models/m:generateContent", "/error/status"),
    ] {
        let request = post(path).header(CONTENT_ENCODING, "compress");
        let response = response_to(api(ClientKeys::default(), &[]), request, "x").await;
        assert_eq!(
            response.headers()["accept-encoding"],
            "br, deflate, gzip, zstd"
        );
        let (status, label, body) = parts(response).await;
        assert_eq!((status, &*label), (415, "unsupported-encoding"));
        let message = body["error"]["message"].as_str().unwrap_or_default();
        assert!(
            message.contains("`compress`") && message.contains("zstd"),
            "{message}"
        );
        assert!(body.pointer(dialect_member).is_some(), "{path}: {body}");
    }
}

#[tokio::test]
async fn limits_the_decoded_body() {
    let large = vec![b' '; LIMIT + 1];
    for (coding, body) in [
        ("identity", large.clone()),
        ("gzip", gzip(&large)),
        ("zstd", zstd::encode_all(&*large, 3).unwrap()),
    ] {
        let request = post("/v1/messages").header(CONTENT_ENCODING, coding);
        let response = response_to(api(ClientKeys::default(), &[]), request, body).await;
        let (status, label, body) = parts(response).await;
        assert_eq!((status, &*label), (413, "payload-too-large"), "{coding}");
        assert!(body["error"]["message"].as_str().unwrap().contains("1 MiB"));
    }
    let request = post("/v1/messages").header(CONTENT_ENCODING, "gzip");
    let response = response_to(api(ClientKeys::default(), &[]), request, "{}").await;
    let (status, label, body) = parts(response).await;
    assert_eq!((status, &*label), (400, "invalid-request"), "{body}");
}

#[tokio::test]
async fn bodies_of_all_calls_share_the_memory() {
    let api = api(ClientKeys::default(), &[]);
    let body = format!(r#"{{"model":"m","pad":"{}"}}"#, "x".repeat(1_000));
    let memory = api.dispatcher.memory();
    // No single client may hold so much.
    let mut others = Vec::new();
    while 4 * LIMIT - memory.held() > body.len() {
        let mut other = HeldMemory::none(memory, others.len());
        other.resize((4 * LIMIT - memory.held()) / 2).unwrap();
        others.push(other);
    }
    let held = memory.held();
    for (coding, body) in [
        ("identity", body.clone().into_bytes()),
        ("gzip", gzip(body.as_bytes())),
    ] {
        let request = post("/v1/messages").header(CONTENT_ENCODING, coding);
        let response = response_to(Arc::clone(&api), request, body).await;
        assert_eq!(response.headers()[RETRY_AFTER], "1");
        let (status, label, body) = parts(response).await;
        assert_eq!((status, &*label), (503, "memory-full"), "{coding}: {body}");
    }
    assert_eq!(memory.held(), held);
    drop(others);
    let response = response_to(Arc::clone(&api), post("/v1/messages"), body).await;
    // The pool is empty.
    assert_eq!(response.status(), 404);
    assert_eq!(api.dispatcher.memory().held(), 0);
}

#[tokio::test]
async fn one_client_cannot_hold_the_memory_of_all() {
    let keys = ["key-of-a", "key-of-b"].map(SecretString::from);
    let names = ["a", "b"];
    let keys = || ClientKeys::new(names.into_iter().zip(&keys));
    let body = format!(r#"{{"model":"m","pad":"{}"}}"#, "x".repeat(1_000));
    for key in ["key-of-a", "key-of-b"] {
        let api = api(keys(), &[]);
        let mut held = HeldMemory::of_client(api.dispatcher.memory(), "a", None);
        held.resize(3 * LIMIT).unwrap();
        let request = post("/v1/messages").header("x-api-key", key);
        let response = response_to(api, request, body.clone()).await;
        let (status, label, _) = parts(response).await;
        let expected = match key {
            "key-of-a" => (503, "memory-full"),
            // The pool is empty.
            _ => (404, "unknown-model"),
        };
        assert_eq!((status, &*label), expected, "{key}");
    }
}

#[tokio::test]
async fn client_that_sends_all_before_it_reads_sees_the_error() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let key = SecretString::from("key-of-a");
    let api = api(ClientKeys::new([("a", &key)]), &[]);
    // More than the buffers of both sockets hold.
    let body = vec![b'x'; 32 << 20];
    let client = async {
        let mut expecting = TcpStream::connect(address).await.unwrap();
        let head = "POST /v1/messages HTTP/1.1\r\nhost: a\r\nx-api-key: key-of-a\r\nconnection: close\r\n\
                    expect: 100-continue\r\ncontent-length: 9999999\r\n\r\n";
        expecting.write_all(head.as_bytes()).await.unwrap();
        let mut response = String::new();
        expecting.read_to_string(&mut response).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 413 "), "{response}");
        for (path, key, expected) in [
            ("/v1/messages", "key-of-a", " 413 "),
            ("/v1/messages", "wrong", " 401 "),
            ("/v1/nothing", "key-of-a", " 404 "),
            ("/v1beta/models/m:nothing", "key-of-a", " 404 "),
        ] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\nconnection: close\r\n\
                 content-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&body).await.unwrap();
            let mut response = String::new();
            stream.read_to_string(&mut response).await.unwrap();
            assert!(response.contains(expected), "{path}: {response}");
        }
    };
    let served = crate::serve(
        listener,
        api_router(api),
        std::future::pending(),
        std::time::Duration::ZERO,
    );
    tokio::select! {
        _ = served => panic!("the server stopped"),
        () = client => {}
    }
}

fn preflight(origin: &str) -> Builder {
    Request::options("/v1/messages")
        .header(ORIGIN, origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "x-api-key,x-stainless-os")
}

#[tokio::test]
async fn pages_of_listed_origins_may_call() {
    let key = SecretString::from("key-of-a");
    let api = || {
        api(
            ClientKeys::new([("a", &key)]),
            &["https://chat.example.com"],
        )
    };
    let allowed = response_to(api(), preflight("https://chat.example.com"), Body::empty()).await;
    assert_eq!(allowed.status(), 200);
    let headers = allowed.headers();
    assert_eq!(
        headers[ACCESS_CONTROL_ALLOW_ORIGIN],
        "https://chat.example.com"
    );
    assert_eq!(
        headers[ACCESS_CONTROL_ALLOW_HEADERS],
        "x-api-key,x-stainless-os"
    );
    assert_eq!(headers.get(ACCESS_CONTROL_ALLOW_CREDENTIALS), None);
    let other = response_to(api(), preflight("https://evil.example"), Body::empty()).await;
    assert_eq!(other.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN), None);
    // An error, too, or the page could not show it.
    let request = post("/v1/messages").header(ORIGIN, "https://chat.example.com");
    let response = response_to(api(), request, "{}").await;
    assert_eq!(response.status(), 401);
    let headers = response.headers();
    assert_eq!(
        headers[ACCESS_CONTROL_ALLOW_ORIGIN],
        "https://chat.example.com"
    );
    assert_eq!(headers[ACCESS_CONTROL_EXPOSE_HEADERS], "*");
    assert_eq!(headers.get(ACCESS_CONTROL_ALLOW_CREDENTIALS), None);
}

#[tokio::test]
async fn without_origins_nothing_is_for_browsers() {
    let api = api(ClientKeys::default(), &[]);
    let request = preflight("https://chat.example.com");
    let response = response_to(Arc::clone(&api), request, Body::empty()).await;
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN), None);
    // A reload applies to the next request.
    api.set_options(ApiOptions {
        request_body_bytes_max: LIMIT,
        memory_bytes_max: 4 * LIMIT,
        cors: Cors::new(["*"]),
    });
    let request = preflight("https://chat.example.com");
    let response = response_to(api, request, Body::empty()).await;
    assert_eq!(response.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    assert_eq!(
        response.headers().get(ACCESS_CONTROL_ALLOW_CREDENTIALS),
        None
    );
}

/// The limit of these tests, in bytes.
const LIMIT: usize = 1 << 20;
