//! Patches of JSON texts. The input is a text, a pointer and a value, with record separators between
//! them: no JSON text has one. What is missing is chosen.

use bytes::Bytes;
use jackfield_dialect::json::{Patch, apply, find};
use serde_json::Value;
use serde_json::value::RawValue;

/// Finds, adds, replaces and removes at the pointer.
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
        // An item that is added with `-` stands at the end, under a number.
        if matches!(patch, Patch::Replace { .. }) || !path.ends_with("/-") {
            let place = find(&after, &path).ok().flatten();
            let place = place.expect("what was put there is there");
            assert_eq!(&after[place], value.trim_matches(JSON_SPACE).as_bytes());
        }
        let removed = apply(&after, &[Patch::Remove { path: path.clone() }]);
        if let (Patch::Add { .. }, Ok(None), Ok(removed)) = (patch, find(&text, &path), removed) {
            assert_eq!(tree(&removed), tree(&text), "added and removed again");
        }
    }
    if let Ok(after) = apply(&text, &[Patch::Remove { path }]) {
        assert!(after.len() < text.len());
        whole(&text, &after);
    }
}

/// What is found is what a tree has there.
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

/// A JSON text stays one.
fn whole(before: &[u8], after: &[u8]) {
    assert!(!is_json(before) || is_json(after), "it is not JSON");
}

/// By its grammar, which takes a half of a surrogate pair that a tree cannot hold.
fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(text).is_ok()
}

fn tree(text: &[u8]) -> Option<Value> {
    serde_json::from_slice(text).ok()
}

const JSON_SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// ASCII's record separator.
const SEPARATOR: u8 = 0x1e;

/// How long one byte of a name can become: `\u0000`.
const ESCAPED_BYTES_MAX: usize = 6;
