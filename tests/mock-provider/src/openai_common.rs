//! Validation that OpenAI's paths share.

use serde_json::Value;

use super::media::read_data_url;
use super::request::{Media, RequestError, Tool, ToolChoice};
use super::schema::{Violation, ViolationKind};
use super::strict_schema::{check_strict, is_valid_name};

/// Words a violation of a body's schema as OpenAI does.
pub(super) fn violation_error(violation: &Violation) -> RequestError {
    let field = violation.bracket_path();
    let (message, code) = match violation.kind {
        ViolationKind::Unknown => (
            format!("Unknown parameter: '{field}'."),
            "unknown_parameter",
        ),
        ViolationKind::Missing => (
            format!("Missing required parameter: '{field}'."),
            "missing_required_parameter",
        ),
        ViolationKind::Type(_) => (
            format!("Invalid type for '{field}': {}.", violation.description()),
            "invalid_type",
        ),
        ViolationKind::NotInEnum(_) | ViolationKind::OutOfRange(..) => (
            format!("Invalid value for '{field}': {}.", violation.description()),
            "invalid_value",
        ),
    };
    RequestError::at(field, message).with_code(code)
}

/// Checks the schema of a function or of an output: its name and, if `strict`, the strict rules.
pub(super) fn check_json_schema(
    field: &str,
    name: Option<&str>,
    schema: Option<&Value>,
    strict: bool,
) -> Result<(), RequestError> {
    if !name.is_some_and(|name| is_valid_name(name, NAME_CHARACTERS_MAX)) {
        let message = format!("Invalid '{field}.name': a name has letters, digits, _ and -.");
        return Err(RequestError::at(format!("{field}.name"), message).with_code("invalid_value"));
    }
    if !strict {
        return Ok(());
    }
    let invalid = |reason: String| {
        let message = format!("Invalid schema for '{field}': {reason}.");
        RequestError::at(format!("{field}.schema"), message).with_code("invalid_json_schema")
    };
    let schema = schema.ok_or_else(|| invalid("strict needs a schema".to_owned()))?;
    check_strict(schema).map_err(invalid)
}

/// Reads `stop`, which is one text or an array of texts.
pub(super) fn parse_stop(stop: &Value) -> Vec<String> {
    match stop {
        Value::String(stop) => vec![stop.clone()],
        stops => {
            let stops = stops.as_array().into_iter().flatten();
            stops
                .filter_map(|stop| stop.as_str().map(str::to_owned))
                .collect()
        }
    }
}

/// Checks that each chosen function is one of the tools.
pub(super) fn named_choice(names: Vec<String>, tools: &[Tool]) -> Result<ToolChoice, RequestError> {
    let unknown = names
        .iter()
        .find(|name| !tools.iter().any(|tool| tool.name == **name));
    match unknown {
        Some(name) => {
            let reason = format!("Tool choice '{name}' not found in 'tools' parameter.");
            Err(RequestError::at("tool_choice", reason).with_code("invalid_value"))
        }
        None => Ok(ToolChoice::Named(names)),
    }
}

/// Reads an image from its URL, and checks the media type of a data URL.
pub(super) fn read_image(field: &str, url: &str) -> Result<Media, RequestError> {
    let media = read_data_url("image", url)
        .map_err(|reason| RequestError::at(field, reason).with_code("invalid_image_url"))?;
    let supported = ["image/png", "image/jpeg", "image/gif", "image/webp"];
    if media.bytes.is_some() && !supported.contains(&media.label.as_str()) {
        let reason = format!("the image type {} is not supported", media.label);
        return Err(RequestError::at(field, reason).with_code("invalid_image_format"));
    }
    Ok(media)
}

/// The length limit of a name, in characters.
const NAME_CHARACTERS_MAX: usize = 64;
