//! Encodes texts for URLs, forms and JSON.

/// Returns a text as a JSON string, with quotes.
pub fn json_string(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            control if control < ' ' => {
                json.push_str("\\u00");
                let code = control as u32;
                for digit in [code >> 4, code & 15] {
                    json.push(char::from_digit(digit, 16).unwrap_or('0'));
                }
            }
            other => json.push(other),
        }
    }
    json.push('"');
    json
}

/// Encodes a text as one segment of a URL's path (RFC 3986, section 3.3), so that it changes neither the
/// rest of the path nor the query. Use it for every value of a client in a URL.
///
/// Returns `None` for a text that no encoding makes safe: an empty text, `.` and `..`. URL parsers treat
/// the last two as folders even if they are encoded.
pub fn path_segment(text: &str) -> Option<String> {
    if matches!(text, "" | "." | "..") {
        return None;
    }
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'-' | b'.' | b'_' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                encoded.push(char::from(byte));
            }
            other => push_percent_encoded(&mut encoded, other),
        }
    }
    Some(encoded)
}

/// Encodes a text as `application/x-www-form-urlencoded` (WHATWG URL standard).
pub(crate) fn form_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            b'*' | b'-' | b'.' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                encoded.push(char::from(byte));
            }
            other => push_percent_encoded(&mut encoded, other),
        }
    }
    encoded
}

fn push_percent_encoded(encoded: &mut String, byte: u8) {
    encoded.push('%');
    for digit in [byte >> 4, byte & 15] {
        let digit = char::from_digit(digit.into(), 16).unwrap_or('0');
        encoded.push(digit.to_ascii_uppercase());
    }
}
