//! The other form of a stream: without `alt=sse`, `:streamGenerateContent` responds with a JSON array, whose
//! items clients read as they arrive.

/// Writes the events of one stream as the items of an array. It buffers nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArrayWriter {
    started: bool,
    ended: bool,
}

impl ArrayWriter {
    /// Creates the writer of a stream that has not started.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            started: false,
            ended: false,
        }
    }

    /// Appends one event's data, a JSON object, to `out`. Nothing is written after the end.
    pub fn item(&mut self, data: &[u8], out: &mut Vec<u8>) {
        if self.ended {
            return;
        }
        let before: &[u8] = if self.started { b",\r\n" } else { b"[" };
        out.extend_from_slice(before);
        out.extend_from_slice(data);
        self.started = true;
    }

    /// Appends the end of the array, once. An array without items is written whole.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.ended {
            return;
        }
        let end: &[u8] = if self.started { b"\r\n]" } else { b"[]" };
        out.extend_from_slice(end);
        self.ended = true;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn writes_items_immediately() -> Result<(), serde_json::Error> {
        let mut writer = ArrayWriter::new();
        let mut out = Vec::new();
        writer.item(br#"{"a":1}"#, &mut out);
        assert_eq!(out, br#"[{"a":1}"#);
        writer.item(br#"{"b":2}"#, &mut out);
        assert!(out.ends_with(br#"{"b":2}"#), "an item is not delayed");
        writer.finish(&mut out);
        writer.finish(&mut out);
        writer.item(b"{}", &mut out);
        let read: Value = serde_json::from_slice(&out)?;
        assert_eq!(read, json!([{"a": 1}, {"b": 2}]));
        Ok(())
    }

    #[test]
    fn writes_empty_array_without_events() {
        let mut out = Vec::new();
        ArrayWriter::new().finish(&mut out);
        assert_eq!(out, b"[]");
    }
}
