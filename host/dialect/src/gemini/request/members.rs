//! Reads objects whose members may be in snake case or in camel case.

use serde_json::{Map, Value};

use crate::ir::{ObjectReader, TranslationError};
use crate::json::{lenient_text, mark_long};

/// Reads a request body, with its members in camel case.
///
/// # Errors
/// If the body is not a JSON object, or has a member in both spellings.
pub(crate) fn body(body: &[u8]) -> Result<ObjectReader, TranslationError> {
    match serde_json::from_str(&mark_long(&lenient_text(body))) {
        Ok(value @ Value::Object(_)) => object(value, ""),
        // This returns the error with its line and column.
        _ => ObjectReader::from_body(body),
    }
}

/// Reads the object at `path`, with its members in camel case. Objects inside of it are not changed: they may
/// be the client's data.
///
/// # Errors
/// If the value is not an object, or has a member in both spellings.
pub(crate) fn object(
    value: Value,
    path: impl Into<String>,
) -> Result<ObjectReader, TranslationError> {
    let path = path.into();
    let Value::Object(members) = value else {
        return Err(TranslationError::new(path, "must be an object"));
    };
    let mut renamed = Map::new();
    for (name, value) in members {
        let name = camel_case(&name);
        if renamed.contains_key(&name) {
            let place = if path.is_empty() {
                name
            } else {
                format!("{path}.{name}")
            };
            return Err(TranslationError::new(
                place,
                "given in snake case and in camel case; send one of them",
            ));
        }
        renamed.insert(name, value);
    }
    ObjectReader::from_value(Value::Object(renamed), path)
}

/// Takes an object out of another; `None` if it is missing or null.
///
/// # Errors
/// As [`object`].
pub(crate) fn nested(
    fields: &mut ObjectReader,
    name: &str,
) -> Result<Option<ObjectReader>, TranslationError> {
    match fields.take(name) {
        None => Ok(None),
        Some(value) => object(value, fields.member_path(name)).map(Some),
    }
}

/// Takes the objects of a list.
///
/// # Errors
/// If the member is not a list, or as [`object`].
pub(crate) fn nested_list(
    fields: &mut ObjectReader,
    name: &str,
) -> Result<Vec<ObjectReader>, TranslationError> {
    let path = fields.member_path(name);
    let items = fields.list(name)?.into_iter().enumerate();
    items
        .map(|(index, item)| object(item, format!("{path}[{index}]")))
        .collect()
}

/// Converts a name to camel case: `top_k` becomes `topK`. A leading underscore stays.
pub(crate) fn camel_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for letter in name.chars() {
        if letter == '_' && !out.is_empty() {
            upper = true;
        } else if upper {
            out.push(letter.to_ascii_uppercase());
            upper = false;
        } else {
            out.push(letter);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn accepts_snake_and_camel_case() -> Result<(), TranslationError> {
        let mut fields = object(json!({"top_k": 1, "fileData": {"file_uri": "x"}}), "")?;
        assert_eq!(fields.count("topK")?, Some(1));
        let file = nested(&mut fields, "fileData")?;
        let uri = file.map(|mut file| file.string("fileUri")).transpose()?;
        assert_eq!(uri.flatten().as_deref(), Some("x"));
        let twice = object(json!({"top_k": 1, "topK": 2}), "a").unwrap_err();
        assert_eq!(twice.field, "a.topK");
        Ok(())
    }
}
