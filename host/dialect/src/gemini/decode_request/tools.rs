//! Reads `tools` and `toolConfig`.

use serde_json::Value;

use super::super::members::nested_list;
use super::super::schema::to_json_schema;
use super::super::{nested, object};
use crate::interlingua::{Fields, Notes, Refusal, Request, Tool, ToolChoice, ToolKind};

/// The functions that are declared. Tools that Google runs itself are dropped.
pub(super) fn decode(fields: &mut Fields, notes: &mut Notes) -> Result<Vec<Tool>, Refusal> {
    // One alone stands for a list of one, as everywhere in proto JSON's laxer readers.
    let path = fields.at("tools");
    let listed = match fields.take("tools") {
        None => Vec::new(),
        Some(Value::Array(items)) => items,
        Some(item) => vec![item],
    };
    let mut tools = Vec::new();
    for (index, item) in listed.into_iter().enumerate() {
        let mut item = object(item, format!("{path}[{index}]"))?;
        for declared in nested_list(&mut item, "functionDeclarations")? {
            tools.push(declaration(declared, notes)?);
        }
        item.warn_of_rest(notes);
    }
    Ok(tools)
}

fn declaration(mut declared: Fields, notes: &mut Notes) -> Result<Tool, Refusal> {
    let name = declared.needed_string("name")?;
    let description = declared.string("description")?;
    let googles = declared.take("parameters").map(to_json_schema);
    let schema = declared.take("parametersJsonSchema").or(googles);
    // What it answers is told to the model only by Google. One warning stands for all tools: Google's
    // clients send it with each.
    for name in ["response", "responseJsonSchema", "behavior"] {
        if declared.take(name).is_some() {
            notes.dropped(format!("tools.functionDeclarations.{name}"));
        }
    }
    declared.warn_of_rest(notes);
    Ok(Tool {
        name,
        description,
        kind: ToolKind::Function(schema),
        strict: None,
    })
}

/// Which functions may or must be called.
pub(super) fn decode_choice(
    fields: &mut Fields,
    request: &mut Request,
    notes: &mut Notes,
) -> Result<(), Refusal> {
    let Some(mut config) = nested(fields, "toolConfig")? else {
        return Ok(());
    };
    if let Some(mut calling) = nested(&mut config, "functionCallingConfig")? {
        let names = names(&mut calling)?;
        let mode = calling.string("mode")?.unwrap_or_default();
        request.tool_choice = match mode.to_ascii_uppercase().as_str() {
            "ANY" => Some(required(names)),
            "NONE" => Some(ToolChoice::None),
            // VALIDATED: as AUTO, with arguments that keep to their schema. It is not read as `strict`,
            // which elsewhere demands more of a schema than Google does.
            "AUTO" | "VALIDATED" => Some(auto(names)),
            "" | "MODE_UNSPECIFIED" => (!names.is_empty()).then(|| auto(names)),
            _ => return Err(calling.refusal("mode", "must be AUTO, ANY, NONE or VALIDATED")),
        };
        calling.warn_of_rest(notes);
    }
    config.warn_of_rest(notes);
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

fn names(calling: &mut Fields) -> Result<Vec<String>, Refusal> {
    let path = calling.at("allowedFunctionNames");
    let names = calling.list("allowedFunctionNames")?.into_iter();
    names
        .map(|name| match name {
            Value::String(name) => Ok(name),
            _ => Err(Refusal::new(path.clone(), "must be an array of strings")),
        })
        .collect()
}
