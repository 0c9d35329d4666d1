//! Converts the keywords of Google's `Schema`, a subset of OpenAPI's, to those of JSON Schema.

use serde_json::{Map, Value, json};

use crate::gemini::request::members::camel_case;

/// Converts a `Schema`: types become lower case, and `nullable` becomes one more type. JSON Schema stays as
/// it is.
pub(crate) fn to_json_schema(schema: Value) -> Value {
    let Value::Object(members) = schema else {
        return schema;
    };
    let mut out = Map::new();
    let mut nullable = false;
    for (name, value) in members {
        match camel_case(&name).as_str() {
            "type" => {
                if let Some(kind) = type_of(value) {
                    out.insert("type".to_owned(), kind);
                }
            }
            "nullable" => nullable = value == Value::Bool(true),
            // It only sets the order in which the model writes the members.
            "propertyOrdering" => {}
            "example" => drop(out.insert("examples".to_owned(), json!([value]))),
            "ref" => drop(out.insert("$ref".to_owned(), value)),
            "defs" => drop(out.insert("$defs".to_owned(), convert_members(value))),
            name @ ("properties" | "$defs" | "definitions" | "patternProperties") => {
                drop(out.insert(name.to_owned(), convert_members(value)));
            }
            name @ ("items"
            | "anyOf"
            | "oneOf"
            | "allOf"
            | "prefixItems"
            | "not"
            | "additionalProperties") => drop(out.insert(name.to_owned(), convert_nested(value))),
            name @ ("minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties"
            | "maxProperties") => drop(out.insert(name.to_owned(), number(value))),
            name => drop(out.insert(name.to_owned(), value)),
        }
    }
    if nullable {
        allow_null(&mut out);
    }
    Value::Object(out)
}

fn convert_nested(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(to_json_schema).collect(),
        other => to_json_schema(other),
    }
}

/// Converts the schemas of named members. The names are the client's, so they are not converted.
fn convert_members(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .map(|(name, schema)| (name, to_json_schema(schema)))
            .collect(),
        other => other,
    }
}

fn type_of(value: Value) -> Option<Value> {
    match value {
        Value::String(name) if name == "TYPE_UNSPECIFIED" => None,
        Value::String(name) => Some(name.to_ascii_lowercase().into()),
        Value::Array(names) => Some(names.into_iter().filter_map(type_of).collect()),
        other => Some(other),
    }
}

/// Protobuf JSON writes 64-bit numbers as strings.
fn number(value: Value) -> Value {
    let parsed = value.as_str().and_then(|text| text.parse::<u64>().ok());
    parsed.map_or(value, Value::from)
}

fn allow_null(schema: &mut Map<String, Value>) {
    match schema.get_mut("type") {
        Some(Value::String(kind)) if kind != "null" => {
            let kinds = json!([kind, "null"]);
            schema.insert("type".to_owned(), kinds);
        }
        Some(Value::Array(kinds)) if !kinds.contains(&json!("null")) => kinds.push(json!("null")),
        _ => {}
    }
    // An `enum` without null rejects null, even if the type allows it.
    if let Some(Value::Array(values)) = schema.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.push(json!({"type": "null"}));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_google_schema_to_json_schema() {
        let schema = json!({
            "type": "OBJECT",
            "properties": {
                "type": {"type": "STRING", "enum": ["a"], "nullable": true},
                "any_of": {"type": "ARRAY", "min_items": "2", "items": {"type": "INTEGER", "format": "int32"}},
                "either": {"anyOf": [{"type": "NUMBER"}, {"type": "BOOLEAN"}], "nullable": true},
            },
            "propertyOrdering": ["type"],
            "required": ["type"],
        });
        let expected = json!({
            "type": "object",
            "properties": {
                "type": {"type": ["string", "null"], "enum": ["a", null]},
                "any_of": {"type": "array", "minItems": 2, "items": {"type": "integer", "format": "int32"}},
                "either": {"anyOf": [{"type": "number"}, {"type": "boolean"}, {"type": "null"}]},
            },
            "required": ["type"],
        });
        assert_eq!(to_json_schema(schema), expected);
        assert_eq!(to_json_schema(expected.clone()), expected);
    }
}
