//! Reads a JSON object member by member, and warns of those that were not read.

use serde_json::{Map, Value};

use super::report::{TranslationError, TranslationReport};
use crate::json::{into_string, lenient_text, long_number, mark_long};

/// The members of an object that are not read yet, and the object's path. Null counts as missing.
#[derive(Debug)]
pub(crate) struct ObjectReader {
    /// The path of the object, such as `messages[2]`; empty for the body.
    path: String,
    members: Map<String, Value>,
}

impl ObjectReader {
    /// Parses a body.
    pub(crate) fn from_body(body: &[u8]) -> Result<Self, TranslationError> {
        let value: Value =
            serde_json::from_str(&mark_long(&lenient_text(body))).map_err(|error| {
                let (line, column) = (error.line(), error.column());
                TranslationError::new(
                    "",
                    format!("the body is not JSON: see line {line}, column {column}"),
                )
            })?;
        match value {
            Value::Object(members) => Ok(Self {
                path: String::new(),
                members,
            }),
            _ => Err(TranslationError::new("", "the body must be a JSON object")),
        }
    }

    /// Reads the object at `path`.
    pub(crate) fn from_value(
        value: Value,
        path: impl Into<String>,
    ) -> Result<Self, TranslationError> {
        let path = path.into();
        match value {
            Value::Object(members) => Ok(Self { path, members }),
            _ => Err(TranslationError::new(path, "must be an object")),
        }
    }

    /// The path of the object.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Returns the path of a member.
    pub(crate) fn member_path(&self, name: &str) -> String {
        if self.path.is_empty() {
            return name.to_owned();
        }
        format!("{}.{name}", self.path)
    }

    /// Returns an error about a member.
    pub(crate) fn error(
        &self,
        name: &str,
        what: impl Into<std::borrow::Cow<'static, str>>,
    ) -> TranslationError {
        TranslationError::new(self.member_path(name), what)
    }

    /// Takes a member of any type.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        // Keeps the order of the others: a response may repeat them.
        self.members
            .shift_remove(name)
            .filter(|value| !value.is_null())
    }

    /// Returns a member of any type without taking it.
    pub(crate) fn peek(&self, name: &str) -> Option<&Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// Takes a string.
    pub(crate) fn string(&mut self, name: &str) -> Result<Option<String>, TranslationError> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => match into_string(value) {
                Some(text) => Ok(Some(text)),
                None => Err(self.error(name, "must be a string")),
            },
        }
    }

    /// Takes a required string.
    pub(crate) fn required_string(&mut self, name: &str) -> Result<String, TranslationError> {
        self.string(name)?
            .ok_or_else(|| self.error(name, "missing"))
    }

    /// Takes a boolean.
    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>, TranslationError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.error(name, "must be true or false")),
        }
    }

    /// Takes a number.
    pub(crate) fn number(&mut self, name: &str) -> Result<Option<f64>, TranslationError> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => match number(&value) {
                Some(number) => Ok(Some(number)),
                None => Err(self.error(name, "must be a number")),
            },
        }
    }

    /// Takes a whole number that is not negative.
    pub(crate) fn count(&mut self, name: &str) -> Result<Option<u64>, TranslationError> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(number) => Ok(Some(number)),
                None => Err(self.error(name, "must be a whole number, not negative")),
            },
        }
    }

    /// Takes a limit of tokens. No API answers with none.
    pub(crate) fn token_limit(&mut self, name: &str) -> Result<Option<u64>, TranslationError> {
        match self.count(name)? {
            Some(0) => Err(self.error(name, "must be 1 or more")),
            limit => Ok(limit),
        }
    }

    /// Takes a JSON schema, which must be an object: no API takes the schemas `true` and `false`.
    pub(crate) fn schema(&mut self, name: &str) -> Result<Option<Value>, TranslationError> {
        match self.take(name) {
            schema @ (None | Some(Value::Object(_))) => Ok(schema),
            Some(_) => Err(self.error(name, "must be an object")),
        }
    }

    /// Takes a whole number.
    pub(crate) fn integer(&mut self, name: &str) -> Result<Option<i64>, TranslationError> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => match value.as_i64() {
                Some(number) => Ok(Some(number)),
                None => Err(self.error(name, "must be a whole number")),
            },
        }
    }

    /// Takes an array; empty if it is missing.
    pub(crate) fn list(&mut self, name: &str) -> Result<Vec<Value>, TranslationError> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items),
            Some(_) => Err(self.error(name, "must be an array")),
        }
    }

    /// Takes an array of strings; empty if it is missing.
    pub(crate) fn strings(&mut self, name: &str) -> Result<Vec<String>, TranslationError> {
        let items = self.list(name)?.into_iter().map(into_string);
        items
            .collect::<Option<_>>()
            .ok_or_else(|| self.error(name, "must be an array of strings"))
    }

    /// Takes an object.
    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Self>, TranslationError> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => Self::from_value(value, self.member_path(name)).map(Some),
        }
    }

    /// Takes an array of objects, each with its path.
    pub(crate) fn objects(&mut self, name: &str) -> Result<Vec<Self>, TranslationError> {
        let items = self.list(name)?.into_iter().enumerate();
        let path = self.member_path(name);
        items
            .map(|(index, item)| Self::from_value(item, format!("{path}[{index}]")))
            .collect()
    }

    /// Drops a member without a warning: it needs no translation.
    pub(crate) fn skip(&mut self, name: &str) {
        self.members.shift_remove(name);
    }

    /// Warns of every member that was not taken. `null` is no loss.
    pub(crate) fn warn_unread(self, report: &mut TranslationReport) {
        for (name, value) in &self.members {
            if !value.is_null() {
                report.warn_dropped(self.member_path(name));
            }
        }
    }
}

/// Returns a number, rounded to a double.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => long_number(text)?.parse().ok(),
        other => other.as_f64(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn warns_of_unread_members_with_path() -> Result<(), TranslationError> {
        let body = json!({"a": 1, "list": [{"b": "x", "c": true}], "n": null});
        let mut fields = ObjectReader::from_value(body, "")?;
        let mut report = TranslationReport::default();
        for mut item in fields.objects("list")? {
            assert_eq!(item.string("b")?.as_deref(), Some("x"));
            item.warn_unread(&mut report);
        }
        fields.warn_unread(&mut report);
        let named: Vec<_> = report.warnings().iter().map(|it| &*it.field).collect();
        assert_eq!(named, ["list[0].c", "a"]);
        Ok(())
    }

    #[test]
    fn rejects_wrong_type_with_path() -> Result<(), TranslationError> {
        let mut fields = ObjectReader::from_value(json!({"a": [{"b": 1}], "t": "x"}), "")?;
        let mut item = fields.objects("a")?.remove(0);
        let refused = item.string("b").unwrap_err();
        assert_eq!(refused.to_string(), "a[0].b: must be a string");
        assert_eq!(fields.number("t").unwrap_err().field, "t");
        assert_eq!(fields.required_string("u").unwrap_err().field, "u");
        Ok(())
    }
}
