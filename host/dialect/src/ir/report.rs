//! The warnings and errors of translations.

use std::borrow::Cow;

use crate::limits::WARNINGS_MAX;

/// A part of a request that the provider's dialect cannot express.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The member, by its name in the client's dialect: `logit_bias`, `messages[2].name`. Without an
    /// index where the position does not matter.
    pub field: String,
    /// What happened to it, for people: `dropped: ..`, `changed: ..`.
    pub what: Cow<'static, str>,
}

/// Collects warnings, at most one for each field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TranslationReport {
    warnings: Vec<Warning>,
}

impl TranslationReport {
    /// Adds the warning that a member was dropped.
    pub fn warn_dropped(&mut self, field: impl Into<String>) {
        self.warn(field, "dropped: the provider's dialect does not have it");
    }

    /// Adds a warning about a member.
    pub fn warn(&mut self, field: impl Into<String>, what: impl Into<Cow<'static, str>>) {
        let field = field.into();
        let known = self.warnings.iter().any(|warning| warning.field == field);
        if !known && self.warnings.len() < WARNINGS_MAX {
            let what = what.into();
            self.warnings.push(Warning { field, what });
        }
    }

    /// The warnings, in order.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The warnings, in order.
    #[must_use]
    pub fn into_warnings(self) -> Vec<Warning> {
        self.warnings
    }
}

/// Why a request cannot be translated. The client must change it, or use a model whose provider has the
/// client's dialect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{what}", prefix(.field))]
pub struct TranslationError {
    /// The invalid member, by its name in the client's dialect; empty for the whole body.
    pub field: String,
    /// What is wrong, and what to change.
    pub what: Cow<'static, str>,
}

impl TranslationError {
    /// The error for a conversation without content. Providers reject it too.
    pub(crate) fn empty_conversation() -> Self {
        Self::new("messages", "must not be empty")
    }

    /// Returns an error about a member.
    pub fn new(field: impl Into<String>, what: impl Into<Cow<'static, str>>) -> Self {
        Self {
            field: field.into(),
            what: what.into(),
        }
    }
}

/// Returns the beginning of an error's message: the member, if there is one.
fn prefix(field: &str) -> String {
    if field.is_empty() {
        String::new()
    } else {
        format!("{field}: ")
    }
}
