//! Reads which tools a request offers, and which of them may or must be called.

use serde_json::Value;

use super::needed;
use crate::interlingua::{Fields, Notes, Refusal, Tool, ToolChoice, ToolKind};

/// The tools on offer, the deprecated `functions` among them.
pub(super) fn offered(fields: &mut Fields, notes: &mut Notes) -> Result<Vec<Tool>, Refusal> {
    let mut tools = Vec::new();
    for mut item in fields.objects("tools")? {
        match item.needed_string("type")?.as_str() {
            "function" => tools.push(function(needed(&mut item, "function")?, notes)?),
            "custom" => tools.push(custom(needed(&mut item, "custom")?, notes)?),
            // A tool that OpenAI, or another provider, runs itself.
            _ => {
                notes.dropped(item.path());
                continue;
            }
        }
        item.warn_of_rest(notes);
    }
    for item in fields.objects("functions")? {
        tools.push(function(item, notes)?);
    }
    Ok(tools)
}

/// `tool_choice`.
pub(super) fn choice(
    fields: &mut Fields,
    notes: &mut Notes,
) -> Result<Option<ToolChoice>, Refusal> {
    if let Some(Value::String(_)) = fields.peek("tool_choice") {
        return match fields.needed_string("tool_choice")?.as_str() {
            "auto" => Ok(Some(ToolChoice::Auto)),
            "none" => Ok(Some(ToolChoice::None)),
            "required" => Ok(Some(ToolChoice::Required)),
            _ => Err(fields.refusal("tool_choice", "must be auto, none, required or an object")),
        };
    }
    let Some(mut choice) = fields.object("tool_choice")? else {
        return Ok(None);
    };
    if choice.peek("allowed_tools").is_some() {
        choice.skip("type");
        let mut allowed = needed(&mut choice, "allowed_tools")?;
        let required = match allowed.needed_string("mode")?.as_str() {
            "auto" => false,
            "required" => true,
            _ => return Err(allowed.refusal("mode", "must be auto or required")),
        };
        let tools = allowed.objects("tools")?.into_iter();
        let names = tools.map(|tool| named(tool, notes));
        let names = names.collect::<Result<_, _>>()?;
        allowed.warn_of_rest(notes);
        choice.warn_of_rest(notes);
        return Ok(Some(ToolChoice::Allowed { names, required }));
    }
    named(choice, notes).map(|name| Some(ToolChoice::Named(name)))
}

/// The deprecated `function_call`.
pub(super) fn function_choice(
    fields: &mut Fields,
    notes: &mut Notes,
) -> Result<Option<ToolChoice>, Refusal> {
    if let Some(Value::String(_)) = fields.peek("function_call") {
        return match fields.needed_string("function_call")?.as_str() {
            "auto" => Ok(Some(ToolChoice::Auto)),
            "none" => Ok(Some(ToolChoice::None)),
            _ => Err(fields.refusal("function_call", "must be auto, none or an object")),
        };
    }
    let Some(mut choice) = fields.object("function_call")? else {
        return Ok(None);
    };
    let name = choice.needed_string("name")?;
    choice.warn_of_rest(notes);
    Ok(Some(ToolChoice::Named(name)))
}

fn function(mut function: Fields, notes: &mut Notes) -> Result<Tool, Refusal> {
    let tool = Tool {
        name: function.needed_string("name")?,
        description: function.string("description")?,
        kind: ToolKind::Function(match function.take("parameters") {
            None => None,
            Some(schema @ Value::Object(_)) => Some(schema),
            Some(_) => return Err(function.refusal("parameters", "must be an object")),
        }),
        strict: function.flag("strict")?,
    };
    function.warn_of_rest(notes);
    Ok(tool)
}

fn custom(mut custom: Fields, notes: &mut Notes) -> Result<Tool, Refusal> {
    let tool = Tool {
        name: custom.needed_string("name")?,
        description: custom.string("description")?,
        kind: ToolKind::Custom(custom.take("format")),
        strict: None,
    };
    custom.warn_of_rest(notes);
    Ok(tool)
}

/// The name in `{"type": "function", "function": {"name": ..}}`, or of a custom tool.
fn named(mut tool: Fields, notes: &mut Notes) -> Result<String, Refusal> {
    tool.skip("type");
    let within = if tool.peek("custom").is_some() {
        "custom"
    } else {
        "function"
    };
    let mut inner = needed(&mut tool, within)?;
    let name = inner.needed_string("name")?;
    inner.warn_of_rest(notes);
    tool.warn_of_rest(notes);
    Ok(name)
}
