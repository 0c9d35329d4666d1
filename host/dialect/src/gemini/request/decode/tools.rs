//! Decodes `tools` and `toolConfig`.

use serde_json::Value;

use crate::gemini::request::members::nested_list;
use crate::gemini::request::members::{nested, object};
use crate::gemini::schema_keywords::to_json_schema;
use crate::ir::{
    ObjectReader, Request, Tool, ToolChoice, ToolKind, TranslationError, TranslationReport,
};

/// Decodes the declared functions. Tools that Google runs itself are dropped with a warning.
///
/// # Errors
/// If a declaration is not valid.
pub(crate) fn decode(
    fields: &mut ObjectReader,
    report: &mut TranslationReport,
) -> Result<Vec<Tool>, TranslationError> {
    // Lenient readers of protobuf JSON accept one item in place of a list.
    let path = fields.member_path("tools");
    let listed = match fields.take("tools") {
        None => Vec::new(),
        Some(Value::Array(items)) => items,
        Some(item) => vec![item],
    };
    let mut tools = Vec::new();
    for (index, item) in listed.into_iter().enumerate() {
        let mut item = object(item, format!("{path}[{index}]"))?;
        for declared in nested_list(&mut item, "functionDeclarations")? {
            tools.push(declaration(declared, report)?);
        }
        item.warn_unread(report);
    }
    Ok(tools)
}

fn declaration(
    mut declared: ObjectReader,
    report: &mut TranslationReport,
) -> Result<Tool, TranslationError> {
    let name = declared.required_string("name")?;
    let description = declared.string("description")?;
    let google_schema = declared.schema("parameters")?.map(to_json_schema);
    let schema = declared.schema("parametersJsonSchema")?.or(google_schema);
    // Only Google's API describes a function's response to the model. Google's clients send these members
    // with every function, so the path has no index and there is one warning for all of them.
    for name in ["response", "responseJsonSchema", "behavior"] {
        if declared.take(name).is_some() {
            report.warn_dropped(format!("tools.functionDeclarations.{name}"));
        }
    }
    declared.warn_unread(report);
    Ok(Tool {
        name,
        description,
        kind: ToolKind::Function(schema),
        strict: None,
    })
}

/// Decodes which functions the model may or must call.
///
/// # Errors
/// If `toolConfig` is not valid.
pub(crate) fn decode_choice(
    fields: &mut ObjectReader,
    request: &mut Request,
    report: &mut TranslationReport,
) -> Result<(), TranslationError> {
    let Some(mut config) = nested(fields, "toolConfig")? else {
        return Ok(());
    };
    if let Some(mut calling) = nested(&mut config, "functionCallingConfig")? {
        let names = names(&mut calling)?;
        let mode = calling.string("mode")?.unwrap_or_default();
        request.tool_choice = match mode.to_ascii_uppercase().as_str() {
            "ANY" => Some(required(names)),
            "NONE" => Some(ToolChoice::None),
            // VALIDATED is AUTO with arguments that match their schema. It does not become `strict`, because
            // other providers reject many schemas of strict tools.
            "AUTO" | "VALIDATED" => Some(auto(names)),
            "" | "MODE_UNSPECIFIED" => (!names.is_empty()).then(|| auto(names)),
            _ => return Err(calling.error("mode", "must be AUTO, ANY, NONE or VALIDATED")),
        };
        calling.warn_unread(report);
    }
    config.warn_unread(report);
    Ok(())
}

fn auto(names: Vec<String>) -> ToolChoice {
    if names.is_empty() {
        return ToolChoice::Auto;
    }
    ToolChoice::Allowed {
        names,
        required: false,
    }
}

fn required(mut names: Vec<String>) -> ToolChoice {
    match names.len() {
        0 => ToolChoice::Required,
        1 => ToolChoice::Named(names.swap_remove(0)),
        _ => ToolChoice::Allowed {
            names,
            required: true,
        },
    }
}

fn names(calling: &mut ObjectReader) -> Result<Vec<String>, TranslationError> {
    calling.strings("allowedFunctionNames")
}
