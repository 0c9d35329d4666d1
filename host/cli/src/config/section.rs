//! One mapping of the file: hands out its keys, and then refuses those that nobody asked for.

use super::mistake::{Mistake, Place};
use super::reader::Reader;
use super::yaml::{Entry, Node, Value};

/// A value of the file and its name in it.
#[derive(Debug, Clone)]
pub(super) struct Spot<'n> {
    /// Such as `providers[0].name`.
    pub(super) name: String,
    /// The value.
    pub(super) node: &'n Node,
}

/// A mapping that is being read.
#[must_use = "unknown keys are refused by `end`"]
pub(super) struct Section<'n> {
    name: String,
    place: Place,
    entries: &'n [Entry],
    asked: Vec<&'static str>,
}

impl<'n> Section<'n> {
    /// Begins with a mapping whose keys are unique; anything else is a mistake.
    pub(super) fn open(reader: &mut Reader<'_>, spot: &Spot<'n>) -> Option<Self> {
        let entries = entries(reader, spot)?;
        let name = spot.name.clone();
        Some(Self {
            name,
            place: spot.node.place,
            entries,
            asked: Vec::new(),
        })
    }

    /// Whether a key is there, whatever its value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }

    /// Reads a key that may be missing.
    pub(super) fn optional<'e, T>(
        &mut self,
        reader: &mut Reader<'e>,
        key: &'static str,
        read: impl FnOnce(&mut Reader<'e>, &Spot<'n>) -> Option<T>,
    ) -> Option<T> {
        self.asked.push(key);
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        let spot = Spot {
            name: join(&self.name, key),
            node: &entry.node,
        };
        read(reader, &spot)
    }

    /// Reads a key that has a default. After a mistake the default stands in, and never gets out.
    pub(super) fn field<'e, T>(
        &mut self,
        reader: &mut Reader<'e>,
        key: &'static str,
        default: T,
        read: impl FnOnce(&mut Reader<'e>, &Spot<'n>) -> Option<T>,
    ) -> T {
        self.optional(reader, key, read).unwrap_or(default)
    }

    /// Reads a key that must be there.
    pub(super) fn required<'e, T>(
        &mut self,
        reader: &mut Reader<'e>,
        key: &'static str,
        read: impl FnOnce(&mut Reader<'e>, &Spot<'n>) -> Option<T>,
    ) -> Option<T> {
        if !self.has(key) {
            let name = join(&self.name, key);
            let what = "is missing and has no default; add it".to_owned();
            reader.add(Mistake {
                place: Some(self.place),
                name,
                what,
            });
        }
        self.optional(reader, key, read)
    }

    /// Refuses the keys that nobody asked for.
    pub(super) fn end(self, reader: &mut Reader<'_>) {
        for entry in self.entries {
            if self.asked.contains(&entry.key.as_str()) {
                continue;
            }
            let name = join(&self.name, &entry.key);
            let what = unknown(&entry.key, &self.asked);
            reader.add(Mistake {
                place: Some(entry.place),
                name,
                what,
            });
        }
    }
}

/// The entries of a mapping, each key once.
pub(super) fn entries<'n>(reader: &mut Reader<'_>, spot: &Spot<'n>) -> Option<&'n [Entry]> {
    let Value::Map(entries) = &spot.node.value else {
        reader.refuse_kind(spot, "must be a mapping of keys to values");
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
        let what = format!(
            "the key stands at line {} already; remove one of them",
            first.place.line
        );
        let name = join(&spot.name, &entry.key);
        reader.add(Mistake {
            place: Some(entry.place),
            name,
            what,
        });
    }
    Some(entries)
}

/// The name of what is below a name.
pub(super) fn join(name: &str, key: &str) -> String {
    if name.is_empty() {
        key.to_owned()
    } else {
        format!("{name}.{key}")
    }
}

fn unknown(key: &str, known: &[&str]) -> String {
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
