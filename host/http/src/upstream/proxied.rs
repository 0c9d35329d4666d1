//! The client through a proxy: reqwest, which speaks to HTTP and SOCKS proxies.

use std::time::Duration;

use futures_util::StreamExt;
use hyper_util::client::legacy::connect::HttpInfo;
use jackfield_dispatch::error_chain;
use jackfield_dispatch::port::{ResponseHead, TransportError};
use reqwest::redirect::Policy;
use reqwest::{Proxy, Request};

use super::exchange::{CREATING_CLIENT, Outgoing, PRODUCT, READING, Received, SendError};
use crate::limits::{UPSTREAM_ALIVE_TIMEOUT, UPSTREAM_IDLE_TIMEOUT, UPSTREAM_PING_INTERVAL};

/// A client through one proxy, and its pool.
pub(super) struct ProxiedClient(reqwest::Client);

impl ProxiedClient {
    /// Creates a client without connections. `connect` limits the time for connecting, the proxy's part and
    /// TLS included; `idle_max` is the number of connections that the pool keeps for each origin.
    ///
    /// # Errors
    /// When the proxy's URL cannot be used, or the certificates of the system cannot be read.
    pub(super) fn new(
        proxy: &str,
        connect: Duration,
        idle_max: usize,
    ) -> Result<Self, TransportError> {
        let built = Proxy::all(proxy).and_then(|proxy| build(proxy, connect, idle_max));
        built.map(Self).map_err(|error| TransportError {
            doing: CREATING_CLIENT,
            cause: chain(error),
            sent: false,
        })
    }

    /// Sends a request and waits for the head of its response.
    ///
    /// # Errors
    /// When there is no connection, or when it breaks before the head.
    pub(super) async fn send(&self, outgoing: Outgoing) -> Result<Received, SendError> {
        let mut request = Request::new(outgoing.method, outgoing.url);
        *request.headers_mut() = outgoing.headers;
        *request.body_mut() = Some(outgoing.body.into());
        let response = self.0.execute(request).await.map_err(SendError::Proxied)?;
        let mut response = response;
        let headers = std::mem::take(response.headers_mut());
        let served_by = response.extensions().get::<HttpInfo>();
        let local_address = served_by.map(HttpInfo::local_addr);
        let head = ResponseHead {
            status: response.status(),
            headers,
        };
        let failed = |error| TransportError {
            doing: READING,
            cause: chain(error),
            sent: true,
        };
        let body = response.bytes_stream();
        let body = body.map(move |next| next.map_err(failed));
        Ok(Received {
            head,
            body: Box::pin(body),
            local_address,
        })
    }
}

fn build(proxy: Proxy, connect: Duration, idle_max: usize) -> reqwest::Result<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .user_agent(PRODUCT)
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
        .no_proxy()
        .proxy(proxy)
        .pool_max_idle_per_host(idle_max)
        .pool_idle_timeout(UPSTREAM_IDLE_TIMEOUT);
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    let builder = builder.tcp_user_timeout(UPSTREAM_ALIVE_TIMEOUT);
    builder.build()
}

/// The messages of all causes. The URL may hold a secret in its query.
fn chain(error: reqwest::Error) -> String {
    error_chain(&error.without_url())
}
