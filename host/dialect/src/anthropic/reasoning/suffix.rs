//! Applies a thinking suffix to a body of this dialect.

use serde_json::Value;

use super::{ThinkingConstraints, ThinkingPlan};
use crate::ir::{Reasoning, TranslationError, TranslationReport};
use crate::thinking::{BodyEdit, Thinking, warn_suffix};
use crate::traits::Traits;

/// Edits a request so that it asks for `thinking`, in place of what the body says.
///
/// # Errors
/// If `output_config` is not an object.
pub(crate) fn edit_thinking(
    thinking: Thinking,
    traits: &Traits,
    edit: &mut BodyEdit,
    report: &mut TranslationReport,
) -> Result<(), TranslationError> {
    let plan = match thinking {
        Thinking::Auto => ThinkingPlan::default(),
        Thinking::Budget(_) | Thinking::Effort(_) => {
            let shown = match edit.get("/thinking/display").and_then(Value::as_str) {
                Some("omitted") => Some(false),
                Some("summarized") => Some(true),
                _ => None,
            };
            let requested = Reasoning {
                shown,
                ..Reasoning::default()
            };
            let reasoning = thinking
                .override_reasoning(Some(requested))
                .unwrap_or_default();
            let mut suffix_report = TranslationReport::default();
            let plan = ThinkingPlan::new(
                reasoning,
                thinking_constraints(edit),
                traits,
                &mut suffix_report,
            );
            warn_suffix(suffix_report, report);
            plan
        }
    };
    if plan.enabled {
        drop_sampling(edit, report);
    }
    match plan.effort {
        Some(effort) => edit.set("/output_config/effort", effort.into())?,
        None => edit.remove("/output_config/effort"),
    }
    match plan.thinking {
        // The whole member is replaced: the client's `budget_tokens` must not stay beside another type.
        Some(thinking) => edit.set("/thinking", thinking),
        None => {
            edit.remove("/thinking");
            Ok(())
        }
    }
}

fn thinking_constraints(edit: &BodyEdit) -> ThinkingConstraints {
    let choice = edit.get("/tool_choice/type").and_then(Value::as_str);
    ThinkingConstraints {
        is_forced: matches!(choice, Some("any" | "tool")),
        is_mid_tool_use: is_mid_tool_use(edit),
        tokens_max: edit.get("/max_tokens").and_then(Value::as_u64),
    }
}

/// Whether the last turn holds tool results, and the turn with the calls does not begin with thinking. The API joins
/// adjacent turns of one role, so this compares the joined turns.
fn is_mid_tool_use(edit: &BodyEdit) -> bool {
    let turns = edit.get("/messages").and_then(Value::as_array);
    let turns = turns.into_iter().flatten().rev();
    let mut turns = turns.filter(|turn| turn["role"] != "system").peekable();
    let mut has_tool_results = false;
    while let Some(turn) = turns.next_if(|turn| turn["role"] == "user") {
        has_tool_results |= blocks(turn).any(|block| block["type"] == "tool_result");
    }
    let mut begins_with_thinking = false;
    while let Some(turn) = turns.next_if(|turn| turn["role"] == "assistant") {
        begins_with_thinking =
            blocks(turn)
                .next()
                .is_some_and(|block| match block["type"].as_str() {
                    Some("redacted_thinking") => true,
                    Some("thinking") => {
                        block["signature"].as_str().is_some_and(|it| !it.is_empty())
                    }
                    _ => false,
                });
    }
    has_tool_results && !begins_with_thinking
}

fn blocks(turn: &Value) -> impl Iterator<Item = &Value> {
    turn["content"].as_array().into_iter().flatten()
}

/// Removes the sampling parameters that the API rejects together with thinking (its page on extended
/// thinking).
fn drop_sampling(edit: &mut BodyEdit, report: &mut TranslationReport) {
    let number = |edit: &BodyEdit, name: &str| edit.get(name).and_then(Value::as_f64);
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
        report.warn(
            name,
            "dropped: not supported with the thinking of the model's suffix",
        );
        edit.remove(&format!("/{name}"));
    }
}

/// The minimum `top_p` that the API accepts together with thinking.
const TOP_P_MIN: f64 = 0.95;
