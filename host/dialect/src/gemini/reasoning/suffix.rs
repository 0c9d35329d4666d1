//! Thinking suffixes of model names, applied to request bodies of this dialect.

use crate::gemini::request::encode::thinking_config;
use crate::ir::{TranslationError, TranslationReport};
use crate::thinking::{BodyEdit, Thinking, warn_suffix};
use crate::traits::Traits;

/// Sets a request's thinking options, in place of the client's. Members keep the client's spelling.
///
/// # Errors
/// If `generationConfig` or `thinkingConfig` is not an object.
pub(crate) fn edit_thinking(
    thinking: Thinking,
    traits: &Traits,
    edit: &mut BodyEdit,
    report: &mut TranslationReport,
) -> Result<(), TranslationError> {
    let config = member_pointer(edit, "", ["generationConfig", "generation_config"]);
    let config = member_pointer(edit, &config, ["thinkingConfig", "thinking_config"]);
    let mut suffix_report = TranslationReport::default();
    // A suffix does not decide whether reasoning is shown: `includeThoughts` stays as it is.
    let overrides = thinking.override_reasoning(None);
    let overrides =
        overrides.map(|reasoning| thinking_config(traits, reasoning, &mut suffix_report));
    warn_suffix(suffix_report, report);
    let mut written = None;
    for (name, value) in overrides.into_iter().flatten() {
        let pointer = match name.as_str() {
            "thinkingLevel" => member_pointer(edit, &config, LEVEL),
            _ => member_pointer(edit, &config, BUDGET),
        };
        edit.set(&pointer, value)?;
        written = Some(pointer);
    }
    // The API rejects a budget together with a level.
    for name in [BUDGET, LEVEL].into_iter().flatten() {
        let pointer = format!("{config}/{name}");
        if written.as_ref() != Some(&pointer) {
            edit.remove(&pointer);
        }
    }
    Ok(())
}

/// Returns the pointer to a member of `parent`: in snake case if the client spells it so, else in camel case.
fn member_pointer(edit: &BodyEdit, parent: &str, [camel, snake]: [&str; 2]) -> String {
    let snake = format!("{parent}/{snake}");
    match edit.get(&snake) {
        Some(_) => snake,
        None => format!("{parent}/{camel}"),
    }
}

const BUDGET: [&str; 2] = ["thinkingBudget", "thinking_budget"];
const LEVEL: [&str; 2] = ["thinkingLevel", "thinking_level"];
