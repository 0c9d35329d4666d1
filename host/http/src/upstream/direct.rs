//! The client without a proxy: hyper's client with its pool, and rustls. It does per request only what a
//! request needs; reqwest's layers for redirects, retries, proxies and decoding cost a third of a call.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::header::{ACCEPT, Entry, USER_AGENT};
use axum::http::{HeaderValue, Request, Uri};
use bytes::Bytes;
use futures_util::Stream;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{HttpConnector, HttpInfo};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use jackfield_dispatch::error_chain;
use jackfield_dispatch::port::{ResponseHead, TransportError};
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower::Service;

use super::exchange::{CREATING_CLIENT, Outgoing, PRODUCT, READING, Received, SendError};
use crate::limits::{
    UPSTREAM_ALIVE_TIMEOUT, UPSTREAM_IDLE_TIMEOUT, UPSTREAM_PING_INTERVAL, UPSTREAM_PINGS_MAX,
};

/// A client without a proxy, and its pool.
pub(super) struct DirectClient(legacy::Client<Connector, Full<Bytes>>);

impl DirectClient {
    /// Creates a client without connections. `connect` limits the time for name, connection and TLS together;
    /// `idle_max` is the number of connections that the pool keeps for each origin.
    ///
    /// # Errors
    /// When the certificates of the system cannot be read.
    pub(super) fn new(connect: Duration, idle_max: usize) -> Result<Self, TransportError> {
        let mut http = HttpConnector::new();
        // The connector above it looks at the scheme.
        http.enforce_http(false);
        http.set_nodelay(true);
        // A response may be silent for as long as the call may take, if its connection is alive.
        http.set_keepalive(Some(UPSTREAM_PING_INTERVAL));
        http.set_keepalive_interval(Some(UPSTREAM_PING_INTERVAL));
        http.set_keepalive_retries(Some(UPSTREAM_PINGS_MAX));
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        http.set_tcp_user_timeout(Some(UPSTREAM_ALIVE_TIMEOUT));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls_config()?)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(http);
        let connector = Connector {
            https,
            limit: connect,
        };
        let client = legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(UPSTREAM_IDLE_TIMEOUT)
            .pool_max_idle_per_host(idle_max)
            .http2_keep_alive_interval(UPSTREAM_PING_INTERVAL)
            .http2_keep_alive_timeout(UPSTREAM_ALIVE_TIMEOUT)
            .build(connector);
        Ok(Self(client))
    }

    /// Sends a request and waits for the head of its response.
    ///
    /// # Errors
    /// When there is no connection, or when it breaks before the head.
    pub(super) async fn send(&self, outgoing: Outgoing) -> Result<Received, SendError> {
        let uri = Uri::try_from(outgoing.url.as_str()).map_err(SendError::Url)?;
        let mut request = Request::new(Full::new(outgoing.body));
        *request.method_mut() = outgoing.method;
        *request.uri_mut() = uri;
        *request.headers_mut() = outgoing.headers;
        add_missing(&mut request);
        let response = self.0.request(request).await.map_err(SendError::Direct)?;
        let (mut head, body) = response.into_parts();
        let served_by = head.extensions.remove::<HttpInfo>();
        Ok(Received {
            head: ResponseHead {
                status: head.status,
                headers: head.headers,
            },
            body: Box::pin(ResponseBody(body)),
            local_address: served_by.map(|info| info.local_addr()),
        })
    }
}

/// Adds the headers that each request has, unless the plan sets them.
fn add_missing(request: &mut Request<Full<Bytes>>) {
    let defaults = [
        (USER_AGENT, HeaderValue::from_static(PRODUCT)),
        (ACCEPT, HeaderValue::from_static("*/*")),
    ];
    for (name, value) in defaults {
        if let Entry::Vacant(missing) = request.headers_mut().entry(name) {
            missing.insert(value);
        }
    }
}

/// The TLS settings of all clients, so that they share sessions: the certificates of the system are trusted.
fn tls_config() -> Result<ClientConfig, TransportError> {
    static CONFIG: OnceLock<ClientConfig> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(config.clone());
    }
    let config = ClientConfig::builder()
        .with_platform_verifier()
        .map_err(|error| TransportError {
            doing: CREATING_CLIENT,
            cause: error_chain(&error),
            sent: false,
        })?
        .with_no_client_auth();
    Ok(CONFIG.get_or_init(|| config).clone())
}

/// Opens connections within a limit.
#[derive(Clone)]
struct Connector {
    https: HttpsConnector<HttpConnector>,
    limit: Duration,
}

type BoxError = Box<dyn Error + Send + Sync>;

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.https.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = timeout(self.limit, self.https.call(uri));
        let limit = self.limit;
        Box::pin(async move {
            let late = |_| format!("no connection within {} ms", limit.as_millis());
            connecting.await.map_err(late)?
        })
    }
}

/// The body of a response. Its trailers are not needed.
struct ResponseBody(Incoming);

impl Stream for ResponseBody {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let frame = match ready!(Pin::new(&mut self.0).poll_frame(context)) {
                None => return Poll::Ready(None),
                Some(Ok(frame)) => frame,
                Some(Err(error)) => {
                    return Poll::Ready(Some(Err(TransportError {
                        doing: READING,
                        cause: error_chain(&error),
                        sent: true,
                    })));
                }
            };
            if let Ok(data) = frame.into_data() {
                return Poll::Ready(Some(Ok(data)));
            }
        }
    }
}
