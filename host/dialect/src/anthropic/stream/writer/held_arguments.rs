//! The arguments of an open call. They are held back until they are complete: the API requires an object, and the model may
//! have written something else.

use serde_json::Value;

use crate::ir::tool_text;
use crate::json::{self, Completeness};
use crate::limits::{CALL_ARGUMENTS_BYTES_MAX, PING_BYTES};

/// The pieces so far.
#[derive(Debug, Default)]
pub(super) struct HeldArguments {
    pieces: Vec<String>,
    bytes: usize,
    /// How many bytes were held at the last `ping`.
    pinged: usize,
}

/// What to do after a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterPiece {
    Continue,
    /// Show the client that the stream is alive.
    Ping,
    TooLong,
}

impl HeldArguments {
    /// Returns the length of the pieces, in bytes.
    pub(super) fn len(&self) -> usize {
        self.bytes
    }

    /// Adds a piece.
    pub(super) fn push(&mut self, piece: &str) -> AfterPiece {
        self.bytes += piece.len();
        if self.bytes > CALL_ARGUMENTS_BYTES_MAX {
            return AfterPiece::TooLong;
        }
        self.pieces.push(piece.to_owned());
        if self.bytes - self.pinged < PING_BYTES {
            return AfterPiece::Continue;
        }
        self.pinged = self.bytes;
        AfterPiece::Ping
    }

    /// Returns the pieces of an object: the model's own, or one with what it wrote, as in whole responses. Arguments that
    /// were cut off stay as they are, as in streams of Anthropic.
    pub(super) fn into_pieces(self) -> Vec<String> {
        let text = self.pieces.concat();
        if text.is_empty() || Completeness::of(&text).is_open() {
            return self.pieces;
        }
        match json::replace_lone(&text) {
            std::borrow::Cow::Borrowed(text) if is_object(text) => self.pieces,
            std::borrow::Cow::Owned(text) if is_object(&text) => vec![text],
            _ => vec![json::to_text(&tool_text::arguments_object(&text))],
        }
    }
}

fn is_object(text: &str) -> bool {
    matches!(serde_json::from_str(text), Ok(Value::Object(_)))
}
