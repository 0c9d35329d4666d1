//! Tests proxies of credentials: their calls and token refreshes use the proxy, all others do not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jackfield_mock_provider::{MockOAuthOptions, Rotation};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::harness::{Jackfield, Upstream, chat, wait_until};
use crate::oauth::{CLIENT_SECRET, account};

/// The user and the password of the proxies, in a URL and in the header.
const USER_IN_URL: &str = "me:p%40ss";
const BASIC: &str = "Basic bWU6cEBzcw=="; // me:p@ss

/// A proxy on a loopback port that counts its connections.
struct Proxy {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

#[derive(Clone, Copy)]
enum ProxyKind {
    Http,
    Socks5,
}

impl Proxy {
    async fn start(kind: ProxyKind) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let counted = Arc::clone(&counted);
                open.spawn(async move {
                    let result = match kind {
                        ProxyKind::Http => through_http(client, &counted).await,
                        ProxyKind::Socks5 => through_socks5(client, &counted).await,
                    };
                    result.unwrap_or_default();
                });
            }
        });
        Self {
            address,
            connections,
            _serving: serving,
        }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// Forwards an HTTP request. Its target is an absolute URL (RFC 9112, section 3.2.2), which servers must
/// accept, too, so the head is forwarded unchanged.
async fn through_http(mut client: TcpStream, counted: &AtomicUsize) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let text = String::from_utf8_lossy(&head);
    assert!(
        text.lines().any(
            |line| line.split_once(": ").is_some_and(|(name, value)| name
                .eq_ignore_ascii_case("proxy-authorization")
                && value == BASIC)
        ),
        "no user: {text}"
    );
    let target = text.split_whitespace().nth(1).unwrap();
    let authority = target.strip_prefix("http://").unwrap();
    let authority = authority.split('/').next().unwrap();
    let mut server = TcpStream::connect(authority).await?;
    counted.fetch_add(1, Ordering::Relaxed);
    server.write_all(&head).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

/// Serves SOCKS5 (RFC 1928) with user and password (RFC 1929), for IPv4 addresses.
async fn through_socks5(mut client: TcpStream, counted: &AtomicUsize) -> std::io::Result<()> {
    let [version, methods] = read(&mut client).await?;
    assert_eq!(version, 5);
    let mut offered = vec![0; methods.into()];
    client.read_exact(&mut offered).await?;
    assert!(offered.contains(&2), "the client offers no password");
    client.write_all(&[5, 2]).await?;
    let [_, length] = read(&mut client).await?;
    let mut user = vec![0; length.into()];
    client.read_exact(&mut user).await?;
    let mut password = vec![0; client.read_u8().await?.into()];
    client.read_exact(&mut password).await?;
    assert_eq!((&*user, &*password), (&b"me"[..], &b"p@ss"[..]));
    client.write_all(&[1, 0]).await?;
    let [_, command, _, kind] = read(&mut client).await?;
    assert_eq!(
        (command, kind),
        (1, 1),
        "expected CONNECT to an IPv4 address"
    );
    let address: [u8; 4] = read(&mut client).await?;
    let port = client.read_u16().await?;
    let mut server = TcpStream::connect(SocketAddr::from((address, port))).await?;
    counted.fetch_add(1, Ordering::Relaxed);
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

async fn read<const N: usize>(client: &mut TcpStream) -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    client.read_exact(&mut bytes).await?;
    Ok(bytes)
}

#[tokio::test]
async fn uses_only_the_credentials_own_proxy() {
    let upstream = Upstream::start(&[]).await;
    let http = Proxy::start(ProxyKind::Http).await;
    let socks = Proxy::start(ProxyKind::Socks5).await;
    let config = format!(
        "providers:\n  - name: mock\n    executor: openai-compatible\n    \
         base-url: http://{}/v1\n    credentials:\n      \
         - {{ id: direct, api-key: direct }}\n      \
         - {{ id: http, api-key: http, proxy-url: \"http://{USER_IN_URL}@{}\" }}\n      \
         - {{ id: socks, api-key: socks, proxy-url: \"socks5://{USER_IN_URL}@{}\" }}\n    \
         models: [ {{ name: gpt-mock, alias: mock }} ]\n",
        upstream.address, http.address, socks.address
    );
    let jackfield = Jackfield::start_in(tempfile::tempdir().unwrap(), &config).await;
    for _ in 0..6 {
        let (status, response) = jackfield.call(&chat("mock", false, &json!({}))).await;
        assert_eq!(status, 200, "{response}");
    }
    // Two calls per credential; the second one reuses the connection.
    assert_eq!(upstream.provider.calls().len(), 3);
    assert_eq!((http.connections(), socks.connections()), (1, 1));
    let shown = jackfield.admin("credentials").await.to_string();
    assert!(shown.contains("via socks5 proxy"), "{shown}");
    assert!(
        !shown.contains("p%40ss") && !shown.contains("p@ss"),
        "{shown}"
    );
}

#[tokio::test]
async fn unreachable_proxy_does_not_cool_its_credential() {
    let upstream = Upstream::start(&[]).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let config = format!(
        "providers:\n  - name: mock\n    executor: openai-compatible\n    \
         base-url: http://{}/v1\n    credentials:\n      \
         - {{ id: a-lost, api-key: lost, proxy-url: \"http://{USER_IN_URL}@{address}\" }}\n      \
         - {{ id: b-direct, api-key: direct }}\n    \
         models: [ {{ name: gpt-mock, alias: mock }} ]\n\
         routing: {{ selector: fill-first }}\n",
        upstream.address
    );
    let jackfield = Jackfield::start_in(tempfile::tempdir().unwrap(), &config).await;
    let (status, response) = jackfield.call(&chat("mock", false, &json!({}))).await;
    assert_eq!(status, 200, "{response}");
    assert_eq!(response["x_mock"]["served_by"], "direct");
    let lost = jackfield.credential("a-lost").await;
    assert_eq!(lost["health"]["state"], "ready", "{lost}");
}

#[tokio::test]
async fn refreshes_tokens_through_the_accounts_proxy() {
    let lifetime = Duration::from_secs(60);
    let upstream = Upstream::with_oauth(MockOAuthOptions {
        rotation: Rotation::Strict,
        client: Some(("me".to_owned(), CLIENT_SECRET.to_owned())),
        ..MockOAuthOptions::default()
    })
    .await;
    let proxy = Proxy::start(ProxyKind::Http).await;
    let alice = account("alice", &upstream.oauth().open("alice"), lifetime);
    let address = upstream.address;
    let config = format!(
        "providers:\n  - name: accounts\n    executor: openai-compatible\n    \
         base-url: http://{address}/v1\n    \
         settings: {{ token-url: \"http://{address}/oauth/token\", client-authentication: basic }}\n    \
         refresh: {{ lead: 5m }}\n    credentials:\n{}        proxy-url: \"http://{USER_IN_URL}@{}\"\n    \
         models: [ {{ name: gpt-accounts, alias: accounts }} ]\n",
        alice, proxy.address
    );
    let _jackfield = Jackfield::start_in(tempfile::tempdir().unwrap(), &config).await;
    wait_until("the token was renewed", async || {
        upstream.oauth().counts().refreshed == 1
    })
    .await;
    assert_eq!(proxy.connections(), 1);
}
