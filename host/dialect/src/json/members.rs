//! A few members of an object, as the bytes that they are; everything else is skipped.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The wanted members of one object.
pub(crate) struct Members<'a, const N: usize> {
    /// In the order of the names asked for; of a member that is there twice, the last one.
    pub(crate) values: [Option<&'a RawValue>; N],
    /// The first of the names found to be there twice.
    pub(crate) duplicate: Option<&'static str>,
}

/// The members of these names of the object that `text` is.
///
/// # Errors
///
/// If the text is not JSON, or (an error of the category `EventData`) not an object.
pub(crate) fn members<'a, const N: usize>(
    text: &'a str,
    names: [&'static str; N],
) -> Result<Members<'a, N>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let members = deserializer.deserialize_map(SelectVisitor { names })?;
    deserializer.end()?;
    Ok(members)
}

struct SelectVisitor<const N: usize> {
    names: [&'static str; N],
}

impl<'de, const N: usize> Visitor<'de> for SelectVisitor<N> {
    type Value = Members<'de, N>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = Members {
            values: [None; N],
            duplicate: None,
        };
        while let Some(name) = map.next_key::<&RawValue>()? {
            let Some(index) = self
                .names
                .iter()
                .position(|wanted| name_matches(name, wanted))
            else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if found.values[index].is_some() {
                found.duplicate = found.duplicate.or(Some(self.names[index]));
            }
            found.values[index] = Some(map.next_value()?);
        }
        Ok(found)
    }
}

/// The first items of an array, at most so many; none of anything else.
pub(crate) fn items(raw: &RawValue, count_max: usize) -> Vec<&RawValue> {
    serde_json::Deserializer::from_str(raw.get())
        .deserialize_seq(ArrayVisitor { count_max })
        .unwrap_or_default()
}

struct ArrayVisitor {
    count_max: usize,
}

impl<'de> Visitor<'de> for ArrayVisitor {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while found.len() < self.count_max
            && let Some(item) = seq.next_element()?
        {
            found.push(item);
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found)
    }
}

/// Whether the raw member name spells `wanted`, escapes included: a text that hides a name behind
/// them must not mean one thing here and another to the provider.
pub(super) fn name_matches(raw: &RawValue, wanted: &str) -> bool {
    string(raw).is_some_and(|name| name == wanted)
}

/// The text of a raw string; none if it is none, or has an escape that stands for no character.
pub(crate) fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str(raw.get()).ok().map(Cow::Owned)
}

/// Whether a value says nothing: null, false, or an empty string, array or object. It is what the
/// clients' languages take for false.
pub(crate) fn is_void(raw: &RawValue) -> bool {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'n' | b'f') => true,
        Some(b'"') => text.len() == 2,
        Some(b'[' | b'{') => text
            .get(1..text.len() - 1)
            .is_some_and(|inner| inner.trim_ascii().is_empty()),
        _ => false,
    }
}
