//! Finds and changes values inside JSON texts without building a tree. All other bytes stay as they
//! are.

mod completeness;
mod locate;
mod members;
mod numbers;
mod patch;
mod surrogates;
#[cfg(test)]
mod tests;
mod text_edit;
mod value_count;

use std::ops::Range;

pub use crate::limits::PATCHES_MAX;
pub use patch::{Patch, PatchError, apply};

pub(crate) use completeness::Completeness;
pub(crate) use members::{is_void, items, members, string};
pub use numbers::long_number;
pub(crate) use numbers::{into_string, mark_long};
pub(crate) use surrogates::{
    is_high, lenient_text, lossy_text, mark_lone, pair, replace_lone, unmark,
};
pub(crate) use text_edit::{Entry, TextEdit, entries};
pub use value_count::count_values;

use locate::locate;

/// Builds an object and moves the values into it. `json!` copies every value, so a text would be copied
/// once for each level of nesting.
macro_rules! object {
    ($($name:literal: $value:expr),+ $(,)?) => {
        serde_json::Value::Object(serde_json::Map::from_iter([
            $(($name.to_owned(), serde_json::Value::from($value))),+
        ]))
    };
}

pub(crate) use object;

/// Returns the byte range of the value at `pointer` (RFC 6901), without white space around it; `None`
/// if there is no such value. Checks that the whole text is JSON.
///
/// # Errors
///
/// If the text is not JSON in UTF-8, or nested deeper along the pointer than serde_json allows (128);
/// if the pointer is malformed; and if an object on its way has the member twice, since providers
/// differ in which of the two they use.
pub fn find(text: &[u8], pointer: &str) -> Result<Option<Range<usize>>, JsonError> {
    let text = utf8(text)?;
    if pointer.is_empty() {
        return locate::root(text).map(Some);
    }
    Ok(locate(text, pointer)?.target.map(|element| element.value))
}

/// Why a text or a pointer is invalid.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// An object on the pointer's way has a member twice.
    #[error("following the pointer: the member {name:?} is there twice; send it once")]
    Duplicate {
        /// The member's name.
        name: String,
    },
    /// The text is not UTF-8, which RFC 8259 requires.
    #[error("reading the text: it is not UTF-8")]
    NotUtf8,
    /// The pointer does not follow RFC 6901.
    #[error("reading the pointer {pointer:?}: it must begin with / and write ~ as ~0")]
    Pointer {
        /// The invalid pointer.
        pointer: String,
    },
    /// The text is not JSON.
    #[error("reading the text: it is not JSON")]
    Syntax {
        /// The position and the reason.
        #[source]
        source: serde_json::Error,
    },
}

/// Returns the numbers of an array; `None` if an item is not a finite number of 32 bits.
#[expect(
    clippy::cast_possible_truncation,
    reason = "models compute in 32 bits or fewer; the longer spelling is the JSON writer's"
)]
pub(crate) fn finite_numbers(items: &[serde_json::Value]) -> Option<Vec<f32>> {
    let number = |item: &serde_json::Value| Some(item.as_f64()? as f32).filter(|it| it.is_finite());
    items.iter().map(number).collect()
}

/// Writes a value as JSON. Serialization fails only for maps whose keys are not strings and for types
/// that refuse to be serialized; no value written here has either, so the fallback is never used.
pub(crate) fn to_vec(value: &impl serde::Serialize) -> Vec<u8> {
    numbers::restore_long(serde_json::to_vec(value).unwrap_or_default())
}

/// Writes a tree of [`parse`] as a JSON text, with all digits of its numbers.
#[must_use]
pub fn to_text(value: &serde_json::Value) -> String {
    String::from_utf8(to_vec(value)).unwrap_or_default()
}

/// Parses a JSON text, with lone surrogates replaced. A number that a tree would round is a marked string, for which
/// [`long_number`] is true; [`to_text`] writes it as the number.
///
/// # Errors
/// If it is not JSON.
pub fn parse(text: &str) -> Result<serde_json::Value, serde_json::Error> {
    serde_json::from_str(&mark_long(&replace_lone(text)))
}

/// Removes the white space between the tokens of a JSON text.
pub(crate) fn compact(text: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let stays = |letter: &char| {
        let is_space = matches!(letter, ' ' | '\t' | '\n' | '\r');
        let keep = in_string || !is_space;
        in_string ^= *letter == '"' && !escaped;
        escaped = in_string && *letter == '\\' && !escaped;
        keep
    };
    text.chars().filter(stays).collect()
}

fn utf8(text: &[u8]) -> Result<&str, JsonError> {
    std::str::from_utf8(text).map_err(|_| JsonError::NotUtf8)
}
