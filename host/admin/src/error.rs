//! Errors of the admin API. The one place that chooses their status and code; `host/docs/errors.md`
//! describes them for users.

use std::borrow::Cow;

use axum::Json;
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jackfield_auth::{ChangeError, RefreshError};
use jackfield_credential::{CredentialId, Scope};
use jackfield_dispatch::CallError;
use jackfield_http::BrowserRejection;

use crate::limits::{BODY_BYTES_MAX, EVENT_READERS_MAX, LOGINS_OPEN_MAX};
use crate::types::{ErrorDetails, ErrorResponse};
use crate::{ConfigAdminError, PluginAdminError};

/// Why a request to the admin API failed. Its `Display` is the message that the client gets.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("the request body ended early: {0}; send it again")]
    BodyIncomplete(String),
    /// Shows where the body is wrong, not its text: that may be a secret.
    #[error("the request body is not JSON (line {line}, column {column}); correct it")]
    BodyNotJson { line: usize, column: usize },
    #[error("the request body is larger than {} KiB; send a smaller one", BODY_BYTES_MAX >> 10)]
    BodyTooLarge,
    /// The text is fixed: the callback has a code.
    #[error("this is not the callback of this login: {0}")]
    CallbackRefused(&'static str),
    #[error(transparent)]
    Browser(#[from] BrowserRejection),
    #[error(transparent)]
    Change(#[from] ChangeError),
    #[error(transparent)]
    Config(#[from] ConfigAdminError),
    #[error("there is already a credential `{0}`; remove it, or choose another id")]
    CredentialExists(CredentialId),
    #[error(transparent)]
    HttpRequest(#[from] CallError),
    #[error("invalid HTTP request: {0}")]
    InvalidHttpRequest(String),
    /// One line for each error.
    #[error("{}", .0.join("\n"))]
    InvalidCredential(Vec<String>),
    #[error("{0}")]
    InvalidLogin(String),
    #[error("the rollback is invalid: {0}; an example is {{\"to\": 3}}")]
    InvalidRollback(String),
    #[error("the path is not valid UTF-8 after percent-decoding; encode the name as UTF-8")]
    InvalidPath,
    #[error("send the admin token as `Authorization: Bearer TOKEN`")]
    InvalidToken,
    /// Names no secret: a provider's error is scrubbed before.
    #[error("the login did not begin: {0}")]
    LoginNotBegun(String),
    #[error("the provider `{provider}` has no `{key}` in the configuration; add it")]
    LoginNotConfigured { provider: String, key: &'static str },
    #[error("no login has this id, or it ended long ago")]
    LoginNotFound,
    #[error("method not allowed for this admin endpoint; use one of the header `allow`")]
    MethodNotAllowed,
    #[error("the system gave no random bytes: {0}")]
    NoRandomness(String),
    #[error("the configuration has no provider `{0}`")]
    ProviderNotFound(String),
    #[error(
        "the server cannot listen on {uri}: {cause}; end what listens there, or use the method `paste`"
    )]
    RedirectUnavailable { uri: String, cause: String },
    #[error(transparent)]
    Plugin(#[from] PluginAdminError),
    #[error(transparent)]
    Refresh(#[from] RefreshError),
    #[error("no call has this id, or the call log no longer has it")]
    RequestNotFound,
    #[error("{LOGINS_OPEN_MAX} logins are open already; end one of them")]
    TooManyLogins,
    #[error("{EVENT_READERS_MAX} readers are connected already; close one of them")]
    TooManyReaders,
    #[error("unknown admin endpoint; host/docs/admin-api.md lists them")]
    UnknownEndpoint,
}

impl ApiError {
    fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large"),
            Self::Browser(_) => (StatusCode::FORBIDDEN, "forbidden"),
            Self::BodyIncomplete(_)
            | Self::BodyNotJson { .. }
            | Self::Change(ChangeError::Invalid(_))
            | Self::InvalidCredential(_)
            | Self::InvalidHttpRequest(_)
            | Self::InvalidLogin(_)
            | Self::InvalidRollback(_)
            | Self::InvalidPath => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::Change(ChangeError::NotFound(_)) | Self::Refresh(RefreshError::NotFound) => {
                (StatusCode::NOT_FOUND, "credential_not_found")
            }
            Self::Change(ChangeError::DefinedBySource { .. }) => {
                (StatusCode::CONFLICT, "credential_defined_elsewhere")
            }
            Self::Change(ChangeError::SaveFailed(_)) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "not_saved")
            }
            Self::Change(ChangeError::DeleteFailed(_)) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "not_removed")
            }
            Self::Config(ConfigAdminError::Invalid(_)) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "invalid_config")
            }
            Self::Config(ConfigAdminError::Stopping) => (StatusCode::CONFLICT, "stopping"),
            Self::Config(ConfigAdminError::Store(_)) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "store_failed")
            }
            Self::CredentialExists(_) => (StatusCode::CONFLICT, "credential_exists"),
            Self::HttpRequest(error) => call_status_and_code(error),
            Self::CallbackRefused(_) => (StatusCode::BAD_REQUEST, "callback_refused"),
            Self::LoginNotBegun(_) => (StatusCode::BAD_GATEWAY, "login_failed"),
            Self::LoginNotConfigured { .. } => (StatusCode::CONFLICT, "login_not_configured"),
            Self::LoginNotFound => (StatusCode::NOT_FOUND, "login_not_found"),
            Self::NoRandomness(_) => (StatusCode::INTERNAL_SERVER_ERROR, "no_randomness"),
            Self::ProviderNotFound(_) => (StatusCode::NOT_FOUND, "provider_not_found"),
            Self::RedirectUnavailable { .. } => (StatusCode::CONFLICT, "redirect_unavailable"),
            Self::TooManyLogins => (StatusCode::TOO_MANY_REQUESTS, "too_many_logins"),
            Self::InvalidToken => (StatusCode::UNAUTHORIZED, "invalid_token"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::Plugin(PluginAdminError::Unknown(_)) => {
                (StatusCode::NOT_FOUND, "plugin_not_found")
            }
            Self::Plugin(PluginAdminError::NoPreviousVersion(_)) => {
                (StatusCode::CONFLICT, "no_previous_version")
            }
            Self::Plugin(PluginAdminError::NotHeld(_)) => {
                (StatusCode::CONFLICT, "generation_not_held")
            }
            Self::Plugin(PluginAdminError::StillThere(_)) => {
                (StatusCode::CONFLICT, "plugin_still_there")
            }
            Self::Refresh(RefreshError::NotRefreshable) => {
                (StatusCode::CONFLICT, "not_refreshable")
            }
            Self::Refresh(RefreshError::Rejected(_)) => {
                (StatusCode::BAD_GATEWAY, "refresh_rejected")
            }
            Self::Refresh(RefreshError::Failed(_) | RefreshError::Postponed { .. }) => {
                (StatusCode::BAD_GATEWAY, "refresh_failed")
            }
            Self::RequestNotFound => (StatusCode::NOT_FOUND, "request_not_found"),
            Self::TooManyReaders => (StatusCode::TOO_MANY_REQUESTS, "too_many_readers"),
            Self::UnknownEndpoint => (StatusCode::NOT_FOUND, "not_found"),
        }
    }
}

/// Classifies why a raw request of the operator has no response.
fn call_status_and_code(error: &CallError) -> (StatusCode, &'static str) {
    match error {
        CallError::CredentialNotFound(_) => (StatusCode::NOT_FOUND, "credential_not_found"),
        CallError::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
        CallError::NotSupported { .. } => (StatusCode::CONFLICT, "not_supported"),
        CallError::Plugin(_) => (
            StatusCode::BAD_GATEWAY,
            error.code().unwrap_or("plugin_failed"),
        ),
        CallError::PluginCompiling(_) => (StatusCode::SERVICE_UNAVAILABLE, "plugin_compiling"),
        CallError::Upstream(failure) if failure.failure.scope == Scope::Request => {
            (StatusCode::BAD_REQUEST, "invalid_request")
        }
        CallError::Upstream(_) => (StatusCode::BAD_GATEWAY, "upstream_unreachable"),
        other => {
            let code = other.code().unwrap_or("misconfigured");
            (StatusCode::INTERNAL_SERVER_ERROR, code)
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code) = self.status_and_code();
        let body = ErrorResponse {
            error: ErrorDetails {
                code: Cow::Borrowed(code),
                message: self.to_string(),
                errors: match &self {
                    Self::Config(ConfigAdminError::Invalid(errors)) => Some(errors.clone()),
                    _ => None,
                },
            },
        };
        let mut response = (status, Json(body)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110, section 15.5.2: a 401 names the scheme.
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
