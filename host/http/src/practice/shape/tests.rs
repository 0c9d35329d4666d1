//! Tests of the shapes.

use serde_json::json;

use super::*;

static PART: [Member; 2] = [must("type", Shape::Text), must("text", Shape::Text)];
static MEMBERS: [Member; 6] = [
    must("model", Shape::Text),
    null_or("temperature", Shape::Number(0.0, 2.0)),
    may("n", Shape::Whole(1, 8)),
    may("mode", Shape::OneOf(&["auto", "none"])),
    may(
        "content",
        Shape::Either(&[
            Shape::Text,
            Shape::List(&Shape::Tagged("type", &[("text", &PART)])),
        ]),
    ),
    may("labels", Shape::Map(&Shape::Flag)),
];

fn fault(value: &Value) -> String {
    let fault = Shape::Object(&MEMBERS).check(value).unwrap_err();
    format!("{}: {}", fault.brackets(), fault.words())
}

#[test]
fn what_fits_passes() {
    let value = json!({ "model": "m", "temperature": null, "n": 8, "mode": "none",
        "content": [{ "type": "text", "text": "" }], "labels": { "a": true } });
    assert_eq!(Shape::Object(&MEMBERS).check(&value), Ok(()));
}

#[test]
fn each_fault_names_its_place() {
    for (value, told) in [
        (json!({}), "model: it is required"),
        (json!({ "model": null }), "model: it must be a string"),
        (
            json!({ "model": "m", "x": 1 }),
            "x: there is no such parameter",
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
            "content[0].y: there is no such parameter",
        ),
        (
            json!({ "model": "m", "labels": { "a": 1 } }),
            "labels.a: it must be a boolean",
        ),
    ] {
        assert_eq!(fault(&value), told);
    }
}

#[test]
fn the_way_can_be_written_with_dots() {
    let value = json!({ "model": "m", "content": [{ "type": "image" }] });
    let fault = Shape::Object(&MEMBERS).check(&value).unwrap_err();
    assert_eq!(fault.dots(), "content.0.type");
}
