//! Single values: text, words, addresses, paths. An error says what the value must be.

use std::path::PathBuf;
use std::sync::Arc;

use jackfield_credential::model_names::normalize_prefix;
use jackfield_dispatch::HeaderPattern;
use serde_json::{Value as Json, json};

use crate::key::{Describe, Kind};
use crate::reader::{Located, Reader};
use crate::yaml::Value;

/// `true` or `false`.
pub(crate) struct Flag;

/// A name of `a-z`, `0-9`, `.`, `_` and `-`. It may become a part of a file name.
pub(crate) struct Name;

/// The name of a selector. CLIProxyAPI has other spellings of `fill-first`.
pub(crate) struct SelectorName;

/// Text on one line.
pub(crate) struct Line;

/// One of a few words.
pub(crate) struct Choice<T: 'static>(pub(crate) &'static [(&'static str, T)]);

/// The path of a file or a folder, made absolute.
pub(crate) struct Path;

/// The prefix of the names of models.
pub(crate) struct Prefix;

/// The name of an HTTP header.
pub(crate) struct HeaderName;

/// Headers of clients that a provider may get.
pub(crate) struct HeaderPatternKind;

/// A JSON pointer (RFC 6901) that is not empty.
pub(crate) struct JsonPointer;

/// A SHA-256 digest in hexadecimal digits, which become lower case.
pub(crate) struct Sha256Hex;

impl Describe for Flag {
    fn rule(&self) -> String {
        "`true` or `false`.".to_owned()
    }

    fn schema(&self) -> Json {
        json!({ "type": "boolean" })
    }
}

impl Kind for Flag {
    type Value = bool;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<bool> {
        let text = reader.text(located)?;
        match (text, is_plain(located)) {
            ("true", true) => Some(true),
            ("false", true) => Some(false),
            _ => reader.invalid_value(located, text, "must be true or false, without quotes"),
        }
    }

    fn text(&self, value: &bool) -> String {
        value.to_string()
    }
}

impl Describe for Name {
    fn rule(&self) -> String {
        "Name.".to_owned()
    }

    fn schema(&self) -> Json {
        json!({
            "type": ["string", "number"],
            "pattern": format!("^[a-z0-9][a-z0-9._-]{{0,{}}}$", NAME_BYTES_MAX - 1),
        })
    }
}

impl Kind for Name {
    type Value = String;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<String> {
        let text = reader.text(located)?;
        if is_name(text) {
            return Some(text.to_owned());
        }
        let rule = format!(
            "must be a lower-case letter or a digit, then at most {} of a-z, 0-9, `.`, `_` and `-`",
            NAME_BYTES_MAX - 1
        );
        reader.invalid_value(located, text, &rule)
    }

    fn text(&self, value: &String) -> String {
        value.clone()
    }
}

impl Describe for Sha256Hex {
    fn rule(&self) -> String {
        "SHA-256 in hexadecimal.".to_owned()
    }

    fn schema(&self) -> Json {
        json!({ "type": "string", "pattern": format!("^[0-9a-fA-F]{{{SHA256_DIGITS}}}$") })
    }
}

impl Kind for Sha256Hex {
    type Value = String;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<String> {
        let text = reader.text(located)?;
        if text.len() == SHA256_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Some(text.to_ascii_lowercase());
        }
        let rule = format!("must be {SHA256_DIGITS} hexadecimal digits, as sha256sum prints them");
        reader.invalid_value(located, text, &rule)
    }

    fn text(&self, value: &String) -> String {
        value.clone()
    }
}

/// Two digits for each byte.
const SHA256_DIGITS: usize = 64;

/// Whether a text is a [`Name`].
pub(crate) fn is_name(text: &str) -> bool {
    let legal = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    let begins = text.starts_with(|first: char| matches!(first, 'a'..='z' | '0'..='9'));
    begins && text.len() <= NAME_BYTES_MAX && text.bytes().all(legal)
}

impl Describe for SelectorName {
    fn rule(&self) -> String {
        Name.rule()
    }

    fn schema(&self) -> Json {
        Name.schema()
    }
}

impl Kind for SelectorName {
    type Value = Arc<str>;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Arc<str>> {
        let name = Name.read(reader, located)?;
        Some(match name.as_str() {
            "fillfirst" | "ff" => "fill-first".into(),
            _ => name.into(),
        })
    }

    fn text(&self, value: &Arc<str>) -> String {
        value.as_ref().to_owned()
    }
}

impl Describe for Line {
    fn rule(&self) -> String {
        "Line.".to_owned()
    }

    fn schema(&self) -> Json {
        json!({ "type": ["string", "number", "boolean"], "minLength": 1, "maxLength": LINE_BYTES_MAX })
    }
}

impl Kind for Line {
    type Value = String;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<String> {
        let text = reader.text(located)?;
        if text.len() <= LINE_BYTES_MAX && text.trim() == text && !text.contains(char::is_control) {
            return Some(text.to_owned());
        }
        let rule =
            format!("must be one line of at most {LINE_BYTES_MAX} bytes without spaces around it");
        reader.invalid_value(located, text, &rule)
    }

    fn text(&self, value: &String) -> String {
        value.clone()
    }
}

impl<T: Sync> Describe for Choice<T> {
    fn rule(&self) -> String {
        let words: Vec<String> = self.0.iter().map(|(word, _)| format!("`{word}`")).collect();
        match words.as_slice() {
            [one, other] => format!("{one} or {other}."),
            words => format!("One of {}.", words.join(", ")),
        }
    }

    fn schema(&self) -> Json {
        let words: Vec<&str> = self.0.iter().map(|(word, _)| *word).collect();
        json!({ "enum": words })
    }
}

impl<T: Copy + PartialEq + Sync> Kind for Choice<T> {
    type Value = T;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<T> {
        let text = reader.text(located)?;
        if let Some((_, chosen)) = self.0.iter().find(|(word, _)| *word == text) {
            return Some(*chosen);
        }
        let words: Vec<&str> = self.0.iter().map(|(word, _)| *word).collect();
        let rule = format!("must be one of {}", words.join(", "));
        reader.invalid_value(located, text, &rule)
    }

    fn text(&self, value: &T) -> String {
        let chosen = self.0.iter().find(|(_, known)| known == value);
        chosen.map(|(word, _)| *word).unwrap_or_default().to_owned()
    }
}

impl Describe for Path {
    fn rule(&self) -> String {
        "Path.".to_owned()
    }

    fn schema(&self) -> Json {
        json!({ "type": "string", "pattern": "^[^~]" })
    }
}

impl Kind for Path {
    type Value = PathBuf;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<PathBuf> {
        let text = reader.text(located)?;
        if text.starts_with('~') {
            let rule = "must not begin with `~`, which is not replaced; write the whole path";
            return reader.invalid_value(located, text, rule);
        }
        let path = std::path::absolute(reader.folder.join(text)).ok();
        path.or_else(|| reader.invalid_value(located, text, "must be a path"))
    }

    fn text(&self, value: &PathBuf) -> String {
        value.display().to_string()
    }
}

impl Describe for Prefix {
    fn rule(&self) -> String {
        "Line without a slash.".to_owned()
    }

    fn schema(&self) -> Json {
        Line.schema()
    }
}

impl Kind for Prefix {
    type Value = String;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<String> {
        let line = Line.read(reader, located)?;
        match normalize_prefix(&line) {
            Ok(Some(prefix)) => Some(prefix.to_owned()),
            Ok(None) => reader.invalid_value(located, &line, "must have more than slashes"),
            Err(error) => reader.invalid_value(located, &line, &error.to_string()),
        }
    }

    fn text(&self, value: &String) -> String {
        value.clone()
    }
}

impl Describe for HeaderName {
    fn rule(&self) -> String {
        "Name of a header.".to_owned()
    }

    fn schema(&self) -> Json {
        json!({ "type": "string", "pattern": "^[A-Za-z0-9._-]+$" })
    }
}

impl Kind for HeaderName {
    type Value = http::HeaderName;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Self::Value> {
        let text = Line.read(reader, located)?;
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let name = text.parse().ok().filter(|_| text.bytes().all(legal));
        name.or_else(|| {
            let rule = "must be the name of a header: letters, digits, `-`, `_`, `.`";
            reader.invalid_value(located, &text, rule)
        })
    }

    fn text(&self, value: &Self::Value) -> String {
        value.to_string()
    }
}

impl Describe for HeaderPatternKind {
    fn rule(&self) -> String {
        "Name of a header, or `x-acme-*` for all that begin with `x-acme-`.".to_owned()
    }

    fn schema(&self) -> Json {
        json!({ "type": "string", "pattern": "^[A-Za-z0-9._-]+(-\\*)?$" })
    }
}

impl Kind for HeaderPatternKind {
    type Value = HeaderPattern;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<HeaderPattern> {
        let text = Line.read(reader, located)?;
        match HeaderPattern::parse(&text) {
            Ok(pattern) => Some(pattern),
            Err(error) => reader.invalid_value(located, &text, &error.to_string()),
        }
    }

    fn text(&self, value: &HeaderPattern) -> String {
        value.to_string()
    }
}

impl Describe for JsonPointer {
    fn rule(&self) -> String {
        "JSON pointer.".to_owned()
    }

    fn schema(&self) -> Json {
        json!({ "type": "string", "pattern": "^/" })
    }
}

impl Kind for JsonPointer {
    type Value = Arc<str>;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Arc<str>> {
        let text = Line.read(reader, located)?;
        if text.starts_with('/') {
            return Some(text.into());
        }
        let rule = "must be a JSON pointer, such as /metadata/session";
        reader.invalid_value(located, &text, rule)
    }

    fn text(&self, value: &Arc<str>) -> String {
        value.as_ref().to_owned()
    }
}

/// Whether a scalar is written without quotes.
pub(super) fn is_plain(located: &Located<'_>) -> bool {
    matches!(located.node.value, Value::Scalar { plain: true, .. })
}

/// Long enough for people, short enough for a file name with a suffix on every system.
const NAME_BYTES_MAX: usize = 64;

/// Some providers use paths as names of models; no known name comes near this.
const LINE_BYTES_MAX: usize = 256;
