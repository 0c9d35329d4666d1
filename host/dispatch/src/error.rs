//! Errors of a call. The HTTP server writes them in the client's dialect.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use jackfield_credential::{Failure, Reasons, Scope, Unavailable};
use jackfield_dialect::Dialect;
use jackfield_dialect::ir::TranslationError;

use crate::port::{PluginFault, PluginId};
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
    #[error("no credential available for model `{model}` ({})", .unavailable.reasons().unwrap_or_default())]
    NoCredentialAvailable {
        /// The client's name of the model.
        model: String,
        /// How many are unavailable, by reason.
        unavailable: Unavailable,
        /// How long until the first one may be available again.
        retry_after: Option<Duration>,
        /// The provider, if there is only one that serves the model.
        provider: Option<String>,
    },
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
            Self::NotSupported { .. } => "not-supported",
            Self::Plugin(_) => "plugin",
            Self::SelectorRefused { .. } => "selector-refused",
            Self::NoCredentialAvailable { .. } => "unavailable",
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
            Self::Misconfigured(_) => "misconfigured",
            Self::NotSupported { .. } => "not_supported",
            Self::Plugin(_) => "plugin_failed",
            Self::ProviderNotFound(_) => "provider_not_found",
            Self::SelectorRefused { .. } => "selector_refused",
            Self::NoCredentialAvailable { unavailable, .. } if unavailable.all_cooling() => {
                "model_cooldown"
            }
            Self::NoCredentialAvailable { unavailable, .. } if all_disabled(unavailable) => {
                "auth_not_found"
            }
            Self::NoCredentialAvailable { .. } => "auth_unavailable",
            Self::UnknownModel(_) => "model_not_found",
            Self::Untranslatable(_) => "untranslatable",
            Self::Upstream(failure) if failure.failure.scope == Scope::Transport => {
                "upstream_unreachable"
            }
            Self::Upstream(_) => return None,
        })
    }
}

/// Whether all credentials of the model are disabled, so that for clients there are none.
fn all_disabled(unavailable: &Unavailable) -> bool {
    let Unavailable::NoneAvailable(reasons) = unavailable else {
        return false;
    };
    let others = Reasons {
        disabled: 0,
        ..reasons.clone()
    };
    others == Reasons::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unavailable_code(reasons: Reasons) -> Option<&'static str> {
        let error = CallError::NoCredentialAvailable {
            model: "m".to_owned(),
            unavailable: Unavailable::NoneAvailable(reasons),
            retry_after: None,
            provider: None,
        };
        error.code()
    }

    #[test]
    fn unavailable_credentials_are_explained_once() {
        let error = CallError::NoCredentialAvailable {
            model: "gpt".to_owned(),
            unavailable: Unavailable::NoneAvailable(Reasons {
                cooling: 2,
                ..Reasons::default()
            }),
            retry_after: None,
            provider: None,
        };
        assert_eq!(
            error.to_string(),
            "no credential available for model `gpt` (2 cooling)"
        );
    }

    #[test]
    fn cliproxyapi_compat_1_10_selection_failure_codes() {
        let cooling = Reasons {
            cooling: 2,
            ..Reasons::default()
        };
        assert_eq!(unavailable_code(cooling.clone()), Some("model_cooldown"));
        let (disabled, busy, barred) = (1, 1, 1);
        let also_disabled = Reasons {
            disabled,
            ..cooling.clone()
        };
        assert_eq!(unavailable_code(also_disabled), Some("model_cooldown"));
        for other in [
            Reasons {
                busy,
                ..cooling.clone()
            },
            Reasons { barred, ..cooling },
        ] {
            assert_eq!(unavailable_code(other), Some("auth_unavailable"));
        }
        let only_disabled = Reasons {
            disabled,
            ..Reasons::default()
        };
        assert_eq!(unavailable_code(only_disabled), Some("auth_not_found"));
        let executor = CallError::ExecutorNotFound {
            provider: "p".to_owned(),
            executor: "e".to_owned(),
        };
        assert_eq!(executor.code(), Some("executor_not_found"));
        let provider = CallError::ProviderNotFound("p".to_owned());
        assert_eq!(provider.code(), Some("provider_not_found"));
        let unknown = CallError::UnknownModel("m".to_owned().into());
        assert_eq!(unknown.code(), Some("model_not_found"));
    }
}
