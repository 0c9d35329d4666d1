//! Errors of providers for clients: as the provider wrote them for a client of its dialect, with the labels of
//! their class for all others.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Response, StatusCode};
use bytes::Bytes;
use jackfield_credential::{Failure, Scope, kind};
use jackfield_dialect::{
    Dialect, ErrorClass, ErrorPlace, ProviderError, translate_error_response,
    translate_reported_error,
};
use jackfield_dispatch::{ErrorResponse, UpstreamFailure};

use super::Recipient;
use crate::errors::upstream_status;

/// Returns the provider's error, if the client may see it. An error about a credential stays hidden: it can
/// contain parts of the operator's key and names of accounts.
pub(super) fn upstream_error(
    failure: &UpstreamFailure,
    recipient: Recipient,
) -> Option<Response<Body>> {
    let source = ErrorSource::of(failure, recipient.dialect)?;
    if let Some(event) = context_length_event(failure, &source, recipient) {
        return Some(event);
    }
    let response = match source {
        ErrorSource::Response(response) => error_response(failure, response, recipient.dialect),
        ErrorSource::Reported(from, error) => {
            let to = recipient.dialect;
            let status = upstream_status(failure, to).as_u16();
            let (status, body) =
                translate_reported_error(from, to, status, error, ErrorPlace::Body);
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = status_of(failure, status, to);
            add_headers(&mut response, "application/json", failure);
            response
        }
    };
    Some(response)
}

/// Returns the event by which a stream ends whose client has the head already, with its status as a body of an
/// error has it.
pub(super) fn upstream_error_event(
    failure: &UpstreamFailure,
    to: Dialect,
    place: ErrorPlace,
) -> Option<Bytes> {
    let source = ErrorSource::of(failure, to)?;
    let status = upstream_status(failure, to).as_u16();
    let (_, rendered) =
        translate_reported_error(source.dialect(), to, status, &*source.error()?, place);
    Some(rendered)
}

/// Where the provider's words are.
enum ErrorSource<'a> {
    Reported(Dialect, &'a ProviderError),
    Response(&'a ErrorResponse),
}

impl<'a> ErrorSource<'a> {
    fn of(failure: &'a UpstreamFailure, to: Dialect) -> Option<Self> {
        if is_credential_error(&failure.failure) {
            return None;
        }
        let response = failure.response.as_ref();
        // SDKs read the message from the body, so an error of Jackfield replaces an empty one.
        let response = response.filter(|response| !response.body.is_empty());
        let reported = failure.reported.as_ref();
        let source = reported
            .map(|reported| Self::Reported(reported.dialect, &reported.error))
            .or_else(|| response.map(Self::Response))?;
        (source.passes(to) || !source.blames_access(failure.failure.status)).then_some(source)
    }

    /// Whether a client of a dialect gets the provider's body.
    fn passes(&self, to: Dialect) -> bool {
        matches!(self, Self::Response(_)) && self.dialect() == to
    }

    /// Whether the error's class would be a 401 or 403 without such a status: the words of a provider behind a
    /// gateway, for example. Tools would ask their users to log in.
    fn blames_access(&self, status: Option<u16>) -> bool {
        let class = self.error().map(|error| error.class(status));
        let class = class.filter(|_| !matches!(status, Some(401 | 403)));
        matches!(
            class,
            Some(ErrorClass::Authentication | ErrorClass::Permission)
        )
    }

    fn dialect(&self) -> Dialect {
        match self {
            Self::Reported(dialect, _) => *dialect,
            Self::Response(response) => response.dialect,
        }
    }

    /// Returns the error; `None` if the body of the response is none.
    fn error(&self) -> Option<Cow<'a, ProviderError>> {
        match self {
            Self::Reported(_, error) => Some(Cow::Borrowed(error)),
            Self::Response(response) => ProviderError::read(&response.body).map(Cow::Owned),
        }
    }
}

/// Returns the stream of a request that is too long, for clients of `openai-responses`. OpenAI reports it in a
/// stream, and Codex recognizes it nowhere else (`codex-rs/codex-api/src/sse/responses.rs`; earendil-works/pi#792,
/// openai/codex#2921). A response of the client's own dialect passes as it is.
fn context_length_event(
    failure: &UpstreamFailure,
    source: &ErrorSource<'_>,
    recipient: Recipient,
) -> Option<Response<Body>> {
    let to = recipient.dialect;
    if to != Dialect::OpenaiResponses || !recipient.wants_events || source.passes(to) {
        return None;
    }
    let status = upstream_status(failure, to).as_u16();
    let error = source.error()?;
    if error.class(Some(status)) != ErrorClass::ContextLength {
        return None;
    }
    let (_, event) =
        translate_reported_error(source.dialect(), to, status, &error, ErrorPlace::Event);
    let mut response = Response::new(Body::from(event));
    add_headers(&mut response, "text/event-stream", failure);
    Some(response)
}

fn error_response(
    failure: &UpstreamFailure,
    upstream_response: &ErrorResponse,
    to: Dialect,
) -> Response<Body> {
    let same = upstream_response.dialect == to;
    let status = match failure.failure.scope {
        // A gateway may wrap the provider's 400 in a 5xx, after which SDKs would repeat the request.
        Scope::Request => upstream_status(failure, to),
        _ if same => upstream_response.status,
        _ => upstream_status(failure, to),
    };
    let (status, body) = if same {
        (status, upstream_response.body.clone())
    } else {
        let error = ProviderError::read(&upstream_response.body).unwrap_or_default();
        let (status, body) = translate_error_response(to, status.as_u16(), &error);
        (status_of(failure, status, to), body)
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = upstream_response.headers.clone();
    if !same {
        let headers = response.headers_mut();
        headers.remove(CONTENT_TYPE);
        headers.remove(CONTENT_ENCODING);
    }
    response
        .headers_mut()
        .entry(CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("application/json"));
    response
}

/// Returns the status of an error's class. The request's own fault is never a 5xx: SDKs would repeat it.
fn status_of(failure: &UpstreamFailure, of_class: u16, to: Dialect) -> StatusCode {
    let status = StatusCode::from_u16(of_class).ok();
    let is_retried = |status: &StatusCode| status.is_server_error();
    let status = status.filter(|it| failure.failure.scope != Scope::Request || !is_retried(it));
    status.unwrap_or_else(|| upstream_status(failure, to))
}

fn add_headers(
    response: &mut Response<Body>,
    content_type: &'static str,
    failure: &UpstreamFailure,
) {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Some(wait) = failure.failure.retry_after {
        let seconds = super::seconds_rounded_up(wait);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
}

fn is_credential_error(failure: &Failure) -> bool {
    failure.scope == Scope::Credential || failure.kind == kind::AUTHENTICATION
}

#[cfg(test)]
mod tests;
