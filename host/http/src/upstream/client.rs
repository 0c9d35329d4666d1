//! A client with its pool, direct or through a proxy.

use std::time::Duration;

use jackfield_dispatch::port::TransportError;

use super::direct::DirectClient;
use super::exchange::{Outgoing, Received, SendError};
use super::proxied::ProxiedClient;

/// A client with its pool.
#[expect(
    clippy::large_enum_variant,
    reason = "there are few, and a box would be one more step in each request"
)]
pub(super) enum UpstreamClient {
    /// Without a proxy.
    Direct(DirectClient),
    /// Through a proxy.
    Proxied(ProxiedClient),
}

impl UpstreamClient {
    /// Creates a client that keeps at most `idle_max` idle connections to an origin.
    ///
    /// # Errors
    /// When the proxy's URL cannot be used, or the certificates of the system cannot be read.
    pub(super) fn new(
        proxy: Option<&str>,
        connect: Duration,
        idle_max: usize,
    ) -> Result<Self, TransportError> {
        match proxy {
            None => DirectClient::new(connect, idle_max).map(Self::Direct),
            Some(proxy) => ProxiedClient::new(proxy, connect, idle_max).map(Self::Proxied),
        }
    }

    /// Sends a request and waits for the head of its response.
    ///
    /// # Errors
    /// When there is no connection, or when it breaks before the head.
    pub(super) async fn send(&self, request: Outgoing) -> Result<Received, SendError> {
        match self {
            Self::Direct(client) => client.send(request).await,
            Self::Proxied(client) => client.send(request).await,
        }
    }
}
