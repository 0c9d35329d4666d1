//! JSON schemas for formats and strict tools. The API takes a subset and refuses the request for anything else
//! (<https://platform.claude.com/docs/en/build-with-claude/structured-outputs>, read 2026-11-30;
//! BerriAI/litellm#20813, #34313, laravel/ai#715). What it does not take goes into the description, as in
//! Anthropic's own SDKs (`transform_schema` of anthropic-sdk-python 009b035).

use serde_json::{Map, Value, json};

/// How a schema differs from the client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SchemaChange {
    /// Not at all, or only in what both mean the same.
    None,
    /// The descriptions have what the API does not take.
    Described,
}

/// Changes a schema into what the API takes; `None` if it cannot be expressed: a reference that leads back to itself or
/// out of the schema.
pub(super) fn restrict(schema: &mut Value) -> Option<SchemaChange> {
    if has_endless_reference(schema) {
        return None;
    }
    let mut change = SchemaChange::None;
    restrict_schema(schema, &mut change);
    Some(change)
}

fn restrict_schema(schema: &mut Value, change: &mut SchemaChange) {
    let Value::Object(members) = schema else {
        return;
    };
    // The API has one keyword for both. A value that matches one of them matches any of them.
    if let Some(choices) = members.shift_remove("oneOf") {
        members.entry("anyOf").or_insert(choices);
    }
    let mut untaken = Vec::new();
    members.retain(|name, value| {
        let stays = is_taken(name, value);
        if !stays && !SILENT.contains(&name.as_str()) {
            untaken.push(format!("{name}: {value}"));
        }
        stays
    });
    let is_object = |kind: &Value| *kind == "object" || is_list_with(kind, "object");
    if members.get("type").is_some_and(is_object) || members.contains_key("properties") {
        members.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    if !untaken.is_empty() {
        *change = SchemaChange::Described;
        describe(members, &untaken.join(", "));
    }
    for (name, value) in members {
        match (name.as_str(), value) {
            ("properties" | "$defs" | "definitions", Value::Object(inner)) => {
                inner
                    .values_mut()
                    .for_each(|it| restrict_schema(it, change));
            }
            ("anyOf" | "allOf", Value::Array(inner)) => {
                inner.iter_mut().for_each(|it| restrict_schema(it, change));
            }
            ("items", inner) => restrict_schema(inner, change),
            _ => {}
        }
    }
}

/// Whether the API takes a keyword with this value.
fn is_taken(name: &str, value: &Value) -> bool {
    match name {
        "format" => value
            .as_str()
            .is_some_and(|format| FORMATS.contains(&format)),
        // The only bound that it takes.
        "minItems" => value.as_u64().is_some_and(|least| least <= 1),
        // An open object has members of any name. Others would have to be listed.
        "additionalProperties" => *value == Value::Bool(false),
        // A list of schemas by position is an older form of `prefixItems`.
        "items" => value.is_object(),
        _ => KEYWORDS.contains(&name),
    }
}

fn is_list_with(kinds: &Value, kind: &str) -> bool {
    let kinds = kinds.as_array();
    kinds.is_some_and(|kinds| kinds.iter().any(|it| it == kind))
}

fn describe(members: &mut Map<String, Value>, what: &str) {
    let text = match members.get("description").and_then(Value::as_str) {
        Some(text) if !text.is_empty() => format!("{text}\n\n{{{what}}}"),
        _ => format!("{{{what}}}"),
    };
    members.insert("description".to_owned(), json!(text));
}

/// Whether a reference leads back to a schema around it, or to one that is not there.
fn has_endless_reference(root: &Value) -> bool {
    // Definitions that are on the way (true) and those that were visited whole (false).
    let mut states = Map::new();
    is_endless(root, root, &mut states)
}

fn is_endless(schema: &Value, root: &Value, states: &mut Map<String, Value>) -> bool {
    match schema {
        Value::Array(items) => items.iter().any(|item| is_endless(item, root, states)),
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get("$ref") {
                match states.get(target) {
                    Some(on_the_way) => return *on_the_way == Value::Bool(true),
                    None => {
                        let Some(found) = target.strip_prefix('#').and_then(|at| root.pointer(at))
                        else {
                            return true;
                        };
                        if target == "#" {
                            return true;
                        }
                        states.insert(target.clone(), true.into());
                        if is_endless(found, root, states) {
                            return true;
                        }
                        states.insert(target.clone(), false.into());
                    }
                }
            }
            members
                .iter()
                .filter(|(name, _)| !DATA.contains(&name.as_str()))
                .any(|(_, value)| is_endless(value, root, states))
        }
        _ => false,
    }
}

/// The keywords that the API takes with any value.
const KEYWORDS: [&str; 14] = [
    "$defs",
    "$ref",
    "allOf",
    "anyOf",
    "const",
    "default",
    "definitions",
    "description",
    "enum",
    "pattern",
    "properties",
    "required",
    "title",
    "type",
];

/// Keywords without a meaning for the model: their loss is no loss.
const SILENT: [&str; 6] = [
    "$id",
    "$schema",
    "additionalProperties",
    "examples",
    "strict",
    "nullable",
];

/// Keywords whose value is data, not a schema.
const DATA: [&str; 4] = ["const", "default", "enum", "examples"];

/// The formats of a text that the API takes.
const FORMATS: [&str; 10] = [
    "date",
    "date-time",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "time",
    "uri",
    "uuid",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn moves_bounds_into_descriptions() {
        let mut schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "n": {"type": "integer", "minimum": 1, "maximum": 9, "description": "How many."},
                "maximum": {"type": "array", "items": {"type": "string", "minLength": 1}, "uniqueItems": true,
                            "minItems": 2, "maxItems": 5},
                "one": {"type": "array", "minItems": 1, "items": {"oneOf": [{"type": "null"}, {"type": "number", "multipleOf": 2}]}},
                "at": {"type": "string", "format": "date-time"},
                "map": {"type": "object", "additionalProperties": {"type": "string"}},
                "id": {"type": "string", "format": "isbn", "pattern": "^x"},
            },
            "required": ["n"],
        });
        assert_eq!(restrict(&mut schema), Some(SchemaChange::Described));
        let expected = json!({
            "type": "object",
            "properties": {
                "n": {"type": "integer", "description": "How many.\n\n{minimum: 1, maximum: 9}"},
                "maximum": {"type": "array", "items": {"type": "string", "description": "{minLength: 1}"},
                            "description": "{uniqueItems: true, minItems: 2, maxItems: 5}"},
                "one": {"type": "array", "minItems": 1, "items": {"anyOf": [{"type": "null"}, {"type": "number", "description": "{multipleOf: 2}"}]}},
                "at": {"type": "string", "format": "date-time"},
                "map": {"type": "object", "additionalProperties": false},
                "id": {"type": "string", "pattern": "^x", "description": "{format: \"isbn\"}"},
            },
            "required": ["n"],
            "additionalProperties": false,
        });
        assert_eq!(schema, expected);
        assert_eq!(restrict(&mut schema), Some(SchemaChange::None), "{schema}");
        assert_eq!(schema, expected);
    }

    #[test]
    fn finds_references_without_an_end() {
        let node = json!({"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}});
        for (mut schema, taken) in [
            (
                json!({"$ref": "#/$defs/node", "$defs": {"node": node}}),
                false,
            ),
            (
                json!({"type": "object", "properties": {"a": {"$ref": "#"}}}),
                false,
            ),
            (json!({"$ref": "other.json"}), false),
            (json!({"$ref": "#/$defs/none"}), false),
            (
                json!({"properties": {"a": {"$ref": "#/$defs/b"}, "c": {"$ref": "#/$defs/b"}}, "$defs": {"b": {"type": "string"}}}),
                true,
            ),
            (json!({"type": "string", "enum": [{"$ref": "#"}]}), true),
        ] {
            assert_eq!(restrict(&mut schema).is_some(), taken, "{schema}");
        }
    }

    fn schema() -> impl Strategy<Value = Value> {
        let name = || {
            prop::sample::select(vec![
                "type",
                "properties",
                "items",
                "anyOf",
                "oneOf",
                "minItems",
                "maximum",
                "description",
                "enum",
                "format",
                "$ref",
                "$defs",
                "additionalProperties",
                "a",
            ])
        };
        let leaf = prop_oneof![
            Just(json!(null)),
            Just(json!(true)),
            Just(json!(2)),
            Just(json!("object")),
            Just(json!("#/$defs/a")),
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
                prop::collection::vec((name(), inner), 0..4).prop_map(|members| {
                    Value::Object(
                        members
                            .into_iter()
                            .map(|(name, value)| (name.to_owned(), value))
                            .collect(),
                    )
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_restricted_once_stays(schema in schema()) {
            let mut once = schema;
            if restrict(&mut once).is_some() {
                let mut twice = once.clone();
                prop_assert_eq!(restrict(&mut twice), Some(SchemaChange::None));
                prop_assert_eq!(twice, once);
            }
        }
    }
}
