//! Writes responses and errors as HTTP responses in the client's dialect. `errors.rs` chooses the status
//! of an error.

mod stream_error;
mod upstream_error;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Response};
use bytes::Bytes;
use jackfield_dialect::ir::Warning;
use jackfield_dialect::{Codec, CooldownBody, Dialect, ErrorBody};
use jackfield_dispatch::{CallError, ClientResponse, MEMORY_RETRY_AFTER, ResponseBody};

use jackfield_dispatch::limits::PLUGIN_COMPILING_RETRY_AFTER;

use crate::errors::ErrorClass;
use upstream_error::upstream_error;

/// On every response: the id of the call in the logs and in the admin API.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-jackfield-request-id");

/// On every error that Jackfield generated: its label. Errors of a provider do not have it.
pub(crate) const GATEWAY_ERROR: HeaderName = HeaderName::from_static("x-jackfield-error");

/// On translated responses: the members of the request that were dropped or changed.
pub(crate) const WARNINGS: HeaderName = HeaderName::from_static("x-jackfield-warnings");

/// On responses that the host estimated: what it estimated.
pub(crate) const ESTIMATED: HeaderName = HeaderName::from_static("x-jackfield-estimated");

/// An error that Jackfield generated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GatewayError<'a> {
    pub(crate) class: ErrorClass,
    pub(crate) message: &'a str,
    /// The member of the request that caused the error.
    pub(crate) param: Option<&'a str>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) cooldown: Option<Cooldown<'a>>,
}

/// The model that cools.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cooldown<'a> {
    pub(crate) model: &'a str,
    /// Its provider, if only one serves the model.
    pub(crate) provider: Option<&'a str>,
}

impl<'a> GatewayError<'a> {
    pub(crate) fn new(class: ErrorClass, message: &'a str) -> Self {
        Self {
            class,
            message,
            param: None,
            retry_after: None,
            cooldown: None,
        }
    }

    /// The error of a call. `message` is its text.
    fn of_call(error: &'a CallError, message: &'a str, dialect: Dialect) -> Self {
        Self {
            retry_after: retry_after(error),
            cooldown: cooldown_of(error),
            param: match error {
                CallError::Untranslatable(refusal) if !refusal.field.is_empty() => {
                    Some(&refusal.field)
                }
                _ => None,
            },
            ..Self::new(ErrorClass::of_call(error, dialect), message)
        }
    }

    /// Returns the wait in seconds, rounded up: a client that repeats the call a moment too early would
    /// have to wait once more.
    fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after.map(seconds_rounded_up)
    }
}

fn seconds_rounded_up(wait: Duration) -> u64 {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    seconds.max(1)
}

/// Returns the response to a successful call.
pub(crate) fn call_response(client_response: ClientResponse, id: &Arc<str>) -> Response<Body> {
    let body = match client_response.body {
        ResponseBody::Whole(body) => Body::from(body),
        ResponseBody::Stream(stream) => stream_error::stream_body(stream),
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

/// Returns the names of the members that a translation dropped or changed, separated by commas. The call
/// log has the details.
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

/// Longest part of a member's name in a header, in characters: a client can send any name.
const FIELD_CHARS_MAX: usize = 64;

/// Who gets an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recipient {
    pub(crate) dialect: Dialect,
    /// Whether the client requested a stream of events.
    pub(crate) wants_events: bool,
}

impl From<Dialect> for Recipient {
    fn from(dialect: Dialect) -> Self {
        Self {
            dialect,
            wants_events: false,
        }
    }
}

/// Returns the response to a failed call.
pub(crate) fn call_error(
    error: &CallError,
    recipient: impl Into<Recipient>,
    id: &Arc<str>,
) -> Response<Body> {
    let recipient = recipient.into();
    let dialect = recipient.dialect;
    if let CallError::Upstream(failure) = error
        && let Some(response) = upstream_error(failure, recipient)
    {
        return with_request_id(response, id);
    }
    let message = error.to_string();
    gateway_error(
        &GatewayError::of_call(error, &message, dialect),
        dialect,
        id,
    )
}

fn retry_after(error: &CallError) -> Option<Duration> {
    match error {
        CallError::MemoryFull(_) => Some(MEMORY_RETRY_AFTER),
        CallError::NoCredentialAvailable(none) => none.retry_after,
        CallError::Plugin(fault) => fault.kind.retry_after(),
        CallError::PluginCompiling(_) => Some(PLUGIN_COMPILING_RETRY_AFTER),
        CallError::Upstream(failure) => failure.failure.retry_after,
        _ => None,
    }
}

fn cooldown_of(error: &CallError) -> Option<Cooldown<'_>> {
    match error {
        CallError::NoCredentialAvailable(none) if none.unavailable.all_cooling() => {
            Some(Cooldown {
                model: &none.model,
                provider: none.provider.as_deref(),
            })
        }
        _ => None,
    }
}

/// Returns an error of Jackfield in the client's dialect.
pub(crate) fn gateway_error(
    error: &GatewayError<'_>,
    dialect: Dialect,
    id: &Arc<str>,
) -> Response<Body> {
    let ErrorClass { status, label, .. } = error.class;
    let body = gateway_body(error, dialect, |codec, error| codec.render_error(error));
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(GATEWAY_ERROR, HeaderValue::from_static(label));
    if let Some(wait) = error.retry_after_seconds() {
        headers.insert(RETRY_AFTER, HeaderValue::from(wait));
    }
    with_request_id(response, id)
}

/// Renders an error of Jackfield in the client's dialect.
fn gateway_body(
    error: &GatewayError<'_>,
    dialect: Dialect,
    render: impl FnOnce(&dyn Codec, &ErrorBody<'_>) -> Bytes,
) -> Bytes {
    let ErrorClass {
        status,
        kind_status,
        code,
        ..
    } = error.class;
    let (kind, default_code) = dialect.codec().error_kind(kind_status.as_u16());
    let wait = error.retry_after_seconds().unwrap_or_default();
    let reset_time = humantime::format_duration(Duration::from_secs(wait)).to_string();
    let cooldown = error.cooldown.map(|cooldown| CooldownBody {
        model: cooldown.model,
        provider: cooldown.provider,
        reset_time: &reset_time,
        reset_seconds: wait,
    });
    let body = ErrorBody {
        message: error.message,
        kind,
        code: match dialect {
            // In Gemini's errors, `code` is the HTTP status as a number.
            Dialect::Gemini => Some(status.as_str()),
            _ => code.or(default_code),
        },
        param: error.param,
        cooldown: cooldown.filter(|_| wait > 0),
    };
    render(dialect.codec(), &body)
}

pub(crate) fn with_request_id(mut response: Response<Body>, id: &Arc<str>) -> Response<Body> {
    if let Ok(id) = HeaderValue::from_str(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use http_body_util::BodyExt;
    use jackfield_credential::{
        Cause, CoolingCause, CoolingClass, CoolingCounts, Failure, HealthPlace, Reasons, Scope,
        Unavailable, kind,
    };
    use jackfield_dispatch::{NoCredential, UpstreamFailure};
    use serde_json::{Value, json};

    use super::*;

    /// Two credentials that cool, by a failure of this status.
    fn cooling(scope: Scope, kind: &'static str, status: u16) -> Reasons {
        let failure = Failure {
            scope,
            kind: kind.into(),
            status: Some(status),
            message: "invalid x-api-key".to_owned(),
            retry_after: None,
            refresh_suggested: false,
            sent: true,
        };
        let class = match status {
            401..=403 => CoolingClass::Refused,
            404 => CoolingClass::Missing,
            429 => CoolingClass::Limit,
            503 => CoolingClass::Overload,
            _ => CoolingClass::Outage,
        };
        Reasons {
            cooling: 2,
            classes: CoolingCounts {
                missing: u32::from(class == CoolingClass::Missing) * 2,
                ..CoolingCounts::default()
            },
            first: Some(CoolingCause {
                place: HealthPlace::Account,
                class,
                cause: Cause::of(&failure).into(),
            }),
            ..Reasons::default()
        }
    }

    async fn rendered_for(reasons: Reasons, dialect: Dialect) -> (u16, String, Value) {
        let error = CallError::NoCredentialAvailable(Box::new(NoCredential {
            model: "gpt-large".to_owned(),
            unavailable: Unavailable::NoneAvailable(reasons),
            failure: None,
            retry_after: Some(Duration::from_secs(7)),
            provider: None,
        }));
        let response = call_error(&error, dialect, &Arc::from("id"));
        let wait = response.headers()[RETRY_AFTER].to_str().unwrap_or_default();
        let (status, wait) = (response.status().as_u16(), wait.to_owned());
        (status, wait, json_of(response).await)
    }

    #[tokio::test]
    async fn status_is_that_of_the_class_which_is_available_first() {
        let cases = [
            (Scope::Credential, kind::AUTHENTICATION, 401, 503, 503),
            (Scope::Credential, kind::BILLING, 402, 503, 503),
            (Scope::Credential, kind::PERMISSION, 403, 503, 503),
            (Scope::Model, kind::NOT_FOUND, 404, 404, 404),
            (Scope::Model, kind::RATE_LIMIT, 429, 429, 429),
            (Scope::Provider, kind::TRANSIENT, 500, 503, 503),
            (Scope::Provider, kind::OVERLOADED, 503, 503, 529),
        ];
        for (scope, kind, cause, expected, for_anthropic) in cases {
            let (status, wait, _) =
                rendered_for(cooling(scope, kind, cause), Dialect::OpenaiChat).await;
            assert_eq!((status, &*wait), (expected, "7"), "{cause}");
            let (status, _, body) =
                rendered_for(cooling(scope, kind, cause), Dialect::AnthropicMessages).await;
            assert_eq!(status, for_anthropic, "{cause}");
            let overloaded = body["error"]["type"] == "overloaded_error";
            assert_eq!(overloaded, cause == 503, "{body}");
            // Claude Code would ask its user to log in.
            assert!(!body.to_string().contains("x-api-key"), "{body}");
        }
    }

    #[tokio::test]
    async fn error_in_a_stream_keeps_its_kind() {
        let cases = [
            (kind::OVERLOADED, 503, 529, "overloaded_error"),
            (kind::RATE_LIMIT, 429, 429, "rate_limit_error"),
            (kind::TRANSIENT, 502, 502, "api_error"),
        ];
        for (kind, expected, for_anthropic, kind_of_anthropic) in cases {
            let failure = Failure {
                scope: Scope::Provider,
                kind: kind.into(),
                status: None,
                message: "no".to_owned(),
                retry_after: None,
                refresh_suggested: false,
                sent: true,
            };
            let error = CallError::Upstream(Box::new(UpstreamFailure::new(failure)));
            let id = Arc::from("id");
            let response = call_error(&error, Dialect::OpenaiResponses, &id);
            assert_eq!(response.status(), expected);
            let response = call_error(&error, Dialect::AnthropicMessages, &id);
            assert_eq!(response.status(), for_anthropic);
            let body = json_of(response).await;
            assert_eq!(body["error"]["type"], kind_of_anthropic);
        }
    }

    async fn rendered(reasons: Reasons, provider: Option<&str>) -> (u16, String, Value) {
        let error = CallError::NoCredentialAvailable(Box::new(NoCredential {
            model: "gpt-large".to_owned(),
            unavailable: Unavailable::NoneAvailable(reasons),
            failure: None,
            retry_after: Some(Duration::from_millis(69_200)),
            provider: provider.map(str::to_owned),
        }));
        let response = call_error(&error, Dialect::OpenaiChat, &Arc::from("id"));
        let wait = response.headers()[RETRY_AFTER].to_str().unwrap_or_default();
        let (status, wait) = (response.status().as_u16(), wait.to_owned());
        (status, wait, json_of(response).await)
    }

    async fn json_of(response: Response<Body>) -> Value {
        let body = response.into_body().collect().await;
        let body = body.map(http_body_util::Collected::to_bytes);
        serde_json::from_slice(&body.unwrap_or_default()).unwrap_or_default()
    }

    #[tokio::test]
    async fn cliproxyapi_compat_1_10_cooldown_body_has_model_and_retry_after() {
        let cooling = cooling(Scope::Model, kind::RATE_LIMIT, 429);
        let (status, wait, body) = rendered(cooling.clone(), Some("acme")).await;
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
        // CLIProxyAPI responds with 500 here. 503 tells the client to try again later.
        let one_barred = Reasons {
            cooling: 1,
            barred: 1,
            ..cooling(Scope::Model, kind::RATE_LIMIT, 429)
        };
        let (status, _, body) = rendered(one_barred, Some("acme")).await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (503, &json!("auth_unavailable"))
        );
        assert_eq!(body["error"].get("reset_seconds"), None);
    }

    #[tokio::test]
    async fn gemini_code_is_the_http_status() {
        let status = StatusCode::BAD_GATEWAY;
        let unreachable = ErrorClass::new(status, Some("upstream_unreachable"), "upstream");
        for (class, status) in [
            (unreachable, 502),
            (ErrorClass::METHOD_NOT_ALLOWED, 405),
            (ErrorClass::UNKNOWN_PATH, 404),
        ] {
            let error = GatewayError::new(class, "no");
            let response = gateway_error(&error, Dialect::Gemini, &Arc::from("id"));
            assert_eq!(response.status(), status);
            assert_eq!(json_of(response).await["error"]["code"], json!(status));
        }
    }
}
