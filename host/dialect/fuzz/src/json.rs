//! Patches of JSON texts. The input is a text, a pointer and a value, separated by the ASCII record
//! separator, which valid JSON cannot contain. A missing pointer or value has a default.

use bytes::Bytes;
use jackfield_dialect::json::{Patch, apply, find};
use serde_json::Value;
use serde_json::value::RawValue;

/// Applies `find` and the patches `Add`, `Replace` and `Remove` at the pointer.
pub fn check(data: &[u8]) {
    let mut fields = data.split(|byte| *byte == SEPARATOR);
    let text = fields.next().unwrap_or_default();
    let mut next = |missing| {
        let field = fields.next().map_or(Ok(missing), str::from_utf8);
        field.unwrap_or(missing)
    };
    let (path, value) = (next("/model"), next("\"m\""));
    let (path, value) = (path.to_owned(), value.to_owned());
    let text = Bytes::copy_from_slice(text);
    found(&text, &path);
    let written = [
        Patch::Add {
            path: path.clone(),
            value: value.clone(),
        },
        Patch::Replace {
            path: path.clone(),
            value: value.clone(),
        },
    ];
    for patch in written {
        let Ok(after) = apply(&text, std::slice::from_ref(&patch)) else {
            continue;
        };
        assert!(after.len() <= text.len() + path.len() * ESCAPED_BYTES_MAX + value.len() + 4);
        whole(&text, &after);
        // `Add` at `-` appends an item. The item has an index then, so the path with `-` does not find it.
        if matches!(patch, Patch::Replace { .. }) || !path.ends_with("/-") {
            let place = find(&after, &path).ok().flatten();
            let place = place.expect("the patched value is at its place");
            assert_eq!(&after[place], value.trim_matches(JSON_SPACE).as_bytes());
        }
        let removed = apply(&after, &[Patch::Remove { path: path.clone() }]);
        if let (Patch::Add { .. }, Ok(None), Ok(removed)) = (patch, find(&text, &path), removed) {
            assert_eq!(tree(&removed), tree(&text), "removing an added value must restore the text");
        }
    }
    if let Ok(after) = apply(&text, &[Patch::Remove { path }]) {
        assert!(after.len() < text.len());
        whole(&text, &after);
    }
}

/// Asserts that `find` returns the same value as the pointer into a parsed tree.
fn found(text: &[u8], path: &str) {
    let Ok(range) = find(text, path) else {
        return;
    };
    let Some(tree) = tree(text) else {
        return;
    };
    let value = range.map(|range| serde_json::from_slice::<Value>(&text[range]).ok());
    assert_eq!(value, tree.pointer(path).map(|found| Some(found.clone())));
}

/// Asserts that a patch keeps valid JSON valid.
fn whole(before: &[u8], after: &[u8]) {
    assert!(!is_json(before) || is_json(after), "the patched text is not JSON");
}

/// Checks the grammar only: it allows a lone surrogate escape, which a `Value` cannot hold.
fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(text).is_ok()
}

fn tree(text: &[u8]) -> Option<Value> {
    serde_json::from_slice(text).ok()
}

const JSON_SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// The ASCII record separator.
const SEPARATOR: u8 = 0x1e;

/// The maximum length of one byte of a member name after escaping, in bytes: `\u0000`.
const ESCAPED_BYTES_MAX: usize = 6;
