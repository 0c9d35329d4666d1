//! The connections of one proxy: a pool, and a client without a pool for requests that must not meet a
//! dead connection.

use std::collections::HashSet;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::http::Extensions;
use hyper_util::client::legacy::Error as PoolError;
use hyper_util::client::legacy::connect::HttpInfo;
use jackfield_dispatch::port::TransportError;
use parking_lot::Mutex;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Proxy, Response};

use super::{CREATING_CLIENT, transport_error};
use crate::limits::{
    UPSTREAM_ALIVE_TIMEOUT, UPSTREAM_IDLE_CONNECTIONS_MAX, UPSTREAM_IDLE_TIMEOUT,
    UPSTREAM_PING_INTERVAL, UPSTREAM_SERVED_MAX,
};

/// The connections of one proxy and connect timeout.
pub(super) struct Connections {
    proxy: Option<Arc<str>>,
    connect: Duration,
    pooled: Client,
    fresh: OnceLock<Client>,
    /// The local addresses of pooled connections that have served a response.
    served: Mutex<HashSet<SocketAddr>>,
}

impl Connections {
    pub(super) fn new(proxy: Option<Arc<str>>, connect: Duration) -> reqwest::Result<Self> {
        let pooled = builder(proxy.as_deref(), connect)?
            .pool_max_idle_per_host(UPSTREAM_IDLE_CONNECTIONS_MAX)
            .pool_idle_timeout(UPSTREAM_IDLE_TIMEOUT)
            .build()?;
        Ok(Self {
            proxy,
            connect,
            pooled,
            fresh: OnceLock::new(),
            served: Mutex::default(),
        })
    }

    /// Returns the client that reuses connections.
    pub(super) fn pooled(&self) -> &Client {
        &self.pooled
    }

    /// Returns the client that opens a connection for each request.
    ///
    /// # Errors
    /// When it cannot be created.
    pub(super) fn fresh(&self) -> Result<&Client, TransportError> {
        if let Some(client) = self.fresh.get() {
            return Ok(client);
        }
        // A pool without room for idle connections.
        let client = builder(self.proxy.as_deref(), self.connect)
            .and_then(|builder| builder.pool_max_idle_per_host(0).build())
            .map_err(|error| transport_error(CREATING_CLIENT, error))?;
        Ok(self.fresh.get_or_init(|| client))
    }

    /// Notes the connection of a response. It goes back to the pool.
    pub(super) fn note_served(&self, response: &Response) {
        let Some(info) = response.extensions().get::<HttpInfo>() else {
            return;
        };
        let mut served = self.served.lock();
        if served.len() >= UPSTREAM_SERVED_MAX {
            // Simple, since it is rare: until connections serve again, they count as new.
            served.clear();
        }
        served.insert(info.local_addr());
    }

    /// Whether a request failed because its connection, which had served before, was dead.
    pub(super) fn died_in_the_pool(&self, error: &reqwest::Error) -> bool {
        let served = |address: SocketAddr| self.served.lock().contains(&address);
        connection_died(error) && local_address(error).is_some_and(served)
    }
}

fn builder(proxy: Option<&str>, connect: Duration) -> reqwest::Result<ClientBuilder> {
    let builder = Client::builder()
        .user_agent(concat!("jackfield/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(connect)
        .tcp_nodelay(true)
        // A response may be silent for as long as the call may take, if its connection is alive.
        .tcp_keepalive(UPSTREAM_PING_INTERVAL)
        .tcp_keepalive_interval(UPSTREAM_PING_INTERVAL)
        .http2_keep_alive_interval(UPSTREAM_PING_INTERVAL)
        .http2_keep_alive_timeout(UPSTREAM_ALIVE_TIMEOUT)
        // A redirect could send secrets to a host that the operator did not allow.
        .redirect(Policy::none())
        // By default reqwest repeats a request that an HTTP/2 server refused; the dispatcher must count it.
        .retry(reqwest::retry::never())
        // The configuration names proxies, not the environment.
        .no_proxy();
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    let builder = builder.tcp_user_timeout(UPSTREAM_ALIVE_TIMEOUT);
    Ok(match proxy {
        Some(proxy) => builder.proxy(Proxy::all(proxy)?),
        None => builder,
    })
}

/// Whether the connection broke before a response came, so that other requests over others may succeed.
fn connection_died(error: &reqwest::Error) -> bool {
    causes(error).any(|cause| {
        if let Some(error) = cause.downcast_ref::<hyper::Error>() {
            return error.is_incomplete_message()
                || error.is_canceled()
                || error.is_closed()
                || error.is_timeout();
        }
        let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        matches!(
            kind,
            Some(
                io::ErrorKind::BrokenPipe
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::NotConnected
                    | io::ErrorKind::TimedOut
                    | io::ErrorKind::UnexpectedEof
            )
        )
    })
}

fn local_address(error: &reqwest::Error) -> Option<SocketAddr> {
    let error = causes(error).find_map(|cause| cause.downcast_ref::<PoolError>())?;
    let mut extensions = Extensions::new();
    error.connect_info()?.get_extras(&mut extensions);
    Some(extensions.get::<HttpInfo>()?.local_addr())
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}
