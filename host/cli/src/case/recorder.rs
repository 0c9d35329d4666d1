//! Records the last exchange with a provider.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, StatusCode};
use jackfield_dispatch::plan::UpstreamRequest;
use jackfield_dispatch::port::{BoxFuture, TransportError, Upstream, UpstreamResponse};
use jackfield_http::HttpUpstream;

/// A request to a provider, and its response.
#[derive(Debug, Clone)]
pub(super) struct Exchange {
    /// The URL without the query, which may have a secret.
    pub(super) url: String,
    /// Values of the request that are secret.
    pub(super) secrets: Vec<String>,
    pub(super) request: Bytes,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// What was read of the response, at most [`RESPONSE_BYTES_MAX`].
    pub(super) response: Vec<u8>,
}

/// Sends requests and records them. A refresh of tokens is a request too, so only the last one counts.
pub(super) struct Recorder {
    upstream: HttpUpstream,
    last: Arc<Mutex<Option<Exchange>>>,
}

impl Recorder {
    pub(super) fn new(upstream: HttpUpstream) -> Self {
        Self {
            upstream,
            last: Arc::default(),
        }
    }

    /// Returns the last exchange whose response began.
    pub(super) fn last(&self) -> Option<Exchange> {
        locked(&self.last).clone()
    }
}

impl Upstream for Recorder {
    fn send(
        &self,
        request: UpstreamRequest,
    ) -> BoxFuture<'_, Result<UpstreamResponse, TransportError>> {
        let mut exchange = Exchange {
            url: format!(
                "{}{}",
                request.url.origin().ascii_serialization(),
                request.url.path()
            ),
            secrets: secrets(&request),
            request: request.body.clone(),
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            response: Vec::new(),
        };
        Box::pin(async move {
            let response = self.upstream.send(request).await?;
            exchange.status = response.head.status;
            exchange.headers.clone_from(&response.head.headers);
            *locked(&self.last) = Some(exchange);
            let last = Arc::clone(&self.last);
            let body = response.body.inspect(move |chunk| {
                if let (Ok(chunk), Some(exchange)) = (chunk, &mut *locked(&last)) {
                    let rest = RESPONSE_BYTES_MAX.saturating_sub(exchange.response.len());
                    exchange
                        .response
                        .extend_from_slice(&chunk[..chunk.len().min(rest)]);
                }
            });
            Ok(UpstreamResponse {
                head: response.head,
                body: Box::pin(body),
            })
        })
    }
}

/// Returns the values that the host marked as sensitive, and those of the query.
fn secrets(request: &UpstreamRequest) -> Vec<String> {
    let sensitive = request
        .headers
        .values()
        .filter(|value| value.is_sensitive());
    let headers = sensitive
        .filter_map(|value| value.to_str().ok())
        .map(|value| {
            let token = value.rsplit(' ').next();
            token.unwrap_or(value).to_owned()
        });
    let query = request
        .url
        .query_pairs()
        .map(|(_, value)| value.into_owned());
    headers
        .chain(query.filter(|value| value.len() >= SECRET_BYTES_MIN))
        .collect()
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The most bytes of a response in a case. Longer ones cannot be read by a person.
const RESPONSE_BYTES_MAX: usize = 4 << 20;

/// Shorter values of a query are options such as `alt=sse`, no keys.
const SECRET_BYTES_MIN: usize = 12;
