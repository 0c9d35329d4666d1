//! Ways to a provider that are dead: proxies, hosts and connections that others have forgotten.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::client::{ClientApi, ClientRequest};
use super::replies::well;
use super::scripted::{RefusingPort, Reply, ReplyEnd, ScriptedProvider};
use super::{ONE, TWO, burst, pool, start};

/// A proxy that accepts connections and sends nothing.
struct SilentProxy {
    address: SocketAddr,
    _server: JoinSet<()>,
}

impl SilentProxy {
    async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut open = Vec::new();
            while let Ok((socket, _)) = listener.accept().await {
                open.push(socket);
            }
        });
        Self {
            address,
            _server: server,
        }
    }
}

/// Two keys; the first one uses this proxy.
fn behind_proxy(base_url: &str, proxy: &str) -> String {
    format!(
        "  - name: p\n    executor: openai-compatible\n    base-url: {base_url}\n    credentials: [ \
         {{ id: key-a, api-key: key-a, proxy-url: \"{proxy}\" }}, {{ id: key-b, api-key: key-b }} ]\n    \
         models: [ {{ name: m1 }} ]\n"
    )
}

/// `blackhole-proxy`: every call took the connect timeout, for ever. Sources: Soju06/codex-lb#1322,
/// Wei-Shaw/sub2api#1167, diegosouzapw/OmniRoute#13578.
#[tokio::test]
async fn silent_proxy_is_left_alone() {
    let mut cases = JoinSet::new();
    for (scheme, selector) in [
        ("socks5", "fill-first"),
        ("socks5", "round-robin"),
        ("http", "fill-first"),
    ] {
        cases.spawn(async move {
            let provider = ScriptedProvider::start(well).await;
            let proxy = SilentProxy::start().await;
            let providers = behind_proxy(
                &provider.url("/v1"),
                &format!("{scheme}://{}", proxy.address),
            );
            let more = format!(
                "routing: {{ selector: {selector} }}\n\
                 timeouts: {{ connect: 1s, first-byte: 1s }}\n"
            );
            let jackfield = start(&providers, &more).await;
            let mut times = Vec::new();
            for number in 0..12 {
                let text = format!("hi {number}");
                let request = ClientRequest::streamed(ClientApi::Chat, "m1", &text).by(ONE);
                let response = request.send(&jackfield).await;
                response.assert_served_by(ClientApi::Chat, "key-b");
                times.push(response.elapsed);
            }
            let slow = times
                .iter()
                .filter(|time| **time >= Duration::from_secs(1))
                .count();
            assert!(
                slow <= 4,
                "{scheme} {selector}: {slow} slow calls: {times:?}"
            );
        });
    }
    while let Some(case) = cases.join_next().await {
        case.unwrap();
    }
}

/// `budget-dead-proxy*`: 161 of 400 calls were served.
#[tokio::test]
async fn refusing_proxy_costs_no_call() {
    for selector in ["fill-first", "round-robin"] {
        let provider = ScriptedProvider::start(well).await;
        let proxy = RefusingPort::new();
        let providers = behind_proxy(&provider.url("/v1"), &format!("socks5://{}", proxy.address));
        let more = format!("routing: {{ selector: {selector} }}\n");
        let jackfield = Arc::new(start(&providers, &more).await);
        let plain = ClientRequest::plain_chat().by(ONE);
        for response in burst(&jackfield, &plain, 400, 8).await {
            response.assert_served_by(ClientApi::Chat, "key-b");
        }
    }
}

/// A host that refuses connections, and a well provider.
#[tokio::test]
async fn refusing_host_costs_no_call() {
    let q = ScriptedProvider::start(well).await;
    let port = RefusingPort::new();
    let dead = format!("http://{}/v1", port.address);
    let providers = pool("p", "openai-compatible", &dead, &["key-a", "key-b"])
        + &pool("q", "openai-compatible", &q.url("/v1"), &["key-q"]);
    let jackfield = Arc::new(start(&providers, "").await);
    for response in burst(&jackfield, &ClientRequest::plain_chat().by(ONE), 200, 8).await {
        response.assert_served_by(ClientApi::Chat, "key-q");
    }
}

/// A host whose connections come back is used again within seconds.
#[tokio::test]
async fn host_that_returns_is_used_again() {
    let port = RefusingPort::new();
    let dead = format!("http://{}/v1", port.address);
    let jackfield = start(
        &pool("p", "openai-compatible", &dead, &["key-a"]),
        "retry: { rounds: 1 }\n",
    )
    .await;
    for number in 0..6 {
        let text = format!("hi {number}");
        let request = ClientRequest::new(ClientApi::Chat, "m1", &text).by(ONE);
        let response = request.send(&jackfield).await;
        assert!(
            [502, 503].contains(&response.status),
            "{}",
            response.summary()
        );
    }
    let provider = port.listen(well);
    let plain = ClientRequest::plain_chat().by(TWO);
    super::time_until_served(&jackfield, &plain, Duration::from_secs(6)).await;
    assert!(provider.count() >= 1);
}

/// `stale-pool-many-*`: 12 kept connections die together; 6 of 14 calls failed. Source: InsForge/InsForge#2058.
#[tokio::test]
async fn dead_connections_of_a_burst_fail_no_call() {
    const STALE: usize = 12;
    for keys in [&["key-a"][..], &["key-a", "key-b"]] {
        let provider = ScriptedProvider::start(|request| {
            if request.connection < STALE && request.on_connection > 0 {
                return Reply::nothing(ReplyEnd::Reset);
            }
            // All connections of the burst are open together.
            let delay = if request.connection < STALE { 400 } else { 0 };
            well(request).after(Duration::from_millis(delay))
        })
        .await;
        let providers = pool("p", "openai-compatible", &provider.url("/v1"), keys);
        let jackfield = Arc::new(start(&providers, "").await);
        let plain = ClientRequest::plain_chat().by(ONE);
        for response in burst(&jackfield, &plain, STALE, STALE).await {
            response.assert_served(ClientApi::Chat);
        }
        // The connections are idle now.
        sleep(Duration::from_millis(200)).await;
        for _ in 0..14 {
            plain.send(&jackfield).await.assert_served(ClientApi::Chat);
        }
    }
}

/// The same with streams, and with connections that the provider closes instead of resetting.
#[tokio::test]
async fn closed_connections_fail_no_stream() {
    let provider = ScriptedProvider::start(|request| {
        let end = if request.connection % 2 == 0 {
            ReplyEnd::Reset
        } else {
            ReplyEnd::Close
        };
        if request.connection < 6 && request.on_connection > 0 {
            return Reply::nothing(end);
        }
        let delay = if request.connection < 6 { 300 } else { 0 };
        well(request).after(Duration::from_millis(delay))
    })
    .await;
    let providers = pool("p", "openai-compatible", &provider.url("/v1"), &["key-a"]);
    let jackfield = Arc::new(start(&providers, "").await);
    let request = ClientRequest::streamed(ClientApi::Chat, "m1", "hi").by(ONE);
    for response in burst(&jackfield, &request, 6, 6).await {
        response.assert_served(ClientApi::Chat);
    }
    sleep(Duration::from_millis(200)).await;
    let began = Instant::now();
    for _ in 0..8 {
        request
            .send(&jackfield)
            .await
            .assert_served(ClientApi::Chat);
    }
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
}
