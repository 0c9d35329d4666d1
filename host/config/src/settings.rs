//! An executor's settings: any mapping, handed on as JSON. The types are those of YAML's core schema.

use serde_json::{Map, Number, Value as Json};

use crate::mapping::{Located, entries, join};
use crate::reader::Reader;
use crate::yaml::{Node, Value};

impl Reader<'_> {
    /// The text of one JSON object. Values with mistakes are left out.
    pub(crate) fn settings(&mut self, located: &Located<'_>) -> Option<String> {
        let text = Json::Object(self.json_object(located)?).to_string();
        if text.len() > SETTINGS_BYTES_MAX {
            let limit = SETTINGS_BYTES_MAX / 1024;
            self.report(
                located,
                format!("is larger than {limit} KiB as JSON; shorten it"),
            );
            return None;
        }
        Some(text)
    }

    fn json_object(&mut self, located: &Located<'_>) -> Option<Map<String, Json>> {
        let mut object = Map::new();
        for entry in entries(self, located)? {
            let below = Located {
                name: join(&located.name, &entry.key),
                node: &entry.node,
            };
            if let Some(value) = self.json(&below) {
                object.insert(entry.key.clone(), value);
            }
        }
        Some(object)
    }

    fn json(&mut self, located: &Located<'_>) -> Option<Json> {
        match &located.node.value {
            Value::Scalar { .. } if located.node.is_null() => Some(Json::Null),
            Value::Map(_) => self.json_object(located).map(Json::Object),
            Value::List(items) => {
                let item = |(index, node): (usize, &Node)| {
                    self.json(&Located {
                        name: format!("{}[{index}]", located.name),
                        node,
                    })
                };
                Some(Json::Array(
                    items.iter().enumerate().filter_map(item).collect(),
                ))
            }
            Value::Scalar { text, plain: false } => Some(Json::String(text.clone())),
            Value::Scalar { text, plain: true } => {
                let json = plain(text);
                if json.is_none() {
                    self.report(
                        located,
                        "is a number that JSON cannot hold; put it in quotes",
                    );
                }
                json
            }
        }
    }
}

/// None for numbers without a place in JSON.
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

/// Every instance of the plugin holds a copy.
const SETTINGS_BYTES_MAX: usize = 64 * 1024;
