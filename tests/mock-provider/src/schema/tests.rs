//! Tests the schemas.

use serde_json::json;

use super::*;

static PART: [Member; 2] = [
    required("type", Schema::Text),
    required("text", Schema::Text),
];
static MEMBERS: [Member; 6] = [
    required("model", Schema::Text),
    nullable("temperature", Schema::Number(0.0, 2.0)),
    optional("n", Schema::Integer(1, 8)),
    optional("mode", Schema::Enum(&["auto", "none"])),
    optional(
        "content",
        Schema::AnyOf(&[
            Schema::Text,
            Schema::List(&Schema::Tagged("type", &[("text", &PART)])),
        ]),
    ),
    optional("labels", Schema::Map(&Schema::Boolean)),
];

fn violation_of(value: &Value) -> String {
    let violation = Schema::Object(&MEMBERS).check(value).unwrap_err();
    format!("{}: {}", violation.bracket_path(), violation.description())
}

#[test]
fn accepts_a_valid_value() {
    let value = json!({ "model": "m", "temperature": null, "n": 8, "mode": "none",
        "content": [{ "type": "text", "text": "" }], "labels": { "a": true } });
    assert_eq!(Schema::Object(&MEMBERS).check(&value), Ok(()));
}

#[test]
fn violation_names_the_path() {
    for (value, message) in [
        (json!({}), "model: it is required"),
        (json!({ "model": null }), "model: it must be a string"),
        (
            json!({ "model": "m", "x": 1 }),
            "x: the parameter is unknown",
        ),
        (
            json!({ "model": "m", "temperature": 2.5 }),
            "temperature: it must be from 0 to 2",
        ),
        (
            json!({ "model": "m", "n": 1.5 }),
            "n: it must be an integer",
        ),
        (json!({ "model": "m", "n": 0 }), "n: it must be from 1 to 8"),
        (
            json!({ "model": "m", "n": null }),
            "n: it must be an integer",
        ),
        (
            json!({ "model": "m", "mode": "any" }),
            "mode: it must be one of auto, none",
        ),
        (
            json!({ "model": "m", "content": 1 }),
            "content: it must be of another type",
        ),
        (
            json!({ "model": "m", "content": [{ "text": "" }] }),
            "content[0].type: it is required",
        ),
        (
            json!({ "model": "m", "content": [{ "type": "text", "text": "", "y": 1 }] }),
            "content[0].y: the parameter is unknown",
        ),
        (
            json!({ "model": "m", "labels": { "a": 1 } }),
            "labels.a: it must be a boolean",
        ),
    ] {
        assert_eq!(violation_of(&value), message);
    }
}

#[test]
fn path_can_be_written_with_dots() {
    let value = json!({ "model": "m", "content": [{ "type": "image" }] });
    let violation = Schema::Object(&MEMBERS).check(&value).unwrap_err();
    assert_eq!(violation.dot_path(), "content.0.type");
}
