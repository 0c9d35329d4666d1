//! Signatures in requests that are not translated: `thoughtSignature` on a part of any kind.

use std::borrow::Cow;
use std::sync::LazyLock;

use serde_json::value::RawValue;

use super::reasoning::{PLACEHOLDER, is_placeholder};
use crate::foreign_signatures::{SignatureEdit, SignatureMembers, SignedPart};
use crate::json::{Entry, entries, items, string};

/// The members with signatures. Protobuf's JSON takes both spellings.
pub(super) static MEMBERS: LazyLock<[SignatureMembers; 1]> =
    LazyLock::new(|| [SignatureMembers::new(&NAMES, "ignature")]);

const NAMES: [&str; 2] = ["thoughtSignature", "thought_signature"];

/// Removes the signatures that are dropped, and the thoughts that had them. The first call of a turn that lost a
/// signature gets the placeholder, since Gemini 3 demands one.
pub(super) fn strip(root: &RawValue, edit: &mut SignatureEdit<'_>) {
    let root = entries(root);
    let Some(contents) = root.iter().find(|entry| entry.is("contents")) else {
        return;
    };
    let contents = items(contents.value, usize::MAX);
    let is_empty: Vec<bool> = contents
        .iter()
        .map(|content| strip_content(content, edit))
        .collect();
    if is_empty.contains(&true) {
        edit.text.remove_items(&contents, &is_empty);
    }
}

/// A part, as far as signatures concern it.
struct ContentPart<'a> {
    entries: Vec<Entry<'a>>,
    json: &'a RawValue,
    signature: Option<Cow<'a, str>>,
    is_call: bool,
    /// Whether it is nothing without its signature: a thought, or an empty text.
    is_bare: bool,
}

impl<'a> ContentPart<'a> {
    fn read(json: &'a RawValue) -> Self {
        let entries = entries(json);
        let find = |names: &[&str]| {
            let mut found = entries.iter().rev();
            found.find(|entry| names.iter().any(|name| entry.is(name)))
        };
        let is_reasoning = find(&["thought"]).is_some_and(|entry| entry.value.get() == "true");
        let is_call = find(&["functionCall", "function_call"]).is_some();
        let has_more = entries.iter().any(|entry| {
            let is_text = entry.is("text") && string(entry.value).is_some_and(|it| it.is_empty());
            !is_text
                && !["thought", NAMES[0], NAMES[1]]
                    .iter()
                    .any(|name| entry.is(name))
        });
        Self {
            signature: find(&NAMES).and_then(|entry| string(entry.value)),
            is_call,
            is_bare: !is_call && (is_reasoning || !has_more),
            json,
            entries,
        }
    }

    fn signed(&self) -> SignedPart<'_> {
        SignedPart {
            signature: self.signature.clone(),
            json: self.json.get(),
        }
    }
}

/// Returns whether nothing is left of the content.
fn strip_content(content: &RawValue, edit: &mut SignatureEdit<'_>) -> bool {
    let content = entries(content);
    let Some(list) = content.iter().find(|entry| entry.is("parts")) else {
        return false;
    };
    let list = items(list.value, usize::MAX);
    let parts: Vec<ContentPart<'_>> = list.iter().map(|json| ContentPart::read(json)).collect();
    let is_dropped: Vec<bool> = parts
        .iter()
        .map(|part| {
            let signature = part.signature.as_deref();
            signature.is_some_and(|text| !is_placeholder(text)) && edit.drops(&part.signed())
        })
        .collect();
    let first_call = parts.iter().position(|part| part.is_call);
    let is_stripped = is_dropped.contains(&true);
    let mut is_removed = vec![false; parts.len()];
    for (index, part) in parts.iter().enumerate() {
        let is_first_call = first_call == Some(index);
        let lacks_one = is_first_call && part.signature.is_none();
        if is_dropped[index] && part.is_bare {
            is_removed[index] = true;
        } else if is_dropped[index] {
            replace_signature(part, is_first_call, edit);
        } else if lacks_one && (is_stripped || edit.drops(&part.signed())) {
            let member = format!("\"{}\":\"{PLACEHOLDER}\"", NAMES[0]);
            edit.text.append_members(part.json, &member);
            edit.warn_dropped("contents.parts.thoughtSignature");
        }
    }
    if is_stripped {
        edit.warn_dropped("contents.parts.thoughtSignature");
    }
    let is_empty = !is_removed.is_empty() && !is_removed.contains(&false);
    if !is_empty {
        edit.text.remove_items(&list, &is_removed);
    }
    is_empty
}

fn replace_signature(part: &ContentPart<'_>, by_placeholder: bool, edit: &mut SignatureEdit<'_>) {
    let is_signature = |entry: &Entry<'_>| NAMES.iter().any(|name| entry.is(name));
    if !by_placeholder {
        edit.text.remove_entries(&part.entries, is_signature);
        return;
    }
    let signatures = part.entries.iter().filter(|entry| is_signature(entry));
    for entry in signatures {
        let placeholder = format!("\"{PLACEHOLDER}\"");
        edit.text.replace(entry.value, placeholder);
    }
}
