//! One credential as the admin API is sent it: the keys of an entry under a provider, and the
//! provider, as JSON. It says itself what it holds: it reads neither variables nor files.

use serde_json::Value as Json;

use crate::credentials::{Credential, fields};
use crate::diagnostics::Position;
use crate::mapping::{Located, Mapping};
use crate::reader::{Reader, UniqueNames};
use crate::yaml::{Entry, Node, Value};

/// A credential, and whose it is.
#[derive(Debug)]
pub struct NewCredential {
    /// The provider's name. Whether there is one is not known here.
    pub provider: String,
    /// The credential.
    pub credential: Credential,
}

/// Reads an entry.
///
/// # Errors
///
/// Every mistake in it, each with the name of the value.
pub fn parse(body: &Json) -> Result<NewCredential, Vec<String>> {
    let node = node(body);
    let located = Located {
        name: String::new(),
        node: &node,
    };
    let mut reader = Reader::for_json();
    let entry = read(&mut reader, &located);
    match entry {
        Some(entry) if reader.error_count() == 0 => Ok(entry),
        _ => Err(reader.into_messages()),
    }
}

fn read(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<NewCredential> {
    let mut mapping = Mapping::open(reader, located)?;
    let provider = mapping.required(reader, "provider", Reader::name);
    let credential = fields(reader, &mut mapping, located, &mut UniqueNames::default());
    mapping.deny_unknown(reader);
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
                    position: NO_POSITION,
                    node: node(value),
                })
                .collect(),
        ),
    };
    Node {
        position: NO_POSITION,
        value,
    }
}

/// Parsed JSON has forgotten where anything stood. It is not told.
const NO_POSITION: Position = Position { line: 1, column: 1 };
