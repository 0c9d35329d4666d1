//! How hard a client has a model think by a suffix of its name, as in `model(high)` or `model(8192)`; and
//! what of the client's body says so in its dialect instead. Which suffix a name has is not decided here.

mod body_edit;

use bytes::Bytes;

use crate::ir::{Effort, Reasoning, TranslationError, TranslationReport};
use crate::json::{self, Patch};
use crate::{Dialect, anthropic, gemini};

pub(crate) use body_edit::BodyEdit;

/// What a suffix asks for. It wins over what the body says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thinking {
    /// As the provider likes.
    Auto,
    /// At most so many tokens.
    Budget(u64),
    /// So hard.
    Effort(Effort),
}

impl Thinking {
    /// What a suffix means, whatever its case: an effort, a budget in tokens (0 is no thinking, -1 is
    /// `auto`), or `auto`. None for any other, which is part of the model's name.
    #[must_use]
    pub fn parse(suffix: &str) -> Option<Self> {
        let word = suffix.to_ascii_lowercase();
        if word == "auto" || word == "-1" {
            return Some(Self::Auto);
        }
        if let Some(effort) = Effort::parse(&word) {
            return Some(Self::Effort(effort));
        }
        // Not what else `parse` takes for a number, such as `+1`.
        let digits = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        let budget = digits.then(|| word.parse().ok()).flatten()?;
        Some(match budget {
            0 => Self::Effort(Effort::None),
            tokens => Self::Budget(tokens),
        })
    }

    /// The same in the common form. Whether thoughts are shown is still what the body says.
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

    /// What changes a client's request for content so that it asks for this, by the provider's name of
    /// the model without its suffix.
    ///
    /// # Errors
    /// If the body is not what its dialect says where that has to be known.
    pub fn patches(
        self,
        dialect: Dialect,
        (model, body): (&str, &[u8]),
        report: &mut TranslationReport,
    ) -> Result<Vec<Patch>, TranslationError> {
        let mut edit = BodyEdit::read(body)?;
        match dialect {
            Dialect::AnthropicMessages => {
                anthropic::apply_thinking(self, model, &mut edit, report)?;
            }
            Dialect::Gemini => gemini::apply_thinking(self, model, &mut edit, report)?,
            Dialect::OpenaiChat => {
                // OpenAI's own member first, then what OpenRouter has beside it.
                self.write_effort("/reasoning_effort", &mut edit, report)?;
                for name in ["effort", "max_tokens", "enabled"] {
                    edit.remove(&format!("/reasoning/{name}"));
                }
            }
            Dialect::OpenaiCompletions if self == Self::Auto => {}
            Dialect::OpenaiCompletions => {
                report.warn(
                    SUFFIX_FIELD,
                    "changed: text completions cannot be told to think",
                );
            }
            Dialect::OpenaiResponses => {
                self.write_effort("/reasoning/effort", &mut edit, report)?;
            }
        }
        Ok(edit.into_patches())
    }

    /// A client's request for content, changed so that it asks for this.
    ///
    /// # Errors
    /// As [`Self::patches`], or if a member that has to change is there twice.
    pub fn apply(
        self,
        dialect: Dialect,
        (model, body): (&str, &Bytes),
        report: &mut TranslationReport,
    ) -> Result<Bytes, TranslationError> {
        let patches = self.patches(dialect, (model, body), report)?;
        json::apply(body, &patches).map_err(|error| {
            let what = match std::error::Error::source(&error) {
                Some(source) => source.to_string(),
                None => error.to_string(),
            };
            TranslationError::new("", what)
        })
    }

    fn write_effort(
        self,
        pointer: &str,
        edit: &mut BodyEdit,
        report: &mut TranslationReport,
    ) -> Result<(), TranslationError> {
        let effort = match self {
            Self::Auto => {
                edit.remove(pointer);
                return Ok(());
            }
            Self::Budget(tokens) => {
                report.warn(SUFFIX_FIELD, "changed: its budget is said as an effort");
                Effort::from_budget(tokens)
            }
            Self::Effort(effort) => effort,
        };
        edit.set(pointer, effort.openai_name().into())
    }
}

/// Notes what became of a suffix, under the member that the client wrote it in.
pub(crate) fn warn_suffix(of_suffix: TranslationReport, report: &mut TranslationReport) {
    for warning in of_suffix.into_warnings() {
        report.warn(SUFFIX_FIELD, warning.what);
    }
}

/// Where the suffix stands.
const SUFFIX_FIELD: &str = "model";

#[cfg(test)]
mod tests;
