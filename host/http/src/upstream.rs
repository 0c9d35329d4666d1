//! The upstream client. Connections are pooled by proxy and connect timeout, and proven alive while they
//! are in use. It follows no redirect. The dispatcher decides about retries; the only request that is sent
//! again here is one whose pooled connection turned out to be dead.

mod connections;
mod decoded_body;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use jackfield_dispatch::error_chain;
use jackfield_dispatch::plan::{Connection, UpstreamRequest};
use jackfield_dispatch::port::{
    BoxFuture, ResponseHead, TransportError, Upstream, UpstreamResponse,
};
use parking_lot::RwLock;
use reqwest::Request;

use crate::limits::UPSTREAM_CLIENTS_MAX;
use connections::Connections;

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
        let client = Connections::new(key.0.clone(), key.1);
        let client = client.map_err(|error| transport_error(CREATING_CLIENT, error))?;
        let mut clients = self.clients.write();
        if clients.len() >= UPSTREAM_CLIENTS_MAX {
            // Simple, since it is rare: the clients in use are created again.
            clients.clear();
        }
        Ok(Arc::clone(clients.entry(key).or_insert(Arc::new(client))))
    }

    async fn execute(&self, request: UpstreamRequest) -> Result<UpstreamResponse, TransportError> {
        let connections = self.connections((request.proxy, request.connect))?;
        let mut outgoing = Request::new(request.method, request.url);
        *outgoing.headers_mut() = request.headers;
        *outgoing.body_mut() = Some(request.body.into());
        let response = match request.connection {
            Connection::New => connections.fresh()?.execute(outgoing).await,
            Connection::Pooled => send_pooled(&connections, outgoing).await?,
        };
        let mut response = response.map_err(|error| transport_error(SENDING, error))?;
        let headers = std::mem::take(response.headers_mut());
        let mut head = ResponseHead {
            status: response.status(),
            headers,
        };
        let body = response
            .bytes_stream()
            .map(|next| next.map_err(|error| transport_error(READING, error)));
        let body = decoded_body::decode(&mut head.headers, Box::pin(body));
        Ok(UpstreamResponse { head, body })
    }
}

/// Sends a request over a pooled connection. If that has died since its last response, the provider is
/// unlikely to have read the request, and others of the pool may be dead too: it is sent once more, over a
/// new connection.
///
/// # Errors
/// When no client for new connections can be created.
async fn send_pooled(
    connections: &Connections,
    request: Request,
) -> Result<reqwest::Result<reqwest::Response>, TransportError> {
    let again = request.try_clone();
    let response = connections.pooled().execute(request).await;
    match (response, again) {
        (Err(error), Some(again)) if connections.died_in_the_pool(&error) => {
            tracing::debug!(
                error = error_chain(&error.without_url()),
                "sending again: a pooled connection was dead"
            );
            Ok(connections.fresh()?.execute(again).await)
        }
        (response, _) => {
            if let Ok(response) = &response {
                connections.note_served(response);
            }
            Ok(response)
        }
    }
}

/// Installs the process's crypto provider, which reqwest needs before it creates a client.
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

fn transport_error(doing: &'static str, error: reqwest::Error) -> TransportError {
    let sent = doing != CREATING_CLIENT && !error.is_connect();
    // The URL may hold a secret in its query.
    let error = error.without_url();
    TransportError {
        doing,
        cause: error_chain(&error),
        sent,
    }
}

const CREATING_CLIENT: &str = "creating an HTTP client";
const SENDING: &str = "sending to the provider";
const READING: &str = "reading the provider's response";

#[cfg(test)]
mod tests;
