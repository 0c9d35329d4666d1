//! Splits a JSON array into its items, without parsing them: Google's streams without `alt=sse`. An item that is not
//! valid JSON is the plugin's to refuse.

use bytes::BytesMut;

use super::super::stream::StreamError;
use super::{check_size, unnamed};
use crate::plan::Frame;

/// Reads the items of an array.
#[derive(Debug, Default)]
pub(in crate::reply) struct JsonArrayReader {
    state: ArrayState,
    /// The item that is not complete.
    item: BytesMut,
    /// How many objects and arrays of the item are open.
    depth: usize,
    in_string: bool,
    /// Whether the last character of the string was a backslash that escapes the next one.
    escaped: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum ArrayState {
    /// Before `[`.
    #[default]
    Before,
    /// After `[`: an item or `]`.
    First,
    /// In an item.
    Item,
    /// After a comma: an item.
    Next,
    /// After `]`.
    After,
}

impl JsonArrayReader {
    /// Returns the length of the item that is not complete, in bytes.
    pub(super) fn held_bytes(&self) -> usize {
        self.item.len()
    }

    /// Appends the items that a chunk completes.
    ///
    /// # Errors
    /// When the bytes are not an array, or an item is too long.
    pub(super) fn push(
        &mut self,
        chunk: &[u8],
        frames: &mut Vec<Frame>,
    ) -> Result<(), StreamError> {
        // The part of the chunk that belongs to the item but is not copied yet.
        let mut begin = 0;
        for (at, byte) in chunk.iter().copied().enumerate() {
            if self.state != ArrayState::Item {
                if self.between_items(byte)? {
                    begin = at;
                }
                continue;
            }
            if self.ends_item(byte)? {
                self.item.extend_from_slice(&chunk[begin..at]);
                self.finish_item(frames)?;
                self.state = match byte {
                    b',' => ArrayState::Next,
                    _ => ArrayState::After,
                };
            }
        }
        if self.state == ArrayState::Item {
            self.item.extend_from_slice(&chunk[begin..]);
            check_size(self.item.len())?;
        }
        Ok(())
    }

    /// Ends the body.
    ///
    /// # Errors
    /// When the array is not complete.
    pub(super) fn finish(&self) -> Result<(), StreamError> {
        match self.state {
            ArrayState::After => Ok(()),
            _ => Err(invalid("it is cut off")),
        }
    }

    /// Reads a byte outside of items. Returns whether it begins one.
    fn between_items(&mut self, byte: u8) -> Result<bool, StreamError> {
        self.state = match (self.state, byte) {
            (_, b' ' | b'\t' | b'\r' | b'\n') => return Ok(false),
            (ArrayState::Before, b'[') => ArrayState::First,
            (ArrayState::Before, _) => return Err(invalid("it does not begin with `[`")),
            (ArrayState::First, b']') => ArrayState::After,
            (ArrayState::After, _) => return Err(invalid("there is text after its end")),
            (_, b',' | b']' | b'}' | b':') => return Err(invalid("an item is missing")),
            (_, byte) => {
                self.state = ArrayState::Item;
                self.note(byte);
                return Ok(true);
            }
        };
        Ok(false)
    }

    /// Reads a byte after the first one of an item. Returns whether it is not of the item but ends it.
    fn ends_item(&mut self, byte: u8) -> Result<bool, StreamError> {
        if !self.in_string && self.depth == 0 {
            match byte {
                b',' | b']' => return Ok(true),
                b'}' => return Err(invalid("a `}` opens nothing")),
                _ => {}
            }
        }
        self.note(byte);
        Ok(false)
    }

    /// Counts what is open after a byte of an item.
    fn note(&mut self, byte: u8) {
        if self.in_string {
            let was_escaped = std::mem::take(&mut self.escaped);
            match byte {
                _ if was_escaped => {}
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    fn finish_item(&mut self, frames: &mut Vec<Frame>) -> Result<(), StreamError> {
        check_size(self.item.len())?;
        let mut item = self.item.split();
        item.truncate(item.trim_ascii_end().len());
        frames.push(unnamed(item.freeze()));
        Ok(())
    }
}

fn invalid(problem: &str) -> StreamError {
    StreamError::invalid_response(&format!("the response is not a JSON array: {problem}"))
}
