//! The errors that Jackfield generates for clients. The one place that chooses status, code and label
//! of each; `host/docs/errors.md` describes them for users.

use axum::http::StatusCode;
use jackfield_credential::Scope;
use jackfield_dialect::RequestError;
use jackfield_dispatch::{CallError, UpstreamFailure};

use crate::client_keys::ClientKeyError;
use crate::limits::REQUEST_BODY_TIMEOUT;

/// How a client sees an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ErrorClass {
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// The code in the body; `None` for the code that the client's API has for the status.
    pub(crate) code: Option<&'static str>,
    /// The value of the header `x-jackfield-error`.
    pub(crate) label: &'static str,
}

impl ErrorClass {
    /// A path that does not exist.
    pub(crate) const UNKNOWN_PATH: Self = Self {
        status: StatusCode::NOT_FOUND,
        code: Some("unknown_url"),
        label: "unknown-path",
    };

    /// A path that does not exist for this method.
    pub(crate) const METHOD_NOT_ALLOWED: Self = Self {
        status: StatusCode::METHOD_NOT_ALLOWED,
        code: Some("method_not_allowed"),
        label: "method-not-allowed",
    };

    /// Classifies why a request did not become a call.
    pub(crate) const fn of_request(error: &IngressError) -> Self {
        let (status, label) = match error {
            IngressError::Key(_) => (StatusCode::UNAUTHORIZED, "unauthorized"),
            IngressError::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "payload-too-large"),
            IngressError::Encoding(_) => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-encoding")
            }
            IngressError::Timeout => (StatusCode::REQUEST_TIMEOUT, "request-timeout"),
            IngressError::Incomplete(_) | IngressError::Undecodable(_) | IngressError::Body(_) => {
                (StatusCode::BAD_REQUEST, "invalid-request")
            }
        };
        Self {
            status,
            code: None,
            label,
        }
    }

    /// Classifies why a call failed.
    pub(crate) fn of_call(error: &CallError) -> Self {
        Self {
            status: call_status(error),
            // Code and label are in the call log, too, so `dispatch` defines them.
            code: error.code(),
            label: error.label(),
        }
    }
}

fn call_status(error: &CallError) -> StatusCode {
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
        CallError::SelectorRefused { .. } => StatusCode::SERVICE_UNAVAILABLE,
        CallError::NoCredentialAvailable { unavailable, .. } => {
            if unavailable.all_cooling() {
                StatusCode::TOO_MANY_REQUESTS
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
        CallError::Upstream(failure) => upstream_status(failure),
    }
}

/// Returns the provider's status if it is an error. The request's own fault is never a 5xx: SDKs would
/// repeat it.
fn upstream_status(failure: &UpstreamFailure) -> StatusCode {
    let reported = failure
        .failure
        .status
        .and_then(|status| StatusCode::from_u16(status).ok());
    match (reported, failure.failure.scope) {
        (Some(status), _) if status.is_client_error() => status,
        (_, Scope::Request) => StatusCode::BAD_REQUEST,
        (Some(status), _) if status.is_server_error() => status,
        _ => StatusCode::BAD_GATEWAY,
    }
}

/// Why a request did not become a call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IngressError {
    #[error(transparent)]
    Key(#[from] ClientKeyError),
    /// It holds the limit in bytes.
    #[error("the request body is larger than {} MiB; send a smaller one", .0 >> 20)]
    TooLarge(usize),
    #[error(
        "the content encoding {0} is not supported; use {SUPPORTED_ENCODINGS}, or send the body without one"
    )]
    Encoding(String),
    #[error("the request body is not what its header `content-encoding` says: {0}")]
    Undecodable(String),
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
