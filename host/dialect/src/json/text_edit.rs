//! Edits of many values of one JSON text in one pass: values that were found as raw JSON are replaced or
//! removed. All other bytes stay as they are.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::locate::range;
use super::members::name_matches;

/// A text with the edits that were planned. All values that it gets must be parts of its text.
pub(crate) struct TextEdit<'a> {
    text: &'a str,
    splices: Vec<(Range<usize>, String)>,
}

/// A member of an object.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    name: &'a RawValue,
    pub(crate) value: &'a RawValue,
}

impl Entry<'_> {
    /// Whether the member has this name.
    pub(crate) fn is(&self, name: &str) -> bool {
        name_matches(self.name, name)
    }
}

/// Returns the members of an object in their order; empty for other values.
pub(crate) fn entries(raw: &RawValue) -> Vec<Entry<'_>> {
    serde_json::Deserializer::from_str(raw.get())
        .deserialize_map(EntryVisitor)
        .unwrap_or_default()
}

impl<'a> TextEdit<'a> {
    /// A text without edits.
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            text,
            splices: Vec::new(),
        }
    }

    /// Returns whether no edit was planned.
    pub(crate) fn is_empty(&self) -> bool {
        self.splices.is_empty()
    }

    /// Replaces a value.
    pub(crate) fn replace(&mut self, value: &RawValue, json: String) {
        self.splices.push((range(self.text, value), json));
    }

    /// Adds members, written as `"name":value`, at the end of an object that is not empty.
    pub(crate) fn append_members(&mut self, object: &RawValue, members: &str) {
        let end = range(self.text, object).end - 1;
        self.splices.push((end..end, format!(",{members}")));
    }

    /// Removes items of an array: all for which `is_removed` is true. `items` are all of its items.
    pub(crate) fn remove_items(&mut self, items: &[&RawValue], is_removed: &[bool]) {
        let ranges: Vec<_> = items.iter().map(|item| range(self.text, item)).collect();
        self.remove_elements(&ranges, is_removed);
    }

    /// Removes members of an object: all for which `is_removed` is true. `entries` are all of its members.
    pub(crate) fn remove_entries(
        &mut self,
        entries: &[Entry<'_>],
        is_removed: impl Fn(&Entry<'_>) -> bool,
    ) {
        let whole = |entry: &Entry<'_>| {
            range(self.text, entry.name).start..range(self.text, entry.value).end
        };
        let ranges: Vec<_> = entries.iter().map(whole).collect();
        let removed: Vec<bool> = entries.iter().map(is_removed).collect();
        self.remove_elements(&ranges, &removed);
    }

    /// Removes elements, each with the comma before it; those before the first one that stays, with the comma
    /// after it.
    fn remove_elements(&mut self, ranges: &[Range<usize>], is_removed: &[bool]) {
        let mut stays = false;
        for (index, range) in ranges.iter().enumerate() {
            if !is_removed.get(index).is_some_and(|removed| *removed) {
                stays = true;
                continue;
            }
            let cut = if stays {
                ranges[index - 1].end..range.end
            } else {
                range.start..ranges.get(index + 1).map_or(range.end, |next| next.start)
            };
            self.splices.push((cut, String::new()));
        }
    }

    /// Returns the edited text. An edit inside of a value that is removed has no effect.
    pub(crate) fn apply(mut self) -> String {
        // Of two that begin at the same place, the longer one contains the other.
        self.splices
            .sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let mut out = String::with_capacity(self.text.len());
        let mut copied = 0;
        for (range, json) in self.splices {
            if range.start < copied {
                continue;
            }
            out.push_str(self.text.get(copied..range.start).unwrap_or_default());
            out.push_str(&json);
            copied = range.end;
        }
        out.push_str(self.text.get(copied..).unwrap_or_default());
        out
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Vec<Entry<'de>>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((name, value)) = map.next_entry()? {
            entries.push(Entry { name, value });
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::items;

    fn raw(text: &str) -> &RawValue {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn removes_items_with_one_comma_each() {
        let text = "[ 1 , 2,3 ,4 ]";
        let cases = [
            ([false, false, false, false], text),
            ([true, false, false, false], "[ 2,3 ,4 ]"),
            ([true, true, false, false], "[ 3 ,4 ]"),
            ([false, true, true, false], "[ 1 ,4 ]"),
            ([true, false, false, true], "[ 2,3 ]"),
            ([false, false, false, true], "[ 1 , 2,3 ]"),
            ([true, true, true, true], "[  ]"),
        ];
        for (removed, expected) in cases {
            let raw = raw(text);
            let mut edit = TextEdit::new(raw.get());
            edit.remove_items(&items(raw, usize::MAX), &removed);
            assert_eq!(edit.apply(), expected, "{removed:?}");
        }
    }

    #[test]
    fn edits_members_and_ignores_edits_of_removed_values() {
        let raw = raw(r#"{"a":{"b":1}, "c" : [true], "d":2}"#);
        let members = entries(raw);
        let mut edit = TextEdit::new(raw.get());
        assert!(edit.is_empty());
        edit.replace(members[0].value, "0".to_owned());
        edit.append_members(members[0].value, "\"lost\":0");
        edit.remove_entries(&members, |entry| entry.is("c"));
        edit.append_members(raw, "\"e\":3");
        assert_eq!(edit.apply(), r#"{"a":0, "d":2,"e":3}"#);
        assert!(entries(members[2].value).is_empty());
    }
}
