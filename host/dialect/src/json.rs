//! JSON texts, read and changed in place: no tree is built, and what is not touched keeps its bytes.

mod locate;
mod members;
mod patch;
#[cfg(test)]
mod tests;

use std::ops::Range;

pub use patch::{PATCHES_MAX, Patch, PatchError, apply};

pub(crate) use members::{is_void, items, members, string};

use locate::locate;

/// An object whose members are moved into it: `json!` copies every value that it is given, so that a
/// text would be copied once for each level that it is nested.
macro_rules! object {
    ($($name:literal: $value:expr),+ $(,)?) => {
        serde_json::Value::Object(serde_json::Map::from_iter([
            $(($name.to_owned(), serde_json::Value::from($value))),+
        ]))
    };
}

pub(crate) use object;

/// The byte range of the value at `pointer` (RFC 6901), without white space around it; none where
/// there is no such value. The whole text is checked to be JSON.
///
/// # Errors
///
/// If the text is not JSON in UTF-8, or nested deeper along the pointer than serde_json allows (128);
/// if the pointer is malformed; and if an object on the way has the member twice, since nobody can
/// say which of the two a provider would take.
pub fn find(text: &[u8], pointer: &str) -> Result<Option<Range<usize>>, JsonError> {
    let text = utf8(text)?;
    if pointer.is_empty() {
        return locate::root(text).map(Some);
    }
    Ok(locate(text, pointer)?.target.map(|element| element.value))
}

/// Why a text or a pointer into it cannot be worked with.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// An object on the pointer's way has a member twice.
    #[error("following the pointer: the member {name:?} is there twice; send it once")]
    Duplicate {
        /// The member's name.
        name: String,
    },
    /// The text is not UTF-8, as RFC 8259 demands.
    #[error("reading the text: it is not UTF-8")]
    NotUtf8,
    /// Not a pointer by RFC 6901.
    #[error("reading the pointer {pointer:?}: it must begin with / and write ~ as ~0")]
    Pointer {
        /// What was given.
        pointer: String,
    },
    /// The text is not JSON.
    #[error("reading the text: it is not JSON")]
    Syntax {
        /// Where, and why.
        #[source]
        source: serde_json::Error,
    },
}

/// Writes a value as JSON. Serialization fails only for maps whose keys are not strings and for types
/// that refuse to be serialized; no value written here has either, so the fallback is never used.
pub(crate) fn to_vec(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

fn utf8(text: &[u8]) -> Result<&str, JsonError> {
    std::str::from_utf8(text).map_err(|_| JsonError::NotUtf8)
}
