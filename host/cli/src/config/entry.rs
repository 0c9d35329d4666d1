//! One credential as the admin API is sent it: the keys of an entry under a provider, and the
//! provider, as JSON. It says itself what it holds: it reads neither variables nor files.

use serde_json::Value as Json;

use super::Credential;
use super::credentials::fields;
use super::mistake::Place;
use super::reader::{Names, Reader};
use super::section::{Section, Spot};
use super::yaml::{Entry, Node, Value};

/// A credential, and whose it is.
#[derive(Debug)]
pub(crate) struct NewCredential {
    /// The provider's name. Whether there is one is not known here.
    pub(crate) provider: String,
    /// The credential.
    pub(crate) credential: Credential,
}

/// Reads an entry.
///
/// # Errors
///
/// Every mistake in it, each with the name of the value.
pub(crate) fn entry(body: &Json) -> Result<NewCredential, Vec<String>> {
    let node = node(body);
    let spot = Spot {
        name: String::new(),
        node: &node,
    };
    let mut reader = Reader::of_values();
    let entry = read(&mut reader, &spot);
    match entry {
        Some(entry) if reader.mistakes() == 0 => Ok(entry),
        _ => Err(reader.told()),
    }
}

fn read(reader: &mut Reader<'_>, spot: &Spot<'_>) -> Option<NewCredential> {
    let mut section = Section::open(reader, spot)?;
    let provider = section.required(reader, "provider", Reader::name);
    let credential = fields(reader, &mut section, spot, &mut Names::default());
    section.end(reader);
    Some(NewCredential {
        provider: provider?,
        credential: credential?,
    })
}

/// JSON as the reader sees a file. Its depth is bounded by whoever parsed it.
fn node(json: &Json) -> Node {
    let scalar = |text: String, plain| Value::Scalar { text, plain };
    let value = match json {
        Json::Null => scalar(String::new(), true),
        Json::Bool(flag) => scalar(flag.to_string(), true),
        Json::Number(number) => scalar(number.to_string(), true),
        Json::String(text) => scalar(text.clone(), false),
        Json::Array(items) => Value::List(items.iter().map(node).collect()),
        Json::Object(members) => Value::Map(
            members
                .iter()
                .map(|(key, value)| Entry {
                    key: key.clone(),
                    place: PLACE,
                    node: node(value),
                })
                .collect(),
        ),
    };
    Node {
        place: PLACE,
        value,
    }
}

/// Parsed JSON has forgotten where anything stood. It is not told.
const PLACE: Place = Place { line: 1, column: 1 };
