//! Generates values that satisfy a JSON schema, for the arguments of tool calls and for structured output.

use serde_json::{Map, Value, json};

/// The limit of nested values, since a schema may refer to itself.
const DEPTH_MAX: usize = 16;

/// Generates a value that satisfies a schema. Different variants give different values.
pub(super) fn sample(schema: &Value, variant: usize) -> Value {
    value(schema, schema, "value", variant, 0)
}

fn value(root: &Value, schema: &Value, name: &str, variant: usize, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        return Value::Null;
    }
    if let Some(fixed) = schema.get("const") {
        return fixed.clone();
    }
    if let Some(options) = schema.get("enum").and_then(Value::as_array)
        && !options.is_empty()
    {
        return options[variant % options.len()].clone();
    }
    let follow = |schema: &Value| value(root, schema, name, variant, depth + 1);
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let pointer = target.trim_start_matches('#');
        return root.pointer(pointer).map_or(Value::Null, follow);
    }
    for choice in ["anyOf", "oneOf", "allOf"] {
        let first = schema.get(choice).and_then(|options| options.get(0));
        if let Some(first) = first {
            return follow(first);
        }
    }
    match type_of(schema).as_str() {
        "object" => object(root, schema, variant, depth),
        "array" => {
            let items = schema.get("items").unwrap_or(&Value::Null);
            let count = bound(schema, "minItems").unwrap_or(1).max(1);
            let item = |index| value(root, items, name, variant + index, depth + 1);
            // A hostile schema must not fill the memory.
            Value::Array((0..count.min(ITEMS_MAX)).map(item).collect())
        }
        "integer" => json!(number(schema, variant)),
        "number" => json!(number_float(schema, variant)),
        "boolean" => json!(variant.is_multiple_of(2)),
        "null" => Value::Null,
        _ => text(schema, name, variant),
    }
}

/// The limit of items of an array.
const ITEMS_MAX: usize = 16;

fn object(root: &Value, schema: &Value, variant: usize, depth: usize) -> Value {
    let required = schema.get("required").and_then(Value::as_array);
    let needed = |name: &str| {
        required.is_some_and(|required| required.iter().any(|it| it.as_str() == Some(name)))
    };
    let mut object = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        if needed(name) {
            object.insert(
                name.clone(),
                value(root, property, name, variant, depth + 1),
            );
        }
    }
    Value::Object(object)
}

/// Returns the schema's type; the first one if it has several.
fn type_of(schema: &Value) -> String {
    let given = schema.get("type");
    let given = given.and_then(|given| given.get(0)).or(given);
    let implied = if schema.get("properties").is_some() {
        "object"
    } else {
        "string"
    };
    // Gemini's own schemas have types in capitals.
    given
        .and_then(Value::as_str)
        .unwrap_or(implied)
        .to_lowercase()
}

fn bound(schema: &Value, name: &str) -> Option<usize> {
    let bound = schema.get(name)?;
    // In JSON of protocol buffers, 64-bit integers are strings.
    let number = bound.as_u64().or_else(|| bound.as_str()?.parse().ok())?;
    usize::try_from(number).ok()
}

fn number(schema: &Value, variant: usize) -> i64 {
    let least = schema.get("minimum").and_then(Value::as_i64).unwrap_or(7);
    let most = schema.get("maximum").and_then(Value::as_i64);
    let number = least.saturating_add(i64::try_from(variant).unwrap_or(0));
    most.map_or(number, |most| number.min(most))
}

fn number_float(schema: &Value, variant: usize) -> f64 {
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    let number = bound("minimum").map_or(1.5, |least| least) + f64::from(variant as u32 & 0xff);
    bound("maximum").map_or(number, |most| number.min(most))
}

fn text(schema: &Value, name: &str, variant: usize) -> Value {
    let text = match schema.get("format").and_then(Value::as_str) {
        Some("date-time") => "2026-01-02T03:04:05Z".to_owned(),
        Some("date") => "2026-01-02".to_owned(),
        Some("uri" | "url") => "https://mock.invalid/".to_owned(),
        _ if variant == 0 => format!("mock-{name}"),
        _ => format!("mock-{name}-{}", variant + 1),
    };
    let least = bound(schema, "minLength")
        .unwrap_or(0)
        .min(TEXT_CHARACTERS_MAX);
    let most = bound(schema, "maxLength").unwrap_or(TEXT_CHARACTERS_MAX);
    let filled = text.chars().chain(std::iter::repeat('x'));
    let length = text.chars().count().max(least).min(most);
    Value::String(filled.take(length).collect())
}

/// The length limit of a text, in characters.
const TEXT_CHARACTERS_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sample_satisfies_its_schema() {
        let schema = json!({
            "type": "object",
            "properties": {
                "city": { "type": "string" },
                "days": { "type": "integer", "minimum": 1, "maximum": 2 },
                "unit": { "enum": ["c", "f"] },
                "where": { "$ref": "#/$defs/place" },
                "tags": { "type": "ARRAY", "items": { "type": "STRING", "maxLength": "8" }, "minItems": "2" },
                "ratio": { "type": ["number", "null"] },
                "left": { "type": "string" },
            },
            "required": ["city", "days", "unit", "where", "tags", "ratio"],
            "$defs": { "place": { "type": "object", "properties": { "x": { "const": 4 } }, "required": ["x"] } },
        });
        let expected = json!({
            "city": "mock-city", "days": 1, "unit": "c", "where": { "x": 4 },
            "tags": ["mock-tag", "mock-tag"], "ratio": 1.5,
        });
        assert_eq!(sample(&schema, 0), expected);
        assert_eq!(sample(&schema, 1)["city"], "mock-city-2");
        assert_eq!(sample(&schema, 1)["unit"], "f");
    }

    #[test]
    fn recursive_schema_terminates() {
        let schema = json!({
            "type": "object", "properties": { "next": { "$ref": "#" } }, "required": ["next"],
        });
        assert!(sample(&schema, 0)["next"]["next"].is_object());
    }

    #[test]
    fn hostile_schema_yields_a_small_value() {
        let schema = json!({ "type": "array", "minItems": 1_000_000_000_000_u64,
            "items": { "minLength": 1_000_000_000_000_u64 } });
        let sampled = sample(&schema, 0);
        assert_eq!(sampled.as_array().map(Vec::len), Some(ITEMS_MAX));
    }
}
