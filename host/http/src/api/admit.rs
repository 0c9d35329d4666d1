//! Makes a call of a client's request, or says what is wrong with it.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use jackfield_dialect::{Asked, Dialect, RequestError};
use jackfield_dispatch::{Call, StreamFraming, Operation};
use tokio::time::timeout;

use super::Api;
use crate::keys::KeyError;
use crate::limits::{REQUEST_BODY_BYTES_MAX, REQUEST_BODY_WAIT};
use crate::render::{self, OwnError};

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
) -> Result<Call, Refused> {
    let (head, body) = request.into_parts();
    let principal = api.keys.principal(&head.headers, head.uri.query())?;
    let deadline = api.dispatcher.deadline();
    let body = read(body).await?;
    let (asked, framing) = match &endpoint.path {
        Some((model, framing)) => (Asked::of_path(model, framing.is_some())?, *framing),
        None => {
            let asked = Asked::read(&body)?;
            let streamed = asked.stream && endpoint.operation == Operation::Generate;
            (asked, streamed.then_some(StreamFraming::Events))
        }
    };
    let model = Arc::from(asked.model.as_ref());
    let affinity = api.dispatcher.affinity(&head.headers, &body, &principal);
    Ok(Call {
        id: Arc::clone(id),
        dialect: endpoint.dialect,
        operation: endpoint.operation,
        model,
        stream: framing,
        headers: Arc::new(passed_on(&head.headers)),
        principal,
        affinity,
        deadline,
        body,
    })
}

async fn read(body: Body) -> Result<Bytes, Refused> {
    let collected = timeout(
        REQUEST_BODY_WAIT,
        Limited::new(body, REQUEST_BODY_BYTES_MAX).collect(),
    );
    match collected.await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refused::TooLarge),
        Ok(Err(error)) => Err(Refused::Broken(error.to_string())),
        Err(_) => Err(Refused::TooSlow),
    }
}

/// Why a request is no call.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the body has more than {} MiB", REQUEST_BODY_BYTES_MAX >> 20)]
    TooLarge,
    #[error("the body did not arrive within {} s", REQUEST_BODY_WAIT.as_secs())]
    TooSlow,
    #[error("the body broke off: {0}")]
    Broken(String),
    #[error(transparent)]
    Body(#[from] RequestError),
}

impl Refused {
    pub(super) fn render(&self, dialect: Dialect, id: &Arc<str>) -> Response<Body> {
        let status = match self {
            Self::Key(_) => StatusCode::UNAUTHORIZED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken(_) | Self::Body(_) => StatusCode::BAD_REQUEST,
        };
        let param = match self {
            Self::Body(error) => error.param(),
            _ => None,
        };
        let message = self.to_string();
        let error = OwnError {
            param,
            ..OwnError::new(status, "refused", &message)
        };
        render::own_error(error, dialect, id)
    }
}

/// The headers that go on to the provider, if its executor wants them to: those that change what
/// an API does. Everything else, keys first of all, stays here.
fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for name in &PASSED_ON {
        for value in headers.get_all(name) {
            kept.append(name, value.clone());
        }
    }
    kept
}

const PASSED_ON: [HeaderName; 4] = [
    HeaderName::from_static("anthropic-beta"),
    HeaderName::from_static("anthropic-version"),
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("openai-beta"),
];
