//! Errors of a call. The HTTP server writes them in the client's dialect.

mod no_credential;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use jackfield_credential::{Failure, Scope};
use jackfield_dialect::ir::TranslationError;
use jackfield_dialect::{Dialect, ProviderError};

pub(crate) use self::no_credential::class_of;
pub use self::no_credential::{NoCredential, NoCredentialReason};
use crate::memory::MemoryFull;
use crate::port::{FaultKind, PluginFault, PluginId};
use crate::unknown_model::UnknownModel;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No credential has this id.
    #[error("there is no credential `{0}`")]
    CredentialNotFound(String),
    /// The call timed out.
    #[error("the call did not finish within {} s", .0.as_secs())]
    Deadline(Duration),
    /// The executor of a credential's provider is not loaded.
    #[error("the executor `{executor}` of the provider `{provider}` is not loaded")]
    ExecutorNotFound {
        /// The provider.
        provider: String,
        /// Its executor.
        executor: String,
    },
    /// A raw request is invalid.
    #[error("{0}")]
    InvalidRequest(String),
    /// The operator's configuration is inconsistent.
    #[error("{0}")]
    Misconfigured(String),
    /// All calls together hold too much in memory.
    #[error(transparent)]
    MemoryFull(#[from] MemoryFull),
    /// The executor does not plan this operation.
    #[error("the executor `{executor}` does not plan the operation `{operation}`")]
    NotSupported {
        /// The executor.
        executor: String,
        /// The operation.
        operation: &'static str,
    },
    /// A plugin failed.
    #[error(transparent)]
    Plugin(#[from] PluginFault),
    /// The executor of this name is being compiled after the start.
    #[error("the plugin `{0}` is still being compiled after the start; try again in some seconds")]
    PluginCompiling(Arc<str>),
    /// The provider of a credential is not configured (any more).
    #[error("the provider `{0}` is not configured")]
    ProviderNotFound(String),
    /// The selector rejected all candidates.
    #[error("selector {plugin} rejected all candidates: {reason}")]
    SelectorRefused {
        /// The selector.
        plugin: PluginId,
        /// Its reason.
        reason: String,
    },
    /// No dialect of the model's providers can express the request.
    #[error("{0}")]
    Untranslatable(TranslationError),
    /// No credential is available for the model.
    #[error("{0}")]
    NoCredentialAvailable(Box<NoCredential>),
    /// No credential serves this model.
    #[error("{0}")]
    UnknownModel(UnknownModel),
    /// A provider or the connection to it failed, and no further attempt was possible.
    #[error("{}", .0.failure.message)]
    Upstream(Box<UpstreamFailure>),
}

/// The last failure of a call, with the provider's response.
#[derive(Debug, Clone)]
pub struct UpstreamFailure {
    /// The failure.
    pub failure: Failure,
    /// The error response that the client may see, if there is one.
    pub response: Option<ErrorResponse>,
    /// The error that the provider reported inside of a response with a success status, if it did.
    pub reported: Option<ReportedError>,
}

impl UpstreamFailure {
    /// A failure of which the provider's own words are not known.
    #[must_use]
    pub fn new(failure: Failure) -> Self {
        Self {
            failure,
            response: None,
            reported: None,
        }
    }
}

/// An error that a provider reported inside of a response with a success status.
#[derive(Debug, Clone)]
pub struct ReportedError {
    /// The provider's dialect.
    pub dialect: Dialect,
    /// The error, without secrets.
    pub error: ProviderError,
}

/// An error response as the provider or its executor wrote it.
#[derive(Debug, Clone)]
pub struct ErrorResponse {
    /// The dialect of the body.
    pub dialect: Dialect,
    /// The status code.
    pub status: StatusCode,
    /// The headers that may reach the client.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl CallError {
    /// A label with few values, for the header that marks the host's own errors.
    pub fn label(&self) -> &'static str {
        match self {
            Self::CredentialNotFound(_) => "credential-not-found",
            Self::Deadline(_) => "deadline",
            Self::ExecutorNotFound { .. } | Self::Misconfigured(_) | Self::ProviderNotFound(_) => {
                "misconfigured"
            }
            Self::InvalidRequest(_) => "invalid-request",
            Self::MemoryFull(_) => "memory-full",
            Self::NotSupported { .. } => "not-supported",
            Self::Plugin(fault) => match fault.kind {
                FaultKind::Suspended { .. } => "plugin-suspended",
                FaultKind::SuspendedForClient { .. } => "client-suspended",
                _ => "plugin",
            },
            Self::PluginCompiling(_) => "plugin-compiling",
            Self::SelectorRefused { .. } => "selector-refused",
            Self::NoCredentialAvailable(none) if none.reason() == NoCredentialReason::Missing => {
                "unknown-model"
            }
            Self::NoCredentialAvailable(_) => "unavailable",
            Self::Untranslatable(_) => "untranslatable",
            Self::UnknownModel(_) => "unknown-model",
            Self::Upstream(_) => "upstream",
        }
    }

    /// The code in the body of an error, for programs. It is CLIProxyAPI's where that has one (1.10).
    /// `None` for a provider's error, which has its own.
    pub fn code(&self) -> Option<&'static str> {
        Some(match self {
            Self::CredentialNotFound(_) => "auth_not_found",
            Self::Deadline(_) => "deadline_exceeded",
            Self::ExecutorNotFound { .. } => "executor_not_found",
            Self::InvalidRequest(_) => "invalid_request",
            Self::MemoryFull(_) => "memory_full",
            Self::Misconfigured(_) => "misconfigured",
            Self::NotSupported { .. } => "not_supported",
            Self::Plugin(fault) => match fault.kind {
                FaultKind::Suspended { .. } => "plugin_suspended",
                FaultKind::SuspendedForClient { .. } => "client_suspended",
                _ => "plugin_failed",
            },
            Self::PluginCompiling(_) => "plugin_compiling",
            Self::ProviderNotFound(_) => "provider_not_found",
            Self::SelectorRefused { .. } => "selector_refused",
            Self::NoCredentialAvailable(none) => match none.reason() {
                NoCredentialReason::Busy | NoCredentialReason::Refused => "auth_unavailable",
                NoCredentialReason::Disabled => "auth_not_found",
                NoCredentialReason::Failing => "upstream_unavailable",
                NoCredentialReason::Limited => "model_cooldown",
                NoCredentialReason::Missing => "model_not_found",
                NoCredentialReason::Overloaded => "upstream_overloaded",
            },
            Self::UnknownModel(_) => "model_not_found",
            Self::Untranslatable(_) => "untranslatable",
            Self::Upstream(failure) if failure.failure.scope == Scope::Transport => {
                "upstream_unreachable"
            }
            Self::Upstream(_) => return None,
        })
    }
}
