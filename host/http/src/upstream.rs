//! The upstream client. Connections are pooled by proxy and connect timeout, and proven alive while they
//! are in use. It follows no redirect. The dispatcher decides about retries; the only request that is sent
//! again here is one whose pooled connection turned out to be dead.

mod client;
mod connections;
mod decoded_body;
mod direct;
mod exchange;
mod proxied;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jackfield_dispatch::plan::{Connection, UpstreamRequest};
use jackfield_dispatch::port::{BoxFuture, TransportError, Upstream, UpstreamResponse};
use parking_lot::RwLock;

use crate::limits::UPSTREAM_CLIENTS_MAX;
use connections::Connections;
use exchange::{Outgoing, Received};

/// Sends requests to providers.
pub struct HttpUpstream {
    clients: RwLock<HashMap<ClientKey, Arc<Connections>>>,
}

/// The URL of the proxy, and the limit for connecting.
type ClientKey = (Option<Arc<str>>, Duration);

impl HttpUpstream {
    /// Creates a client without connections.
    pub fn new() -> Self {
        install_crypto_provider();
        Self {
            clients: RwLock::default(),
        }
    }

    fn connections(&self, key: ClientKey) -> Result<Arc<Connections>, TransportError> {
        if let Some(client) = self.clients.read().get(&key) {
            return Ok(Arc::clone(client));
        }
        // Built without a lock, so that other calls need not wait. If two calls build one, the first is used.
        let client = Connections::new(key.0.clone(), key.1)?;
        let mut clients = self.clients.write();
        if clients.len() >= UPSTREAM_CLIENTS_MAX {
            // Simple, since it is rare: the clients in use are created again.
            clients.clear();
        }
        Ok(Arc::clone(clients.entry(key).or_insert(Arc::new(client))))
    }

    async fn execute(&self, request: UpstreamRequest) -> Result<UpstreamResponse, TransportError> {
        let connections = self.connections((request.proxy, request.connect))?;
        let outgoing = Outgoing {
            method: request.method,
            url: request.url,
            headers: request.headers,
            body: request.body,
        };
        let received = match request.connection {
            Connection::New => connections.fresh()?.send(outgoing).await?,
            Connection::Pooled => send_pooled(&connections, outgoing).await?,
        };
        let mut head = received.head;
        let body = decoded_body::decode(&mut head.headers, received.body);
        Ok(UpstreamResponse { head, body })
    }
}

/// Sends a request over a pooled connection. If that has died since its last response, the provider is
/// unlikely to have read the request, and others of the pool may be dead too: it is sent once more, over a
/// new connection.
///
/// # Errors
/// When there is no response, or when no client for new connections can be created.
async fn send_pooled(
    connections: &Connections,
    request: Outgoing,
) -> Result<Received, TransportError> {
    let again = request.clone();
    match connections.pooled().send(request).await {
        Ok(received) => {
            connections.note_served(&received);
            Ok(received)
        }
        Err(error) if connections.died_in_the_pool(&error) => {
            tracing::debug!(
                error = error.chain(),
                "sending again: a pooled connection was dead"
            );
            Ok(connections.fresh()?.send(again).await?)
        }
        Err(error) => Err(error.into()),
    }
}

/// Installs the process's crypto provider, which each client with TLS needs.
pub fn install_crypto_provider() {
    // An error means that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

impl Default for HttpUpstream {
    fn default() -> Self {
        Self::new()
    }
}

impl Upstream for HttpUpstream {
    fn send(
        &self,
        request: UpstreamRequest,
    ) -> BoxFuture<'_, Result<UpstreamResponse, TransportError>> {
        Box::pin(self.execute(request))
    }
}

#[cfg(test)]
mod tests;
