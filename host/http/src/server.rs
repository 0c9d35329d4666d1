//! The server: accepts connections up to a limit, and drains them when it stops.

mod activity;
mod addresses;
mod responses;
mod stall;

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use jackfield_dispatch::limits::CLIENT_STALL_TIMEOUT;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use self::activity::{Activity, counted};
use self::addresses::Addresses;
pub(crate) use self::addresses::network;
use self::stall::StallGuard;
use crate::limits::{
    ACCEPT_RETRY_DELAY, CLOSE_UNUSED_TIMEOUT, CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX,
    HTTP2_STREAMS_MAX, REQUEST_HEAD_TIMEOUT,
};
use crate::proxies::TrustedProxies;

/// How a server stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drain {
    /// All calls ended in time.
    Complete,
    /// Calls were in progress after the longest wait and were aborted.
    CutOff,
}

/// Serves until `stop` is ready, then waits at most `drain_max` for calls in progress.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
    drain_max: Duration,
) -> Drain {
    serve_by(Arc::default(), listener, router, stop, drain_max).await
}

/// What the operator says about connections. A reload can replace it; open connections keep their timeout.
#[derive(Debug)]
pub struct ConnectionPolicy {
    /// The proxies before this server.
    pub proxies: TrustedProxies,
    client_stall: ArcSwap<Duration>,
}

impl ConnectionPolicy {
    /// Creates a policy. `client_stall` is how long a client may leave what waits for it unread.
    #[must_use]
    pub fn new(proxies: TrustedProxies, client_stall: Duration) -> Self {
        Self {
            proxies,
            client_stall: ArcSwap::from_pointee(client_stall),
        }
    }

    /// Replaces how long a client may leave what waits for it unread.
    pub fn set_client_stall(&self, timeout: Duration) {
        self.client_stall.store(Arc::new(timeout));
    }
}

impl Default for ConnectionPolicy {
    fn default() -> Self {
        Self::new(TrustedProxies::default(), CLIENT_STALL_TIMEOUT)
    }
}

/// Serves as [`serve`], by another policy for connections.
pub async fn serve_by(
    policy: Arc<ConnectionPolicy>,
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
    drain_max: Duration,
) -> Drain {
    serve_up_to(CONNECTIONS_MAX, policy, listener, router, stop, drain_max).await
}

/// Serves at most `connections_max` connections at the same time.
async fn serve_up_to(
    connections_max: u32,
    policy: Arc<ConnectionPolicy>,
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
    drain_max: Duration,
) -> Drain {
    let places = Arc::new(Semaphore::new(connections_max as usize));
    let addresses = Arc::new(Addresses::new(CONNECTIONS_PER_ADDRESS_MAX));
    let stopping = watch::Sender::new(false);
    let builder = Arc::new(builder());
    let mut stop = std::pin::pin!(stop);
    loop {
        // The place comes first: at the limit, new connections wait in the system's queue, where they
        // need no file descriptor of this process. Both waits end when the server stops.
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, accept(&listener).await)
        };
        let (place, (stream, peer)) = tokio::select! {
            biased;
            () = &mut stop => break,
            next = next => next,
        };
        let admitted = if policy.proxies.trusts(peer) {
            Some(Addresses::unlimited())
        } else {
            addresses.admit(peer)
        };
        let Some(address_place) = admitted else {
            tracing::debug!(%peer, "connection refused: the address has too many");
            continue;
        };
        let (builder, router) = (Arc::clone(&builder), router.clone());
        let policy = Arc::clone(&policy);
        let stopping = stopping.subscribe();
        #[expect(
            clippy::disallowed_methods,
            reason = "bounded by `places`, drained by `stopping`"
        )]
        tokio::spawn(async move {
            serve_connection(&builder, stream, peer, policy, router, stopping).await;
            // This use moves the places into the task, so that they live as long as the connection.
            drop((place, address_place));
        });
    }
    // New connections fail at once while the others drain.
    drop(listener);
    stopping.send_replace(true);
    match timeout(drain_max, places.acquire_many(connections_max)).await {
        Ok(_) => Drain::Complete,
        Err(_) => Drain::CutOff,
    }
}

/// Serves one connection until it ends, is not used for too long, or the server stops.
async fn serve_connection(
    builder: &Builder<TokioExecutor>,
    stream: TcpStream,
    peer: IpAddr,
    policy: Arc<ConnectionPolicy>,
    router: Router,
    mut stopping: watch::Receiver<bool>,
) {
    let activity = Arc::new(Activity::default());
    let stall_timeout = **policy.client_stall.load();
    let service = counted(router, peer, policy, Arc::clone(&activity));
    let stream = TokioIo::new(StallGuard::new(stream, stall_timeout));
    let mut connection = pin!(builder.serve_connection_with_upgrades(stream, service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = async { drop(stopping.wait_for(|stopping| *stopping).await) } => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = activity.responses.drop_stalled(stall_timeout) => Ok(()),
        () = activity.unused() => {
            connection.as_mut().graceful_shutdown();
            timeout(CLOSE_UNUSED_TIMEOUT, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::trace!(error, "connection ended");
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_HEAD_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS_MAX);
    builder
}

/// Returns the next connection. An error of one connection must not stop the server.
async fn accept(listener: &TcpListener) -> (TcpStream, IpAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Nagle's algorithm would delay a small event until the next one.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "connection without TCP_NODELAY");
                }
                return (stream, peer.ip());
            }
            // Only this connection failed. The next one may wait already, so there is no delay.
            Err(error) if is_connection_error(&error) => {}
            Err(error) => {
                tracing::error!(%error, "connections cannot be accepted");
                sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
}

fn is_connection_error(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    use axum::Extension;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::{Notify, oneshot};

    use super::*;
    use crate::wrong_keys::PeerAddress;

    #[tokio::test]
    async fn stops_while_all_connections_are_in_use() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
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
        let stopping = async {
            let _ = stopped.await;
        };
        let drain_max = Duration::from_secs(60);
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
        let served = serve_up_to(1, Arc::default(), listener, router, stopping, drain_max);
        let (drain, response) = timeout(drain_max, async { tokio::join!(served, client) })
            .await
            .expect("the server did not stop");
        assert_eq!(drain, Drain::Complete);
        assert!(response.ends_with("served"), "{response}");
    }

    #[tokio::test]
    async fn requests_have_the_address_of_the_client_behind_a_proxy() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let show =
            get(async |Extension(PeerAddress(client)): Extension<PeerAddress>| client.to_string());
        let router = Router::new().route("/", show);
        let proxies = TrustedProxies::new(vec!["127.0.0.0/8".parse().unwrap()]);
        let policy = Arc::new(ConnectionPolicy::new(proxies, CLIENT_STALL_TIMEOUT));
        let (stop, stopped) = oneshot::channel::<()>();
        let stopping = async {
            let _ = stopped.await;
        };
        let client = async {
            let mut proxy = TcpStream::connect(address).await.unwrap();
            let request = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-forwarded-for: 192.0.2.7\r\n\r\n";
            proxy.write_all(request).await.unwrap();
            let mut response = String::new();
            proxy.read_to_string(&mut response).await.unwrap();
            stop.send(()).unwrap();
            response
        };
        let served = serve_by(policy, listener, router, stopping, Duration::from_secs(60));
        let (_, response) = tokio::join!(served, client);
        assert!(response.ends_with("192.0.2.7"), "{response}");
    }
}
