//! One mapping of the file. It reads the keys that the table lists, and refuses all others.

use secrecy::SecretString;

use crate::diagnostics::Diagnostic;
use crate::key::{Describe, Key, Kind, Presence, Section};
use crate::reader::{Located, Reader, join};
use crate::yaml::{Entry, Value};

/// A mapping that is being read.
#[must_use = "`deny_unknown` refuses unknown keys"]
pub(crate) struct Mapping<'n> {
    located: Located<'n>,
    entries: &'n [Entry],
    section: &'static Section,
    /// The keys that were read. A key of the table that no code reads is a bug.
    read: Vec<&'static str>,
}

impl<'n> Mapping<'n> {
    /// Starts with a mapping whose keys are unique; anything else is an error.
    pub(crate) fn open(
        reader: &mut Reader<'_>,
        located: &Located<'n>,
        section: &'static Section,
    ) -> Option<Self> {
        let entries = entries(reader, located)?;
        Some(Self {
            located: located.clone(),
            entries,
            section,
            read: Vec::new(),
        })
    }

    /// Whether a key is present, with any value.
    pub(crate) fn has<K, P>(&self, key: &Key<K, P>) -> bool {
        self.entries.iter().any(|entry| key.is_named(&entry.key))
    }

    /// Reads a key.
    pub(crate) fn get<K: Kind, P: Presence<K::Value>>(
        &mut self,
        reader: &mut Reader<'_>,
        key: &Key<K, P>,
    ) -> P::Output {
        self.get_checked(reader, key, |_, _, _| {})
    }

    /// Reads a key, and checks its value against the rest of the file.
    pub(crate) fn get_checked<'e, K: Kind, P: Presence<K::Value>>(
        &mut self,
        reader: &mut Reader<'e>,
        key: &Key<K, P>,
        check: impl FnOnce(&mut Reader<'e>, &Located<'n>, &K::Value),
    ) -> P::Output {
        if P::REQUIRED && !self.has(key) {
            self.report_missing(reader, key);
        }
        let value = self.find(reader, key).and_then(|located| {
            let value = key.kind.read(reader, &located)?;
            check(reader, &located, &value);
            Some(value)
        });
        if key.needs_restart {
            let default;
            let effective = match &value {
                Some(value) => Some(value),
                None => {
                    // A key that is added with its default value is no change.
                    default = key.presence.default_value(reader);
                    default.as_ref()
                }
            };
            if let Some(effective) = effective {
                let text = SecretString::from(key.kind.text(effective));
                reader.record_restart_only(join(&self.located.name, key.name), text);
            }
        }
        key.presence.output(value, reader)
    }

    /// Reads a key whose value is a mapping or a list. None if it is absent or has errors.
    pub(crate) fn nested<'e, K: Describe, P: Presence<()>, T>(
        &mut self,
        reader: &mut Reader<'e>,
        key: &Key<K, P>,
        read: impl FnOnce(&mut Reader<'e>, &Located<'n>) -> Option<T>,
    ) -> Option<T> {
        if P::REQUIRED && !self.has(key) {
            self.report_missing(reader, key);
        }
        let located = self.find(reader, key)?;
        if key.needs_restart {
            let path = join(&self.located.name, key.name);
            reader.record_restart_only(path, SecretString::default());
        }
        read(reader, &located)
    }

    /// Reports that a key must be present.
    pub(crate) fn report_missing<K, P>(&self, reader: &mut Reader<'_>, key: &Key<K, P>) {
        reader.add(Diagnostic {
            position: Some(self.located.node.position),
            name: join(&self.located.name, key.name),
            message: "is missing and has no default; add it".to_owned(),
        });
    }

    /// Reports the keys that are not in the table.
    pub(crate) fn deny_unknown(self, reader: &mut Reader<'_>) {
        let section = self.section;
        debug_assert!(
            section.rows().all(|key| self.read.contains(&key.name())),
            "a key of `{}` is in the table and is not read",
            section.path
        );
        for entry in self.entries {
            if section.rows().any(|key| key.is_named(&entry.key)) {
                continue;
            }
            let names: Vec<_> = section.rows().map(|key| key.name()).collect();
            reader.add(Diagnostic {
                position: Some(entry.position),
                name: join(&self.located.name, &entry.key),
                message: unknown_key(&entry.key, &names),
            });
        }
    }

    /// Finds the value of a key under its name or its old name.
    fn find<K, P>(&mut self, reader: &mut Reader<'_>, key: &Key<K, P>) -> Option<Located<'n>> {
        debug_assert!(
            self.section.rows().any(|row| row.name() == key.name),
            "`{}` is not a key of `{}`",
            key.name,
            self.section.path
        );
        self.read.push(key.name);
        let named = |name: &str| self.entries.iter().find(|entry| entry.key == name);
        let current = named(key.name);
        let old = key.old_name.and_then(named);
        if let Some(old) = old {
            let diagnostic = |message| Diagnostic {
                position: Some(old.position),
                name: join(&self.located.name, &old.key),
                message,
            };
            match current {
                Some(current) => reader.add(diagnostic(format!(
                    "is the old name of `{}`, which is at line {}; remove the old one",
                    key.name, current.position.line
                ))),
                None => reader.warn(diagnostic(format!(
                    "is the old name of `{}`; rename it. Version 1.0 will refuse the old name",
                    key.name
                ))),
            }
        }
        let entry = current.or(old)?;
        Some(self.located.member(&entry.key, &entry.node))
    }
}

/// Returns the entries of a mapping, and reports duplicate keys.
pub(crate) fn entries<'n>(reader: &mut Reader<'_>, located: &Located<'n>) -> Option<&'n [Entry]> {
    let Value::Map(entries) = &located.node.value else {
        reader.invalid_type(located, "must be a mapping of keys to values");
        return None;
    };
    for (index, entry) in entries.iter().enumerate() {
        let mut before = entries.iter().take(index);
        let Some(first) = before.find(|other| other.key == entry.key) else {
            continue;
        };
        let message = format!(
            "duplicate key (first at line {}); remove one of them",
            first.position.line
        );
        reader.add(Diagnostic {
            position: Some(entry.position),
            name: join(&located.name, &entry.key),
            message,
        });
    }
    Some(entries)
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
