//! JSON whose numbers keep their digits: amounts beyond 64 bits are among the cases.

use std::fmt::Write as _;

use serde_json::value::RawValue;

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonText {
    /// Null, a boolean or a number, as it is written.
    Scalar(String),
    /// A string, decoded.
    String(String),
    /// An array.
    List(Vec<Self>),
    /// An object, in the order of its text.
    Object(Vec<(String, Self)>),
}

impl JsonText {
    /// Reads a text.
    ///
    /// # Errors
    /// If it is not JSON.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        let raw: &RawValue = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        Self::read_raw(raw)
    }

    fn read_raw(raw: &RawValue) -> Result<Self, String> {
        let text = raw.get();
        let wrong = |error: serde_json::Error| error.to_string();
        match text.as_bytes().first() {
            Some(b'{') => {
                // A map would lose the order and what is there twice.
                let members: Members<'_> = serde_json::from_str(text).map_err(wrong)?;
                let members = members.0.into_iter();
                let members = members.map(|(name, raw)| Ok((name, Self::read_raw(raw)?)));
                Ok(Self::Object(members.collect::<Result<_, String>>()?))
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(text).map_err(wrong)?;
                let items = items.into_iter().map(Self::read_raw);
                Ok(Self::List(items.collect::<Result<_, _>>()?))
            }
            // A lone half of a surrogate pair is no string of Rust; it stays as it is written.
            Some(b'"') => Ok(serde_json::from_str(text)
                .map_or_else(|_| Self::Scalar(text.to_owned()), Self::String)),
            _ => Ok(Self::Scalar(text.to_owned())),
        }
    }

    /// The value at a path of member names and indexes.
    #[must_use]
    pub fn get(&self, path: &[&str]) -> Option<&Self> {
        let Some((first, rest)) = path.split_first() else {
            return Some(self);
        };
        let found = match self {
            Self::Object(members) => members.iter().find(|(name, _)| name == first)?,
            Self::List(items) => return items.get(first.parse::<usize>().ok()?)?.get(rest),
            Self::Scalar(_) | Self::String(_) => return None,
        };
        found.1.get(rest)
    }

    fn write(&self, depth: usize, out: &mut String) {
        let indent = |depth: usize, out: &mut String| {
            out.push('\n');
            out.push_str(&"  ".repeat(depth));
        };
        match self {
            Self::Scalar(text) => out.push_str(text),
            Self::String(text) => out.push_str(&quoted(text)),
            Self::List(items) if items.is_empty() => out.push_str("[]"),
            Self::Object(members) if members.is_empty() => out.push_str("{}"),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    indent(depth + 1, out);
                    item.write(depth + 1, out);
                }
                indent(depth, out);
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    indent(depth + 1, out);
                    let _ = write!(out, "{}: ", quoted(name));
                    value.write(depth + 1, out);
                }
                indent(depth, out);
                out.push('}');
            }
        }
    }
}

impl std::fmt::Display for JsonText {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        self.write(0, &mut text);
        out.write_str(&text)
    }
}

/// Writes JSON with one member a line.
///
/// # Errors
/// If the text is not JSON.
pub fn pretty_json(text: &[u8]) -> Result<String, String> {
    Ok(JsonText::read(text)?.to_string())
}

pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The members of an object in order.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> serde::de::Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_digits_order_and_lone_halves() -> Result<(), String> {
        let text = r#"{"b":[1e21,100000000000000000000000],"a":{},"c":"\ud83d","d":[]}"#;
        let read = JsonText::read(text.as_bytes())?;
        let written = "{\n  \"b\": [\n    1e21,\n    100000000000000000000000\n  ],\n  \"a\": {},\n  \"c\": \"\\ud83d\",\n  \"d\": []\n}";
        assert_eq!(read.to_string(), written);
        assert_eq!(JsonText::read(written.as_bytes())?, read);
        let number = JsonText::Scalar("1e21".to_owned());
        assert_eq!(read.get(&["b", "0"]), Some(&number));
        assert!(JsonText::read(b"{").is_err());
        Ok(())
    }
}
