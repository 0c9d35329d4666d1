//! Answers and errors as HTTP responses in the client's dialect. The one place that chooses the
//! status of an error.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use jackfield_credential::{Failure, Scope, kind};
use jackfield_dialect::ir::Warning;
use jackfield_dialect::{CooldownBody, Dialect, ErrorBody, ProviderError, translate_error};
use jackfield_dispatch::{CallError, ClientResponse, ResponseBody, UpstreamFailure};

/// On every response: how the call is found in logs.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-jackfield-request-id");

/// On every error that Jackfield made itself, with what went wrong: it tells them from a
/// provider's.
pub(crate) const GATEWAY_ERROR: HeaderName = HeaderName::from_static("x-jackfield-error");

/// On answers that went through a translation: the members of the request that did not.
pub(crate) const WARNINGS: HeaderName = HeaderName::from_static("x-jackfield-warnings");

/// On answers that the host made up by an estimate: of what.
pub(crate) const ESTIMATED: HeaderName = HeaderName::from_static("x-jackfield-estimated");

/// An error that Jackfield made itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GatewayError<'a> {
    pub(crate) status: StatusCode,
    /// For the header, of few values.
    pub(crate) label: &'static str,
    /// For programs, beside what the dialect itself has for the status.
    pub(crate) code: Option<&'a str>,
    pub(crate) message: &'a str,
    pub(crate) param: Option<&'a str>,
    pub(crate) retry_after: Option<Duration>,
    /// The model that cools, and its provider if there is only one.
    pub(crate) cooldown: Option<(&'a str, Option<&'a str>)>,
}

impl<'a> GatewayError<'a> {
    pub(crate) fn new(status: StatusCode, label: &'static str, message: &'a str) -> Self {
        Self {
            status,
            label,
            code: None,
            message,
            param: None,
            retry_after: None,
            cooldown: None,
        }
    }

    /// How long to wait, in seconds: rounded up, since a client that comes back a moment too early
    /// waits once more.
    fn retry_after_seconds(&self) -> Option<u64> {
        let wait = self.retry_after?;
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Some(seconds.max(1))
    }
}

/// The response to a call that was answered.
pub(crate) fn call_response(client_response: ClientResponse, id: &Arc<str>) -> Response<Body> {
    let body = match client_response.body {
        ResponseBody::Whole(body) => Body::from(body),
        ResponseBody::Stream(stream) => Body::from_stream(stream),
    };
    let mut response = Response::new(body);
    *response.status_mut() = client_response.status;
    *response.headers_mut() = client_response.headers;
    let headers = response.headers_mut();
    if let Some(warnings) = warnings_header(&client_response.warnings) {
        headers.insert(WARNINGS, warnings);
    }
    if client_response.estimated {
        headers.insert(ESTIMATED, HeaderValue::from_static("tokens"));
    }
    with_request_id(response, id)
}

/// The members that a translation lost, by name, separated by commas; what became of each is in the
/// request's record.
fn warnings_header(warnings: &[Warning]) -> Option<HeaderValue> {
    if warnings.is_empty() {
        return None;
    }
    let mut text = String::new();
    for warning in warnings {
        let field = warning.field.chars().take(FIELD_CHARS_MAX);
        let shown: String = field
            .map(|one| {
                if one.is_ascii_graphic() && one != ',' {
                    one
                } else {
                    '?'
                }
            })
            .collect();
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(&shown);
    }
    HeaderValue::from_str(&text).ok()
}

/// The most of a member's name that a header shows, in characters: a client may make one up.
const FIELD_CHARS_MAX: usize = 64;

/// The response to a call that was not.
pub(crate) fn call_error(error: &CallError, dialect: Dialect, id: &Arc<str>) -> Response<Body> {
    if let CallError::Upstream(failure) = error
        && let Some(response) = upstream_error(failure, dialect)
    {
        return with_request_id(response, id);
    }
    let message = error.to_string();
    let (status, retry_after) = status_of(error);
    let own = GatewayError {
        code: error.code(),
        retry_after,
        cooldown: cooldown_of(error),
        param: match error {
            CallError::Untranslatable(refusal) if !refusal.field.is_empty() => Some(&refusal.field),
            _ => None,
        },
        ..GatewayError::new(status, error.label(), &message)
    };
    gateway_error(own, dialect, id)
}

/// The model that cools, and its provider if there is only one.
fn cooldown_of(error: &CallError) -> Option<(&str, Option<&str>)> {
    match error {
        CallError::NoCredentialAvailable {
            model,
            unavailable,
            provider,
            ..
        } if unavailable.all_cooling() => Some((model, provider.as_deref())),
        _ => None,
    }
}

/// An error of our own, in the client's dialect.
pub(crate) fn gateway_error(
    error: GatewayError<'_>,
    dialect: Dialect,
    id: &Arc<str>,
) -> Response<Body> {
    let (kind, code) = dialect.codec().error_kind(error.status.as_u16());
    let wait = error.retry_after_seconds().unwrap_or_default();
    let text = humantime::format_duration(Duration::from_secs(wait)).to_string();
    let cooldown = error.cooldown.map(|(model, provider)| CooldownBody {
        model,
        provider,
        reset_time: &text,
        reset_seconds: wait,
    });
    let body = dialect.codec().render_error(&ErrorBody {
        message: error.message,
        kind,
        code: error.code.or(code),
        param: error.param,
        cooldown: cooldown.filter(|_| wait > 0),
    });
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = error.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(GATEWAY_ERROR, HeaderValue::from_static(error.label));
    if let Some(seconds) = error.retry_after_seconds() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    with_request_id(response, id)
}

pub(crate) fn with_request_id(mut response: Response<Body>, id: &Arc<str>) -> Response<Body> {
    if let Ok(id) = HeaderValue::from_str(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// What the provider said, if it may be shown. Its words about a credential may not: they hold
/// parts of the operator's key, and name accounts that are no client's business.
fn upstream_error(failure: &UpstreamFailure, dialect: Dialect) -> Option<Response<Body>> {
    let upstream_response = failure
        .response
        .as_ref()
        .filter(|response| !response.body.is_empty())?;
    if is_credential_error(&failure.failure) {
        return None;
    }
    let same = upstream_response.dialect == dialect;
    let body = if same {
        upstream_response.body.clone()
    } else {
        let error = ProviderError::read(&upstream_response.body).unwrap_or_default();
        translate_error(dialect, upstream_response.status.as_u16(), &error)
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = upstream_response.status;
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
    Some(response)
}

fn is_credential_error(failure: &Failure) -> bool {
    failure.scope == Scope::Credential || failure.kind == kind::AUTHENTICATION
}

/// Status and hint of an error.
fn status_of(error: &CallError) -> (StatusCode, Option<Duration>) {
    let status = match error {
        CallError::CredentialNotFound(_) | CallError::UnknownModel(_) => StatusCode::NOT_FOUND,
        CallError::Deadline(_) => StatusCode::GATEWAY_TIMEOUT,
        CallError::ExecutorNotFound { .. }
        | CallError::Misconfigured(_)
        | CallError::ProviderNotFound(_) => StatusCode::INTERNAL_SERVER_ERROR,
        // Not 501: SDKs ask again after any status of the server's.
        CallError::InvalidRequest(_)
        | CallError::NotSupported { .. }
        | CallError::Untranslatable(_) => StatusCode::BAD_REQUEST,
        CallError::Plugin(_) => StatusCode::BAD_GATEWAY,
        CallError::SelectorRefused { .. } => StatusCode::SERVICE_UNAVAILABLE,
        CallError::NoCredentialAvailable {
            unavailable,
            retry_after,
            ..
        } => {
            let status = if unavailable.all_cooling() {
                StatusCode::TOO_MANY_REQUESTS
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            return (status, *retry_after);
        }
        CallError::Upstream(failure) => return upstream_status(failure),
    };
    (status, None)
}

fn upstream_status(failure: &UpstreamFailure) -> (StatusCode, Option<Duration>) {
    let reported = failure
        .failure
        .status
        .and_then(|status| StatusCode::from_u16(status).ok());
    let status = match (
        reported.filter(StatusCode::is_client_error),
        failure.failure.scope,
    ) {
        (Some(status), _) => status,
        (None, Scope::Request) => StatusCode::BAD_REQUEST,
        (None, _) => reported
            .filter(StatusCode::is_server_error)
            .unwrap_or(StatusCode::BAD_GATEWAY),
    };
    (status, failure.failure.retry_after)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use jackfield_credential::{Reasons, Unavailable};
    use serde_json::{Value, json};

    use super::*;

    async fn rendered(reasons: Reasons, provider: Option<&str>) -> (u16, String, Value) {
        let error = CallError::NoCredentialAvailable {
            model: "gpt-large".to_owned(),
            unavailable: Unavailable::NoneAvailable(reasons),
            retry_after: Some(Duration::from_millis(69_200)),
            provider: provider.map(str::to_owned),
        };
        let response = call_error(&error, Dialect::OpenaiChat, &Arc::from("id"));
        let wait = response.headers()[RETRY_AFTER].to_str().unwrap_or_default();
        let (status, wait) = (response.status().as_u16(), wait.to_owned());
        let body = response.into_body().collect().await;
        let body = body.map(http_body_util::Collected::to_bytes);
        let body = serde_json::from_slice(&body.unwrap_or_default()).unwrap_or_default();
        (status, wait, body)
    }

    #[tokio::test]
    async fn cliproxyapi_compat_1_10_cooldown_body_has_model_and_retry_after() {
        let cooling = Reasons {
            cooling: 2,
            ..Reasons::default()
        };
        let (status, wait, body) = rendered(cooling, Some("acme")).await;
        assert_eq!((status, &*wait), (429, "70"));
        let error = &body["error"];
        assert_eq!(error["code"], "model_cooldown");
        let fields = ["model", "provider", "reset_time", "reset_seconds"].map(|name| &error[name]);
        let expected = [
            json!("gpt-large"),
            json!("acme"),
            json!("1m 10s"),
            json!(70),
        ];
        assert_eq!(
            fields,
            [&expected[0], &expected[1], &expected[2], &expected[3]]
        );
        let (_, _, body) = rendered(cooling, None).await;
        assert_eq!(body["error"].get("provider"), None, "there are several");
    }

    #[tokio::test]
    async fn cliproxyapi_compat_1_10_returns_503_unless_all_are_cooling() {
        // The seed answers 500; a client can do nothing about it, and may come back.
        let one_barred = Reasons {
            cooling: 1,
            barred: 1,
            ..Reasons::default()
        };
        let (status, _, body) = rendered(one_barred, Some("acme")).await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (503, &json!("auth_unavailable"))
        );
        assert_eq!(body["error"].get("reset_seconds"), None);
    }
}
