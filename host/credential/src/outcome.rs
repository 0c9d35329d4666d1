//! How an attempt ended, already classified: whose fault it was, and of what kind.

use std::borrow::Cow;
use std::time::Duration;

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The client left, or the call's deadline passed: nobody's fault.
    Cancelled,
    /// The provider, or the way to it, failed.
    Failed(Failure),
    /// The answer arrived whole.
    Success,
    /// A plugin failed. That says nothing about the credential.
    Inconclusive,
}

/// A classified failure. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whose fault it is.
    pub scope: Scope,
    /// What kind it is: one of [`kind`], or an executor's own word.
    pub kind: Cow<'static, str>,
    /// The provider's status code, where there was one.
    pub status: Option<u16>,
    /// One sentence for people.
    pub message: String,
    /// How long the provider asks to be left alone, from when its answer came.
    pub retry_after: Option<Duration>,
    /// Whether a refresh of the credential may mend it.
    pub refresh_suggested: bool,
}

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The client's: its request can succeed nowhere. Nobody is blamed.
    Request,
    /// This model, with this credential.
    Model,
    /// This credential, whatever the model.
    Credential,
    /// The provider, whatever the credential. For now it cools what [`Scope::Model`] cools: each
    /// credential finds the outage out by itself, and one lucky credential keeps serving.
    Provider,
    /// The way there: another try may do. Nobody is blamed.
    Transport,
}

impl Scope {
    /// The word for it in events and logs.
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

/// The kinds of failure that the cooldown rules know; the same words as in `wit/types.wit`.
pub mod kind {
    /// The secret is wrong, or no longer valid.
    pub const AUTHENTICATION: &str = "authentication";
    /// The account has no money or no subscription left.
    pub const BILLING: &str = "billing";
    /// The request is wrong. Cools nothing by itself.
    pub const INVALID: &str = "invalid";
    /// There is no such model, or no such place.
    pub const NOT_FOUND: &str = "not-found";
    /// The provider has too much to do.
    pub const OVERLOADED: &str = "overloaded";
    /// The account may not do this.
    pub const PERMISSION: &str = "permission";
    /// The account used up what it may use.
    pub const QUOTA: &str = "quota";
    /// The account asks too often.
    pub const RATE_LIMIT: &str = "rate-limit";
    /// A fault of the provider that should pass.
    pub const TRANSIENT: &str = "transient";
    /// The model cannot do this.
    pub const UNSUPPORTED: &str = "unsupported";
}
