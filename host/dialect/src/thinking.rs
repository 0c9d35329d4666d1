//! How hard a client has a model think by a suffix of its name, as in `model(high)` or `model(8192)`; and
//! what of the client's body says so in its dialect instead. Which suffix a name has is not decided here.

mod edit;

use bytes::Bytes;

use crate::interlingua::{Effort, Notes, Reasoning, Refusal};
use crate::json::{self, Patch};
use crate::{Dialect, anthropic_messages, gemini};

pub(crate) use edit::Edit;

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
    pub fn over(self, said: Option<Reasoning>) -> Option<Reasoning> {
        let shown = said.and_then(|reasoning| reasoning.shown);
        let asked = Reasoning {
            shown,
            ..Reasoning::default()
        };
        match self {
            Self::Auto => shown.map(|_| asked),
            Self::Budget(tokens) => Some(Reasoning {
                budget_tokens: Some(tokens),
                ..asked
            }),
            Self::Effort(effort) => Some(Reasoning {
                effort: Some(effort),
                ..asked
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
        notes: &mut Notes,
    ) -> Result<Vec<Patch>, Refusal> {
        let mut edit = Edit::read(body)?;
        match dialect {
            Dialect::AnthropicMessages => {
                anthropic_messages::think(self, model, &mut edit, notes)?;
            }
            Dialect::Gemini => gemini::think(self, model, &mut edit, notes)?,
            Dialect::OpenaiChat => {
                // OpenAI's own member first, then what OpenRouter has beside it.
                self.write_effort("/reasoning_effort", &mut edit, notes)?;
                for name in ["effort", "max_tokens", "enabled"] {
                    edit.remove(&format!("/reasoning/{name}"));
                }
            }
            Dialect::OpenaiCompletions if self == Self::Auto => {}
            Dialect::OpenaiCompletions => {
                notes.warn(SUFFIX, "changed: text completions cannot be told to think");
            }
            Dialect::OpenaiResponses => {
                self.write_effort("/reasoning/effort", &mut edit, notes)?;
            }
        }
        Ok(edit.into_patches())
    }

    /// A client's request for content, changed so that it asks for this.
    ///
    /// # Errors
    /// As [`Self::patches`], or if a member that has to change is there twice.
    pub fn patched(
        self,
        dialect: Dialect,
        (model, body): (&str, &Bytes),
        notes: &mut Notes,
    ) -> Result<Bytes, Refusal> {
        let patches = self.patches(dialect, (model, body), notes)?;
        json::apply(body, &patches).map_err(|error| {
            let what = match std::error::Error::source(&error) {
                Some(source) => source.to_string(),
                None => error.to_string(),
            };
            Refusal::new("", what)
        })
    }

    fn write_effort(self, place: &str, edit: &mut Edit, notes: &mut Notes) -> Result<(), Refusal> {
        let effort = match self {
            Self::Auto => {
                edit.remove(place);
                return Ok(());
            }
            Self::Budget(tokens) => {
                notes.warn(SUFFIX, "changed: its budget is said as an effort");
                Effort::of_budget(tokens)
            }
            Self::Effort(effort) => effort,
        };
        edit.set(place, effort.openai().into())
    }
}

/// Notes what became of a suffix, under the member that the client wrote it in.
pub(crate) fn note(of_suffix: Notes, notes: &mut Notes) {
    for warning in of_suffix.into_warnings() {
        notes.warn(SUFFIX, warning.what);
    }
}

/// Where the suffix stands.
const SUFFIX: &str = "model";

#[cfg(test)]
mod tests;
