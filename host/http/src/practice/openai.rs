//! What OpenAI's paths have in common when they are checked.

use serde_json::Value;

use super::asked::{Media, Wrong};
use super::media::read_data_url;
use super::shape::{Fault, FaultKind, Shape};
use super::strict::{check_strict, is_name};

/// Checks a body by its shape, and words what is wrong.
pub(super) fn check_shape(body: &Value, shape: &Shape) -> Result<(), Wrong> {
    shape.check(body).map_err(|fault| worded(&fault))
}

fn worded(fault: &Fault) -> Wrong {
    let field = fault.brackets();
    let (message, code) = match fault.kind {
        FaultKind::Unknown => (
            format!("Unknown parameter: '{field}'."),
            "unknown_parameter",
        ),
        FaultKind::Missing => (
            format!("Missing required parameter: '{field}'."),
            "missing_required_parameter",
        ),
        FaultKind::Type(_) => (
            format!("Invalid type for '{field}': {}.", fault.words()),
            "invalid_type",
        ),
        FaultKind::NotOneOf(_) | FaultKind::Range(..) => (
            format!("Invalid value for '{field}': {}.", fault.words()),
            "invalid_value",
        ),
    };
    Wrong::at(field, message).coded(code)
}

/// Checks the schema of a function or of an output: its name, and the strict rules if they are asked for.
pub(super) fn check_schema(
    field: &str,
    name: Option<&str>,
    schema: Option<&Value>,
    strict: bool,
) -> Result<(), Wrong> {
    if !name.is_some_and(|name| is_name(name, NAME_CHARACTERS_MAX)) {
        let message = format!("Invalid '{field}.name': a name has letters, digits, _ and -.");
        return Err(Wrong::at(format!("{field}.name"), message).coded("invalid_value"));
    }
    if !strict {
        return Ok(());
    }
    let wrong = |told: String| {
        let message = format!("Invalid schema for '{field}': {told}.");
        Wrong::at(format!("{field}.schema"), message).coded("invalid_json_schema")
    };
    let schema = schema.ok_or_else(|| wrong("strict needs a schema".to_owned()))?;
    check_strict(schema).map_err(wrong)
}

/// An image by its URL: its bytes, if it is a data URL.
pub(super) fn image(field: &str, url: &str) -> Result<Media, Wrong> {
    let media = read_data_url("image", url)
        .map_err(|told| Wrong::at(field, told).coded("invalid_image_url"))?;
    let taken = ["image/png", "image/jpeg", "image/gif", "image/webp"];
    if media.bytes.is_some() && !taken.contains(&media.about.as_str()) {
        let told = format!("{} is no type of image that is taken", media.about);
        return Err(Wrong::at(field, told).coded("invalid_image_format"));
    }
    Ok(media)
}

/// How long a name may be.
const NAME_CHARACTERS_MAX: usize = 64;
