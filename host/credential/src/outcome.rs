//! How an attempt ended, classified: which part failed, and in which way.

use std::borrow::Cow;
use std::time::Duration;

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The client disconnected, or the call's deadline passed. It counts against nothing.
    Cancelled,
    /// The provider, or the connection to it, failed.
    Failed(Failure),
    /// The response arrived complete.
    Success,
    /// A plugin failed. That says nothing about the credential.
    Inconclusive,
}

/// A classified failure. It contains no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the failure is attributed to.
    pub scope: Scope,
    /// One of [`kind`], or a word of an executor.
    pub kind: Cow<'static, str>,
    /// The provider's HTTP status, if there was one.
    pub status: Option<u16>,
    /// One sentence for operators.
    pub message: String,
    /// The provider's `retry-after`, counted from the arrival of its response.
    pub retry_after: Option<Duration>,
    /// True if a refresh of the credential may fix it.
    pub refresh_suggested: bool,
    /// False if the failure is the transport's and nothing of the request was sent: no connection,
    /// no tunnel, no TLS.
    pub sent: bool,
}

/// What a failure is attributed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The client's request, which no credential can serve. It affects no health.
    Request,
    /// This model, with this credential. A rate limit or quota counts for all endpoints, anything
    /// else for the endpoint of the request.
    Model,
    /// This credential, with every model.
    Credential,
    /// Unattributed: the provider, or nothing in particular. The response does not say whose fault it
    /// is, so the pool books it by what else it knows.
    Provider,
    /// The connection. If nothing was sent, it counts against the way, otherwise it is unattributed.
    Transport,
}

impl Scope {
    /// Returns the word used in events and logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Model => "model",
            Self::Credential => "credential",
            Self::Provider => "provider",
            Self::Transport => "transport",
        }
    }
}

/// The kinds of failure that the cooldown rules know, with the words of `wit/types.wit`.
pub mod kind {
    /// The secret is wrong, or no longer valid.
    pub const AUTHENTICATION: &str = "authentication";
    /// The account has no credit or no subscription.
    pub const BILLING: &str = "billing";
    /// The request is invalid. It cools nothing by itself.
    pub const INVALID: &str = "invalid";
    /// The model or the path does not exist.
    pub const NOT_FOUND: &str = "not-found";
    /// The provider is overloaded.
    pub const OVERLOADED: &str = "overloaded";
    /// The account is not permitted to do this.
    pub const PERMISSION: &str = "permission";
    /// The account's quota is exhausted.
    pub const QUOTA: &str = "quota";
    /// The account sends too many requests.
    pub const RATE_LIMIT: &str = "rate-limit";
    /// A temporary failure of the provider.
    pub const TRANSIENT: &str = "transient";
    /// The model does not support this request.
    pub const UNSUPPORTED: &str = "unsupported";
}
