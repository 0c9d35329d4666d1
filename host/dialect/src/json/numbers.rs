//! Numbers with more digits than serde_json's tree holds: it would round them. Amounts and ids of chains have them.
//!
//! A mark replaces such a number by a string while the text is a tree, and the writer returns its digits.

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;

/// Returns a JSON text in which a marked string is in place of each number that the tree would round.
pub(crate) fn mark_long(json: &str) -> Cow<'_, str> {
    let bytes = json.as_bytes();
    if !has_long_run(bytes) {
        return Cow::Borrowed(json);
    }
    let (mut out, mut copied, mut at) = (String::new(), 0, 0);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => at = string_end(bytes, at),
            b'-' | b'0'..=b'9' => {
                let token = number_at(json, at);
                if is_rounded(token) {
                    out.push_str(json.get(copied..at).unwrap_or_default());
                    out.push('"');
                    out.push(MARK);
                    out.push_str(token);
                    out.push('"');
                    copied = at + token.len();
                }
                at += token.len();
            }
            _ => at += 1,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    out.push_str(json.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// Returns the number that a string stands for, after [`mark_long`].
#[must_use]
pub fn long_number(text: &str) -> Option<&str> {
    let number = text.strip_prefix(MARK)?;
    is_number(number).then_some(number)
}

/// Returns the text of a value in a tree that was parsed after [`mark_long`]; `None` if it is no string. A marked
/// number is none, although the tree has it as one.
pub(crate) fn into_string(value: Value) -> Option<String> {
    match value {
        Value::String(text) if long_number(&text).is_none() => Some(text),
        _ => None,
    }
}

/// Puts the numbers back into a JSON text that was written from a tree.
pub(crate) fn restore_long(json: Vec<u8>) -> Vec<u8> {
    let (mut out, mut copied, mut at) = (Vec::new(), 0, 0);
    // The first byte of the mark is rarer than a quote: a text without marks is passed over in one go.
    while let Some(found) = memchr::memchr(OPENING[1], json.get(at..).unwrap_or_default()) {
        let start = (at + found).saturating_sub(1);
        at = start + 2;
        let rest = json.get(start..).unwrap_or_default();
        let Some(rest) = rest.strip_prefix(&OPENING) else {
            continue;
        };
        at = start + OPENING.len();
        let inner = memchr::memchr(b'"', rest).and_then(|end| rest.get(..end));
        let Some(number) = inner.filter(|inner| std::str::from_utf8(inner).is_ok_and(is_number))
        else {
            continue;
        };
        out.extend_from_slice(json.get(copied..start).unwrap_or_default());
        out.extend_from_slice(number);
        at += number.len() + 1;
        copied = at;
    }
    if copied == 0 {
        return json;
    }
    out.extend_from_slice(json.get(copied..).unwrap_or_default());
    out
}

/// Whether the text has so many digits in a row. Looks only at every so many bytes.
fn has_long_run(bytes: &[u8]) -> bool {
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut at = LONG_DIGITS - 1;
    while at < bytes.len() {
        if is_digit(at) {
            let before = (0..at).rev().take_while(|at| is_digit(*at)).count();
            let after = (at + 1..bytes.len()).take_while(|at| is_digit(*at)).count();
            if before + 1 + after >= LONG_DIGITS {
                return true;
            }
            at += after;
        }
        at += LONG_DIGITS;
    }
    false
}

/// Returns the position after the string that begins at a position.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
        at += found + 1;
        if bytes.get(at - 1) == Some(&b'"') {
            return at;
        }
        // The escaped character.
        at += 1;
    }
    bytes.len()
}

/// Returns the number that begins at a position, without a check of its grammar.
fn number_at(json: &str, start: usize) -> &str {
    let rest = json.get(start..).unwrap_or_default();
    let is_part = |byte: u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    let length = rest.bytes().take_while(|byte| is_part(*byte)).count();
    rest.get(..length).unwrap_or_default()
}

fn is_rounded(token: &str) -> bool {
    let is_exact = || token.parse::<i64>().is_ok() || token.parse::<u64>().is_ok();
    has_long_run(token.as_bytes()) && !is_exact() && is_number(token)
}

fn is_number(text: &str) -> bool {
    let begins = text.starts_with(|letter: char| letter == '-' || letter.is_ascii_digit());
    begins && serde_json::from_str::<&RawValue>(text).is_ok_and(|raw| raw.get() == text)
}

/// The number of digits in a row that may be rounded: a double holds any 17 digits (IEEE 754).
const LONG_DIGITS: usize = 18;

/// The character before the digits: for private use, beside those of lone surrogates.
const MARK: char = '\u{10_F7FE}';

/// How a marked number begins in JSON: a quote, and the mark in UTF-8.
const OPENING: [u8; 5] = {
    let mut mark = [0; 4];
    MARK.encode_utf8(&mut mark);
    [b'"', mark[0], mark[1], mark[2], mark[3]]
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// Parses a text into a tree, and writes it again.
    fn through_tree(text: &str) -> String {
        let tree: Value = serde_json::from_str(&mark_long(text)).unwrap();
        String::from_utf8(restore_long(tree.to_string().into_bytes())).unwrap()
    }

    #[test]
    fn keeps_digits_of_numbers_outside_of_strings() {
        for same in [
            r#"{"wei":1000000000000000000000}"#,
            "[-123456789012345678901234567890,18446744073709551616]",
            "[9223372036854775807,-9223372036854775808,18446744073709551615]",
            r#"{"a":"1000000000000000000000","b":"\\\"1000000000000000000000"}"#,
            "[0.1234567890123456789,1.5]",
            r#"["10000000000000000000000000",{"c":[99999999999999999999]}]"#,
        ] {
            assert_eq!(through_tree(same), same);
        }
        assert_eq!(long_number("\u{10_F7FE}12"), Some("12"));
        assert_eq!(long_number("12"), None);
        assert_eq!(long_number("\u{10_F7FE}1,2"), None);
    }

    #[test]
    fn leaves_other_texts_with_the_mark() {
        for text in [
            "\u{10_F7FE}",
            "\u{10_F7FE}x",
            "\u{10_F7FE}1 2",
            "a\u{10_F7FE}12",
        ] {
            let written = json!([text]).to_string();
            assert_eq!(
                restore_long(written.clone().into_bytes()),
                written.as_bytes()
            );
        }
        // Malformed texts stay malformed.
        for text in [
            "0123456789012345678901",
            "\"1",
            "-",
            "1234567890123456789012.",
            "",
        ] {
            assert!(
                serde_json::from_str::<Value>(&mark_long(text)).is_err(),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn integers_of_any_length_keep_their_digits(
            digits in "-?[1-9][0-9]{0,60}", before in "[0-9a\"\\\\]{0,40}", spaces in " {0,20}"
        ) {
            let key = Value::from(before).to_string();
            let text = format!("{{{key}:{spaces}{digits}}}");
            prop_assert_eq!(through_tree(&text), format!("{{{key}:{digits}}}"));
        }

        #[test]
        fn no_text_panics(text in "[\"\\\\0-9.eE+-]{0,60}", bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let marked = mark_long(&text).into_owned();
            restore_long(marked.into_bytes());
            restore_long(bytes);
        }
    }
}
