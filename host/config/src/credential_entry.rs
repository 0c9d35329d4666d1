//! One credential as JSON: in a request to the admin API or in a credential file. It has the keys of an
//! item under a provider, and the name of the provider. It may refer to neither variables nor files.

use jackfield_credential::ProviderName;
use serde_json::Value as Json;

use crate::credentials::{CredentialEntry, fields};
use crate::diagnostics::Position;
use crate::keys::providers::{NEW_CREDENTIAL, PROVIDER};
use crate::mapping::Mapping;
use crate::reader::{Located, Reader, UniqueNames};
use crate::yaml::{Entry, Node, Value};

/// Reads a credential. The configuration may have no provider of that name.
///
/// # Errors
///
/// All errors in it, each with the name of the value.
pub fn parse(body: &Json) -> Result<CredentialEntry, Vec<String>> {
    let node = node(body);
    let mut reader = Reader::detached();
    let entry = read(&mut reader, &Located::root(&node));
    let errors = reader.into_findings().errors;
    match entry {
        Some(entry) if errors.is_empty() => Ok(entry),
        _ => Err(errors
            .iter()
            .map(|error| error.without_position())
            .collect()),
    }
}

fn read(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<CredentialEntry> {
    let mut mapping = Mapping::open(reader, located, &NEW_CREDENTIAL)?;
    let provider = mapping.get(reader, &PROVIDER).map(ProviderName::from);
    let mut ids = UniqueNames::default();
    let entry = fields(reader, &mut mapping, located, provider.as_ref(), &mut ids);
    mapping.deny_unknown(reader);
    entry
}

/// Converts JSON to the tree that the reader knows. The JSON parser limits the depth.
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

/// Parsed JSON has no positions. No message shows this one.
const NO_POSITION: Position = Position { line: 1, column: 1 };
