//! Lone halves of surrogate pairs. JSON can escape them, a Rust text cannot hold them, and serde_json rejects them.
//! Servers and clients that cut texts by UTF-16 write them: a pair may be split over two events.

use std::borrow::Cow;

/// Returns a body as a text that serde_json can decode: bytes that are no UTF-8 and lone surrogates are replaced by
/// U+FFFD.
pub(crate) fn lenient_text(body: &[u8]) -> Cow<'_, str> {
    match lossy_text(body) {
        Cow::Borrowed(text) => replace_lone(text),
        Cow::Owned(text) => match replace_lone(&text) {
            Cow::Owned(replaced) => Cow::Owned(replaced),
            Cow::Borrowed(_) => Cow::Owned(text),
        },
    }
}

/// Returns bytes as a text, with U+FFFD for those that are no UTF-8. Nearly all texts are valid, and the search for
/// what is not costs several times as much as the check.
pub(crate) fn lossy_text(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// Replaces the escapes of lone surrogates in a JSON text by U+FFFD.
pub(crate) fn replace_lone(json: &str) -> Cow<'_, str> {
    rewrite_lone(json, |_| char::REPLACEMENT_CHARACTER)
}

/// Replaces the escapes of lone surrogates in a JSON text by marks, which [`unmark`] returns as surrogates.
pub(crate) fn mark_lone(json: &str) -> Cow<'_, str> {
    rewrite_lone(json, |unit| {
        let mark = FIRST_MARK + u32::from(unit) - u32::from(HIGH.start());
        char::from_u32(mark).unwrap_or(char::REPLACEMENT_CHARACTER)
    })
}

/// Returns the surrogate that a character stands for, after [`mark_lone`].
pub(crate) fn unmark(character: char) -> Option<u16> {
    let offset = u32::from(character).checked_sub(FIRST_MARK)?;
    u16::try_from(offset + u32::from(HIGH.start())).ok()
}

/// Whether a unit of UTF-16 is the first half of a pair.
pub(crate) fn is_high(unit: u16) -> bool {
    HIGH.contains(unit)
}

/// Returns the character of a pair; `None` if the halves do not match.
pub(crate) fn pair(high: u16, low: u16) -> Option<char> {
    let mut decoded = char::decode_utf16([high, low]);
    decoded.next()?.ok()
}

fn rewrite_lone(json: &str, replacement: impl Fn(u16) -> char) -> Cow<'_, str> {
    let bytes = json.as_bytes();
    let (mut out, mut copied, mut at) = (String::new(), 0, 0);
    while let Some(found) = memchr::memchr(b'\\', bytes.get(at..).unwrap_or_default()) {
        let start = at + found;
        // JSON has escapes inside of strings only, and every backslash begins one.
        at = start + 2;
        let Some(unit) = escaped_unit(bytes, start) else {
            continue;
        };
        at = start + ESCAPE_BYTES;
        match unit {
            _ if HIGH.contains(unit) => match escaped_unit(bytes, at) {
                Some(low) if LOW.contains(low) => {
                    at += ESCAPE_BYTES;
                    continue;
                }
                _ => {}
            },
            _ if LOW.contains(unit) => {}
            _ => continue,
        }
        out.push_str(json.get(copied..start).unwrap_or_default());
        out.push(replacement(unit));
        copied = at;
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    out.push_str(json.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// Reads the escape `\uXXXX` at a position.
fn escaped_unit(bytes: &[u8], start: usize) -> Option<u16> {
    let digits = bytes
        .get(start..start + ESCAPE_BYTES)?
        .strip_prefix(b"\\u")?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// A range of units, both ends included.
#[derive(Clone, Copy)]
struct Units(u16, u16);

impl Units {
    const fn start(self) -> u16 {
        self.0
    }

    const fn contains(self, unit: u16) -> bool {
        self.0 <= unit && unit <= self.1
    }
}

const HIGH: Units = Units(0xD800, 0xDBFF);
const LOW: Units = Units(0xDC00, 0xDFFF);

/// The length of an escape, in bytes.
const ESCAPE_BYTES: usize = 6;

/// The first of the 2048 characters that stand for surrogates: the last ones for private use, which no text has.
const FIRST_MARK: u32 = 0x10_F800;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn replaces_lone_halves_only() {
        let cases = [
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\ud83d""#, "\"\u{fffd}\""),
            (r#""a\uDE00b""#, "\"a\u{fffd}b\""),
            (r#""\ud83d\ud83d\ude00""#, "\"\u{fffd}\\ud83d\\ude00\""),
            (r#""\ud83d\n""#, "\"\u{fffd}\\n\""),
            (r#""\\ud83d \u00e9""#, r#""\\ud83d \u00e9""#),
            (r#""\ud8"#, r#""\ud8"#),
            ("\"\\", "\"\\"),
        ];
        for (text, expected) in cases {
            assert_eq!(replace_lone(text), expected);
        }
        assert_eq!(lenient_text(b"\"\xff\\ud83d\""), "\"\u{fffd}\u{fffd}\"");
    }

    proptest! {
        #[test]
        fn every_text_of_utf16_can_be_decoded(units in prop::collection::vec(any::<u16>(), 0..12)) {
            let escapes: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let json = format!("\"{escapes}\"");
            let text: String = serde_json::from_str(&replace_lone(&json)).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(text, String::from_utf16_lossy(&units));
        }
    }
}
