//! Turns a client's request into a call.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use jackfield_dialect::{Dialect, RequestHead};
use jackfield_dispatch::{Call, Operation, StreamFraming};
use tokio::time::timeout;

use super::Api;
use super::forwarded_headers::forwarded_headers;
use crate::admin_token::pinned;
use crate::errors::{ErrorClass, IngressError};
use crate::limits::{REQUEST_BODY_BYTES_MAX, REQUEST_BODY_TIMEOUT};
use crate::render::{self, GatewayError};

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

/// Checks the client key, reads the body, and returns the call.
pub(super) async fn admit(
    api: &Api,
    endpoint: Endpoint,
    request: Request<Body>,
    id: &Arc<str>,
) -> Result<Call, IngressError> {
    let (head, body) = request.into_parts();
    // The key comes first, so that a client without access cannot make the server hold a body.
    let principal = api.keys.principal(&head.headers, head.uri.query())?;
    let pinned = pinned(&head.headers, api.admin_token.as_deref())?;
    // The deadline begins before the body is read: a slow upload uses the call's time.
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
        pinned,
        deadline,
        body,
    })
}

async fn read_body(body: Body) -> Result<Bytes, IngressError> {
    // One limit for the whole body: with a limit for each chunk, single bytes could arrive for hours.
    let collected = timeout(
        REQUEST_BODY_TIMEOUT,
        Limited::new(body, REQUEST_BODY_BYTES_MAX).collect(),
    );
    match collected.await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(IngressError::TooLarge),
        Ok(Err(error)) => Err(IngressError::Incomplete(error.to_string())),
        Err(_) => Err(IngressError::Timeout),
    }
}

impl IngressError {
    pub(super) fn render(&self, dialect: Dialect, id: &Arc<str>) -> Response<Body> {
        let message = self.to_string();
        let error = GatewayError {
            param: match self {
                Self::Body(error) => error.param(),
                Self::Key(_)
                | Self::Pin(_)
                | Self::TooLarge
                | Self::Timeout
                | Self::Incomplete(_) => None,
            },
            ..GatewayError::new(ErrorClass::of_request(self), &message)
        };
        render::gateway_error(&error, dialect, id)
    }
}
