//! JSON of protocol buffers has member names in `camelCase` or `snake_case`, even mixed. This module
//! converts all of them to `camelCase`.

use serde_json::{Map, Value};

/// Members with client data: the names inside are not converted.
const OPAQUE_MEMBERS: [&str; 9] = [
    "args",
    "response",
    "parametersJsonSchema",
    "responseJsonSchema",
    "partMetadata",
    "example",
    "default",
    "mock",
    "labels",
];

/// Members whose names the client chooses; the values below them are converted.
const MAP_MEMBERS: [&str; 2] = ["properties", "defs"];

/// Converts all member names of a value to `camelCase`.
pub(super) fn to_camel_case(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(name, value)| member_to_camel_case(&name, value))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(to_camel_case).collect()),
        other => other,
    }
}

fn member_to_camel_case(name: &str, value: Value) -> (String, Value) {
    let name = name_to_camel_case(name);
    let value = match value {
        // Names of schema properties are the client's, their schemas are Gemini's.
        Value::Object(members) if MAP_MEMBERS.contains(&name.as_str()) => {
            let converted = members
                .into_iter()
                .map(|(name, value)| (name, to_camel_case(value)));
            Value::Object(converted.collect::<Map<_, _>>())
        }
        value if OPAQUE_MEMBERS.contains(&name.as_str()) => value,
        value => to_camel_case(value),
    };
    (name, value)
}

fn name_to_camel_case(name: &str) -> String {
    let mut parts = name.split('_');
    let mut camel = parts.next().unwrap_or_default().to_owned();
    if camel.is_empty() {
        return name.to_owned();
    }
    for part in parts {
        let mut letters = part.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_become_camel_case_except_client_data() {
        let given = json!({
            "generation_config": { "thinkingConfig": { "include_thoughts": true } },
            "tools": [{ "function_declarations": [{ "parameters": { "properties": { "my_name": { "min_items": 1 } } } }] }],
            "contents": [{ "parts": [{ "function_call": { "args": { "my_name": 1 } } }] }],
        });
        let expected = json!({
            "generationConfig": { "thinkingConfig": { "includeThoughts": true } },
            "tools": [{ "functionDeclarations": [{ "parameters": { "properties": { "my_name": { "minItems": 1 } } } }] }],
            "contents": [{ "parts": [{ "functionCall": { "args": { "my_name": 1 } } }] }],
        });
        assert_eq!(to_camel_case(given), expected);
    }
}
