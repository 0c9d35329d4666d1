//! What a translation says beside its result: what was dropped, and why something is refused.

use std::borrow::Cow;

/// The most warnings kept of one translation. They go into a header; a request that loses more than
/// that is of another kind altogether.
pub const WARNINGS_MAX: usize = 32;

/// Something of a request that the target cannot express.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The member, as the client's dialect calls it: `logit_bias`, `messages[2].name`. The same for all
    /// items of a list where the place does not matter.
    pub field: String,
    /// What became of it, for people: `dropped: ..`, `changed: ..`.
    pub what: Cow<'static, str>,
}

/// Collects warnings. One of each field is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TranslationReport {
    warnings: Vec<Warning>,
}

impl TranslationReport {
    /// Notes that a member was dropped.
    pub fn warn_dropped(&mut self, field: impl Into<String>) {
        self.warn(field, "dropped: the provider's dialect has nothing like it");
    }

    /// Notes what became of a member.
    pub fn warn(&mut self, field: impl Into<String>, what: impl Into<Cow<'static, str>>) {
        let field = field.into();
        let known = self.warnings.iter().any(|warning| warning.field == field);
        if !known && self.warnings.len() < WARNINGS_MAX {
            let what = what.into();
            self.warnings.push(Warning { field, what });
        }
    }

    /// All of them, in order.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// All of them, in order.
    #[must_use]
    pub fn into_warnings(self) -> Vec<Warning> {
        self.warnings
    }
}

/// Why a request cannot be translated: the client must change it, or ask a provider of its own dialect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {what}")]
pub struct TranslationError {
    /// The member at fault, as the client's dialect calls it; empty if it is the body as a whole.
    pub field: String,
    /// What is wrong, and what to do about it.
    pub what: Cow<'static, str>,
}

impl TranslationError {
    /// A refusal of a conversation in which nothing is said: providers refuse it too.
    pub(crate) fn empty_conversation() -> Self {
        Self::new("messages", "must say something")
    }

    /// A refusal of a member.
    pub fn new(field: impl Into<String>, what: impl Into<Cow<'static, str>>) -> Self {
        Self {
            field: field.into(),
            what: what.into(),
        }
    }
}
