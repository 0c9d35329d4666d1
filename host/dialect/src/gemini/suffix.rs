//! How hard a model is to think by its name's suffix, put into a body of the API's own clients.

use super::encode_request::thinking_config;
use crate::interlingua::{Notes, Refusal};
use crate::thinking::{Edit, Thinking, note};

/// Has a request ask for it, in place of what it says itself. Members keep the client's spelling.
///
/// # Errors
/// If one of the objects that it stands in is none.
pub(crate) fn think(
    thinking: Thinking,
    model: &str,
    edit: &mut Edit,
    notes: &mut Notes,
) -> Result<(), Refusal> {
    let config = spelled(edit, "", ["generationConfig", "generation_config"]);
    let config = spelled(edit, &config, ["thinkingConfig", "thinking_config"]);
    let mut of_suffix = Notes::default();
    let asked = thinking.over(None);
    let asked = asked.map(|reasoning| thinking_config(model, reasoning, &mut of_suffix));
    note(of_suffix, notes);
    let mut written = None;
    for (name, value) in asked.into_iter().flatten() {
        let place = match name.as_str() {
            "thinkingLevel" => spelled(edit, &config, LEVEL),
            _ => spelled(edit, &config, BUDGET),
        };
        edit.set(&place, value)?;
        written = Some(place);
    }
    for name in [BUDGET, LEVEL].into_iter().flatten() {
        let place = format!("{config}/{name}");
        if written.as_ref() != Some(&place) {
            edit.remove(&place);
        }
    }
    Ok(())
}

/// The place of a member below `parent`, in snake case only where the client has it so.
fn spelled(edit: &Edit, parent: &str, [camel, snake]: [&str; 2]) -> String {
    let snake = format!("{parent}/{snake}");
    match edit.get(&snake) {
        Some(_) => snake,
        None => format!("{parent}/{camel}"),
    }
}

const BUDGET: [&str; 2] = ["thinkingBudget", "thinking_budget"];
const LEVEL: [&str; 2] = ["thinkingLevel", "thinking_level"];
