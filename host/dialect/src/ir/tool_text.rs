//! Texts about tools that several dialects need: the arguments of calls, and the results of failed tools.
//!
//! The common form has the input of a custom tool as an object with one string: `{"input": ".."}`.

use serde_json::{Map, Value, json};

use crate::json;

/// The prefix of the result of a failed tool, for dialects that have no flag for a failure.
pub(crate) const TOOL_ERROR_PREFIX: &str = "Error: ";

/// The JSON text before a custom tool's input, in the arguments of a call.
pub(crate) const INPUT_PREFIX: &str = "{\"input\":\"";
/// The JSON text after a custom tool's input.
pub(crate) const INPUT_SUFFIX: &str = "\"}";

/// Returns a text as a JSON string without its quotes.
pub(crate) fn escape_json(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    let inner = quoted.get(1..quoted.len() - 1);
    inner.unwrap_or_default().to_owned()
}

/// Returns the arguments for a custom tool's input.
pub(crate) fn input_object(input: &str) -> String {
    json!({"input": input}).to_string()
}

/// Returns a custom tool's input; `None` if the arguments have another form.
pub(crate) fn input(arguments: &str) -> Option<String> {
    match json::parse(arguments).ok()? {
        Value::Object(mut members) => json::into_string(members.shift_remove("input")?),
        _ => None,
    }
}

/// Returns a custom tool's input; the arguments themselves if the model made a mistake.
pub(crate) fn input_or_arguments(arguments: &str) -> String {
    input(arguments).unwrap_or_else(|| arguments.to_owned())
}

/// Returns the arguments of a call; an empty object if there are none, because some servers parse them.
pub(crate) fn arguments_or_empty(arguments: &str) -> &str {
    if arguments.trim_ascii().is_empty() {
        "{}"
    } else {
        arguments
    }
}

/// Parses the arguments of a call as an object, which some APIs require. The text of anything else is its member
/// `arguments`, so that the client and the model see it.
pub(crate) fn arguments_object(arguments: &str) -> Value {
    match json::parse(arguments) {
        Ok(input @ Value::Object(_)) => input,
        Ok(Value::Null) => Value::Object(Map::new()),
        _ if arguments.trim().is_empty() => Value::Object(Map::new()),
        _ => json!({"arguments": arguments}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_of_custom_tools_round_trips() {
        for text in ["", "a\"b\\\n", "é"] {
            let arguments = input_object(text);
            assert_eq!(input(&arguments).as_deref(), Some(text));
            let escaped = escape_json(text);
            assert_eq!(format!("{INPUT_PREFIX}{escaped}{INPUT_SUFFIX}"), arguments);
        }
        for other in ["", "[]", "{}", r#"{"input":1}"#] {
            assert_eq!(input(other), None, "{other}");
        }
    }

    #[test]
    fn missing_arguments_are_an_empty_object() {
        assert_eq!(arguments_or_empty(" \n"), "{}");
        assert_eq!(arguments_or_empty(r#"{"a":1}"#), r#"{"a":1}"#);
    }
}
