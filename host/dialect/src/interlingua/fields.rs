//! Reads a JSON object member by member, and knows in the end which ones nobody asked for.

use serde_json::{Map, Value};

use super::notes::{Notes, Refusal};

/// The members of an object that are not read yet, and where it stands. Null counts as missing.
#[derive(Debug)]
pub(crate) struct Fields {
    /// Where the object stands: empty, or such as `messages[2]`.
    path: String,
    members: Map<String, Value>,
}

impl Fields {
    /// The members of a body.
    pub(crate) fn of_body(body: &[u8]) -> Result<Self, Refusal> {
        let value: Value = serde_json::from_slice(body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            Refusal::new(
                "",
                format!("the body is not JSON: see line {line}, column {column}"),
            )
        })?;
        match value {
            Value::Object(members) => Ok(Self {
                path: String::new(),
                members,
            }),
            _ => Err(Refusal::new("", "the body must be a JSON object")),
        }
    }

    /// The members of a value that stands at `path`.
    pub(crate) fn of(value: Value, path: impl Into<String>) -> Result<Self, Refusal> {
        let path = path.into();
        match value {
            Value::Object(members) => Ok(Self { path, members }),
            _ => Err(Refusal::new(path, "must be an object")),
        }
    }

    /// Where the object stands.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Where a member stands.
    pub(crate) fn at(&self, name: &str) -> String {
        if self.path.is_empty() {
            return name.to_owned();
        }
        format!("{}.{name}", self.path)
    }

    /// A refusal of a member.
    pub(crate) fn refusal(
        &self,
        name: &str,
        what: impl Into<std::borrow::Cow<'static, str>>,
    ) -> Refusal {
        Refusal::new(self.at(name), what)
    }

    /// Takes a member as it is.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        // Keeps the order of the others: they may be repeated to somebody.
        self.members
            .shift_remove(name)
            .filter(|value| !value.is_null())
    }

    /// A member as it is, left where it is.
    pub(crate) fn peek(&self, name: &str) -> Option<&Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// Takes a text.
    pub(crate) fn string(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.refusal(name, "must be a string")),
        }
    }

    /// Takes a text that must be there.
    pub(crate) fn needed_string(&mut self, name: &str) -> Result<String, Refusal> {
        self.string(name)?
            .ok_or_else(|| self.refusal(name, "missing"))
    }

    /// Takes a flag.
    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.refusal(name, "must be true or false")),
        }
    }

    /// Takes a number.
    pub(crate) fn number(&mut self, name: &str) -> Result<Option<f64>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => match value.as_f64() {
                Some(number) => Ok(Some(number)),
                None => Err(self.refusal(name, "must be a number")),
            },
        }
    }

    /// Takes a whole number that is not negative.
    pub(crate) fn count(&mut self, name: &str) -> Result<Option<u64>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(number) => Ok(Some(number)),
                None => Err(self.refusal(name, "must be a whole number, not negative")),
            },
        }
    }

    /// Takes a whole number.
    pub(crate) fn integer(&mut self, name: &str) -> Result<Option<i64>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => match value.as_i64() {
                Some(number) => Ok(Some(number)),
                None => Err(self.refusal(name, "must be a whole number")),
            },
        }
    }

    /// Takes a list; none there is an empty one.
    pub(crate) fn list(&mut self, name: &str) -> Result<Vec<Value>, Refusal> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items),
            Some(_) => Err(self.refusal(name, "must be an array")),
        }
    }

    /// Takes an object.
    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Self>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => Self::of(value, self.at(name)).map(Some),
        }
    }

    /// Takes the objects of a list, each with its place.
    pub(crate) fn objects(&mut self, name: &str) -> Result<Vec<Self>, Refusal> {
        let items = self.list(name)?.into_iter().enumerate();
        let path = self.at(name);
        items
            .map(|(index, item)| Self::of(item, format!("{path}[{index}]")))
            .collect()
    }

    /// Passes over a member that needs no translation and says nothing that could be lost.
    pub(crate) fn skip(&mut self, name: &str) {
        self.members.shift_remove(name);
    }

    /// Warns of every member that nobody took. `null` says nothing, and is no loss.
    pub(crate) fn warn_of_rest(self, notes: &mut Notes) {
        for (name, value) in &self.members {
            if !value.is_null() {
                notes.dropped(self.at(name));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_nobody_took_is_named_with_its_place() -> Result<(), Refusal> {
        let body = json!({"a": 1, "list": [{"b": "x", "c": true}], "n": null});
        let mut fields = Fields::of(body, "")?;
        let mut notes = Notes::default();
        for mut item in fields.objects("list")? {
            assert_eq!(item.string("b")?.as_deref(), Some("x"));
            item.warn_of_rest(&mut notes);
        }
        fields.warn_of_rest(&mut notes);
        let named: Vec<_> = notes.warnings().iter().map(|it| &*it.field).collect();
        assert_eq!(named, ["list[0].c", "a"]);
        Ok(())
    }

    #[test]
    fn a_wrong_type_is_refused_with_its_place() -> Result<(), Refusal> {
        let mut fields = Fields::of(json!({"a": [{"b": 1}], "t": "x"}), "")?;
        let mut item = fields.objects("a")?.remove(0);
        let refused = item.string("b").unwrap_err();
        assert_eq!(refused.to_string(), "a[0].b: must be a string");
        assert_eq!(fields.number("t").unwrap_err().field, "t");
        assert_eq!(fields.needed_string("u").unwrap_err().field, "u");
        Ok(())
    }
}
