//! Reads `routing`: the selector, the session of a call, and how long a call may wait in the queue.

use jackfield_dispatch::AffinityKey;
use jackfield_dispatch::snapshot::Routing;

use crate::keys::calls::{affinity, routing as keys};
use crate::mapping::Mapping;
use crate::reader::{Located, Reader};
use crate::yaml::Value;

/// Reads the section.
pub(crate) fn routing(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Routing> {
    let mut mapping = Mapping::open(reader, located, &keys::SECTION)?;
    let default = Routing::default();
    let routing = Routing {
        selector: mapping.get(reader, &keys::SELECTOR),
        settings: mapping.get(reader, &keys::SETTINGS),
        affinity: mapping
            .nested(reader, &keys::AFFINITY, places)
            .unwrap_or(default.affinity),
        queue_timeout: mapping.get(reader, &keys::QUEUE_TIMEOUT),
        fallbacks: default.fallbacks,
    };
    mapping.deny_unknown(reader);
    Some(routing)
}

/// An empty list is allowed here: it switches affinity off.
fn places(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Vec<AffinityKey>> {
    match &located.node.value {
        Value::List(items) if items.is_empty() => Some(Vec::new()),
        _ => reader.list(located, place),
    }
}

fn place(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<AffinityKey> {
    match &located.node.value {
        Value::Scalar { text, .. } if text == "client-key" => Some(AffinityKey::ClientKey),
        Value::Map(_) => place_in_request(reader, located),
        Value::Scalar { .. } | Value::List(_) => {
            reader.report(located, AFFINITY_RULE);
            None
        }
    }
}

fn place_in_request(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<AffinityKey> {
    let mut mapping = Mapping::open(reader, located, &affinity::SECTION)?;
    let header = mapping.get(reader, &affinity::HEADER);
    let body = mapping.get(reader, &affinity::BODY);
    let is_ambiguous = mapping.has(&affinity::HEADER) == mapping.has(&affinity::BODY);
    mapping.deny_unknown(reader);
    if is_ambiguous {
        reader.report(located, AFFINITY_RULE);
        return None;
    }
    header
        .map(AffinityKey::Header)
        .or(body.map(AffinityKey::BodyPointer))
}

const AFFINITY_RULE: &str = "must be `client-key`, or one of {header: NAME} and {body: /POINTER}";
