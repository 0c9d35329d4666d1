//! The connections of one proxy: a pool, and a client without a pool for requests that must not meet a
//! dead connection.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jackfield_dispatch::port::TransportError;
use parking_lot::Mutex;

use super::client::UpstreamClient;
use super::exchange::{Received, SendError};
use crate::limits::{UPSTREAM_IDLE_CONNECTIONS_MAX, UPSTREAM_SERVED_MAX};

/// The connections of one proxy, or of none, and of one connect timeout.
pub(super) struct Connections {
    proxy: Option<Arc<str>>,
    connect: Duration,
    pooled: UpstreamClient,
    fresh: OnceLock<UpstreamClient>,
    /// The local addresses of pooled connections that have served a response.
    served: Mutex<HashSet<SocketAddr>>,
}

impl Connections {
    /// Creates the pool, without connections.
    ///
    /// # Errors
    /// When no client can be created.
    pub(super) fn new(proxy: Option<Arc<str>>, connect: Duration) -> Result<Self, TransportError> {
        let idle_max = UPSTREAM_IDLE_CONNECTIONS_MAX;
        let pooled = UpstreamClient::new(proxy.as_deref(), connect, idle_max)?;
        Ok(Self {
            proxy,
            connect,
            pooled,
            fresh: OnceLock::new(),
            served: Mutex::default(),
        })
    }

    /// Returns the client that reuses connections.
    pub(super) fn pooled(&self) -> &UpstreamClient {
        &self.pooled
    }

    /// Returns the client that opens a connection for each request.
    ///
    /// # Errors
    /// When it cannot be created.
    pub(super) fn fresh(&self) -> Result<&UpstreamClient, TransportError> {
        if let Some(client) = self.fresh.get() {
            return Ok(client);
        }
        // A pool without room for idle connections.
        let client = UpstreamClient::new(self.proxy.as_deref(), self.connect, 0)?;
        Ok(self.fresh.get_or_init(|| client))
    }

    /// Notes the connection of a response. It goes back to the pool.
    pub(super) fn note_served(&self, response: &Received) {
        let Some(address) = response.local_address else {
            return;
        };
        let mut served = self.served.lock();
        if served.len() >= UPSTREAM_SERVED_MAX {
            // Simple, since it is rare: until connections serve again, they count as new.
            served.clear();
        }
        served.insert(address);
    }

    /// Whether a request failed because its connection, which had served before, was dead.
    pub(super) fn died_in_the_pool(&self, error: &SendError) -> bool {
        let served = |address: SocketAddr| self.served.lock().contains(&address);
        error.connection_died() && error.local_address().is_some_and(served)
    }
}
