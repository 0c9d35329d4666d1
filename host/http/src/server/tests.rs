//! Connections over loopback: places, proxies, and connections that send no request.

use axum::Extension;
use axum::routing::get;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{Notify, oneshot};

use super::*;
use crate::proxies::ProxyNetworks;
use crate::wrong_keys::PeerAddress;

/// The longest wait of a test.
const TEST_TIMEOUT: Duration = Duration::from_secs(600);

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0deadbeef";

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

async fn listener() -> (Listener, std::net::SocketAddr) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener.into(), address)
}

fn loopback() -> ProxyNetworks {
    ProxyNetworks {
        networks: vec!["127.0.0.0/8".parse().unwrap()],
        ..ProxyNetworks::default()
    }
}

fn policy(known: ProxyNetworks, proxy_protocol: bool) -> Arc<ConnectionPolicy> {
    let policy = ConnectionPolicy::new(TrustedProxies::new(known), CLIENT_STALL_TIMEOUT);
    policy.set_proxy_protocol(proxy_protocol);
    Arc::new(policy)
}

/// Answers with the address of the client.
fn shows_client() -> Router {
    let show = get(
        async |client: Option<Extension<PeerAddress>>| match client {
            Some(Extension(PeerAddress(client))) => client.to_string(),
            None => "none".to_owned(),
        },
    );
    Router::new().route("/", show)
}

/// Serves while `client` runs.
async fn serve_for<T>(
    policy: Arc<ConnectionPolicy>,
    listener: Listener,
    client: impl Future<Output = T>,
) -> T {
    let (stop, stopped) = oneshot::channel::<()>();
    let stopping = async { drop(stopped.await) };
    let client = async {
        let result = client.await;
        stop.send(()).unwrap();
        result
    };
    let served = serve_by(policy, listener, shows_client(), stopping, TEST_TIMEOUT);
    let (_, result) = tokio::join!(served, client);
    result
}

/// Sends bytes; returns what comes back until the connection ends, also by a reset.
async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> String {
    stream.write_all(bytes).await.unwrap();
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response).await;
    String::from_utf8_lossy(&response).into_owned()
}

#[tokio::test]
async fn stops_while_all_connections_are_in_use() {
    let (listener, address) = listener().await;
    let (began, end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (stop, stopped) = oneshot::channel::<()>();
    let router = Router::new().route("/", {
        let (began, end) = (Arc::clone(&began), Arc::clone(&end));
        get(async move || {
            began.notify_one();
            end.notified().await;
            "served"
        })
    });
    let stopping = async { drop(stopped.await) };
    let client = async {
        let mut only = TcpStream::connect(address).await.unwrap();
        only.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        began.notified().await;
        // The call goes on, so that its connection keeps the only permit.
        stop.send(()).unwrap();
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        end.notify_one();
        let mut response = String::new();
        only.read_to_string(&mut response).await.unwrap();
        response
    };
    let served = serve_up_to(
        limits(1),
        Arc::default(),
        listener,
        router,
        stopping,
        TEST_TIMEOUT,
    );
    let (drain, response) = timeout(TEST_TIMEOUT, async { tokio::join!(served, client) })
        .await
        .expect("the server did not stop");
    assert_eq!(drain, Drain::Complete);
    assert!(response.ends_with("served"), "{response}");
}

fn limits(all: u32) -> ConnectionLimits {
    ConnectionLimits {
        all,
        groups: GroupLimits::default(),
    }
}

/// Whatever the connections that have all places sent, none of it a request, the drain does not wait for them.
#[tokio::test]
async fn stops_at_once_while_connections_without_a_request_have_all_places() {
    let sent = [&b""[..], &PREFACE[..12], b"GET / HT", b"PROXY TC"];
    for proxy_protocol in [false, true] {
        let (listener, address) = listener().await;
        let policy = policy(loopback(), proxy_protocol);
        let (stop, stopped) = oneshot::channel::<()>();
        let stopping = async { drop(stopped.await) };
        let attack = async {
            let mut connections = Vec::new();
            for bytes in sent {
                let mut connection = TcpStream::connect(address).await.unwrap();
                connection.write_all(bytes).await.unwrap();
                connections.push(connection);
            }
            // Beyond the limit: it waits in the system's queue.
            connections.push(TcpStream::connect(address).await.unwrap());
            stop.send(()).unwrap();
            connections
        };
        let served = serve_up_to(
            limits(sent.len() as u32),
            policy,
            listener,
            shows_client(),
            stopping,
            TEST_TIMEOUT,
        );
        let began = Instant::now();
        let (drain, connections) = tokio::join!(served, attack);
        assert_eq!(drain, Drain::Complete);
        assert!(began.elapsed() < FIRST_HEAD_TIMEOUT);
        drop(connections);
    }
}

/// How long a client that sends `begin`, and then `flood` again and again, keeps its connection.
async fn lasts(proxy_protocol: bool, begin: &[u8], flood: &[u8]) -> Duration {
    let (listener, address) = listener().await;
    let client = async {
        let stream = TcpStream::connect(address).await.unwrap();
        let began = Instant::now();
        let (mut reader, mut writer) = stream.into_split();
        writer.write_all(begin).await.unwrap();
        let flooding = async {
            while !flood.is_empty() && writer.write_all(flood).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            std::future::pending::<()>().await;
        };
        let reading = async {
            let mut buffer = [0; 1024];
            while reader.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
        };
        let attack = async {
            tokio::select! { () = flooding => {}, () = reading => {} }
        };
        timeout(TEST_TIMEOUT, attack).await.expect("never closed");
        began.elapsed()
    };
    serve_for(policy(loopback(), proxy_protocol), listener, client).await
}

#[tokio::test(start_paused = true)]
async fn closes_connections_without_a_request_in_every_protocol() {
    let http2 = [PREFACE, SETTINGS].concat();
    for (what, proxy_protocol, begin, flood) in [
        ("nothing", false, &b""[..], &b""[..]),
        ("half a preface", false, &PREFACE[..12], b""),
        ("half a head", false, b"POST / HTTP/1.1\r\nhost: a\r\n", b""),
        (
            "lines of a head without end",
            false,
            b"POST / HTTP/1.1\r\n",
            b"a: b\r\n",
        ),
        ("idle HTTP/2", false, &http2, b""),
        ("pings", false, &http2, PING),
        ("settings", false, &http2, SETTINGS),
        ("no proxy header", true, b"", b""),
        ("half a proxy header", true, b"PROXY TCP4 192.0.2.7", b""),
        ("a proxy header alone", true, b"PROXY UNKNOWN\r\n", b""),
        (
            "half a head after it",
            true,
            b"PROXY UNKNOWN\r\nGET / H",
            b"",
        ),
    ] {
        let lasted = lasts(proxy_protocol, begin, flood).await;
        let longest = FIRST_HEAD_TIMEOUT + CLOSE_UNUSED_TIMEOUT + Duration::from_secs(1);
        assert!(lasted <= longest, "{what}: {lasted:?}");
    }
}

#[tokio::test]
async fn requests_have_the_address_of_the_client_behind_a_proxy() {
    let request =
        b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-forwarded-for: 192.0.2.7\r\n\r\n";
    let (listener, address) = listener().await;
    let client = async { exchange(TcpStream::connect(address).await.unwrap(), request).await };
    let response = serve_for(policy(loopback(), false), listener, client).await;
    assert!(response.ends_with("192.0.2.7"), "{response}");
}

#[tokio::test]
async fn trusted_proxies_name_their_client_by_the_proxy_protocol() {
    let named = [b"PROXY TCP4 192.0.2.7 10.0.0.1 5000 80\r\n", REQUEST].concat();
    let unnamed = [b"PROXY UNKNOWN\r\n", REQUEST].concat();
    let forwarded =
        b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-forwarded-for: 192.0.2.7\r\n\r\n";
    let unnamed_but_forwarded = [b"PROXY UNKNOWN\r\n", &forwarded[..]].concat();
    // Version 2, command LOCAL, without an address.
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    let local_but_forwarded = [&local[..], forwarded].concat();
    for (sent, trusted, expected) in [
        (&named[..], true, "192.0.2.7"),
        (&unnamed, true, "127.0.0.1"),
        // What an unknown client says of itself does not count.
        (&unnamed_but_forwarded, true, "127.0.0.1"),
        (&local_but_forwarded, true, "127.0.0.1"),
        // Without a header nothing is served: no guess may decide who the client is.
        (REQUEST, true, ""),
        // Others send none.
        (REQUEST, false, "127.0.0.1"),
        (&named, false, "400 Bad Request"),
    ] {
        let known = if trusted {
            loopback()
        } else {
            ProxyNetworks::default()
        };
        let (listener, address) = listener().await;
        let client = async { exchange(TcpStream::connect(address).await.unwrap(), sent).await };
        let response = serve_for(policy(known, true), listener, client).await;
        let is_right = match expected {
            "" => response.is_empty(),
            _ => response.contains(expected),
        };
        assert!(is_right, "trusted: {trusted}, {expected}: {response}");
    }
}

/// Behind a proxy a client has as many places as one that connects itself, and the proxy keeps none for it.
#[tokio::test]
async fn connections_count_as_those_of_the_named_client() {
    let (listener, address) = listener().await;
    let groups = GroupLimits {
        network: 1,
        shared: 2,
    };
    let limits = ConnectionLimits { all: 100, groups };
    let (stop, stopped) = oneshot::channel::<()>();
    let stopping = async { drop(stopped.await) };
    let client = async {
        let mut idle = Vec::new();
        let mut statuses = Vec::new();
        for last in [1, 2, 3, 3, 4] {
            let header = format!("PROXY TCP4 192.0.2.{last} 10.0.0.1 5000 80\r\n");
            let mut connection = TcpStream::connect(address).await.unwrap();
            let request = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
            let sent = [header.as_bytes(), request].concat();
            connection.write_all(&sent).await.unwrap();
            let mut buffer = [0; 12];
            let read = connection.read_exact(&mut buffer).await;
            statuses.push(read.is_ok());
            idle.push(connection);
        }
        stop.send(()).unwrap();
        statuses
    };
    let served = serve_up_to(
        limits,
        policy(loopback(), true),
        listener,
        shows_client(),
        stopping,
        TEST_TIMEOUT,
    );
    let (_, statuses) = tokio::join!(served, client);
    assert_eq!(statuses, [true, true, true, false, true]);
}

#[tokio::test]
async fn serves_on_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let forwarded =
        b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-forwarded-for: 192.0.2.7\r\n\r\n";
    for (trusted, expected) in [(false, "none"), (true, "192.0.2.7")] {
        let known = ProxyNetworks {
            networks: Vec::new(),
            unix_socket: trusted,
            ..ProxyNetworks::default()
        };
        let listener = Listener::unix(&path, 0o600).await.unwrap();
        let client = async { exchange(UnixStream::connect(&path).await.unwrap(), forwarded).await };
        let response = serve_for(policy(known, false), listener, client).await;
        assert!(response.ends_with(expected), "{response}");
        assert!(!path.exists());
    }
}
