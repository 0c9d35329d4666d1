//! The upstream client. Connections are pooled by proxy and connect timeout. It follows no redirect,
//! decompresses nothing and retries nothing: the dispatcher decides.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use jackfield_dispatch::error_chain;
use jackfield_dispatch::plan::UpstreamRequest;
use jackfield_dispatch::port::{
    BoxFuture, ResponseHead, TransportError, Upstream, UpstreamResponse,
};
use parking_lot::RwLock;
use reqwest::redirect::Policy;
use reqwest::{Client, Proxy, Request};

use crate::limits::{UPSTREAM_CLIENTS_MAX, UPSTREAM_IDLE_CONNECTIONS_MAX, UPSTREAM_IDLE_TIMEOUT};

/// Sends requests to providers.
pub struct HttpUpstream {
    clients: RwLock<HashMap<ClientKey, Client>>,
}

type ClientKey = (Option<Arc<str>>, Duration);

impl HttpUpstream {
    /// Creates a client without connections.
    pub fn new() -> Self {
        install_crypto_provider();
        Self {
            clients: RwLock::default(),
        }
    }

    fn client(&self, key: ClientKey) -> Result<Client, TransportError> {
        if let Some(client) = self.clients.read().get(&key) {
            return Ok(client.clone());
        }
        // Built without a lock, so that other calls need not wait. If two calls build one, the first is used.
        let client =
            build(&key).map_err(|error| transport_error("creating an HTTP client", error))?;
        let mut clients = self.clients.write();
        if clients.len() >= UPSTREAM_CLIENTS_MAX {
            // Simple, since it is rare: the clients in use are created again.
            clients.clear();
        }
        Ok(clients.entry(key).or_insert(client).clone())
    }

    async fn execute(&self, request: UpstreamRequest) -> Result<UpstreamResponse, TransportError> {
        let client = self.client((request.proxy, request.connect))?;
        let mut outgoing = Request::new(request.method, request.url);
        *outgoing.headers_mut() = request.headers;
        *outgoing.body_mut() = Some(request.body.into());
        let response = client.execute(outgoing).await;
        let mut response =
            response.map_err(|error| transport_error("sending to the provider", error))?;
        let headers = std::mem::take(response.headers_mut());
        let head = ResponseHead {
            status: response.status(),
            headers,
        };
        let body = response.bytes_stream().map(|next| {
            next.map_err(|error| transport_error("reading the provider's response", error))
        });
        Ok(UpstreamResponse {
            head,
            body: Box::pin(body),
        })
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

fn build((proxy, connect): &ClientKey) -> reqwest::Result<Client> {
    let builder = Client::builder()
        .user_agent(concat!("jackfield/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(*connect)
        .tcp_nodelay(true)
        .pool_max_idle_per_host(UPSTREAM_IDLE_CONNECTIONS_MAX)
        .pool_idle_timeout(UPSTREAM_IDLE_TIMEOUT)
        // A redirect could send secrets to a host that the operator did not allow.
        .redirect(Policy::none())
        // By default reqwest repeats a request that an HTTP/2 server refused; the dispatcher must count it.
        .retry(reqwest::retry::never())
        // The configuration names proxies, not the environment.
        .no_proxy();
    match proxy {
        Some(proxy) => builder.proxy(Proxy::all(proxy.as_ref())?).build(),
        None => builder.build(),
    }
}

fn transport_error(doing: &'static str, error: reqwest::Error) -> TransportError {
    // The URL may hold a secret in its query.
    let error = error.without_url();
    TransportError {
        doing,
        cause: error_chain(&error),
    }
}
