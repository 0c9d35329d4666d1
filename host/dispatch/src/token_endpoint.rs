//! Sends requests to token endpoints and device authorization endpoints, and reads their responses within limits.
//! Such a request is sent once: a code or a refresh token may be valid for one use only.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use jackfield_login::TokenRequest;
use secrecy::ExposeSecret;
use tokio::time::timeout;

use crate::dispatcher::Dispatcher;
use crate::limits::{TOKEN_REQUEST_TIMEOUT, TOKEN_RESPONSE_BYTES_MAX};
use crate::plan::{Connection, UpstreamRequest};
use crate::port::Upstream;

/// The response of an endpoint of a login. Its body may contain tokens, so it has no `Debug`.
pub struct TokenEndpointResponse {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: Bytes,
}

impl Dispatcher {
    /// Sends a request of a login.
    ///
    /// # Errors
    /// Why there is no response, without a secret.
    pub async fn send_token_request(
        &self,
        request: &TokenRequest,
    ) -> Result<TokenEndpointResponse, String> {
        let connect = self.snapshot().timeouts.connect;
        let request = upstream_request(request, None, connect)?;
        let exchange = exchange(&*self.upstream, request);
        let response = timeout(TOKEN_REQUEST_TIMEOUT, exchange).await;
        response.unwrap_or_else(|_| {
            let seconds = TOKEN_REQUEST_TIMEOUT.as_secs();
            Err(format!("no response within {seconds} s"))
        })
    }
}

/// Builds a request to an endpoint of a login.
///
/// # Errors
/// The client's id or secret cannot be in a header.
pub(crate) fn upstream_request(
    request: &TokenRequest,
    proxy: Option<Arc<str>>,
    connect: Duration,
) -> Result<UpstreamRequest, String> {
    let mut headers = HeaderMap::new();
    // GitHub's token endpoint returns a form to clients that do not request JSON.
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
    if let Some(authorization) = &request.authorization {
        let value = HeaderValue::from_str(authorization.expose_secret());
        let mut value = value.map_err(|_| "the client's id or secret is no header".to_owned())?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(UpstreamRequest {
        method: Method::POST,
        url: request.url.clone(),
        headers,
        body: Bytes::from(request.form.expose_secret().to_owned()),
        proxy,
        connect,
        connection: Connection::New,
    })
}

/// Sends a request and reads its whole response.
///
/// # Errors
/// The connection failed, or the response is too large.
pub(crate) async fn exchange(
    upstream: &dyn Upstream,
    request: UpstreamRequest,
) -> Result<TokenEndpointResponse, String> {
    let response = upstream.send(request).await;
    let response = response.map_err(|error| error.to_string())?;
    let status = response.head.status;
    let (mut body, mut buffer) = (response.body, BytesMut::new());
    while let Some(chunk) = body.next().await {
        buffer.extend_from_slice(&chunk.map_err(|error| error.to_string())?);
        if buffer.len() > TOKEN_RESPONSE_BYTES_MAX {
            let limit_kib = TOKEN_RESPONSE_BYTES_MAX >> 10;
            return Err(format!("the response has more than {limit_kib} KiB"));
        }
    }
    Ok(TokenEndpointResponse {
        status,
        body: buffer.freeze(),
    })
}

/// The content type of the requests (RFC 6749, section 4.1.3).
const FORM: &str = "application/x-www-form-urlencoded";
