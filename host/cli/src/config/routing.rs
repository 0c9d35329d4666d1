//! `routing`: who chooses, by what a conversation is known again, and how long a call waits for
//! room.

use std::time::Duration;

use super::reader::Reader;
use super::section::{Section, Spot};
use super::yaml::Value;

/// How credentials are chosen.
#[derive(Debug)]
pub(crate) struct Routing {
    /// The plugin that selects credentials. Whether it exists is not known here.
    pub(crate) selector: String,
    /// What the selector is told: the text of one JSON object.
    pub(crate) settings: String,
    /// Where the mark of a conversation is looked for; the first that is there counts.
    pub(crate) affinity: Vec<Affinity>,
    /// How long a call may wait for an attempt to end when all that are fit are busy.
    pub(crate) room_wait: Duration,
}

impl Default for Routing {
    fn default() -> Self {
        Self {
            selector: "round-robin".to_owned(),
            settings: "{}".to_owned(),
            affinity: Vec::new(),
            room_wait: Duration::from_secs(30),
        }
    }
}

/// What tells that calls belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Affinity {
    /// A header, by its name in lower case.
    Header(String),
    /// A value in the body, by its JSON pointer.
    Body(String),
    /// The client's key.
    ClientKey,
}

/// Reads the section.
pub(super) fn routing(reader: &mut Reader<'_>, spot: &Spot<'_>) -> Option<Routing> {
    let mut section = Section::open(reader, spot)?;
    let default = Routing::default();
    let routing = Routing {
        selector: section.field(reader, "selector", default.selector, selector),
        settings: section.field(reader, "settings", default.settings, Reader::settings),
        affinity: section.field(reader, "affinity", default.affinity, |reader, spot| {
            reader.list(spot, affinity)
        }),
        room_wait: section.field(reader, "room-wait", default.room_wait, |reader, spot| {
            reader.duration(spot, ROOM_WAIT_MAX)
        }),
    };
    section.end(reader);
    Some(routing)
}

/// A plugin's name; the other spellings of `fill-first` are those of the system we succeed.
fn selector(reader: &mut Reader<'_>, spot: &Spot<'_>) -> Option<String> {
    let name = reader.name(spot)?;
    let known = match name.as_str() {
        "fillfirst" | "ff" => "fill-first".to_owned(),
        _ => name,
    };
    Some(known)
}

fn affinity(reader: &mut Reader<'_>, spot: &Spot<'_>) -> Option<Affinity> {
    match &spot.node.value {
        Value::Scalar { text, .. } if text == "client-key" => Some(Affinity::ClientKey),
        Value::Map(_) => affinity_from(reader, spot),
        Value::Scalar { .. } | Value::List(_) => {
            reader.refuse(spot, AFFINITY_RULE);
            None
        }
    }
}

fn affinity_from(reader: &mut Reader<'_>, spot: &Spot<'_>) -> Option<Affinity> {
    let mut section = Section::open(reader, spot)?;
    let header = section.optional(reader, "header", header);
    let body = section.optional(reader, "body", pointer);
    let both = section.has("header") == section.has("body");
    section.end(reader);
    if both {
        reader.refuse(spot, AFFINITY_RULE);
        return None;
    }
    header.map(Affinity::Header).or(body.map(Affinity::Body))
}

fn header(reader: &mut Reader<'_>, spot: &Spot<'_>) -> Option<String> {
    let text = reader.line(spot)?;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if text.bytes().all(legal) {
        return Some(text.to_ascii_lowercase());
    }
    reader.refuse_found(
        spot,
        &text,
        "must be the name of a header: letters, digits, `-`, `_`, `.`",
    )
}

fn pointer(reader: &mut Reader<'_>, spot: &Spot<'_>) -> Option<String> {
    let text = reader.line(spot)?;
    if text.starts_with('/') {
        return Some(text);
    }
    reader.refuse_found(
        spot,
        &text,
        "must be a JSON pointer, such as /metadata/session",
    )
}

const AFFINITY_RULE: &str = "must be `client-key`, or one of {header: NAME} and {body: /POINTER}";

/// A client waits meanwhile; few have more patience than an hour.
const ROOM_WAIT_MAX: Duration = Duration::from_hours(1);
