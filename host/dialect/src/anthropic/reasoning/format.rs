//! The format of the response: the member `format` of `output_config`.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::anthropic::strict_schema::{self, SchemaChange};
use crate::ir::{Format, ObjectReader, TranslationError, TranslationReport, loss};

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
) -> Option<Cow<'static, str>> {
    match format {
        Format::Json => {
            report.warn("response_format", "changed: asked for in the system text");
            return Some(JSON_INSTRUCTION.into());
        }
        Format::Schema {
            description,
            schema,
            ..
        } => {
            if description.is_some() {
                report.warn_dropped("response_format.json_schema.description");
            }
            let mut restricted = schema.clone();
            match strict_schema::restrict(&mut restricted) {
                None => {
                    let what =
                        "changed: asked for in the system text, since the schema refers to itself";
                    report.warn("response_format", what);
                    return Some(
                        format!("{JSON_INSTRUCTION} It must match this JSON schema:\n{schema}")
                            .into(),
                    );
                }
                Some(SchemaChange::None) => {}
                Some(SchemaChange::Described) => {
                    report.warn("response_format.json_schema.schema", loss::BOUNDS_DESCRIBED);
                }
            }
            let format = json!({"type": "json_schema", "schema": restricted});
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

const JSON_INSTRUCTION: &str =
    "Answer with one JSON object and nothing else: no other text, no code fence.";
