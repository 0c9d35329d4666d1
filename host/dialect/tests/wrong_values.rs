//! Puts wrong values into every member of the cases' requests. A decoder may reject such a request, but what
//! it accepts must be valid in every dialect to which it is translated.

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use jackfield_dialect::ir::TranslationReport;
use jackfield_dialect::traits::Traits;
use jackfield_dialect::{Dialect, RequestHead};
use serde_json::{Value, json};

/// How often the same path is tried over all cases of a dialect: more repeats the same code.
const CASES_PER_PATH: u8 = 3;

/// How many items of an array are tried. The others have the same form.
const ITEMS: usize = 3;

/// Stands for a number that has more digits than a tree holds.
const LONG_NUMBER: &str = "<a long number>";

/// Parts of the error texts for features of one dialect that its own decoder rejects.
const UNTRANSLATED: [&str; 2] = ["can be translated", "uploaded to Google"];

#[test]
fn accepted_requests_are_valid_in_every_dialect() -> Result<(), Box<dyn Error>> {
    for dialect in Dialect::ALL {
        let mut tried = HashMap::new();
        let mut accepted = 0;
        for request in requests_of(dialect)? {
            for (name, path) in paths(&request) {
                let times: &mut u8 = tried.entry(name).or_default();
                if *times == CASES_PER_PATH {
                    continue;
                }
                *times += 1;
                for wrong in wrong_values() {
                    let mut changed = request.clone();
                    if let Some(member) = changed.pointer_mut(&path) {
                        *member = wrong;
                    }
                    accepted += u32::from(check(dialect, &changed));
                }
            }
        }
        assert!(accepted > 0, "{dialect}: no changed request was accepted");
    }
    Ok(())
}

fn wrong_values() -> Vec<Value> {
    vec![
        Value::Null,
        json!(0),
        json!(-1),
        json!(1e300),
        json!(true),
        json!(""),
        json!("x"),
        json!([]),
        json!([1]),
        json!([""]),
        json!([[]]),
        json!([{}]),
        json!({}),
        json!({"type": "x"}),
        json!(LONG_NUMBER),
    ]
}

/// The requests in `tests/cases/dialects` that a client of this dialect sends.
fn requests_of(dialect: Dialect) -> Result<Vec<Value>, Box<dyn Error>> {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/dialects");
    let mut requests = Vec::new();
    for case in fs::read_dir(cases)? {
        if let Ok(body) = fs::read(case?.path().join(format!("{dialect}.request.json"))) {
            requests.push(serde_json::from_slice(&body)?);
        }
    }
    assert!(!requests.is_empty(), "no request of {dialect}");
    Ok(requests)
}

/// The JSON pointers to all values below the root, each with a name that is the same for all items of an array.
fn paths(value: &Value) -> Vec<(String, String)> {
    let children: Vec<(String, String, &Value)> = match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, child)| {
                let step = name.replace('~', "~0").replace('/', "~1");
                (name.clone(), step, child)
            })
            .collect(),
        Value::Array(items) => (items.iter().take(ITEMS).enumerate())
            .map(|(index, child)| ("[]".to_owned(), index.to_string(), child))
            .collect(),
        _ => Vec::new(),
    };
    let mut found = Vec::new();
    for (name, step, child) in children {
        found.push((name.clone(), format!("/{step}")));
        for (below, path) in paths(child) {
            found.push((format!("{name}.{below}"), format!("/{step}{path}")));
        }
    }
    found
}

/// Translates a request to every dialect and decodes the results. Returns whether the decoder accepted the request.
fn check(dialect: Dialect, request: &Value) -> bool {
    let body =
        (request.to_string()).replace(&format!("\"{LONG_NUMBER}\""), "7777777777777777777777777");
    let head = RequestHead {
        model: "model".into(),
        stream: false,
    };
    let decoded =
        dialect
            .codec()
            .decode_request(body.as_bytes(), &head, &mut TranslationReport::default());
    let Ok(decoded) = decoded else {
        return false;
    };
    for to in Dialect::ALL {
        let mut report = TranslationReport::default();
        let traits = Traits::everything();
        let Ok(written) = to.codec().encode_request(&decoded, &traits, &mut report) else {
            continue;
        };
        let read = to
            .codec()
            .decode_request(&written, &head, &mut TranslationReport::default());
        if let Err(error) = read {
            assert!(
                UNTRANSLATED.iter().any(|text| error.what.contains(text)),
                "{dialect} to {to}: {error}\n{body}\n{}",
                String::from_utf8_lossy(&written)
            );
        }
    }
    true
}
