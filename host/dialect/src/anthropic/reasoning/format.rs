//! The format of the response: the member `format` of `output_config`.

use serde_json::{Map, Value, json};

use crate::ir::{Format, ObjectReader, TranslationError, TranslationReport};

/// Decodes the member.
pub(super) fn decode(
    mut fields: ObjectReader,
    report: &mut TranslationReport,
) -> Result<Format, TranslationError> {
    if fields.required_string("type")? != "json_schema" {
        return Err(fields.error("type", "must be json_schema"));
    }
    let Some(schema @ Value::Object(_)) = fields.take("schema") else {
        return Err(fields.error("schema", "must be a JSON schema"));
    };
    fields.warn_unread(report);
    Ok(Format::Schema {
        name: None,
        description: None,
        // The API matches every schema exactly. Others do so only with closed schemas.
        strict: is_closed_schema(&schema).then_some(true),
        schema,
    })
}

/// Adds the member to `output_config`. Returns an instruction for the system text, if the API has no
/// member for the format.
pub(super) fn encode(
    format: &Format,
    config: &mut Map<String, Value>,
    report: &mut TranslationReport,
) -> Option<&'static str> {
    match format {
        Format::Json => {
            report.warn("response_format", "changed: asked for in the system text");
            return Some(JSON_INSTRUCTION);
        }
        Format::Schema {
            description,
            schema,
            ..
        } => {
            if description.is_some() {
                report.warn_dropped("response_format.json_schema.description");
            }
            let mut schema = schema.clone();
            close_schema(&mut schema);
            let format = json!({"type": "json_schema", "schema": schema});
            config.insert("format".to_owned(), format);
        }
        Format::Text => {}
    }
    None
}

/// Whether all objects in a schema are closed, and all their members required.
fn is_closed_schema(schema: &Value) -> bool {
    match schema {
        Value::Array(items) => items.iter().all(is_closed_schema),
        Value::Object(members) => {
            let closed = match members.get("properties") {
                Some(Value::Object(properties)) => {
                    let required = members.get("required").and_then(Value::as_array);
                    let is_required = |name: &String| {
                        required.is_some_and(|names| names.iter().any(|it| it == name))
                    };
                    members.get("additionalProperties") == Some(&Value::Bool(false))
                        && properties.keys().all(is_required)
                }
                _ => true,
            };
            closed && members.values().all(is_closed_schema)
        }
        _ => true,
    }
}

/// Closes all objects of a schema, as the API requires.
fn close_schema(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(close_schema),
        Value::Object(members) => {
            if members.get("properties").is_some_and(Value::is_object)
                && members.get("type").is_some_and(|kind| kind == "object")
            {
                members
                    .entry("additionalProperties")
                    .or_insert(Value::Bool(false));
            }
            members.values_mut().for_each(close_schema);
        }
        _ => {}
    }
}

const JSON_INSTRUCTION: &str =
    "Answer with one JSON object and nothing else: no other text, no code fence.";
