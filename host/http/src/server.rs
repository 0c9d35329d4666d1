//! The server: accepts connections up to a limit, and drains them when it stops.

mod activity;
mod addresses;
mod listener;
mod proxy_protocol;
mod responses;
mod stall;

use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::http::HeaderMap;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use jackfield_dispatch::limits::CLIENT_STALL_TIMEOUT;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout, timeout_at};

use self::activity::{Activity, counted};
pub(crate) use self::addresses::network;
use self::addresses::{AddressPlace, Addresses, Group, GroupLimits};
use self::listener::ClientStream;
pub use self::listener::{ListenError, Listener};
use self::proxy_protocol::read_header;
use self::stall::StallGuard;
use crate::limits::{
    CLOSE_UNUSED_TIMEOUT, CONNECTIONS_MAX, FIRST_HEAD_TIMEOUT, HTTP2_STREAMS_MAX,
    REQUEST_HEAD_TIMEOUT,
};
use crate::proxies::{Peer, TrustedProxies};

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
    listener: impl Into<Listener>,
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
    proxy_protocol: AtomicBool,
    client_stall: ArcSwap<Duration>,
}

impl ConnectionPolicy {
    /// Creates a policy. `client_stall` is how long a client may leave what waits for it unread.
    #[must_use]
    pub fn new(proxies: TrustedProxies, client_stall: Duration) -> Self {
        Self {
            proxies,
            proxy_protocol: AtomicBool::new(false),
            client_stall: ArcSwap::from_pointee(client_stall),
        }
    }

    /// Says whether the connections of trusted proxies begin with a header of the PROXY protocol. Those of others
    /// never do.
    pub fn set_proxy_protocol(&self, expected: bool) {
        // Relaxed: the value guards no other data.
        self.proxy_protocol.store(expected, Ordering::Relaxed);
    }

    fn expects_proxy_header(&self, peer: Peer) -> bool {
        self.proxy_protocol.load(Ordering::Relaxed) && self.proxies.trusts(peer)
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
    listener: impl Into<Listener>,
    router: Router,
    stop: impl Future<Output = ()>,
    drain_max: Duration,
) -> Drain {
    let limits = ConnectionLimits {
        all: CONNECTIONS_MAX,
        groups: GroupLimits::default(),
    };
    serve_up_to(limits, policy, listener.into(), router, stop, drain_max).await
}

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
struct ConnectionLimits {
    all: u32,
    groups: GroupLimits,
}

/// What all connections of a listener share.
struct Shared {
    builder: Builder<TokioExecutor>,
    router: Router,
    policy: Arc<ConnectionPolicy>,
    addresses: Arc<Addresses>,
}

/// Serves at most so many connections at the same time.
async fn serve_up_to(
    limits: ConnectionLimits,
    policy: Arc<ConnectionPolicy>,
    listener: Listener,
    router: Router,
    stop: impl Future<Output = ()>,
    drain_max: Duration,
) -> Drain {
    let places = Arc::new(Semaphore::new(limits.all as usize));
    let stopping = watch::Sender::new(false);
    let shared = Arc::new(Shared {
        builder: builder(),
        router,
        policy,
        addresses: Arc::new(Addresses::new(limits.groups)),
    });
    let mut stop = std::pin::pin!(stop);
    loop {
        // The place comes first: at the limit, new connections wait in the system's queue, where they
        // need no file descriptor of this process. Both waits end when the server stops.
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, (stream, peer)) = tokio::select! {
            biased;
            () = &mut stop => break,
            next = next => next,
        };
        let Some(address_place) = shared.admit(peer) else {
            continue;
        };
        let shared = Arc::clone(&shared);
        let stopping = stopping.subscribe();
        let accepted = Accepted {
            stream,
            peer,
            at: Instant::now(),
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "bounded by `places`, drained by `stopping`"
        )]
        tokio::spawn(async move {
            shared.serve(accepted, address_place, stopping).await;
            // This use moves the place into the task, so that it lives as long as the connection.
            drop(place);
        });
    }
    // New connections fail at once while the others drain.
    drop(listener);
    stopping.send_replace(true);
    match timeout(drain_max, places.acquire_many(limits.all)).await {
        Ok(_) => Drain::Complete,
        Err(_) => Drain::CutOff,
    }
}

/// A connection that was accepted.
struct Accepted {
    stream: ClientStream,
    peer: Peer,
    at: Instant,
}

/// Who uses a connection.
#[derive(Debug, Clone, Copy)]
struct Client {
    peer: Peer,
    /// Whether a header may name another client, if the peer is a trusted proxy.
    may_be_forwarded: bool,
}

impl Client {
    fn of(peer: Peer) -> Self {
        Self {
            peer,
            may_be_forwarded: true,
        }
    }

    /// The address of the client of a request.
    fn address(self, proxies: &TrustedProxies, headers: &HeaderMap) -> Option<IpAddr> {
        match self.may_be_forwarded {
            true => proxies.client(self.peer, headers),
            false => self.peer.address(),
        }
    }
}

impl Shared {
    /// Takes a place for a peer; `None` if it has too many.
    fn admit(&self, peer: Peer) -> Option<AddressPlace> {
        let group = Group::of(peer, &self.policy.proxies);
        let place = self.addresses.admit(group);
        if place.is_none() {
            tracing::debug!(?group, "connection refused: the group has too many");
        }
        place
    }

    /// Serves one connection until it ends, is not used for too long, or the server stops.
    async fn serve(
        &self,
        accepted: Accepted,
        address_place: AddressPlace,
        mut stopping: watch::Receiver<bool>,
    ) {
        let Accepted {
            mut stream,
            peer,
            at,
        } = accepted;
        let mut client = (Client::of(peer), address_place);
        if self.policy.expects_proxy_header(peer) {
            let (_, place) = client;
            let named = tokio::select! {
                named = timeout_at(at + FIRST_HEAD_TIMEOUT, self.named_client(&mut stream, (peer, place))) => named,
                () = is_set(&mut stopping) => return,
            };
            let Ok(Some(named)) = named else { return };
            client = named;
        }
        let (client, _address_place) = client;
        let activity = Arc::new(Activity::default());
        let stall_timeout = **self.policy.client_stall.load();
        let policy = Arc::clone(&self.policy);
        let service = counted(self.router.clone(), client, policy, Arc::clone(&activity));
        let stream = TokioIo::new(StallGuard::new(
            stream,
            stall_timeout,
            Arc::clone(&activity),
        ));
        let served = self.builder.serve_connection_with_upgrades(stream, service);
        let mut connection = pin!(served);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = is_set(&mut stopping) => {
                connection.as_mut().graceful_shutdown();
                // HTTP/1 waits for the rest of a head that has begun; the process does not.
                tokio::select! {
                    ended = connection => ended,
                    () = activity.idle(CLOSE_UNUSED_TIMEOUT) => Ok(()),
                }
            }
            () = activity.responses.drop_stalled(stall_timeout) => Ok(()),
            () = activity.unused(at) => {
                connection.as_mut().graceful_shutdown();
                timeout(CLOSE_UNUSED_TIMEOUT, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::trace!(error, "connection ended");
        }
    }

    /// Reads which client a trusted proxy names. From then on the connection is the client's, and counts as one. `None`
    /// if there is no valid header, or the client has too many connections.
    async fn named_client(
        &self,
        stream: &mut ClientStream,
        (proxy, place): (Peer, AddressPlace),
    ) -> Option<(Client, AddressPlace)> {
        match read_header(stream).await {
            // The proxy's own, such as a health check, or of a client that it does not know. In both cases headers with
            // an address are not the proxy's.
            Ok(None) => {
                let unnamed = Client {
                    peer: proxy,
                    may_be_forwarded: false,
                };
                Some((unnamed, place))
            }
            Ok(Some(address)) => {
                drop(place);
                let client = Peer::Address(address);
                Some((Client::of(client), self.admit(client)?))
            }
            Err(error) => {
                tracing::debug!(?proxy, %error, "connection of a trusted proxy refused");
                None
            }
        }
    }
}

async fn is_set(stopping: &mut watch::Receiver<bool>) {
    drop(stopping.wait_for(|stopping| *stopping).await);
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

#[cfg(test)]
mod tests;
