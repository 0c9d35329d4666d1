//! The errors that Jackfield generates for clients. The one place that chooses status, code and label
//! of each; `host/docs/errors.md` describes them for users.

use axum::http::StatusCode;
use jackfield_credential::{Scope, kind};
use jackfield_dialect::{Dialect, RequestError};
use jackfield_dispatch::{CallError, MemoryFull, NoCredentialReason, UpstreamFailure};

use crate::admin_token::PinError;
use crate::browser_guard::BrowserRejection;
use crate::client_keys::ClientKeyError;
use crate::limits::REQUEST_BODY_TIMEOUT;

/// How a client sees an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ErrorClass {
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// The status whose error type the body has. It differs if the type for `status` would be untrue.
    pub(crate) kind_status: StatusCode,
    /// The code in the body; `None` for the code that the client's API has for the status.
    pub(crate) code: Option<&'static str>,
    /// The value of the header `x-jackfield-error`.
    pub(crate) label: &'static str,
}

impl ErrorClass {
    /// A path that does not exist.
    pub(crate) const UNKNOWN_PATH: Self =
        Self::new(StatusCode::NOT_FOUND, Some("unknown_url"), "unknown-path");

    /// A path that does not exist for this method.
    pub(crate) const METHOD_NOT_ALLOWED: Self = Self::new(
        StatusCode::METHOD_NOT_ALLOWED,
        Some("method_not_allowed"),
        "method-not-allowed",
    );

    /// Creates a class whose body has the error type of its status.
    pub(crate) const fn new(
        status: StatusCode,
        code: Option<&'static str>,
        label: &'static str,
    ) -> Self {
        Self {
            status,
            kind_status: status,
            code,
            label,
        }
    }

    /// Classifies why a request did not become a call.
    pub(crate) const fn of_request(error: &IngressError) -> Self {
        let (status, label) = match error {
            IngressError::Key(_) => (StatusCode::UNAUTHORIZED, "unauthorized"),
            IngressError::Browser(_) | IngressError::Pin(PinError::NotAllowed) => {
                (StatusCode::FORBIDDEN, "forbidden")
            }
            IngressError::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "payload-too-large"),
            IngressError::Encoding(_) => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-encoding")
            }
            IngressError::MemoryFull(_) => (StatusCode::SERVICE_UNAVAILABLE, "memory-full"),
            IngressError::Timeout => (StatusCode::REQUEST_TIMEOUT, "request-timeout"),
            IngressError::Incomplete(_)
            | IngressError::Undecodable(_)
            | IngressError::Body(_)
            | IngressError::Pin(PinError::InvalidId) => {
                (StatusCode::BAD_REQUEST, "invalid-request")
            }
        };
        Self::new(status, None, label)
    }

    /// Classifies why a call of a client of this dialect failed.
    pub(crate) fn of_call(error: &CallError, dialect: Dialect) -> Self {
        let status = call_status(error, dialect);
        Self {
            status,
            kind_status: match status {
                // Anthropic's type for 503 is `overloaded_error`. Claude Code takes that for a shortage
                // of the model, and changes to another model after some of them.
                StatusCode::SERVICE_UNAVAILABLE if dialect == Dialect::AnthropicMessages => {
                    StatusCode::INTERNAL_SERVER_ERROR
                }
                _ => status,
            },
            // Code and label are in the call log, too, so `dispatch` defines them.
            code: error.code(),
            label: error.label(),
        }
    }
}

/// The status of Anthropic's API for an overload; the other APIs have 503. Source: the page "Errors" of
/// Anthropic's API documentation.
fn overloaded(dialect: Dialect) -> StatusCode {
    match dialect {
        Dialect::AnthropicMessages => {
            StatusCode::from_u16(529).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
        }
        Dialect::Gemini
        | Dialect::OpenaiChat
        | Dialect::OpenaiCompletions
        | Dialect::OpenaiResponses => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn call_status(error: &CallError, dialect: Dialect) -> StatusCode {
    match error {
        CallError::CredentialNotFound(_) | CallError::UnknownModel(_) => StatusCode::NOT_FOUND,
        CallError::Deadline(_) => StatusCode::GATEWAY_TIMEOUT,
        CallError::ExecutorNotFound { .. }
        | CallError::Misconfigured(_)
        | CallError::ProviderNotFound(_) => StatusCode::INTERNAL_SERVER_ERROR,
        // Not 501 for what is not supported: SDKs repeat a request after any 5xx.
        CallError::InvalidRequest(_)
        | CallError::NotSupported { .. }
        | CallError::Untranslatable(_) => StatusCode::BAD_REQUEST,
        CallError::Plugin(_) => StatusCode::BAD_GATEWAY,
        CallError::MemoryFull(_)
        | CallError::PluginCompiling(_)
        | CallError::SelectorRefused { .. } => StatusCode::SERVICE_UNAVAILABLE,
        CallError::NoCredentialAvailable(none) => match none.reason() {
            NoCredentialReason::Limited => StatusCode::TOO_MANY_REQUESTS,
            NoCredentialReason::Missing => StatusCode::NOT_FOUND,
            NoCredentialReason::Overloaded => overloaded(dialect),
            NoCredentialReason::Busy
            | NoCredentialReason::Disabled
            | NoCredentialReason::Failing
            | NoCredentialReason::Refused => StatusCode::SERVICE_UNAVAILABLE,
        },
        CallError::Upstream(failure) => upstream_status(failure, dialect),
    }
}

/// Returns the provider's status if it is an error, otherwise the one of the failure's kind: an error in
/// a stream has none. The request's own fault is never a 5xx: SDKs would repeat it.
pub(crate) fn upstream_status(failure: &UpstreamFailure, dialect: Dialect) -> StatusCode {
    let failure = &failure.failure;
    let reported = failure
        .status
        .and_then(|status| StatusCode::from_u16(status).ok());
    match (reported, failure.scope) {
        (Some(status), _) if status.is_client_error() => status,
        (_, Scope::Request) => StatusCode::BAD_REQUEST,
        (_, Scope::Transport) => StatusCode::BAD_GATEWAY,
        (reported, _) if failure.kind == kind::OVERLOADED => {
            // A gateway may wrap the provider's 529 or 503 in a status of its own.
            let wrapped = reported.filter(|status| !matches!(status.as_u16(), 503 | 529));
            wrapped.unwrap_or(overloaded(dialect))
        }
        (Some(status), _) if status.is_server_error() => status,
        _ => match &*failure.kind {
            kind::QUOTA | kind::RATE_LIMIT => StatusCode::TOO_MANY_REQUESTS,
            kind::NOT_FOUND => StatusCode::NOT_FOUND,
            _ => StatusCode::BAD_GATEWAY,
        },
    }
}

/// Why a request did not become a call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IngressError {
    #[error(transparent)]
    Browser(#[from] BrowserRejection),
    #[error(transparent)]
    Key(#[from] ClientKeyError),
    #[error(transparent)]
    Pin(#[from] PinError),
    /// It holds the limit in bytes.
    #[error("the request body is larger than {} MiB; send a smaller one", .0 >> 20)]
    TooLarge(usize),
    #[error(
        "the content encoding {0} is not supported; use {SUPPORTED_ENCODINGS}, or send the body without one"
    )]
    Encoding(String),
    #[error("the request body is not what its header `content-encoding` says: {0}")]
    Undecodable(String),
    #[error(transparent)]
    MemoryFull(#[from] MemoryFull),
    #[error("the request body did not arrive within {} s", REQUEST_BODY_TIMEOUT.as_secs())]
    Timeout,
    #[error("the request body ended early: {0}")]
    Incomplete(String),
    #[error(transparent)]
    Body(#[from] RequestError),
}

/// The content encodings of request bodies; `api/content_encoding.rs` decodes them.
pub(crate) const SUPPORTED_ENCODINGS: &str = "br, deflate, gzip, zstd";

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn rejected_requests_have_a_label_for_each_status() {
        let class = |error: IngressError| {
            let class = ErrorClass::of_request(&error);
            (class.status.as_u16(), class.label)
        };
        assert_eq!(
            class(IngressError::Key(ClientKeyError::Missing)),
            (401, "unauthorized")
        );
        assert_eq!(
            class(IngressError::TooLarge(1 << 20)),
            (413, "payload-too-large")
        );
        assert_eq!(
            class(IngressError::Encoding("`compress`".to_owned())),
            (415, "unsupported-encoding")
        );
        assert_eq!(
            class(IngressError::Pin(PinError::NotAllowed)),
            (403, "forbidden")
        );
        assert_eq!(
            class(IngressError::MemoryFull(MemoryFull)),
            (503, "memory-full")
        );
        assert_eq!(class(IngressError::Timeout), (408, "request-timeout"));
        assert_eq!(
            class(IngressError::Incomplete(String::new())),
            (400, "invalid-request")
        );
        assert_eq!(
            class(IngressError::Body(RequestError::Missing { param: "model" })),
            (400, "invalid-request")
        );
    }
}
