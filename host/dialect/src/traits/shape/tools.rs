//! Tools, their schemas, names and calls.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::ir::{Part, Request, Tool, ToolChoice, ToolKind, ToolNames, TranslationReport, loss};
use crate::traits::schema;
use crate::traits::short_names::NameRule;
use crate::traits::{ToolChoiceWords, Traits};

/// Shapes the tools that are offered, and the choice of them.
pub(super) fn shape_tools(request: &mut Request, traits: &Traits, report: &mut TranslationReport) {
    for tool in &mut request.tools {
        shape_tool(tool, traits, report);
    }
    let narrower = match (&request.tool_choice, traits.tool_choice) {
        (None | Some(ToolChoice::Auto | ToolChoice::None), _) | (_, ToolChoiceWords::All) => return,
        (
            Some(ToolChoice::Required),
            ToolChoiceWords::Required | ToolChoiceWords::WithoutAllowed,
        )
        | (Some(ToolChoice::Named(_)), ToolChoiceWords::WithoutAllowed) => return,
        (Some(ToolChoice::Allowed { names, required }), words) => {
            // The others are not offered.
            let names = names.clone();
            let required = *required && words != ToolChoiceWords::Auto;
            request.tools.retain(|tool| names.contains(&tool.name));
            if required {
                ToolChoice::Required
            } else {
                ToolChoice::Auto
            }
        }
        (Some(ToolChoice::Named(name)), words) => {
            let name = name.clone();
            request.tools.retain(|tool| tool.name == name);
            match words {
                ToolChoiceWords::Auto => ToolChoice::Auto,
                _ => ToolChoice::Required,
            }
        }
        (Some(ToolChoice::Required), ToolChoiceWords::Auto) => ToolChoice::Auto,
    };
    report.warn(
        "tool_choice",
        "changed: to the nearest that the provider takes",
    );
    request.tool_choice = Some(narrower);
}

fn shape_tool(tool: &mut Tool, traits: &Traits, report: &mut TranslationReport) {
    if !traits.strict && tool.strict.take() == Some(true) {
        report.warn("tools.strict", loss::REFUSED_BY_PROVIDER);
    }
    let schema = match &mut tool.kind {
        ToolKind::Custom(_) if traits.custom_tools => return,
        ToolKind::Custom(format) => {
            report.warn(
                "tools.type",
                "changed: the custom tool is a function of one text, `input`",
            );
            let format = format.take();
            tool.kind = ToolKind::Function(Some(input_schema(format.as_ref())));
            return;
        }
        ToolKind::Function(schema) => schema,
    };
    let Some(schema) = schema else {
        // A function without a schema is one without arguments; nothing is lost.
        if traits.schema_properties_required {
            *schema = Some(schema::empty_object());
        }
        return;
    };
    if traits.schema_properties_required && schema::require_properties(schema) {
        report.warn(
            "tools.parameters",
            "changed: `type` and `properties` were added, which the provider requires",
        );
    }
    if traits.schema_types_required && schema::require_types(schema) {
        report.warn(
            "tools.parameters",
            "changed: types were added, which the provider requires",
        );
    }
    if traits.schema_items_required && schema::require_items(schema) {
        report.warn(
            "tools.parameters",
            "changed: `items` were added, which the provider requires",
        );
    }
    if !traits.schema_refs && schema::inline_refs(schema) {
        report.warn("tools.parameters", loss::REFS_INLINED);
    }
    if !traits.schema_type_beside_any_of && schema::move_type_into_any_of(schema) {
        report.warn(
            "tools.parameters",
            "changed: types are in the items of `anyOf`, as the provider requires",
        );
    }
    if !traits.schema_bounds && schema::describe_bounds(schema) {
        report.warn("tools.parameters", loss::BOUNDS_DESCRIBED);
    }
}

/// Returns the schema of the function that stands for a custom tool. It says the grammar that the text must follow.
fn input_schema(format: Option<&Value>) -> Value {
    let mut input = json!({"type": "string"});
    let text = |name: &str| {
        format.and_then(|format| {
            // The chat has the grammar one level deeper.
            format.get("grammar").unwrap_or(format).get(name)?.as_str()
        })
    };
    if let Some(definition) = text("definition") {
        let syntax = text("syntax").unwrap_or("formal");
        input["description"] = format!("Text by this {syntax} grammar:\n{definition}").into();
    }
    json!({"type": "object", "properties": {"input": input}, "required": ["input"]})
}

/// Gives the tools names that the provider takes, wherever the request has them.
pub(super) fn rename(
    request: &mut Request,
    traits: &Traits,
    report: &mut TranslationReport,
) -> ToolNames {
    let rule = NameRule {
        alphabet: traits.tool_name_alphabet,
        chars_min: 1,
        chars_max: traits.tool_name_chars_max,
    };
    let mut all = BTreeSet::new();
    each_name(request, &mut |name| {
        if !all.contains(name.as_str()) {
            all.insert(name.clone());
        }
    });
    let (mut used, odd): (BTreeSet<String>, BTreeSet<String>) =
        all.into_iter().partition(|name| rule.takes(name));
    if odd.is_empty() {
        return ToolNames::default();
    }
    report.warn("tools.name", loss::NAME_SHORTENED);
    let mut replacements = BTreeMap::new();
    for name in odd {
        let short = rule.replacement(&name, &used);
        used.insert(short.clone());
        replacements.insert(name, short);
    }
    each_name(request, &mut |name| {
        if let Some(short) = replacements.get(name.as_str()) {
            name.clone_from(short);
        }
    });
    ToolNames::new(replacements)
}

/// Visits every name of a tool in a request.
fn each_name(request: &mut Request, visit: &mut dyn FnMut(&mut String)) {
    request
        .tools
        .iter_mut()
        .for_each(|tool| visit(&mut tool.name));
    match &mut request.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) => names.iter_mut().for_each(&mut *visit),
        Some(ToolChoice::Named(name)) => visit(name),
        Some(ToolChoice::Auto | ToolChoice::None | ToolChoice::Required) | None => {}
    }
    for part in request.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
        match part {
            Part::ToolCall(call) => visit(&mut call.name),
            Part::ToolResult(result) => {
                if let Some(name) = &mut result.name {
                    visit(name);
                }
            }
            _ => {}
        }
    }
}

/// Gives the calls ids that the provider takes. The same id becomes the same other one in every request, so nothing
/// has to be mapped back.
pub(super) fn replace_ids(request: &mut Request, traits: &Traits, report: &mut TranslationReport) {
    let rule = NameRule::of_call_ids(traits);
    let mut is_done = true;
    each_id(request, &mut |id| is_done = is_done && rule.takes(id));
    if is_done {
        return;
    }
    let mut used = BTreeSet::new();
    each_id(request, &mut |id| {
        if rule.takes(id) {
            used.insert(id.clone());
        }
    });
    let mut replacements: BTreeMap<String, String> = BTreeMap::new();
    each_id(request, &mut |id| {
        if rule.takes(id) {
            return;
        }
        let known = replacements.get(id.as_str()).cloned();
        let short = known.unwrap_or_else(|| rule.replacement(id, &used));
        used.insert(short.clone());
        replacements.insert(std::mem::replace(id, short.clone()), short);
    });
    if !replacements.is_empty() {
        report.warn("tool_calls.id", super::IDS_CHANGED);
    }
}

fn each_id(request: &mut Request, visit: &mut dyn FnMut(&mut String)) {
    for part in request.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
        match part {
            Part::ToolCall(call) => visit(&mut call.id),
            Part::ToolResult(result) => visit(&mut result.call_id),
            _ => {}
        }
    }
}
