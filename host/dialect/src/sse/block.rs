//! The lines of one event, from its first byte to the blank line that ends it.

use std::ops::Range;

use bytes::Bytes;
use memchr::{memchr, memchr2};

/// The fields of one block of lines. All ranges are inside the block.
#[derive(Debug, Default)]
pub(super) struct EventBlock {
    /// The value of the last `event` field.
    pub(super) name: Range<usize>,
    /// The value of the last `data` field.
    last: Range<usize>,
    /// The number of `data` fields. Without one, the block is no event.
    count: usize,
}

impl EventBlock {
    pub(super) fn read(block: &[u8]) -> Self {
        let mut found = Self::default();
        for line in Lines::new(block) {
            match field(block, line) {
                (b"data", value) => {
                    found.last = value;
                    found.count += 1;
                }
                (b"event", value) => found.name = value,
                // `id` and `retry` are for clients that reconnect; a proxy does not.
                _ => {}
            }
        }
        found
    }

    pub(super) fn is_event(&self) -> bool {
        self.count > 0
    }

    /// Returns the data: a slice of the block if it is one line, a copy if it is several.
    pub(super) fn data(&self, block: &Bytes) -> Bytes {
        if self.count == 1 {
            return block.slice(self.last.clone());
        }
        let mut joined = Vec::with_capacity(block.len());
        for line in Lines::new(block) {
            if let (b"data", value) = field(block, line) {
                joined.extend_from_slice(&block[value]);
                joined.push(b'\n');
            }
        }
        joined.pop();
        joined.into()
    }
}

/// Returns a line's field name and the range of its value. The name of a comment is empty.
fn field(block: &[u8], line: Range<usize>) -> (&[u8], Range<usize>) {
    let bytes = &block[line.clone()];
    let Some(colon) = memchr(b':', bytes) else {
        // By the standard, the whole line is the name, and the value is empty.
        return (bytes, line.end..line.end);
    };
    // The standard removes one space after the colon. More spaces belong to the value.
    let space = usize::from(bytes.get(colon + 1) == Some(&b' '));
    (&bytes[..colon], line.start + colon + 1 + space..line.end)
}

/// The lines of a block, without their ends.
struct Lines<'b> {
    block: &'b [u8],
    next: usize,
}

impl<'b> Lines<'b> {
    fn new(block: &'b [u8]) -> Self {
        Self { block, next: 0 }
    }
}

impl Iterator for Lines<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let start = self.next;
        let length = memchr2(b'\n', b'\r', self.block.get(start..)?)?;
        let end = start + length;
        let pair = self.block[end..].starts_with(b"\r\n");
        self.next = end + 1 + usize::from(pair);
        Some(start..end)
    }
}
