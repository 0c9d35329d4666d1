//! The kinds of values. Each reads a value, describes it in the manual and in the JSON Schema.

mod edge;
mod login;
mod numbers;
mod scalars;
mod secret;
mod settings;
mod traits;
mod urls;

use serde_json::{Value as Json, json};

use crate::key::{Describe, Kind, Section};
use crate::reader::{Located, Reader};
use crate::yaml::Value;

pub(crate) use edge::{Address, HostName, Proxy, Size, SocketMode, WebOrigin};
pub(crate) use login::{LoginUrl, TokenMemberName, UrlPath};
pub(crate) use numbers::{Duration, Limit, Permille, Timestamp, Whole};
pub(crate) use scalars::{
    Choice, Flag, HeaderName, HeaderPatternKind, JsonPointer, Line, Name, Path, Prefix,
    SelectorName, Sha256Hex, is_name,
};
pub(crate) use secret::Secret;
pub(crate) use settings::Settings;
pub(crate) use traits::TraitsKind;
pub(crate) use urls::{BaseUrl, Origin, ProxyUrl};

/// A mapping with keys of its own.
pub(crate) struct Nested(pub(crate) &'static Section);

/// A list of mappings with keys of their own.
pub(crate) struct ListOf(pub(crate) &'static Section);

/// A list of values that have one kind.
pub(crate) struct List<K>(pub(crate) K);

/// A mapping from names to values that have one kind.
pub(crate) struct MapOf<K> {
    /// The kind of the values.
    pub(crate) values: K,
    /// What the manual says about it.
    pub(crate) rule: &'static str,
}

/// A list of mappings with keys of their own, or a word instead of it.
pub(crate) struct ListOrWord {
    /// The items.
    pub(crate) items: &'static Section,
    /// The word.
    pub(crate) word: &'static str,
}

/// Text, or any other scalar taken as text.
pub(crate) struct Text;

/// A list of places that identify the session of a call: the word `client-key`, or a mapping. It may be
/// empty.
pub(crate) struct AffinityPlaces(pub(crate) &'static Section);

impl Describe for Nested {
    fn rule(&self) -> String {
        "Mapping.".to_owned()
    }

    fn schema(&self) -> Json {
        self.0.schema()
    }

    fn section(&self) -> Option<&'static Section> {
        Some(self.0)
    }
}

impl Describe for ListOf {
    fn rule(&self) -> String {
        "List with at least one item.".to_owned()
    }

    fn schema(&self) -> Json {
        json!({ "type": "array", "minItems": 1, "items": self.0.schema() })
    }

    fn section(&self) -> Option<&'static Section> {
        Some(self.0)
    }
}

impl Describe for ListOrWord {
    fn rule(&self) -> String {
        format!("List with at least one item, or the word `{}`.", self.word)
    }

    fn schema(&self) -> Json {
        json!({ "anyOf": [{ "const": self.word }, ListOf(self.items).schema()] })
    }

    fn section(&self) -> Option<&'static Section> {
        Some(self.items)
    }
}

impl ListOrWord {
    /// Whether the value is the word.
    pub(crate) fn is_word(&self, located: &Located<'_>) -> bool {
        matches!(&located.node.value, Value::Scalar { text, .. } if text == self.word)
    }
}

impl<K: Describe> Describe for List<K> {
    fn rule(&self) -> String {
        "List.".to_owned()
    }

    fn schema(&self) -> Json {
        json!({ "type": "array", "minItems": 1, "items": self.0.schema() })
    }

    fn section(&self) -> Option<&'static Section> {
        self.0.section()
    }
}

impl<K: Kind> Kind for List<K> {
    type Value = Vec<K::Value>;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Self::Value> {
        reader.list(located, |reader, located| self.0.read(reader, located))
    }

    fn text(&self, value: &Self::Value) -> String {
        let items: Vec<String> = value.iter().map(|item| self.0.text(item)).collect();
        format!("[{}]", items.join(", "))
    }
}

impl<K: Describe> Describe for MapOf<K> {
    fn rule(&self) -> String {
        self.rule.to_owned()
    }

    fn schema(&self) -> Json {
        json!({ "type": "object", "additionalProperties": self.values.schema() })
    }

    fn section(&self) -> Option<&'static Section> {
        self.values.section()
    }
}

impl Describe for Text {
    fn rule(&self) -> String {
        "Text.".to_owned()
    }

    fn schema(&self) -> Json {
        json!({ "type": ["string", "number", "boolean"] })
    }
}

impl Describe for AffinityPlaces {
    fn rule(&self) -> String {
        "List.".to_owned()
    }

    fn schema(&self) -> Json {
        let place = json!({ "anyOf": [{ "const": "client-key" }, self.0.schema()] });
        json!({ "type": "array", "items": place })
    }

    fn section(&self) -> Option<&'static Section> {
        Some(self.0)
    }
}
