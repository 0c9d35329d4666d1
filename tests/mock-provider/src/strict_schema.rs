//! The rules of strict JSON schemas (OpenAI's guide "Structured Outputs", section "Supported schemas"),
//! and of the names of tools and schemas.

use serde_json::Value;

/// The limit of nested objects.
const DEPTH_MAX: usize = 10;

/// Checks the schema of a strict tool or of a strict output.
///
/// # Errors
/// The first broken rule, and its place in the schema.
pub(super) fn check_strict(schema: &Value) -> Result<(), String> {
    if schema.get("anyOf").is_some() || type_of(schema) != Some("object") {
        return Err("schema must be a JSON Schema of 'type: \"object\"'".to_owned());
    }
    check_subschema(schema, "", 0)
}

fn check_subschema(schema: &Value, place: &str, depth: usize) -> Result<(), String> {
    if depth > DEPTH_MAX * 2 {
        return Err(format!("In context=({place}), the schema nests too deep"));
    }
    let Some(object) = schema.as_object() else {
        return Err(format!("In context=({place}), schema must be an object"));
    };
    for refused in [
        "allOf",
        "not",
        "oneOf",
        "dependentRequired",
        "if",
        "patternProperties",
    ] {
        if object.contains_key(refused) {
            return Err(format!(
                "In context=({place}), '{refused}' is not permitted"
            ));
        }
    }
    let properties = object.get("properties").and_then(Value::as_object);
    if type_of(schema) == Some("object") || properties.is_some() {
        check_object(schema, place)?;
    }
    for group in ["properties", "$defs", "definitions"] {
        let inner = object.get(group).and_then(Value::as_object);
        for (name, inner) in inner.into_iter().flatten() {
            check_subschema(inner, &format!("{place}/{group}/{name}"), depth + 1)?;
        }
    }
    if let Some(items) = object.get("items") {
        check_subschema(items, &format!("{place}/items"), depth + 1)?;
    }
    let choices = object.get("anyOf").and_then(Value::as_array);
    for (index, choice) in choices.into_iter().flatten().enumerate() {
        check_subschema(choice, &format!("{place}/anyOf/{index}"), depth + 1)?;
    }
    let described = ["type", "anyOf", "$ref", "enum", "const"];
    if described.iter().any(|name| object.contains_key(*name)) {
        Ok(())
    } else {
        Err(format!(
            "In context=({place}), schema must have a 'type' key"
        ))
    }
}

fn check_object(schema: &Value, place: &str) -> Result<(), String> {
    if schema.get("additionalProperties") != Some(&Value::Bool(false)) {
        return Err(format!(
            "In context=({place}), 'additionalProperties' is required to be supplied and to be false"
        ));
    }
    let names = |name: &str| schema.get(name).and_then(Value::as_array);
    let required = names("required").map_or(&[][..], Vec::as_slice);
    let properties = schema.get("properties").and_then(Value::as_object);
    for name in properties
        .into_iter()
        .flat_map(|properties| properties.keys())
    {
        if !required.iter().any(|it| it.as_str() == Some(name)) {
            return Err(format!(
                "In context=({place}), 'required' must include every key in properties. Missing '{name}'"
            ));
        }
    }
    Ok(())
}

fn type_of(schema: &Value) -> Option<&str> {
    let given = schema.get("type")?;
    let first = given.as_array().and_then(|types| types.first());
    first.unwrap_or(given).as_str()
}

/// Returns whether a name has 1 to `characters_max` letters, digits, underscores and dashes.
pub(super) fn is_valid_name(name: &str, characters_max: usize) -> bool {
    let is_allowed =
        |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
    !name.is_empty() && name.len() <= characters_max && name.chars().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error_of(schema: &Value) -> String {
        check_strict(schema).unwrap_err()
    }

    #[test]
    fn accepts_a_strict_schema() {
        let schema = json!({
            "type": "object",
            "properties": { "a": { "type": ["string", "null"] }, "b": { "anyOf": [{ "$ref": "#" }, { "type": "null" }] } },
            "required": ["a", "b"],
            "additionalProperties": false,
        });
        assert_eq!(check_strict(&schema), Ok(()));
    }

    #[test]
    fn rejects_open_objects_and_optional_properties() {
        let open = json!({ "type": "object", "properties": {} });
        assert!(error_of(&open).contains("additionalProperties"));
        let optional = json!({ "type": "object", "properties": { "a": { "type": "string" } },
            "required": [], "additionalProperties": false });
        assert!(error_of(&optional).contains("Missing 'a'"));
        let nested = json!({ "type": "object", "additionalProperties": false, "required": ["l"],
            "properties": { "l": { "type": "array", "items": { "type": "object" } } } });
        assert!(error_of(&nested).contains("/properties/l/items"));
        assert!(error_of(&json!({ "type": "array" })).contains("object"));
        let vague = json!({ "type": "object", "additionalProperties": false, "required": ["l"],
            "properties": { "l": {} } });
        assert!(error_of(&vague).contains("'type' key"));
    }

    #[test]
    fn accepts_only_plain_names() {
        assert!(is_valid_name("get_weather-2", 64));
        assert!(!is_valid_name("", 64) && !is_valid_name("a b", 64) && !is_valid_name("abc", 2));
    }
}
