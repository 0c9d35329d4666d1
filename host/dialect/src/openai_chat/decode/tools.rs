//! Reads which tools a request offers, and which of them may or must be called.

use serde_json::Value;

use super::needed;
use crate::interlingua::{ObjectReader, TranslationReport, TranslationError, Tool, ToolChoice, ToolKind};

/// The tools on offer, the deprecated `functions` among them.
pub(super) fn offered(fields: &mut ObjectReader, notes: &mut TranslationReport) -> Result<Vec<Tool>, TranslationError> {
    let mut tools = Vec::new();
    for mut item in fields.objects("tools")? {
        match item.required_string("type")?.as_str() {
            "function" => tools.push(function(needed(&mut item, "function")?, notes)?),
            "custom" => tools.push(custom(needed(&mut item, "custom")?, notes)?),
            // A tool that OpenAI, or another provider, runs itself.
            _ => {
                notes.warn_dropped(item.path());
                continue;
            }
        }
        item.warn_unread(notes);
    }
    for item in fields.objects("functions")? {
        tools.push(function(item, notes)?);
    }
    Ok(tools)
}

/// `tool_choice`.
pub(super) fn choice(
    fields: &mut ObjectReader,
    notes: &mut TranslationReport,
) -> Result<Option<ToolChoice>, TranslationError> {
    if let Some(Value::String(_)) = fields.peek("tool_choice") {
        return match fields.required_string("tool_choice")?.as_str() {
            "auto" => Ok(Some(ToolChoice::Auto)),
            "none" => Ok(Some(ToolChoice::None)),
            "required" => Ok(Some(ToolChoice::Required)),
            _ => Err(fields.error("tool_choice", "must be auto, none, required or an object")),
        };
    }
    let Some(mut choice) = fields.object("tool_choice")? else {
        return Ok(None);
    };
    if choice.peek("allowed_tools").is_some() {
        choice.skip("type");
        let mut allowed = needed(&mut choice, "allowed_tools")?;
        let required = match allowed.required_string("mode")?.as_str() {
            "auto" => false,
            "required" => true,
            _ => return Err(allowed.error("mode", "must be auto or required")),
        };
        let tools = allowed.objects("tools")?.into_iter();
        let names = tools.map(|tool| named(tool, notes));
        let names = names.collect::<Result<_, _>>()?;
        allowed.warn_unread(notes);
        choice.warn_unread(notes);
        return Ok(Some(ToolChoice::Allowed { names, required }));
    }
    named(choice, notes).map(|name| Some(ToolChoice::Named(name)))
}

/// The deprecated `function_call`.
pub(super) fn function_choice(
    fields: &mut ObjectReader,
    notes: &mut TranslationReport,
) -> Result<Option<ToolChoice>, TranslationError> {
    if let Some(Value::String(_)) = fields.peek("function_call") {
        return match fields.required_string("function_call")?.as_str() {
            "auto" => Ok(Some(ToolChoice::Auto)),
            "none" => Ok(Some(ToolChoice::None)),
            _ => Err(fields.error("function_call", "must be auto, none or an object")),
        };
    }
    let Some(mut choice) = fields.object("function_call")? else {
        return Ok(None);
    };
    let name = choice.required_string("name")?;
    choice.warn_unread(notes);
    Ok(Some(ToolChoice::Named(name)))
}

fn function(mut function: ObjectReader, notes: &mut TranslationReport) -> Result<Tool, TranslationError> {
    let tool = Tool {
        name: function.required_string("name")?,
        description: function.string("description")?,
        kind: ToolKind::Function(match function.take("parameters") {
            None => None,
            Some(schema @ Value::Object(_)) => Some(schema),
            Some(_) => return Err(function.error("parameters", "must be an object")),
        }),
        strict: function.flag("strict")?,
    };
    function.warn_unread(notes);
    Ok(tool)
}

fn custom(mut custom: ObjectReader, notes: &mut TranslationReport) -> Result<Tool, TranslationError> {
    let tool = Tool {
        name: custom.required_string("name")?,
        description: custom.string("description")?,
        kind: ToolKind::Custom(custom.take("format")),
        strict: None,
    };
    custom.warn_unread(notes);
    Ok(tool)
}

/// The name in `{"type": "function", "function": {"name": ..}}`, or of a custom tool.
fn named(mut tool: ObjectReader, notes: &mut TranslationReport) -> Result<String, TranslationError> {
    tool.skip("type");
    let within = if tool.peek("custom").is_some() {
        "custom"
    } else {
        "function"
    };
    let mut inner = needed(&mut tool, within)?;
    let name = inner.required_string("name")?;
    inner.warn_unread(notes);
    tool.warn_unread(notes);
    Ok(name)
}
