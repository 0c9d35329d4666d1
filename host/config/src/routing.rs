//! `routing`: who chooses, by what a conversation is known again, and how long a call waits for
//! room.

use std::time::Duration;

use crate::mapping::{Located, Mapping};
use crate::reader::Reader;
use crate::yaml::Value;

/// How credentials are chosen.
#[derive(Debug)]
pub struct Routing {
    /// The plugin that selects credentials. Whether it exists is not known here.
    pub selector: String,
    /// What the selector is told: the text of one JSON object.
    pub settings: String,
    /// Where the mark of a conversation is looked for; the first that is there counts.
    pub affinity: Vec<Affinity>,
    /// How long a call may wait for an attempt to end when all that are fit are busy.
    pub queue_timeout: Duration,
}

impl Default for Routing {
    fn default() -> Self {
        Self {
            selector: "round-robin".to_owned(),
            settings: "{}".to_owned(),
            affinity: Vec::new(),
            queue_timeout: Duration::from_secs(30),
        }
    }
}

/// What tells that calls belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Affinity {
    /// A header, by its name in lower case.
    Header(String),
    /// A value in the body, by its JSON pointer.
    Body(String),
    /// The client's key.
    ClientKey,
}

/// Reads the section.
pub(crate) fn routing(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Routing> {
    let mut mapping = Mapping::open(reader, located)?;
    let default = Routing::default();
    let routing = Routing {
        selector: mapping.field(reader, "selector", default.selector, selector),
        settings: mapping.field(reader, "settings", default.settings, Reader::settings),
        affinity: mapping.field(reader, "affinity", default.affinity, |reader, located| {
            reader.list(located, affinity)
        }),
        queue_timeout: mapping.field(
            reader,
            "room-wait",
            default.queue_timeout,
            |reader, located| reader.duration(located, QUEUE_TIMEOUT_MAX),
        ),
    };
    mapping.deny_unknown(reader);
    Some(routing)
}

/// A plugin's name; the other spellings of `fill-first` are those of the system we succeed.
fn selector(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<String> {
    let name = reader.name(located)?;
    let known = match name.as_str() {
        "fillfirst" | "ff" => "fill-first".to_owned(),
        _ => name,
    };
    Some(known)
}

fn affinity(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Affinity> {
    match &located.node.value {
        Value::Scalar { text, .. } if text == "client-key" => Some(Affinity::ClientKey),
        Value::Map(_) => affinity_from(reader, located),
        Value::Scalar { .. } | Value::List(_) => {
            reader.report(located, AFFINITY_RULE);
            None
        }
    }
}

fn affinity_from(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Affinity> {
    let mut mapping = Mapping::open(reader, located)?;
    let header = mapping.optional(reader, "header", header);
    let body = mapping.optional(reader, "body", pointer);
    let both = mapping.has("header") == mapping.has("body");
    mapping.deny_unknown(reader);
    if both {
        reader.report(located, AFFINITY_RULE);
        return None;
    }
    header.map(Affinity::Header).or(body.map(Affinity::Body))
}

fn header(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<String> {
    let text = reader.line(located)?;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if text.bytes().all(legal) {
        return Some(text.to_ascii_lowercase());
    }
    reader.invalid_value(
        located,
        &text,
        "must be the name of a header: letters, digits, `-`, `_`, `.`",
    )
}

fn pointer(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<String> {
    let text = reader.line(located)?;
    if text.starts_with('/') {
        return Some(text);
    }
    reader.invalid_value(
        located,
        &text,
        "must be a JSON pointer, such as /metadata/session",
    )
}

const AFFINITY_RULE: &str = "must be `client-key`, or one of {header: NAME} and {body: /POINTER}";

/// A client waits meanwhile; few have more patience than an hour.
const QUEUE_TIMEOUT_MAX: Duration = Duration::from_hours(1);
