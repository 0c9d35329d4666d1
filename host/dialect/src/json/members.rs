//! Finds single members of an object as raw JSON; everything else is skipped.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The members that were found in one object.
pub(crate) struct Members<'a, const N: usize> {
    /// The values in the order of the requested names; of a duplicate member, the last one.
    pub(crate) values: [Option<&'a RawValue>; N],
    /// The first name that is duplicate.
    pub(crate) duplicate: Option<&'static str>,
}

/// Finds the members with these names in the object `text`.
///
/// # Errors
///
/// If the text is not JSON, or (an error of the category `Data`) not an object.
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

/// Returns the first items of an array, at most `count_max`; empty for other values.
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
        // serde_json reports an error if a visitor leaves items unread.
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found)
    }
}

/// Whether a raw member name is `wanted`, escapes included: a name with escapes must not have another
/// meaning here than at the provider.
pub(super) fn name_matches(raw: &RawValue, wanted: &str) -> bool {
    string(raw).is_some_and(|name| name == wanted)
}

/// Returns the text of a raw string; `None` if it is not a string, or has an escape that stands for no
/// character.
pub(crate) fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str(raw.get()).ok().map(Cow::Owned)
}

/// Whether a value is empty: null, false, or an empty string, array or object.
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
