//! Decodes tools and the tool choice.

use serde_json::Value;

use super::required_object;
use crate::ir::{ObjectReader, Tool, ToolChoice, ToolKind, TranslationError, TranslationReport};
use crate::openai_chat::tools::CHOICES;

/// Takes the members `tools` and `functions`; the latter is deprecated.
pub(crate) fn decode_tools(
    fields: &mut ObjectReader,
    report: &mut TranslationReport,
) -> Result<Vec<Tool>, TranslationError> {
    let mut tools = Vec::new();
    for mut item in fields.objects("tools")? {
        match item.required_string("type")?.as_str() {
            "function" => tools.push(function(required_object(&mut item, "function")?, report)?),
            "custom" => tools.push(custom(required_object(&mut item, "custom")?, report)?),
            // The provider runs tools of other types itself.
            _ => {
                report.warn_dropped(item.path());
                continue;
            }
        }
        item.warn_unread(report);
    }
    for item in fields.objects("functions")? {
        tools.push(function(item, report)?);
    }
    Ok(tools)
}

/// Takes the member `tool_choice`.
pub(crate) fn decode_choice(
    fields: &mut ObjectReader,
    report: &mut TranslationReport,
) -> Result<Option<ToolChoice>, TranslationError> {
    if let Some(Value::String(_)) = fields.peek("tool_choice") {
        let word = fields.required_string("tool_choice")?;
        let choice = CHOICES.iter().find(|(known, _)| *known == word);
        let unknown = || fields.error("tool_choice", "must be auto, none, required or an object");
        return Ok(Some(choice.ok_or_else(unknown)?.1.clone()));
    }
    let Some(mut choice) = fields.object("tool_choice")? else {
        return Ok(None);
    };
    if choice.peek("allowed_tools").is_some() {
        choice.skip("type");
        let mut allowed = required_object(&mut choice, "allowed_tools")?;
        let required = match allowed.required_string("mode")?.as_str() {
            "auto" => false,
            "required" => true,
            _ => return Err(allowed.error("mode", "must be auto or required")),
        };
        let tools = allowed.objects("tools")?.into_iter();
        let names = tools.map(|tool| decode_name(tool, report));
        let names = names.collect::<Result<_, _>>()?;
        allowed.warn_unread(report);
        choice.warn_unread(report);
        return Ok(Some(ToolChoice::Allowed { names, required }));
    }
    decode_name(choice, report).map(|name| Some(ToolChoice::Named(name)))
}

/// Takes the member `function_call`, which is deprecated.
pub(crate) fn decode_function_choice(
    fields: &mut ObjectReader,
    report: &mut TranslationReport,
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
    choice.warn_unread(report);
    Ok(Some(ToolChoice::Named(name)))
}

fn function(
    mut function: ObjectReader,
    report: &mut TranslationReport,
) -> Result<Tool, TranslationError> {
    let tool = Tool {
        name: function.required_string("name")?,
        description: function.string("description")?,
        kind: ToolKind::Function(function.schema("parameters")?),
        strict: function.flag("strict")?,
    };
    function.warn_unread(report);
    Ok(tool)
}

fn custom(
    mut custom: ObjectReader,
    report: &mut TranslationReport,
) -> Result<Tool, TranslationError> {
    let tool = Tool {
        name: custom.required_string("name")?,
        description: custom.string("description")?,
        kind: ToolKind::Custom(custom.take("format")),
        strict: None,
    };
    custom.warn_unread(report);
    Ok(tool)
}

/// Takes the name in `{"type": "function", "function": {"name": ..}}`, or in the same form with `custom`.
fn decode_name(
    mut tool: ObjectReader,
    report: &mut TranslationReport,
) -> Result<String, TranslationError> {
    tool.skip("type");
    let within = if tool.peek("custom").is_some() {
        "custom"
    } else {
        "function"
    };
    let mut inner = required_object(&mut tool, within)?;
    let name = inner.required_string("name")?;
    inner.warn_unread(report);
    tool.warn_unread(report);
    Ok(name)
}
