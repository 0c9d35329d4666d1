//! Why a call has no answer, by who must act. The HTTP edge words it in the client's dialect.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use jackfield_credential::Failure;
use jackfield_credential::Unfit;

use crate::port::{PluginFault, PluginId};

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The call's own deadline passed.
    #[error("the call was not over within {} s", .0.as_secs())]
    Deadline(Duration),
    /// No client may have it: the operator's configuration does not fit together.
    #[error("{0}")]
    Misconfigured(String),
    /// A plugin failed.
    #[error(transparent)]
    Plugin(#[from] PluginFault),
    /// The selector wants nobody to serve.
    #[error("selector {plugin} chose nobody: {reason}")]
    SelectorRefused {
        /// The selector.
        plugin: PluginId,
        /// Its reason.
        reason: String,
    },
    /// No credential is fit.
    #[error("no credential is fit for model `{model}`: {unfit}")]
    Unfit {
        /// The client's name of the model.
        model: String,
        /// How many are not, and why.
        unfit: Unfit,
        /// How long until one may be.
        retry_after: Option<Duration>,
    },
    /// Nobody serves this model.
    #[error("no provider serves a model `{0}`")]
    UnknownModel(String),
    /// A provider, or the way to it, failed, and nothing was left to try.
    #[error("{}", .0.failure.message)]
    Upstream(Box<UpstreamFailure>),
}

/// The last failure of a call, with what the provider said.
#[derive(Debug, Clone)]
pub struct UpstreamFailure {
    /// What it was, and whose fault.
    pub failure: Failure,
    /// The answer, if there was one, that the client may be shown.
    pub answer: Option<ErrorAnswer>,
}

/// An error answer as the provider, or its executor, worded it.
#[derive(Debug, Clone)]
pub struct ErrorAnswer {
    /// The status code.
    pub status: StatusCode,
    /// Headers that are the client's business.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl CallError {
    /// A label of few values, for metrics and for the header that marks our own errors.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Deadline(_) => "deadline",
            Self::Misconfigured(_) => "misconfigured",
            Self::Plugin(_) => "plugin",
            Self::SelectorRefused { .. } => "selector-refused",
            Self::Unfit { .. } => "unfit",
            Self::UnknownModel(_) => "unknown-model",
            Self::Upstream(_) => "upstream",
        }
    }
}
