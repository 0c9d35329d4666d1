//! How hard a model is to think by its name's suffix, put into a body of the API's own clients.

use serde_json::Value;

use super::model;
use super::thinking::{Plan, Setting};
use crate::interlingua::{Notes, Reasoning, Refusal};
use crate::thinking::{Edit, Thinking, note};

/// Has a request ask for it, in place of what it says itself.
///
/// # Errors
/// If `output_config` is no object.
pub(crate) fn think(
    thinking: Thinking,
    model: &str,
    edit: &mut Edit,
    notes: &mut Notes,
) -> Result<(), Refusal> {
    let plan = match thinking {
        Thinking::Auto => Plan::default(),
        Thinking::Budget(_) | Thinking::Effort(_) => {
            let shown = match edit.get("/thinking/display").and_then(Value::as_str) {
                Some("omitted") => Some(false),
                Some("summarized") => Some(true),
                _ => None,
            };
            let said = Reasoning {
                shown,
                ..Reasoning::default()
            };
            let asked = thinking.over(Some(said)).unwrap_or_default();
            let mut of_suffix = Notes::default();
            let plan = Plan::new(asked, setting(edit), model::rules(model), &mut of_suffix);
            note(of_suffix, notes);
            plan
        }
    };
    if plan.on {
        draw_freely(edit, notes);
    }
    match plan.effort {
        Some(effort) => edit.set("/output_config/effort", effort.into())?,
        None => edit.remove("/output_config/effort"),
    }
    match plan.thinking {
        Some(thinking) => edit.set("/thinking", thinking),
        None => {
            edit.remove("/thinking");
            Ok(())
        }
    }
}

fn setting(edit: &Edit) -> Setting {
    let choice = edit.get("/tool_choice/type").and_then(Value::as_str);
    Setting {
        is_forced: matches!(choice, Some("any" | "tool")),
        is_amid_tools: is_amid_tools(edit),
        tokens_max: edit.get("/max_tokens").and_then(Value::as_u64),
    }
}

/// Whether the last turn gives results of tools, and the turn that called them has no thoughts.
fn is_amid_tools(edit: &Edit) -> bool {
    let turns = edit.get("/messages").and_then(Value::as_array);
    let role_of = |turn: &Value, role: &str| turn["role"] == role;
    let mut turns = turns.into_iter().flatten().rev();
    let last = turns.find(|turn| !role_of(turn, "system"));
    let answers = last.is_some_and(|turn| {
        role_of(turn, "user") && blocks(turn).any(|block| block["type"] == "tool_result")
    });
    let before = turns.find(|turn| role_of(turn, "assistant"));
    let thought = before.is_some_and(|turn| {
        blocks(turn).any(|block| match block["type"].as_str() {
            Some("redacted_thinking") => true,
            Some("thinking") => block["signature"].as_str().is_some_and(|it| !it.is_empty()),
            _ => false,
        })
    });
    answers && !thought
}

fn blocks(turn: &Value) -> impl Iterator<Item = &Value> {
    turn["content"].as_array().into_iter().flatten()
}

/// Takes away what the API refuses while a model thinks (its page on extended thinking).
fn draw_freely(edit: &mut Edit, notes: &mut Notes) {
    let number = |edit: &Edit, name: &str| edit.get(name).and_then(Value::as_f64);
    let refused = [
        (
            "temperature",
            number(edit, "/temperature").is_some_and(|it| it < 1.0),
        ),
        (
            "top_p",
            number(edit, "/top_p").is_some_and(|it| it < TOP_P_MIN),
        ),
        ("top_k", edit.get("/top_k").is_some()),
    ];
    for (name, _) in refused.into_iter().filter(|(_, is_refused)| *is_refused) {
        notes.warn(name, "dropped: the model thinks, as its suffix asks");
        edit.remove(&format!("/{name}"));
    }
}

/// The least `top_p` that the API takes while a model thinks.
const TOP_P_MIN: f64 = 0.95;
