//! Thinking suffixes: a client sets how hard a model reasons by a suffix of its name, as in
//! `model(high)` or `model(8192)`. The routing decides which names have suffixes.

mod body_edit;

use crate::ir::{Effort, Reasoning, TranslationReport, loss};
use crate::traits::Traits;
pub use body_edit::BodyEdit;

/// The value of a suffix. It overrides what the body says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thinking {
    /// The provider decides.
    Auto,
    /// A budget in tokens.
    Budget(u64),
    /// An effort.
    Effort(Effort),
}

impl Thinking {
    /// Parses a suffix in any case: an effort, a budget in tokens (0 is no thinking, -1 is `auto`), or
    /// `auto`. `None` for any other text, which is part of the model's name.
    #[must_use]
    pub fn parse(suffix: &str) -> Option<Self> {
        let word = suffix.to_ascii_lowercase();
        if word == "auto" || word == "-1" {
            return Some(Self::Auto);
        }
        if let Some(effort) = Effort::parse(&word) {
            return Some(Self::Effort(effort));
        }
        // `parse` would accept `+1` as well.
        let digits = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        let budget = digits.then(|| word.parse().ok()).flatten()?;
        Some(match budget {
            0 => Self::Effort(Effort::None),
            tokens => Self::Budget(tokens),
        })
    }

    /// Returns the suffix in the common form. Whether the reasoning is shown is still up to the body.
    #[must_use]
    pub fn override_reasoning(self, requested: Option<Reasoning>) -> Option<Reasoning> {
        let shown = requested.and_then(|reasoning| reasoning.shown);
        let base = Reasoning {
            shown,
            ..Reasoning::default()
        };
        match self {
            Self::Auto => shown.map(|_| base),
            Self::Budget(tokens) => Some(Reasoning {
                budget_tokens: Some(tokens),
                ..base
            }),
            Self::Effort(effort) => Some(Reasoning {
                effort: Some(effort),
                ..base
            }),
        }
    }

    /// Returns the effort that the model takes, for dialects that have no budget; `None` for [`Self::Auto`], and where
    /// the model takes none.
    pub(crate) fn effort(
        self,
        traits: &Traits,
        edit: &BodyEdit,
        report: &mut TranslationReport,
    ) -> Option<Effort> {
        let effort = match self {
            Self::Auto => return None,
            Self::Budget(tokens) => {
                report.warn(SUFFIX_FIELD, "changed: the budget becomes an effort");
                Effort::from_budget(tokens)
            }
            Self::Effort(effort) => effort,
        };
        let tools = edit.get("/tools").and_then(serde_json::Value::as_array);
        let has_tools = tools.is_some_and(|tools| !tools.is_empty());
        if !traits.takes_effort(has_tools) {
            report.warn(SUFFIX_FIELD, loss::REFUSED_BY_MODEL);
            return None;
        }
        let nearest = traits.nearest_effort(effort);
        if nearest != effort {
            report.warn(SUFFIX_FIELD, traits.changed_effort(nearest));
        }
        Some(nearest)
    }
}

/// Adds the warnings about a suffix, for the member that holds the suffix.
pub(crate) fn warn_suffix(of_suffix: TranslationReport, report: &mut TranslationReport) {
    for warning in of_suffix.into_warnings() {
        report.warn(SUFFIX_FIELD, warning.what);
    }
}

/// The member that holds the suffix.
pub(crate) const SUFFIX_FIELD: &str = "model";

#[cfg(test)]
mod tests;
