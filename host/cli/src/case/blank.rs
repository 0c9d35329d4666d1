//! Replaces the texts of bodies: letters by `x`, digits by `1`. What the structure needs stays: names of members,
//! types, ids, names of tools, white space, punctuation, and escapes inside of JSON in texts.

use jackfield_dialect::json;
use serde_json::Value;

/// Replaces the texts of a body: JSON, or a stream of events whose data is JSON.
pub(super) fn blank(body: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(body);
    if let Ok(mut value) = json::parse(&text) {
        blank_value("", &mut value, false);
        return json::to_text(&value).into_bytes();
    }
    let lines = text.split_inclusive('\n').map(blank_line);
    lines.collect::<String>().into_bytes()
}

fn blank_line(line: &str) -> String {
    let Some(data) = line.strip_prefix("data:") else {
        let is_framing = FRAMING.iter().any(|name| line.starts_with(name));
        // Not a stream: a page of HTML, or JSON that is cut off.
        return if is_framing {
            line.to_owned()
        } else {
            blank_text(line)
        };
    };
    match json::parse(data) {
        Ok(mut value) => {
            blank_value("", &mut value, false);
            let end = if line.ends_with('\n') { "\n" } else { "" };
            format!("data: {}{end}", json::to_text(&value))
        }
        Err(_) if data.trim() == "[DONE]" => line.to_owned(),
        Err(_) => format!("data:{}", blank_text(data)),
    }
}

/// How the lines of a stream begin that have no text.
const FRAMING: [&str; 4] = ["event:", "id:", "retry:", ":"];

/// `is_arguments`: the value is of a tool, whose members mean nothing to the API.
fn blank_value(name: &str, value: &mut Value, is_arguments: bool) {
    match value {
        Value::String(text) if is_arguments => *text = blank_text(text),
        // Digits beyond 64 bits may be what a case is about.
        Value::String(text) if json::long_number(text).is_some() => {}
        Value::String(text) if OPAQUE.contains(&name) => {
            // Providers know their own signatures by the beginning.
            let start: String = text.chars().take(OPAQUE_PREFIX_CHARS).collect();
            let rest: String = text.chars().skip(OPAQUE_PREFIX_CHARS).collect();
            *text = start + &blank_text(&rest);
        }
        Value::String(text) if !STRUCTURE.contains(&name) => *text = blank_text(text),
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| blank_value(name, item, is_arguments)),
        Value::Object(members) => {
            for (member, value) in members.iter_mut() {
                let is_arguments = is_arguments || begins_arguments(name, member, value);
                blank_value(member, value, is_arguments);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether a member has the arguments or the result of a tool as an object. In texts they are blanked anyway.
fn begins_arguments(object: &str, member: &str, value: &Value) -> bool {
    let is_result =
        member == "response" && matches!(object, "functionResponse" | "function_response");
    value.is_object() && (is_result || ["args", "arguments", "input"].contains(&member))
}

/// Replaces letters and digits. JSON inside of the text, whole or in pieces, stays JSON.
fn blank_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let fixed = fixed_length(rest);
        let (taken, after) = rest.split_at(if fixed > 0 { fixed } else { first.len_utf8() });
        match first {
            _ if fixed > 0 => out.push_str(taken),
            _ if first.is_numeric() => out.push('1'),
            _ if first.is_alphabetic() => out.push('x'),
            _ => out.push(first),
        }
        rest = after;
    }
    out
}

/// The length of an escape or of a word of JSON at the beginning of a text; 0 for others.
fn fixed_length(text: &str) -> usize {
    if let Some(escape) = text.strip_prefix('\\') {
        let length = match escape.chars().next() {
            Some('u') => 5,
            Some(other) => other.len_utf8(),
            None => 0,
        };
        let end = (1 + length).min(text.len());
        return text.floor_char_boundary(end);
    }
    let word = ["true", "false", "null"]
        .into_iter()
        .find(|word| text.starts_with(word));
    word.map_or(0, str::len)
}

/// The first characters of a signature that stay.
const OPAQUE_PREFIX_CHARS: usize = 4;

/// Members with signatures.
const OPAQUE: [&str; 5] = [
    "data",
    "encrypted_content",
    "encrypted_index",
    "signature",
    "thoughtSignature",
];

/// Members whose texts are words of the API, ids or names.
const STRUCTURE: [&str; 36] = [
    "anyOf",
    "call_id",
    "code",
    "detail",
    "effort",
    "enum",
    "finishReason",
    "finish_reason",
    "format",
    "id",
    "include",
    "item_id",
    "mediaType",
    "media_type",
    "mimeType",
    "mode",
    "model",
    "modelVersion",
    "name",
    "native_finish_reason",
    "object",
    "phase",
    "reason",
    "required",
    "responseId",
    "responseMimeType",
    "role",
    "service_tier",
    "status",
    "stop_reason",
    "syntax",
    "tool_call_id",
    "tool_choice",
    "tool_use_id",
    "type",
    "verbosity",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_structure_and_replaces_texts() {
        let body = br#"{"model":"m1","messages":[{"role":"user","content":"Hello, 42!"}],"a":"{\"b\":\"\\u00e9 c\",\"d\":true}"}"#;
        let text = String::from_utf8_lossy(&blank(body)).into_owned();
        assert_eq!(
            text,
            r#"{"model":"m1","messages":[{"role":"user","content":"xxxxx, 11!"}],"a":"{\"x\":\"\\u00e9 x\",\"x\":true}"}"#
        );
    }

    #[test]
    fn keeps_digits_beyond_64_bits() {
        let body = br#"{"wei":1000000000000000000001,"text":"1000000000000000000001"}"#;
        let expected = r#"{"wei":1000000000000000000001,"text":"1111111111111111111111"}"#;
        assert_eq!(String::from_utf8_lossy(&blank(body)), expected);
        let event = b"data: {\"wei\":1000000000000000000001}\n";
        assert_eq!(blank(event), event);
    }

    /// A tool's own members may have the names of the API's.
    #[test]
    fn replaces_all_texts_in_arguments_of_tools() {
        for (body, expected) in [
            (
                r#"{"type":"tool_use","name":"t","input":{"name":"Ann","status":["ill"],"a":{"id":"7"}}}"#,
                r#"{"type":"tool_use","name":"t","input":{"name":"xxx","status":["xxx"],"a":{"id":"1"}}}"#,
            ),
            (
                r#"{"functionCall":{"name":"t","args":{"model":"abc"}}}"#,
                r#"{"functionCall":{"name":"t","args":{"model":"xxx"}}}"#,
            ),
            (
                r#"{"functionResponse":{"name":"t","response":{"role":"abc"}}}"#,
                r#"{"functionResponse":{"name":"t","response":{"role":"xxx"}}}"#,
            ),
            // Not those: the items of a request and the response of an event.
            (
                r#"{"input":[{"role":"user","content":"abc"}],"response":{"status":"done"}}"#,
                r#"{"input":[{"role":"user","content":"xxx"}],"response":{"status":"done"}}"#,
            ),
        ] {
            assert_eq!(String::from_utf8_lossy(&blank(body.as_bytes())), expected);
        }
    }

    #[test]
    fn replaces_texts_that_are_no_json() {
        for (body, expected) in [
            ("<p>Hello</p>\n", "<x>xxxxx</x>\n"),
            ("{\"text\":\"cut", "{\"xxxx\":\"xxx"),
            ("{\"text\":\"a \\ud83d\"}", "{\"text\":\"x \u{fffd}\"}"),
        ] {
            assert_eq!(String::from_utf8_lossy(&blank(body.as_bytes())), expected);
        }
    }

    #[test]
    fn replaces_texts_in_streams() {
        let stream = b"event: e\ndata: {\"type\":\"t\",\"text\":\"abc\",\"signature\":\"EqQBabc\"}\n\ndata: [DONE]\n\n";
        let expected = "event: e\ndata: {\"type\":\"t\",\"text\":\"xxx\",\"signature\":\"EqQBxxx\"}\n\ndata: [DONE]\n\n";
        assert_eq!(String::from_utf8_lossy(&blank(stream)), expected);
    }
}
