//! Traits of a provider or of one of its models: what it takes, in place of what the built-in rows say.

use jackfield_dialect::traits::{TraitSet, Traits, servers};
use serde_json::{Map, Value as Json, json};

use super::settings::object;
use crate::key::{Describe, Kind};
use crate::reader::{Located, Reader};

/// A mapping of traits. [`Traits::MEMBERS`] has their names.
pub(crate) struct TraitsKind {
    /// Whether it may name the kind of server.
    pub(crate) server: bool,
}

/// Traits in the configuration.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct TraitsEntry {
    /// The kind of server, which selects built-in rows.
    pub(crate) server: Option<String>,
    /// What it takes.
    pub(crate) set: TraitSet,
}

impl Describe for TraitsKind {
    fn rule(&self) -> String {
        "Mapping of [traits](traits.md).".to_owned()
    }

    fn schema(&self) -> Json {
        let members = Traits::MEMBERS.iter().map(|member| {
            let description = member.description.trim().replace("\n ", " ");
            (member.key(), json!({ "description": description }))
        });
        let mut properties: Map<String, Json> = members.collect();
        if self.server {
            properties.insert(SERVER.to_owned(), json!({ "enum": servers() }));
        }
        json!({ "type": "object", "properties": properties, "additionalProperties": false })
    }
}

impl Kind for TraitsKind {
    type Value = TraitsEntry;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<TraitsEntry> {
        let mut members = object(reader, located)?;
        let server = if self.server {
            members.remove(SERVER)
        } else {
            None
        };
        let server = match server {
            None => None,
            Some(Json::String(name)) if servers().contains(&name.as_str()) => Some(name),
            Some(_) => {
                let message = format!("has no `{SERVER}` of this name; {}", known_servers());
                reader.report(located, message);
                return None;
            }
        };
        for name in members.keys() {
            if Traits::MEMBERS.iter().all(|member| member.key() != *name) {
                reader.report(
                    located,
                    format!("has no trait `{name}`; traits.md lists all"),
                );
                return None;
            }
        }
        match serde_json::from_value(Json::Object(members)) {
            Ok(set) => Some(TraitsEntry { server, set }),
            Err(error) => {
                reader.report(located, format!("is not valid: {error}"));
                None
            }
        }
    }

    fn text(&self, value: &TraitsEntry) -> String {
        let server = value.server.as_deref().unwrap_or_default();
        let set = serde_json::to_string(&value.set).unwrap_or_default();
        format!("{server} {set}")
    }
}

fn known_servers() -> String {
    let names: Vec<String> = servers().iter().map(|name| format!("`{name}`")).collect();
    format!("known are {}", names.join(", "))
}

/// The member that is no trait.
const SERVER: &str = "server";
