//! Turns a client's request into a call.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{ACCEPT_ENCODING, EXPECT};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Request, Response, Version};
use jackfield_dialect::{Dialect, RequestHead};
use jackfield_dispatch::{Call, HeldMemory, MEMORY_RETRY_AFTER, Operation, StreamFraming};
use tokio::time::Instant;

use super::Api;
use super::content_encoding::codings;
use super::request_body::{self, discard};
use crate::admin_token::{PinError, pinned};
use crate::content_coding::ContentCoding;
use crate::errors::{ErrorClass, IngressError, SUPPORTED_ENCODINGS};
use crate::render::{self, GatewayError};
use crate::server::network;
use crate::wrong_keys::PeerAddress;

/// What the path of a request determines.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    pub(super) dialect: Dialect,
    pub(super) operation: Operation,
    /// The model and the framing of a streamed response, if the path contains them (Gemini). `None` if
    /// they are in the body.
    pub(super) path: Option<(String, Option<StreamFraming>)>,
}

impl Endpoint {
    /// Creates an endpoint whose requests have the model in the body.
    pub(super) const fn new(dialect: Dialect, operation: Operation) -> Self {
        Self {
            dialect,
            operation,
            path: None,
        }
    }
}

/// What is known of a request before its body is read.
struct Admitted {
    principal: Arc<str>,
    codings: Vec<ContentCoding>,
    bytes_max: usize,
    /// A slow upload uses the call's time.
    deadline: Instant,
}

/// Checks the client key, reads the body, and returns the call. A refused request's body is read before the
/// error is returned.
pub(super) async fn admit(
    api: &Api,
    endpoint: Endpoint,
    request: Request<Body>,
    id: &Arc<str>,
) -> Result<Call, IngressError> {
    let (head, mut body) = request.into_parts();
    // The key comes first, so that a client without access cannot make the server hold a body.
    let admitted = api.authorize(&head).await;
    let admitted = match admitted.and_then(|principal| check(api, principal, &head, &body)) {
        Ok(admitted) => admitted,
        Err(error) => {
            discard_unread(&head, body).await;
            return Err(error);
        }
    };
    let network = network_of(api, &head);
    // As the call does later: both count in the client's share.
    let held = HeldMemory::of_client(api.dispatcher.memory(), &admitted.principal, network);
    let read = request_body::read(&mut body, admitted.codings, admitted.bytes_max, held);
    let bytes = match read.await {
        Ok(bytes) => bytes,
        Err(error) => {
            let is_refused = matches!(
                error,
                IngressError::MemoryFull(_) | IngressError::TooLarge(_)
            );
            if is_refused && head.version < Version::HTTP_2 {
                discard(body).await;
            }
            return Err(error);
        }
    };
    let pinned = match pinned(&head.headers, api.admin_token.as_deref()) {
        Ok(pinned) => pinned,
        Err(error) => {
            if error == PinError::NotAllowed {
                api.wrong_keys.delay(head.extensions.get().copied()).await;
            }
            return Err(error.into());
        }
    };
    let (request_head, framing) = match &endpoint.path {
        Some((model, framing)) => (RequestHead::from_path(model, framing.is_some())?, *framing),
        None => {
            let request_head = RequestHead::read(&bytes)?;
            let streamed = request_head.stream && endpoint.operation == Operation::Generate;
            (request_head, streamed.then_some(StreamFraming::Events))
        }
    };
    let model = Arc::from(request_head.model.as_ref());
    let principal = admitted.principal;
    let dispatcher = &api.dispatcher;
    let affinity = dispatcher.affinity(&head.headers, &bytes, &principal);
    Ok(Call {
        id: Arc::clone(id),
        dialect: endpoint.dialect,
        operation: endpoint.operation,
        model,
        stream: framing,
        headers: dispatcher.forwarded_headers(endpoint.dialect, &head.headers),
        beta: is_beta(head.uri.query()),
        principal,
        network,
        affinity,
        deadline: admitted.deadline,
        body: bytes,
        pinned,
    })
}

/// Returns the network of a client without a key. The name of a key says who calls.
fn network_of(api: &Api, head: &Parts) -> Option<IpAddr> {
    let PeerAddress(address) = head.extensions.get()?;
    api.keys.is_empty().then(|| network(*address))
}

fn check(
    api: &Api,
    principal: Arc<str>,
    head: &Parts,
    body: &Body,
) -> Result<Admitted, IngressError> {
    let codings = codings(&head.headers).map_err(IngressError::Encoding)?;
    let bytes_max = api.request_body_bytes_max();
    if request_body::is_declared_larger(body, bytes_max) {
        return Err(IngressError::TooLarge(bytes_max));
    }
    Ok(Admitted {
        principal,
        codings,
        bytes_max,
        deadline: api.dispatcher.deadline(),
    })
}

/// Returns whether the query has `beta=true`. Anthropic's SDKs send it with calls of beta features, and Claude
/// Code with each call.
fn is_beta(query: Option<&str>) -> bool {
    query
        .unwrap_or_default()
        .split('&')
        .any(|pair| pair == "beta=true")
}

/// Discards a body of which nothing was read yet, if its client may miss the response otherwise: a client
/// that expects `100 Continue` has not sent it, and an HTTP/2 client reads the response meanwhile.
pub(super) async fn discard_unread(head: &Parts, body: Body) {
    if head.version < Version::HTTP_2 && !head.headers.contains_key(EXPECT) {
        discard(body).await;
    }
}

impl IngressError {
    pub(super) fn render(&self, dialect: Dialect, id: &Arc<str>) -> Response<Body> {
        let message = self.to_string();
        let error = GatewayError {
            param: match self {
                Self::Body(error) => error.param(),
                Self::Browser(_)
                | Self::Encoding(_)
                | Self::Incomplete(_)
                | Self::Key(_)
                | Self::MemoryFull(_)
                | Self::Pin(_)
                | Self::Timeout
                | Self::TooLarge(_)
                | Self::Undecodable(_) => None,
            },
            retry_after: matches!(self, Self::MemoryFull(_)).then_some(MEMORY_RETRY_AFTER),
            ..GatewayError::new(ErrorClass::of_request(self), &message)
        };
        let mut response = render::gateway_error(&error, dialect, id);
        if matches!(self, Self::Encoding(_)) {
            // RFC 9110, section 15.5.16.
            let accepted = HeaderValue::from_static(SUPPORTED_ENCODINGS);
            response.headers_mut().insert(ACCEPT_ENCODING, accepted);
        }
        response
    }
}
