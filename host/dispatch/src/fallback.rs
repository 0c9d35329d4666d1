//! Models that take another's place when it cannot be had. Pure.

use std::borrow::Cow;
use std::sync::Arc;

use jackfield_credential::Scope;

use crate::error::CallError;

/// A model that takes another's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// The name that clients could use for it.
    pub model: Arc<str>,
    /// When it does: if any of these holds.
    pub on: Vec<Condition>,
}

/// When another model takes the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Whatever went wrong, but the client's own fault and the end of its time.
    Any,
    /// The last failure was of this kind: one of those in `wit/types.wit`, `context-length`, or an
    /// executor's own word.
    Kind(Cow<'static, str>),
    /// No credential is fit, or none serves the model.
    Unfit,
}

impl Condition {
    /// By the word for it in the configuration: `any`, `unfit`, or a kind of failure.
    pub fn parse(word: &str) -> Self {
        match word {
            "any" => Self::Any,
            "unfit" => Self::Unfit,
            kind => Self::Kind(Cow::Owned(kind.to_owned())),
        }
    }

    fn holds(&self, error: &CallError) -> bool {
        match (self, error) {
            (Self::Any, CallError::Upstream(failure)) => failure.failure.scope != Scope::Request,
            (Self::Any, CallError::Deadline(_) | CallError::InvalidRequest(_)) => false,
            (Self::Any, _) => true,
            (Self::Kind(kind), CallError::Upstream(failure)) => failure.failure.kind == *kind,
            (Self::Kind(_), _) => false,
            (Self::Unfit, error) => {
                matches!(error, CallError::Unfit { .. } | CallError::UnknownModel(_))
            }
        }
    }
}

impl Fallback {
    /// Whether it takes the place of a model that failed so.
    pub(crate) fn serves(&self, error: &CallError) -> bool {
        self.on.iter().any(|condition| condition.holds(error))
    }
}

/// What went wrong, in a word: a kind of failure, or a label.
pub(crate) fn because(error: &CallError) -> Arc<str> {
    match error {
        CallError::Upstream(failure) => Arc::from(&*failure.failure.kind),
        error => Arc::from(error.label()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jackfield_credential::{Failure, Reasons, Unfit};

    use super::*;
    use crate::error::UpstreamFailure;

    fn upstream(scope: Scope, kind: &'static str) -> CallError {
        let failure = Failure {
            scope,
            kind: Cow::Borrowed(kind),
            status: None,
            message: String::new(),
            retry_after: None,
            refresh_suggested: false,
        };
        let answer = None;
        CallError::Upstream(Box::new(UpstreamFailure { failure, answer }))
    }

    #[test]
    fn each_condition_holds_for_its_own_errors_only() {
        let unfit = CallError::Unfit {
            model: "m".to_owned(),
            unfit: Unfit::NoneFit(Reasons::default()),
            retry_after: None,
        };
        let unknown = CallError::UnknownModel("m".to_owned());
        let late = CallError::Deadline(Duration::ZERO);
        let limited = upstream(Scope::Model, "rate-limit");
        let long = upstream(Scope::Request, "context-length");
        let invalid = upstream(Scope::Request, "invalid");
        let expected = [
            ("any", [true, true, false, true, false, false]),
            ("unfit", [true, true, false, false, false, false]),
            ("rate-limit", [false, false, false, true, false, false]),
            ("context-length", [false, false, false, false, true, false]),
        ];
        for (word, expected) in expected {
            let fallback = Fallback {
                model: Arc::from("other"),
                on: vec![Condition::parse(word)],
            };
            let errors = [&unfit, &unknown, &late, &limited, &long, &invalid];
            assert_eq!(
                errors.map(|error| fallback.serves(error)),
                expected,
                "{word}"
            );
        }
    }
}
