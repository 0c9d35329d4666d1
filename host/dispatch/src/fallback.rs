//! Fallback models, which replace a model that fails. Pure.

use std::sync::Arc;

use jackfield_credential::{Failure, Scope, kind};

use crate::classify::CONTEXT_LENGTH;
use crate::error::{CallError, NoCredential};

/// A model that replaces another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// The model, by a name that clients could use.
    pub model: Arc<str>,
    /// When it replaces the other: if any of these conditions holds.
    pub on: Vec<Condition>,
}

/// When a fallback model is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Every credential cools, or the provider reported a rate limit or a quota.
    Cooling,
    /// No credential is available for another reason, or none serves the model.
    Unavailable,
    /// A provider, the connection to it or a plugin failed.
    Failed,
    /// The request exceeds the model's context.
    ContextLength,
}

impl Condition {
    fn holds(self, error: &CallError) -> bool {
        match error {
            CallError::NoCredentialAvailable(none) => self.holds_without_credential(none),
            CallError::UnknownModel(_) | CallError::SelectorRefused { .. } => {
                self == Self::Unavailable
            }
            CallError::Plugin(_) | CallError::PluginCompiling(_) => self == Self::Failed,
            CallError::Upstream(failure) => self.holds_after(&failure.failure),
            // The time is over, or another model would fail alike.
            CallError::CredentialNotFound(_)
            | CallError::Deadline(_)
            | CallError::ExecutorNotFound { .. }
            | CallError::InvalidRequest(_)
            | CallError::Misconfigured(_)
            | CallError::NotSupported { .. }
            | CallError::ProviderNotFound(_)
            | CallError::MemoryFull(_)
            | CallError::Untranslatable(_) => false,
        }
    }

    fn holds_without_credential(self, none: &NoCredential) -> bool {
        match self {
            Self::Cooling => none.unavailable.all_cooling(),
            Self::Unavailable => !none.unavailable.all_cooling(),
            Self::Failed => none.failure.is_some(),
            Self::ContextLength => false,
        }
    }

    fn holds_after(self, failure: &Failure) -> bool {
        let own_fault = failure.scope == Scope::Request;
        match self {
            Self::Cooling => matches!(&*failure.kind, kind::RATE_LIMIT | kind::QUOTA),
            Self::Failed => !own_fault,
            Self::ContextLength => own_fault && failure.kind == CONTEXT_LENGTH,
            Self::Unavailable => false,
        }
    }
}

impl Fallback {
    /// Whether this model is tried after an error.
    pub(crate) fn applies_to(&self, error: &CallError) -> bool {
        self.on.iter().any(|condition| condition.holds(error))
    }
}

/// A short name of an error: the kind of a provider's failure, or the label.
pub(crate) fn reason_label(error: &CallError) -> Arc<str> {
    match error {
        CallError::Upstream(failure) => Arc::from(&*failure.failure.kind),
        error => Arc::from(error.label()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jackfield_credential::{Reasons, Unavailable};

    use super::*;
    use crate::error::UpstreamFailure;

    fn upstream(scope: Scope, kind: &'static str) -> CallError {
        let failure = Failure {
            scope,
            kind: kind.into(),
            status: None,
            message: String::new(),
            retry_after: None,
            refresh_suggested: false,
            sent: true,
        };
        CallError::Upstream(Box::new(UpstreamFailure::new(failure)))
    }

    fn unavailable(reasons: Reasons) -> CallError {
        CallError::NoCredentialAvailable(Box::new(NoCredential {
            model: "m".to_owned(),
            unavailable: Unavailable::NoneAvailable(reasons),
            failure: None,
            retry_after: None,
            provider: None,
        }))
    }

    #[test]
    fn each_condition_holds_for_its_own_errors_only() {
        use Condition::{ContextLength, Cooling, Failed, Unavailable};
        let (cooling, barred) = (1, 1);
        let of = Reasons::default();
        let cases = [
            (
                unavailable(Reasons {
                    cooling,
                    ..of.clone()
                }),
                vec![Cooling],
            ),
            (
                unavailable(Reasons {
                    cooling,
                    barred,
                    ..of
                }),
                vec![Unavailable],
            ),
            (
                CallError::UnknownModel("m".to_owned().into()),
                vec![Unavailable],
            ),
            (CallError::Deadline(Duration::ZERO), vec![]),
            (upstream(Scope::Model, "rate-limit"), vec![Cooling, Failed]),
            (upstream(Scope::Provider, "transient"), vec![Failed]),
            (upstream(Scope::Transport, "transient"), vec![Failed]),
            (
                upstream(Scope::Request, "context-length"),
                vec![ContextLength],
            ),
            (upstream(Scope::Request, "invalid"), vec![]),
        ];
        for (error, expected) in cases {
            let all = [Cooling, Unavailable, Failed, ContextLength];
            let held: Vec<_> = all.into_iter().filter(|one| one.holds(&error)).collect();
            assert_eq!(held, expected, "{error:?}");
        }
    }
}
