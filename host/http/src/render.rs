//! Answers and errors as HTTP responses in the client's dialect. The one place that chooses the
//! status of an error.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use jackfield_credential::{Failure, Reasons, Scope, Unfit, kind};
use jackfield_dialect::openai_chat::{self, error_kind};
use jackfield_dialect::{Dialect, ErrorBody};
use jackfield_dispatch::{Answer, AnswerBody, CallError, UpstreamFailure};
use serde_json::Value;

/// On every response: how the call is found in logs.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-jackfield-request-id");

/// On every error that Jackfield made itself, with what went wrong: it tells them from a
/// provider's.
pub(crate) const OWN_ERROR: HeaderName = HeaderName::from_static("x-jackfield-error");

/// An error that Jackfield made itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnError<'a> {
    pub(crate) status: StatusCode,
    /// For the header, of few values.
    pub(crate) label: &'static str,
    /// For programs, beside what the dialect itself has for the status.
    pub(crate) code: Option<&'a str>,
    pub(crate) message: &'a str,
    pub(crate) param: Option<&'a str>,
    pub(crate) retry_after: Option<Duration>,
    /// The model whose cooldown this is, which the body then tells of as the seed's does.
    pub(crate) cooling: Option<&'a str>,
}

impl<'a> OwnError<'a> {
    pub(crate) fn new(status: StatusCode, label: &'static str, message: &'a str) -> Self {
        Self {
            status,
            label,
            code: None,
            message,
            param: None,
            retry_after: None,
            cooling: None,
        }
    }
}

/// The response to a call that was answered.
pub(crate) fn answer(answer: Answer, id: &Arc<str>) -> Response<Body> {
    let body = match answer.body {
        AnswerBody::Whole(body) => Body::from(body),
        AnswerBody::Stream(stream) => Body::from_stream(stream),
    };
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    tag(response, id)
}

/// The response to a call that was not.
pub(crate) fn call_error(error: &CallError, dialect: Dialect, id: &Arc<str>) -> Response<Body> {
    if let CallError::Upstream(failure) = error
        && let Some(response) = providers_words(failure)
    {
        return tag(response, id);
    }
    let message = error.to_string();
    let (status, code, retry_after) = verdict(error);
    let own = OwnError {
        code,
        retry_after,
        cooling: cooling(error),
        ..OwnError::new(status, error.label(), &message)
    };
    own_error(own, dialect, id)
}

/// The model whose credentials all cool.
fn cooling(error: &CallError) -> Option<&str> {
    match error {
        CallError::Unfit { model, unfit, .. } if unfit.all_cooling() => Some(model),
        _ => None,
    }
}

/// An error of our own, in the client's dialect.
pub(crate) fn own_error(error: OwnError<'_>, dialect: Dialect, id: &Arc<str>) -> Response<Body> {
    let body = match dialect {
        Dialect::OpenaiChat => {
            let (kind, code) = error_kind(error.status.as_u16());
            let code = error.code.or(code);
            let (message, param) = (error.message, error.param);
            openai_chat::render_error(&ErrorBody {
                message,
                kind,
                code,
                param,
            })
        }
    };
    let seconds = error.retry_after.map(seconds);
    let body = match error.cooling.zip(seconds) {
        Some((model, seconds)) => with_cooldown(body, model, seconds),
        None => body,
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = error.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(OWN_ERROR, HeaderValue::from_static(error.label));
    if let Some(seconds) = seconds {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    tag(response, id)
}

/// Rounded up: a client that comes back a moment too early waits once more.
fn seconds(time: Duration) -> u64 {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    seconds.max(1)
}

/// Says in the body, too, which model cools and how long, in the words of CLIProxyAPI v6.7.21: its
/// clients look for them there. Every dialect has an object `error`.
fn with_cooldown(body: Bytes, model: &str, seconds: u64) -> Bytes {
    let Ok(mut parsed) = serde_json::from_slice::<Value>(&body) else {
        return body;
    };
    if let Some(error) = parsed.get_mut("error").and_then(Value::as_object_mut) {
        error.insert("model".to_owned(), model.into());
        error.insert("reset_time".to_owned(), span(seconds).into());
        error.insert("reset_seconds".to_owned(), seconds.into());
    }
    parsed.to_string().into()
}

/// A time as Go writes it: `1h0m5s`.
fn span(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

fn tag(mut response: Response<Body>, id: &Arc<str>) -> Response<Body> {
    if let Ok(id) = HeaderValue::from_str(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// What the provider said, if it may be shown. Its words about a credential may not: they hold
/// parts of the operator's key, and name accounts that are no client's business.
fn providers_words(failure: &UpstreamFailure) -> Option<Response<Body>> {
    let answer = failure
        .answer
        .as_ref()
        .filter(|answer| !answer.body.is_empty())?;
    if is_of_credential(&failure.failure) {
        return None;
    }
    let mut response = Response::new(Body::from(answer.body.clone()));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers.clone();
    response
        .headers_mut()
        .entry(CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("application/json"));
    Some(response)
}

fn is_of_credential(failure: &Failure) -> bool {
    failure.scope == Scope::Credential || failure.kind == kind::AUTHENTICATION
}

/// Status, code and hint of an error. Codes that the seed had are kept.
fn verdict(error: &CallError) -> (StatusCode, Option<&'static str>, Option<Duration>) {
    match error {
        CallError::Deadline(_) => (StatusCode::GATEWAY_TIMEOUT, Some("deadline_exceeded"), None),
        CallError::Misconfigured(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            Some("misconfigured"),
            None,
        ),
        CallError::Plugin(_) => (StatusCode::BAD_GATEWAY, Some("plugin_failed"), None),
        CallError::SelectorRefused { .. } => (
            StatusCode::SERVICE_UNAVAILABLE,
            Some("selector_refused"),
            None,
        ),
        CallError::Unfit {
            unfit, retry_after, ..
        } if unfit.all_cooling() => (
            StatusCode::TOO_MANY_REQUESTS,
            Some("model_cooldown"),
            *retry_after,
        ),
        CallError::Unfit {
            unfit, retry_after, ..
        } => {
            let code = if is_disabled(unfit) {
                "auth_not_found"
            } else {
                "auth_unavailable"
            };
            (StatusCode::SERVICE_UNAVAILABLE, Some(code), *retry_after)
        }
        CallError::UnknownModel(_) => (StatusCode::NOT_FOUND, Some("model_not_found"), None),
        CallError::Upstream(failure) => upstream_verdict(failure),
    }
}

/// Whether there is nobody but whom the operator disabled: to clients that is nobody at all.
fn is_disabled(unfit: &Unfit) -> bool {
    let Unfit::NoneFit(reasons) = unfit else {
        return false;
    };
    let disabled = Reasons {
        disabled: reasons.disabled,
        ..Reasons::default()
    };
    *reasons == disabled
}

fn upstream_verdict(
    failure: &UpstreamFailure,
) -> (StatusCode, Option<&'static str>, Option<Duration>) {
    let told = failure
        .failure
        .status
        .and_then(|status| StatusCode::from_u16(status).ok());
    let status = match (
        told.filter(StatusCode::is_client_error),
        failure.failure.scope,
    ) {
        (Some(status), _) => status,
        (None, Scope::Request) => StatusCode::BAD_REQUEST,
        (None, _) => told
            .filter(StatusCode::is_server_error)
            .unwrap_or(StatusCode::BAD_GATEWAY),
    };
    let code = match failure.failure.scope {
        Scope::Transport => Some("upstream_unreachable"),
        Scope::Request | Scope::Model | Scope::Credential | Scope::Provider => None,
    };
    (status, code, failure.failure.retry_after)
}

#[cfg(test)]
mod tests;
