//! Makes a call of a client's request, or says what is wrong with it.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use jackfield_dialect::{Dialect, RequestError, RequestHead};
use jackfield_dispatch::{Call, Operation, StreamFraming};
use tokio::time::timeout;

use super::Api;
use crate::client_keys::ClientKeyError;
use crate::limits::{REQUEST_BODY_BYTES_MAX, REQUEST_BODY_TIMEOUT};
use crate::render::{self, GatewayError};

/// What a client asks for by the path that it calls.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    pub(super) dialect: Dialect,
    pub(super) operation: Operation,
    /// The model and the stream, where the dialect has them in the path; none where they are in the
    /// body.
    pub(super) path: Option<(String, Option<StreamFraming>)>,
}

impl Endpoint {
    /// One whose model is in the body.
    pub(super) const fn new(dialect: Dialect, operation: Operation) -> Self {
        Self {
            dialect,
            operation,
            path: None,
        }
    }
}

/// Makes a call of a request.
pub(super) async fn admit(
    api: &Api,
    endpoint: Endpoint,
    request: Request<Body>,
    id: &Arc<str>,
) -> Result<Call, IngressError> {
    let (head, body) = request.into_parts();
    let principal = api.keys.principal(&head.headers, head.uri.query())?;
    let deadline = api.dispatcher.deadline();
    let body = read_body(body).await?;
    let (request_head, framing) = match &endpoint.path {
        Some((model, framing)) => (RequestHead::from_path(model, framing.is_some())?, *framing),
        None => {
            let request_head = RequestHead::read(&body)?;
            let streamed = request_head.stream && endpoint.operation == Operation::Generate;
            (request_head, streamed.then_some(StreamFraming::Events))
        }
    };
    let model = Arc::from(request_head.model.as_ref());
    let affinity = api.dispatcher.affinity(&head.headers, &body, &principal);
    Ok(Call {
        id: Arc::clone(id),
        dialect: endpoint.dialect,
        operation: endpoint.operation,
        model,
        stream: framing,
        headers: Arc::new(forwarded_headers(&head.headers)),
        principal,
        affinity,
        deadline,
        body,
    })
}

async fn read_body(body: Body) -> Result<Bytes, IngressError> {
    let collected = timeout(
        REQUEST_BODY_TIMEOUT,
        Limited::new(body, REQUEST_BODY_BYTES_MAX).collect(),
    );
    match collected.await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(IngressError::TooLarge),
        Ok(Err(error)) => Err(IngressError::Aborted(error.to_string())),
        Err(_) => Err(IngressError::Timeout),
    }
}

/// Why a request is no call.
#[derive(Debug, thiserror::Error)]
pub(super) enum IngressError {
    #[error(transparent)]
    Key(#[from] ClientKeyError),
    #[error("the body has more than {} MiB", REQUEST_BODY_BYTES_MAX >> 20)]
    TooLarge,
    #[error("the body did not arrive within {} s", REQUEST_BODY_TIMEOUT.as_secs())]
    Timeout,
    #[error("the body broke off: {0}")]
    Aborted(String),
    #[error(transparent)]
    Body(#[from] RequestError),
}

impl IngressError {
    pub(super) fn render(&self, dialect: Dialect, id: &Arc<str>) -> Response<Body> {
        let status = match self {
            Self::Key(_) => StatusCode::UNAUTHORIZED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::Aborted(_) | Self::Body(_) => StatusCode::BAD_REQUEST,
        };
        let param = match self {
            Self::Body(error) => error.param(),
            _ => None,
        };
        let message = self.to_string();
        let error = GatewayError {
            param,
            ..GatewayError::new(status, "refused", &message)
        };
        render::gateway_error(error, dialect, id)
    }
}

/// The headers that go on to the provider, if its executor wants them to: those that change what
/// an API does. Everything else, keys first of all, stays here.
fn forwarded_headers(headers: &HeaderMap) -> HeaderMap {
    let mut forwarded = HeaderMap::new();
    for name in &FORWARDED_HEADERS {
        for value in headers.get_all(name) {
            forwarded.append(name, value.clone());
        }
    }
    forwarded
}

const FORWARDED_HEADERS: [HeaderName; 4] = [
    HeaderName::from_static("anthropic-beta"),
    HeaderName::from_static("anthropic-version"),
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("openai-beta"),
];
