//! Changes JSON schemas into the subset that a server takes, without a change of what they mean to the model.

use serde_json::{Map, Value, json};

use crate::limits::SCHEMA_GROWTH_MAX;

/// Adds the `type` and `properties` that an object's schema lacks. Returns whether it changed anything.
pub(crate) fn require_properties(schema: &mut Value) -> bool {
    let Value::Object(members) = schema else {
        let changed = *schema != Value::Bool(false);
        *schema = empty_object();
        return changed;
    };
    let mut changed = false;
    if !members.contains_key("type") {
        members.insert("type".to_owned(), "object".into());
        changed = true;
    }
    if !members.get("properties").is_some_and(Value::is_object) {
        members.insert("properties".to_owned(), Map::new().into());
        changed = true;
    }
    changed
}

/// Returns the schema of an object without members.
pub(crate) fn empty_object() -> Value {
    serde_json::json!({"type": "object", "properties": {}})
}

/// Gives all types to properties that have none and so allow any value. Returns whether there are any.
pub(crate) fn require_types(schema: &mut Value) -> bool {
    let mut changed = false;
    each_schema(schema, &mut |members| {
        let Some(Value::Object(properties)) = members.get_mut("properties") else {
            return;
        };
        for property in properties.values_mut().filter_map(Value::as_object_mut) {
            if TYPE_KEYWORDS
                .iter()
                .any(|name| property.contains_key(*name))
            {
                continue;
            }
            let types = TYPES.iter().map(|name| json!({"type": name}));
            property.insert("anyOf".to_owned(), types.collect());
            changed = true;
        }
    });
    changed
}

/// The keywords that say which values a schema allows.
const TYPE_KEYWORDS: [&str; 7] = ["type", "anyOf", "oneOf", "allOf", "$ref", "enum", "const"];

/// The types of values but null.
const TYPES: [&str; 5] = ["string", "number", "boolean", "object", "array"];

/// Moves the name of a type that is beside `anyOf` into the items that have none. Returns whether there are any. The
/// outermost schema keeps its type: it must be an object's.
pub(crate) fn move_type_into_any_of(schema: &mut Value) -> bool {
    let mut changed = false;
    let mut visit = |members: &mut Map<String, Value>| {
        let has_items = members.get("anyOf").is_some_and(Value::is_array);
        // Anything else is not repeated for each item: its length has no bound.
        let kind = members.get("type").and_then(Value::as_str);
        let is_name = kind.is_some_and(|name| name.len() <= TYPE_BYTES_MAX);
        let Some(kind) = (has_items && is_name)
            .then(|| members.shift_remove("type"))
            .flatten()
        else {
            return;
        };
        changed = true;
        let items = members.get_mut("anyOf").and_then(Value::as_array_mut);
        for item in items.into_iter().flatten() {
            match item {
                Value::Object(item) if item.contains_key("$ref") => {}
                Value::Object(item) => drop(item.entry("type").or_insert_with(|| kind.clone())),
                Value::Bool(true) => *item = json!({"type": kind}),
                _ => {}
            }
        }
    };
    if let Value::Object(members) = schema {
        for inner in inner_schemas(members) {
            each_schema(inner, &mut visit);
        }
    }
    changed
}

/// The length of the longest names of types, `boolean` and `integer`, in bytes.
const TYPE_BYTES_MAX: usize = 7;

/// Adds `items` to the arrays that have none. Returns whether it changed anything.
pub(crate) fn require_items(schema: &mut Value) -> bool {
    let mut changed = false;
    each_schema(schema, &mut |members| {
        let is_array = |kind: &Value| kind == "array";
        let array = members.get("type").is_some_and(|kind| match kind {
            Value::Array(kinds) => kinds.iter().any(is_array),
            kind => is_array(kind),
        });
        if array && !members.contains_key("items") && !members.contains_key("prefixItems") {
            members.insert("items".to_owned(), Map::new().into());
            changed = true;
        }
    });
    changed
}

/// Moves bounds into the descriptions. Returns whether it changed anything.
pub(crate) fn describe_bounds(schema: &mut Value) -> bool {
    let mut changed = false;
    each_schema(schema, &mut |members| {
        let mut bounds = Vec::new();
        for name in BOUNDS {
            if let Some(bound) = members.shift_remove(*name) {
                bounds.push(format!("{name}: {bound}"));
            }
        }
        if bounds.is_empty() {
            return;
        }
        changed = true;
        let bounds = bounds.join(", ");
        let text = match members.get("description").and_then(Value::as_str) {
            Some(text) if !text.is_empty() => format!("{text} ({bounds})"),
            _ => bounds,
        };
        members.insert("description".to_owned(), text.into());
    });
    changed
}

/// Writes what each local `$ref` refers to in its place, and removes the definitions. A reference inside of what
/// it refers to, or one to another document, becomes a schema that allows anything. Returns whether it changed
/// anything.
pub(crate) fn inline_refs(schema: &mut Value) -> bool {
    let mut has_refs = false;
    each_schema(schema, &mut |members| {
        has_refs |= members.contains_key("$ref")
    });
    if !has_refs {
        return false;
    }
    let root = schema.clone();
    let mut budget = SCHEMA_GROWTH_MAX.saturating_mul(printed_bytes(schema));
    if let Value::Object(members) = schema {
        for name in DEFINITIONS {
            members.shift_remove(*name);
        }
    }
    inline(schema, &root, &mut Vec::new(), &mut budget);
    true
}

fn inline(schema: &mut Value, root: &Value, path: &mut Vec<String>, budget: &mut usize) {
    let Value::Object(members) = schema else {
        return;
    };
    let depth = path.len();
    if let Some(Value::String(target)) = members.shift_remove("$ref") {
        let found = target.strip_prefix('#').and_then(|at| root.pointer(at));
        let known = found.filter(|_| !path.contains(&target));
        let cost = known.map_or(0, printed_bytes);
        if let Some(Value::Object(found)) = known.filter(|_| cost <= *budget) {
            *budget -= cost;
            for (name, value) in found {
                // What is beside the reference is more specific.
                members.entry(name).or_insert_with(|| value.clone());
            }
            path.push(target);
        }
    }
    for inner in inner_schemas(members) {
        inline(inner, root, path, budget);
    }
    path.truncate(depth);
}

fn printed_bytes(schema: &Value) -> usize {
    schema.to_string().len()
}

/// Visits a schema and all schemas inside of it.
fn each_schema(schema: &mut Value, visit: &mut dyn FnMut(&mut Map<String, Value>)) {
    if let Value::Object(members) = schema {
        visit(members);
        for inner in inner_schemas(members) {
            each_schema(inner, visit);
        }
    }
}

/// Returns the schemas directly inside of a schema.
fn inner_schemas(members: &mut Map<String, Value>) -> Vec<&mut Value> {
    let mut inner = Vec::new();
    for (name, value) in members.iter_mut() {
        let name = name.as_str();
        if NAMED.contains(&name) {
            inner.extend(
                value
                    .as_object_mut()
                    .into_iter()
                    .flat_map(|it| it.values_mut()),
            );
        } else if SINGLE.contains(&name) && value.is_object() {
            inner.push(value);
        } else if LISTS.contains(&name) {
            inner.extend(value.as_array_mut().into_iter().flatten());
        }
    }
    inner
}

/// The keywords that limit a value.
const BOUNDS: &[&str] = &[
    "exclusiveMaximum",
    "exclusiveMinimum",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "uniqueItems",
];

/// The members of a document that hold schemas for references.
const DEFINITIONS: &[&str] = &["$defs", "definitions"];

/// The keywords with a schema for each name.
const NAMED: &[&str] = &[
    "$defs",
    "definitions",
    "dependentSchemas",
    "patternProperties",
    "properties",
];

/// The keywords with a list of schemas.
const LISTS: &[&str] = &["allOf", "anyOf", "oneOf", "prefixItems", "items"];

/// The keywords with one schema.
const SINGLE: &[&str] = &[
    "additionalProperties",
    "contains",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn adds_missing_properties() {
        for (mut schema, expected) in [
            (json!({"type": "object"}), empty_object()),
            (json!({}), empty_object()),
            (json!(true), empty_object()),
            (json!(null), empty_object()),
        ] {
            assert!(require_properties(&mut schema));
            assert_eq!(schema, expected);
            assert!(!require_properties(&mut schema));
        }
    }

    #[test]
    fn adds_items_in_depth() {
        let mut schema = json!({"properties": {"a": {"anyOf": [{"type": ["array", "null"]}]}}});
        assert!(require_items(&mut schema));
        let array = json!({"type": ["array", "null"], "items": {}});
        assert_eq!(schema, json!({"properties": {"a": {"anyOf": [array]}}}));
        assert!(!require_items(&mut schema));
    }

    #[test]
    fn moves_types_into_the_items_of_any_of() {
        let mut schema = json!({"type": "object", "anyOf": [{}], "properties": {
            "a": {"type": "string", "anyOf": [{"minLength": 1}, {"type": "integer"}, true, {"$ref": "#"}]},
        }});
        assert!(move_type_into_any_of(&mut schema));
        let expected = json!({"type": "object", "anyOf": [{}], "properties": {
            "a": {"anyOf": [{"minLength": 1, "type": "string"}, {"type": "integer"}, {"type": "string"}, {"$ref": "#"}]},
        }});
        assert_eq!(schema, expected);
        assert!(!move_type_into_any_of(&mut schema));
    }

    #[test]
    fn describes_bounds() {
        let mut schema = json!({"properties": {
            "maximum": {"type": "integer", "description": "How many.", "minimum": 1, "maximum": 9},
            "tags": {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": 5},
        }});
        assert!(describe_bounds(&mut schema));
        let expected = json!({"properties": {
            "maximum": {"type": "integer", "description": "How many. (maximum: 9, minimum: 1)"},
            "tags": {"type": "array", "items": {"type": "string", "description": "minLength: 1"}, "description": "maxItems: 5"},
        }});
        assert_eq!(schema, expected);
    }

    #[test]
    fn inlines_references_and_ends_recursion() {
        let mut schema = json!({
            "properties": {"node": {"$ref": "#/$defs/node", "description": "The root."}, "far": {"$ref": "other.json"}},
            "$defs": {"node": {"type": "object", "description": "A node.", "properties": {"next": {"$ref": "#/$defs/node"}}}},
        });
        assert!(inline_refs(&mut schema));
        let expected = json!({"properties": {
            "node": {"description": "The root.", "type": "object", "properties": {"next": {}}},
            "far": {},
        }});
        assert_eq!(schema, expected);
        assert!(!inline_refs(&mut schema));
    }

    #[test]
    fn bounds_inlined_references() {
        // Each definition refers twice to the next one.
        let mut defs = Map::new();
        for level in 0..40 {
            let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
            defs.insert(
                format!("d{level}"),
                json!({"properties": {"a": next, "b": next}}),
            );
        }
        let mut schema = json!({"$ref": "#/$defs/d0", "$defs": defs});
        let before = printed_bytes(&schema);
        assert!(inline_refs(&mut schema));
        assert!(printed_bytes(&schema) < (SCHEMA_GROWTH_MAX + 1) * before);
    }
}
