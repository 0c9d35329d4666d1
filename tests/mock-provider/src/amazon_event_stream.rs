//! Writes messages of Amazon's event stream (Smithy specification, "Amazon Event Stream").

use axum::body::Bytes;
use serde_json::{Value, json};

pub(crate) const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";

/// Writes an event.
pub(crate) fn event_message(event_type: &str, payload: &Value) -> Bytes {
    let headers = [
        (":event-type", event_type),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ];
    message(&headers, payload)
}

/// Writes an exception, which ends a stream.
pub(crate) fn exception_message(exception_type: &str, text: &str) -> Bytes {
    let headers = [
        (":exception-type", exception_type),
        (":content-type", "application/json"),
        (":message-type", "exception"),
    ];
    message(&headers, &json!({ "message": text }))
}

fn message(headers: &[(&str, &str)], payload: &Value) -> Bytes {
    let mut encoded = Vec::new();
    for (name, value) in headers {
        // A length of one byte, the name, the type of a text, a length of two bytes, the text.
        encoded.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        encoded.extend_from_slice(name.as_bytes());
        encoded.push(7);
        encoded.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        encoded.extend_from_slice(value.as_bytes());
    }
    let payload = payload.to_string();
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
    let mut message = Vec::new();
    message.extend_from_slice(&length(16 + encoded.len() + payload.len()));
    message.extend_from_slice(&length(encoded.len()));
    message.extend_from_slice(&crc32(&message).to_be_bytes());
    message.extend_from_slice(&encoded);
    message.extend_from_slice(payload.as_bytes());
    message.extend_from_slice(&crc32(&message).to_be_bytes());
    message.into()
}

/// The CRC-32 of gzip (RFC 1952, section 8), bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let low = crc & 1;
            crc >>= 1;
            if low == 1 {
                crc ^= 0xedb8_8320;
            }
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_has_the_check_value_of_its_catalogue() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
