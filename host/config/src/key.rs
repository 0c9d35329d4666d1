//! A configuration key as data: its name, its kind, its default and its description. `keys.rs` is the
//! table of all keys.

use serde_json::{Map, Value as Json, json};

use crate::reader::{Located, Reader};

/// A key of a mapping. `P` says what it means if the key is absent.
pub(crate) struct Key<K, P> {
    /// Its name in the mapping.
    pub(crate) name: &'static str,
    /// The kind of its values, with their limits.
    pub(crate) kind: K,
    /// What it means if the key is absent.
    pub(crate) presence: P,
    /// What it does, in full sentences, for the manual.
    text: &'static str,
    /// Whether a change needs a restart.
    pub(crate) needs_restart: bool,
    /// The deprecated name. It is read with a warning until 1.0.
    pub(crate) old_name: Option<&'static str>,
}

/// A key that must be present.
pub(crate) type RequiredKey<K> = Key<K, Required>;
/// A key without a default.
pub(crate) type OptionalKey<K> = Key<K, Optional>;
/// A key with a default.
pub(crate) type DefaultKey<K> = Key<K, DefaultValue<<K as Kind>::Value>>;

/// Declares a key that must be present.
pub(crate) const fn required<K>(name: &'static str, kind: K, text: &'static str) -> RequiredKey<K> {
    key(name, kind, Required, text)
}

/// Declares a key without a default. `absent` says for the manual what its absence means.
pub(crate) const fn optional<K>(
    name: &'static str,
    kind: K,
    absent: &'static str,
    text: &'static str,
) -> OptionalKey<K> {
    key(name, kind, Optional(absent), text)
}

/// Declares a key with a default.
pub(crate) const fn default<K: Kind>(
    name: &'static str,
    kind: K,
    value: fn(&Reader<'_>) -> K::Value,
    text: &'static str,
) -> DefaultKey<K> {
    key(name, kind, DefaultValue(value), text)
}

const fn key<K, P>(name: &'static str, kind: K, presence: P, text: &'static str) -> Key<K, P> {
    Key {
        name,
        kind,
        presence,
        text,
        needs_restart: false,
        old_name: None,
    }
}

impl<K, P> Key<K, P> {
    /// A change of the key needs a restart.
    pub(crate) const fn restart(mut self) -> Self {
        self.needs_restart = true;
        self
    }

    /// The key had another name, which is still read.
    pub(crate) const fn was(mut self, old_name: &'static str) -> Self {
        self.old_name = Some(old_name);
        self
    }

    /// Whether a key of the file is this one, by its name or its old name.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.name == name || self.old_name == Some(name)
    }
}

/// A kind of value, for the manual and for the JSON Schema.
pub(crate) trait Describe: Sync {
    /// What the manual says about such a value, such as `1 to 20.`
    fn rule(&self) -> String;

    /// The JSON Schema of such a value.
    fn schema(&self) -> Json;

    /// The keys of a mapping, or of the mappings in a list.
    fn section(&self) -> Option<&'static Section> {
        None
    }
}

/// A kind of value that is read without knowledge of the rest of the file.
pub(crate) trait Kind: Describe {
    /// The value that the host works with.
    type Value;

    /// Reads a value, or reports what is wrong with it.
    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Self::Value>;

    /// Returns the value as a file has it. The text of a secret is the secret itself.
    fn text(&self, value: &Self::Value) -> String;
}

/// The key must be present.
pub(crate) struct Required;

/// The key may be absent; the text says what that means.
pub(crate) struct Optional(&'static str);

/// The key may be absent, and then has this value.
pub(crate) struct DefaultValue<V>(fn(&Reader<'_>) -> V);

/// What the reader does if a key is absent.
pub(crate) trait Presence<V> {
    /// What the reader returns.
    type Output;

    /// The value of an absent key.
    fn default_value(&self, reader: &Reader<'_>) -> Option<V>;

    /// The result, from the value of the file. After an error the default takes its place; the
    /// configuration is refused then.
    fn output(&self, value: Option<V>, reader: &Reader<'_>) -> Self::Output;

    /// Whether a mapping without the key is an error.
    const REQUIRED: bool = false;
}

impl<V> Presence<V> for Required {
    type Output = Option<V>;

    fn default_value(&self, _: &Reader<'_>) -> Option<V> {
        None
    }

    fn output(&self, value: Option<V>, _: &Reader<'_>) -> Option<V> {
        value
    }

    const REQUIRED: bool = true;
}

impl<V> Presence<V> for Optional {
    type Output = Option<V>;

    fn default_value(&self, _: &Reader<'_>) -> Option<V> {
        None
    }

    fn output(&self, value: Option<V>, _: &Reader<'_>) -> Option<V> {
        value
    }
}

impl<V> Presence<V> for DefaultValue<V> {
    type Output = V;

    fn default_value(&self, reader: &Reader<'_>) -> Option<V> {
        Some(self.0(reader))
    }

    fn output(&self, value: Option<V>, reader: &Reader<'_>) -> V {
        value.unwrap_or_else(|| self.0(reader))
    }
}

/// What the manual and the JSON Schema say about an absent key.
pub(crate) trait Absence<K>: Sync {
    /// The default column of the manual.
    fn column(&self, kind: &K) -> String;

    /// The default in the JSON Schema.
    fn json(&self, kind: &K) -> Option<Json>;

    /// Whether the JSON Schema requires the key.
    fn is_required(&self) -> bool {
        false
    }
}

impl<K> Absence<K> for Required {
    fn column(&self, _: &K) -> String {
        "required".to_owned()
    }

    fn json(&self, _: &K) -> Option<Json> {
        None
    }

    fn is_required(&self) -> bool {
        true
    }
}

impl<K> Absence<K> for Optional {
    fn column(&self, _: &K) -> String {
        self.0.to_owned()
    }

    fn json(&self, _: &K) -> Option<Json> {
        None
    }
}

impl<K: Kind> Absence<K> for DefaultValue<K::Value> {
    fn column(&self, kind: &K) -> String {
        format!("`{}`", kind.text(&self.0(&Reader::detached())))
    }

    fn json(&self, kind: &K) -> Option<Json> {
        let text = kind.text(&self.0(&Reader::detached()));
        Some(serde_json::from_str(&text).unwrap_or_else(|_| json!(text)))
    }
}

/// A key without its type, as the manual, the JSON Schema and the check for unknown keys see it.
pub(crate) trait Row: Sync {
    fn name(&self) -> &'static str;
    fn old_name(&self) -> Option<&'static str>;
    /// Whether a key of the file is this one, by its name or its old name.
    fn is_named(&self, name: &str) -> bool;
    fn needs_restart(&self) -> bool;
    fn is_required(&self) -> bool;
    /// The default column of the manual.
    fn absent(&self) -> String;
    /// The last column of the manual.
    fn meaning(&self) -> String;
    fn schema(&self) -> Json;
    /// What an editor shows.
    fn description(&self) -> String {
        let restart = if self.needs_restart() {
            " A change needs a restart."
        } else {
            ""
        };
        format!("{} Default: {}.{restart}", self.meaning(), self.absent())
    }
    /// The keys below it, if it has any.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the tables of the manual are checked by a test")
    )]
    fn section(&self) -> Option<&'static Section>;
}

impl<K: Describe, P: Absence<K>> Row for Key<K, P> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn old_name(&self) -> Option<&'static str> {
        self.old_name
    }

    fn is_named(&self, name: &str) -> bool {
        Self::is_named(self, name)
    }

    fn needs_restart(&self) -> bool {
        self.needs_restart
    }

    fn is_required(&self) -> bool {
        self.presence.is_required()
    }

    fn absent(&self) -> String {
        self.presence.column(&self.kind)
    }

    fn meaning(&self) -> String {
        let deprecated = self.old_name.map_or_else(String::new, |old_name| {
            format!(" `{old_name}` is the deprecated name.")
        });
        format!("{} {}{deprecated}", self.kind.rule(), self.text)
    }

    fn schema(&self) -> Json {
        let mut schema = self.kind.schema();
        if let Json::Object(members) = &mut schema {
            members.insert("description".to_owned(), json!(self.description()));
            let default = self.presence.json(&self.kind);
            members.extend(default.map(|default| ("default".to_owned(), default)));
        }
        schema
    }

    fn section(&self) -> Option<&'static Section> {
        self.kind.section()
    }
}

/// The keys of one mapping.
pub(crate) struct Section {
    /// The name of the mapping in the manual, such as `credentials[]`; empty for the whole file.
    pub(crate) path: &'static str,
    /// Its keys, in the order of the manual.
    pub(crate) keys: &'static [&'static dyn Row],
    /// Another section whose keys the mapping may have too.
    pub(crate) extends: Option<&'static Section>,
}

impl Section {
    /// All keys that the mapping may have.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &'static dyn Row> {
        let more = self.extends.map_or(&[][..], |section| section.keys);
        self.keys.iter().chain(more).copied()
    }

    /// The JSON Schema of the mapping. It allows no other keys.
    pub(crate) fn schema(&self) -> Json {
        let mut properties = Map::new();
        for key in self.rows() {
            properties.insert(key.name().to_owned(), key.schema());
            if let Some(old_name) = key.old_name() {
                let mut schema = key.schema();
                schema["deprecated"] = json!(true);
                schema["description"] = json!(format!("Deprecated: use `{}`.", key.name()));
                properties.insert(old_name.to_owned(), schema);
            }
        }
        let required = self.rows().filter(|key| key.is_required());
        let required: Vec<_> = required.map(Row::name).collect();
        json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }
}

/// Declares the keys of one mapping, and the mapping with all of them.
macro_rules! section {
    ($(#[$doc:meta])* $section:ident at $path:literal { $($key:ident: $kind:ty = $value:expr;)* }) => {
        $(pub(crate) static $key: $kind = $value;)*

        $(#[$doc])*
        pub(crate) static $section: Section = Section {
            path: $path,
            keys: &[$(&$key),*],
            extends: None,
        };
    };
}

pub(crate) use section;
