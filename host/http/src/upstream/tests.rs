//! Tests of the upstream client with providers on loopback sockets.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::timeout;
use url::Url;

use super::*;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Longest time of a test's step. Nothing here takes a second on an idle machine.
const STEP_MAX: Duration = Duration::from_secs(30);

/// A provider that serves each connection with `serve`, until the end of the test.
async fn provider<F>(serve: impl Fn(usize, TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            connections.spawn(serve(number, stream));
        }
    });
    address
}

/// Reads one request without caring where it ends: it is small, and sent at once.
async fn read_request(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 4096];
    matches!(stream.read(&mut buffer).await, Ok(length) if length > 0)
}

async fn serve_all(mut stream: TcpStream) {
    while read_request(&mut stream).await {
        stream.write_all(OK).await.unwrap();
    }
}

fn request(address: SocketAddr, connection: Connection) -> UpstreamRequest {
    UpstreamRequest {
        method: Method::POST,
        url: Url::parse(&format!("http://{address}/v1/chat/completions")).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::from_static(b"{}"),
        proxy: None,
        connect: Duration::from_secs(5),
        connection,
    }
}

/// Sends a request and reads the whole response.
async fn send(upstream: &HttpUpstream, request: UpstreamRequest) -> Result<Bytes, TransportError> {
    let exchange = async {
        let mut response = upstream.send(request).await?;
        let mut whole = Vec::new();
        while let Some(chunk) = response.body.next().await {
            whole.extend_from_slice(&chunk?);
        }
        Ok(Bytes::from(whole))
    };
    timeout(STEP_MAX, exchange).await.unwrap()
}

#[tokio::test]
async fn a_dead_pooled_connection_is_not_followed_by_another() {
    const BURST: usize = 12;
    let (burst, requests) = (Arc::new(Barrier::new(BURST)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&requests);
    let address = provider(move |number, mut stream| {
        let (burst, requests) = (Arc::clone(&burst), Arc::clone(&seen));
        async move {
            if number >= BURST {
                requests.fetch_add(1, Ordering::Relaxed);
                return serve_all(stream).await;
            }
            // All at once, so that each request has a connection of its own.
            assert!(read_request(&mut stream).await);
            burst.wait().await;
            stream.write_all(OK).await.unwrap();
            // A middlebox that has forgotten the connection resets it at the next request.
            if read_request(&mut stream).await {
                stream.set_zero_linger().unwrap();
            }
        }
    })
    .await;
    let upstream = Arc::new(HttpUpstream::new());
    let mut calls = JoinSet::new();
    for _ in 0..BURST {
        let upstream = Arc::clone(&upstream);
        calls.spawn(async move { send(&upstream, request(address, Connection::Pooled)).await });
    }
    for served in calls.join_all().await {
        assert_eq!(served.unwrap(), "ok");
    }
    for _ in 0..BURST + 2 {
        let served = send(&upstream, request(address, Connection::Pooled)).await;
        assert_eq!(served.unwrap(), "ok");
    }
    assert_eq!(
        requests.load(Ordering::Relaxed),
        BURST + 1,
        "one for each dead one, and one pooled"
    );
}

#[tokio::test]
async fn a_request_over_a_new_connection_is_sent_once() {
    let requests = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&requests);
    let address = provider(move |_, mut stream| {
        let requests = Arc::clone(&seen);
        async move {
            if read_request(&mut stream).await {
                requests.fetch_add(1, Ordering::Relaxed);
                stream.set_zero_linger().unwrap();
            }
        }
    })
    .await;
    let upstream = HttpUpstream::new();
    for connection in [Connection::New, Connection::Pooled] {
        let error = send(&upstream, request(address, connection))
            .await
            .unwrap_err();
        assert!(error.sent, "{error}");
        assert_eq!(requests.swap(0, Ordering::Relaxed), 1, "{connection:?}");
    }
}

#[tokio::test]
async fn requests_that_must_not_be_repeated_open_a_connection() {
    let connections = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&connections);
    let address = provider(move |_, stream| {
        seen.fetch_add(1, Ordering::Relaxed);
        serve_all(stream)
    })
    .await;
    let upstream = HttpUpstream::new();
    for (connection, opened) in [
        (Connection::Pooled, 1),
        (Connection::Pooled, 1),
        (Connection::New, 2),
        (Connection::New, 3),
        (Connection::Pooled, 3),
    ] {
        let served = send(&upstream, request(address, connection)).await;
        assert_eq!(served.unwrap(), "ok");
        assert_eq!(
            connections.load(Ordering::Relaxed),
            opened,
            "{connection:?}"
        );
    }
}

#[tokio::test]
async fn nothing_was_sent_without_a_connection() {
    let upstream = HttpUpstream::new();
    let closed = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        listener.local_addr().unwrap()
    };
    let error = send(&upstream, request(closed, Connection::Pooled))
        .await
        .unwrap_err();
    assert!(!error.sent, "refused: {error}");

    // Accepts connections and says nothing.
    let silent = provider(|_, stream| async move {
        let _open = stream;
        std::future::pending().await
    })
    .await;
    for proxy in [format!("socks5://{silent}"), format!("http://{silent}")] {
        let through_proxy = UpstreamRequest {
            url: Url::parse("https://provider.test/v1").unwrap(),
            proxy: Some(Arc::from(&*proxy)),
            connect: Duration::from_millis(100),
            ..request(closed, Connection::Pooled)
        };
        let error = send(&upstream, through_proxy).await.unwrap_err();
        assert!(!error.sent, "{proxy}: {error}");
    }
    let no_tls = UpstreamRequest {
        url: Url::parse(&format!("https://{silent}/v1")).unwrap(),
        connect: Duration::from_millis(100),
        ..request(closed, Connection::Pooled)
    };
    let error = send(&upstream, no_tls).await.unwrap_err();
    assert!(!error.sent, "TLS: {error}");
}

#[tokio::test]
async fn decodes_a_response_that_is_encoded_unasked() {
    let address = provider(|_, mut stream| async move {
        while read_request(&mut stream).await {
            let body = zstd::encode_all(&b"hello"[..], 3).unwrap();
            let length = body.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-encoding: zstd\r\ncontent-length: {length}\r\n\r\n"
            );
            stream
                .write_all(&[head.as_bytes(), &body].concat())
                .await
                .unwrap();
        }
    })
    .await;
    let served = send(&HttpUpstream::new(), request(address, Connection::Pooled)).await;
    assert_eq!(served.unwrap(), "hello");
}
