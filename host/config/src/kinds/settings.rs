//! Settings of a plugin: any mapping, passed on as JSON. The types are those of YAML's core schema.

use std::sync::Arc;

use serde_json::{Map, Number, Value as Json, json};

use crate::key::{Describe, Kind};
use crate::mapping::entries;
use crate::reader::{Located, Reader};
use crate::yaml::{Node, Value};

/// The text of one JSON object.
pub(crate) struct Settings;

impl Describe for Settings {
    fn rule(&self) -> String {
        format!(
            "Mapping, at most {} KiB as JSON.",
            SETTINGS_BYTES_MAX / 1024
        )
    }

    fn schema(&self) -> Json {
        json!({ "type": "object" })
    }
}

impl Kind for Settings {
    type Value = Arc<str>;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Arc<str>> {
        let text = Json::Object(object(reader, located)?).to_string();
        if text.len() > SETTINGS_BYTES_MAX {
            let limit = SETTINGS_BYTES_MAX / 1024;
            let message = format!("is larger than {limit} KiB as JSON; shorten it");
            reader.report(located, message);
            return None;
        }
        Some(text.into())
    }

    fn text(&self, value: &Arc<str>) -> String {
        value.as_ref().to_owned()
    }
}

/// Reads a mapping as JSON. Values with errors are left out.
pub(super) fn object(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Map<String, Json>> {
    let mut object = Map::new();
    for entry in entries(reader, located)? {
        if let Some(value) = value(reader, &located.member(&entry.key, &entry.node)) {
            object.insert(entry.key.clone(), value);
        }
    }
    Some(object)
}

fn value(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Json> {
    match &located.node.value {
        Value::Scalar { .. } if located.node.is_null() => Some(Json::Null),
        Value::Map(_) => object(reader, located).map(Json::Object),
        Value::List(items) => {
            let item = |(index, node): (usize, &Node)| {
                let name = format!("{}[{index}]", located.name);
                value(reader, &Located { name, node })
            };
            Some(Json::Array(
                items.iter().enumerate().filter_map(item).collect(),
            ))
        }
        Value::Scalar { text, plain: false } => Some(Json::String(text.clone())),
        Value::Scalar { text, plain: true } => {
            let json = plain(text);
            if json.is_none() {
                let message = "is a number that JSON cannot hold; put it in quotes";
                reader.report(located, message);
            }
            json
        }
    }
}

/// None for numbers that JSON cannot hold.
fn plain(text: &str) -> Option<Json> {
    match text {
        "true" | "True" | "TRUE" => return Some(Json::Bool(true)),
        "false" | "False" | "FALSE" => return Some(Json::Bool(false)),
        _ => {}
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(digits) = text.strip_prefix("0x") {
        return i64::from_str_radix(digits, 16).ok().map(Json::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return i64::from_str_radix(digits, 8).ok().map(Json::from);
    }
    if !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = text.parse::<i64>().map(Json::from);
        return number.or_else(|_| text.parse::<u64>().map(Json::from)).ok();
    }
    if matches!(unsigned.to_ascii_lowercase().as_str(), ".inf" | ".nan") {
        return None;
    }
    if is_float(unsigned) {
        return text
            .parse()
            .ok()
            .and_then(Number::from_f64)
            .map(Json::Number);
    }
    Some(Json::String(text.to_owned()))
}

/// Digits with a point or an exponent. Rust's own parser would take `inf` and `nan` too.
fn is_float(text: &str) -> bool {
    let begins = text.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    begins && text.contains(|c: char| c.is_ascii_digit()) && text.parse::<f64>().is_ok()
}

/// Each instance of the plugin has a copy.
const SETTINGS_BYTES_MAX: usize = 64 * 1024;
