//! Recognizes a stream of events, or JSON, by the first bytes, for providers whose content type is wrong.

use super::reader::BYTE_ORDER_MARK;

/// Whether a body that begins with these bytes begins like a stream of events: with a field or a comment,
/// after a byte order mark and white space. `None` while too few bytes are known.
#[must_use]
pub fn begins_like_stream(bytes: &[u8]) -> Option<bool> {
    if BYTE_ORDER_MARK.starts_with(bytes) {
        return None;
    }
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let bytes = bytes.trim_ascii_start();
    if FIELDS.iter().any(|field| bytes.starts_with(field)) {
        return Some(true);
    }
    let may_follow = FIELDS.iter().any(|field| field.starts_with(bytes));
    (!may_follow).then_some(false)
}

/// Whether a body that begins with these bytes begins like a JSON object or list, whatever its content type.
#[must_use]
pub fn begins_like_json(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii_start();
    matches!(text.first(), Some(b'{' | b'['))
}

/// The fields of the specification with their colon. Without a name it is a comment.
const FIELDS: [&[u8]; 5] = [b"data:", b"event:", b"id:", b"retry:", b":"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_fields_and_comments() {
        for stream in [
            "data: {}",
            "data:{}",
            "event: ping\n",
            "id: 1",
            "retry: 5",
            ": comment",
            "\n\n data: x",
            "\u{feff}data: x",
        ] {
            assert_eq!(
                begins_like_stream(stream.as_bytes()),
                Some(true),
                "{stream:?}"
            );
        }
        for other in [
            "{\"data\": 1}",
            "[{",
            "<html>",
            "database",
            "\u{feff}{",
            "ide",
        ] {
            assert_eq!(
                begins_like_stream(other.as_bytes()),
                Some(false),
                "{other:?}"
            );
        }
        for unknown in ["", " ", "\n\n", "da", "event", "\u{feff}", "\u{feff} re"] {
            assert_eq!(begins_like_stream(unknown.as_bytes()), None, "{unknown:?}");
        }
        assert_eq!(begins_like_stream(&BYTE_ORDER_MARK[..2]), None);
    }
}
