//! One mapping of the file: hands out its keys, and then refuses those that nobody asked for.

use crate::diagnostics::{Diagnostic, Position};
use crate::reader::Reader;
use crate::yaml::{Entry, Node, Value};

/// A value of the file and its name in it.
#[derive(Debug, Clone)]
pub(crate) struct Located<'n> {
    /// Such as `providers[0].name`.
    pub(crate) name: String,
    /// The value.
    pub(crate) node: &'n Node,
}

/// A mapping that is being read.
#[must_use = "unknown keys are refused by `end`"]
pub(crate) struct Mapping<'n> {
    name: String,
    position: Position,
    entries: &'n [Entry],
    known_keys: Vec<&'static str>,
}

impl<'n> Mapping<'n> {
    /// Begins with a mapping whose keys are unique; anything else is a mistake.
    pub(crate) fn open(reader: &mut Reader<'_>, located: &Located<'n>) -> Option<Self> {
        let entries = entries(reader, located)?;
        let name = located.name.clone();
        Some(Self {
            name,
            position: located.node.position,
            entries,
            known_keys: Vec::new(),
        })
    }

    /// Whether a key is there, whatever its value.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }

    /// Reads a key that may be missing.
    pub(crate) fn optional<'e, T>(
        &mut self,
        reader: &mut Reader<'e>,
        key: &'static str,
        read: impl FnOnce(&mut Reader<'e>, &Located<'n>) -> Option<T>,
    ) -> Option<T> {
        self.known_keys.push(key);
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        let located = Located {
            name: join(&self.name, key),
            node: &entry.node,
        };
        read(reader, &located)
    }

    /// Reads a key that has a default. After a mistake the default stands in, and never gets out.
    pub(crate) fn field<'e, T>(
        &mut self,
        reader: &mut Reader<'e>,
        key: &'static str,
        default: T,
        read: impl FnOnce(&mut Reader<'e>, &Located<'n>) -> Option<T>,
    ) -> T {
        self.optional(reader, key, read).unwrap_or(default)
    }

    /// Reads a key that must be there.
    pub(crate) fn required<'e, T>(
        &mut self,
        reader: &mut Reader<'e>,
        key: &'static str,
        read: impl FnOnce(&mut Reader<'e>, &Located<'n>) -> Option<T>,
    ) -> Option<T> {
        if !self.has(key) {
            let name = join(&self.name, key);
            let message = "is missing and has no default; add it".to_owned();
            reader.add(Diagnostic {
                position: Some(self.position),
                name,
                message,
            });
        }
        self.optional(reader, key, read)
    }

    /// Refuses the keys that nobody asked for.
    pub(crate) fn deny_unknown(self, reader: &mut Reader<'_>) {
        for entry in self.entries {
            if self.known_keys.contains(&entry.key.as_str()) {
                continue;
            }
            let name = join(&self.name, &entry.key);
            let message = unknown_key(&entry.key, &self.known_keys);
            reader.add(Diagnostic {
                position: Some(entry.position),
                name,
                message,
            });
        }
    }
}

/// The entries of a mapping, each key once.
pub(crate) fn entries<'n>(reader: &mut Reader<'_>, located: &Located<'n>) -> Option<&'n [Entry]> {
    let Value::Map(entries) = &located.node.value else {
        reader.invalid_type(located, "must be a mapping of keys to values");
        return None;
    };
    for (index, entry) in entries.iter().enumerate() {
        let Some(first) = entries
            .iter()
            .take(index)
            .find(|other| other.key == entry.key)
        else {
            continue;
        };
        let message = format!(
            "the key stands at line {} already; remove one of them",
            first.position.line
        );
        let name = join(&located.name, &entry.key);
        reader.add(Diagnostic {
            position: Some(entry.position),
            name,
            message,
        });
    }
    Some(entries)
}

/// The name of what is below a name.
pub(crate) fn join(name: &str, key: &str) -> String {
    if name.is_empty() {
        key.to_owned()
    } else {
        format!("{name}.{key}")
    }
}

fn unknown_key(key: &str, known: &[&str]) -> String {
    if key == "<<" {
        return "merge keys are not supported; repeat the keys here".to_owned();
    }
    let nearest = known
        .iter()
        .map(|known| (strsim::osa_distance(key, known), known))
        .filter(|(distance, known)| *distance <= (known.len() / 3).max(1))
        .min();
    match nearest {
        Some((_, nearest)) => format!("unknown key; did you mean `{nearest}`?"),
        None => format!("unknown key; the keys here are {}", known.join(", ")),
    }
}
