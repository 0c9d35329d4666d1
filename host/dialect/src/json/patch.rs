//! Patches of a JSON text that keep all other bytes: white space, the order of members, the format of
//! numbers.

use std::ops::Range;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::locate::{Container, Location, index, locate, root, split_last};
use super::{JsonError, utf8};
use crate::limits::PATCHES_MAX;

/// One change, as in RFC 6902. Paths are JSON pointers (RFC 6901), values are JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Patch {
    /// Adds a member, or replaces one of the same name; or inserts an item into an array, at its end
    /// with `-`. The empty path replaces the whole text.
    Add {
        /// Where.
        path: String,
        /// JSON text.
        value: String,
    },
    /// Removes a value, which must exist.
    Remove {
        /// Where.
        path: String,
    },
    /// Replaces a value, which must exist.
    Replace {
        /// Where.
        path: String,
        /// JSON text.
        value: String,
    },
}

impl Patch {
    /// The path: a JSON pointer.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Add { path, .. } | Self::Remove { path } | Self::Replace { path, .. } => path,
        }
    }
}

/// Applies patches in order. Without any, returns the text itself, unread. Each patch costs one pass
/// over the text and one copy of it.
///
/// # Errors
///
/// The first patch that cannot be applied; see [`PatchError`]. Nothing is applied then.
pub fn apply(text: &Bytes, patches: &[Patch]) -> Result<Bytes, PatchError> {
    if patches.len() > PATCHES_MAX {
        return Err(PatchError::TooMany {
            count: patches.len(),
        });
    }
    let mut text = text.clone();
    for patch in patches {
        text = plan_splice(&text, patch)?.apply_to(&text).into();
    }
    Ok(text)
}

/// Why a patch cannot be applied.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// The text or the path is invalid.
    #[error("patching {path:?}")]
    Json {
        /// The patch's path.
        path: String,
        /// Why.
        #[source]
        source: JsonError,
    },
    /// The path leads to nothing.
    #[error("patching {path:?}: the text has no such place")]
    Missing {
        /// The patch's path.
        path: String,
    },
    /// The patch would remove the whole text.
    #[error("removing the whole text: name the member or the item to remove")]
    Root,
    /// More patches than [`PATCHES_MAX`].
    #[error("patching with {count} patches: at most {PATCHES_MAX} are allowed")]
    TooMany {
        /// How many there were.
        count: usize,
    },
    /// The patch's value is not JSON.
    #[error("patching {path:?}: the value is not JSON")]
    Value {
        /// The patch's path.
        path: String,
        /// The position and the reason.
        #[source]
        source: serde_json::Error,
    },
}

/// A range that is cut out, and its replacement.
struct Splice<'v> {
    at: Range<usize>,
    /// A comma, or nothing.
    before: &'static str,
    /// The member's name and its colon, or nothing.
    name: String,
    value: &'v str,
    /// A comma, or nothing.
    after: &'static str,
}

impl<'v> Splice<'v> {
    fn new(at: Range<usize>, value: &'v str) -> Self {
        Self {
            at,
            before: "",
            name: String::new(),
            value,
            after: "",
        }
    }

    fn apply_to(&self, text: &[u8]) -> Vec<u8> {
        let added = self.before.len() + self.name.len() + self.value.len() + self.after.len();
        let mut out = Vec::with_capacity(text.len() - self.at.len() + added);
        out.extend_from_slice(&text[..self.at.start]);
        for part in [self.before, &self.name, self.value, self.after] {
            out.extend_from_slice(part.as_bytes());
        }
        out.extend_from_slice(&text[self.at.end..]);
        out
    }
}

fn plan_splice<'v>(text: &[u8], patch: &'v Patch) -> Result<Splice<'v>, PatchError> {
    let path = patch.path();
    let bad_text = |source| PatchError::Json {
        path: path.to_owned(),
        source,
    };
    let missing = || PatchError::Missing {
        path: path.to_owned(),
    };
    let text = utf8(text).map_err(bad_text)?;
    // The value goes into the text as it is, so one that is not JSON would spoil the whole body.
    let value = match patch {
        Patch::Add { value, .. } | Patch::Replace { value, .. } => parse_value(path, value)?,
        Patch::Remove { .. } => "",
    };
    if path.is_empty() {
        let whole = root(text).map_err(bad_text)?;
        return match patch {
            Patch::Add { .. } | Patch::Replace { .. } => Ok(Splice::new(whole, value)),
            Patch::Remove { .. } => Err(PatchError::Root),
        };
    }
    let location = locate(text, path).map_err(bad_text)?;
    match patch {
        Patch::Add { .. } => addition(text, path, value, location)
            .map_err(bad_text)?
            .ok_or_else(missing),
        Patch::Remove { .. } => Ok(Splice::new(removal(location).ok_or_else(missing)?, "")),
        Patch::Replace { .. } => {
            let target = location.target.ok_or_else(missing)?;
            Ok(Splice::new(target.value, value))
        }
    }
}

/// Returns the value without white space around it, if it is JSON.
fn parse_value<'v>(path: &str, value: &'v str) -> Result<&'v str, PatchError> {
    serde_json::from_str::<&RawValue>(value)
        .map(RawValue::get)
        .map_err(|source| PatchError::Value {
            path: path.to_owned(),
            source,
        })
}

/// Removes an element with the comma before it; the first one with the comma after it, if there is one.
fn removal(location: Location) -> Option<Range<usize>> {
    let target = location.target?;
    Some(match (location.before, location.after) {
        (Some(before), _) => before..target.value.end,
        (None, Some(after)) => target.start..after,
        (None, None) => target.start..target.value.end,
    })
}

fn addition<'v>(
    text: &str,
    path: &str,
    value: &'v str,
    location: Location,
) -> Result<Option<Splice<'v>>, JsonError> {
    let (parent, token) = split_last(path);
    let name = match (location.container, location.target) {
        (Container::Absent, _) => return Ok(None),
        (Container::Object, Some(member)) => return Ok(Some(Splice::new(member.value, value))),
        // The token may hold quotes or control characters; `Value` writes the escapes.
        (Container::Object, None) => format!("{}:", serde_json::Value::from(token)),
        (Container::Array, Some(item)) => {
            let insertion = Splice::new(item.start..item.start, value);
            return Ok(Some(Splice {
                after: ",",
                ..insertion
            }));
        }
        (Container::Array, None) if token == "-" || index(&token) == Some(location.len) => {
            String::new()
        }
        (Container::Array, None) => return Ok(None),
    };
    let (at, before) = match location.last {
        Some(end) => (end, ","),
        // An empty container has no element to insert next to.
        None => match contents_start(text, parent)? {
            Some(start) => (start, ""),
            None => return Ok(None),
        },
    };
    Ok(Some(Splice {
        before,
        name,
        ..Splice::new(at..at, value)
    }))
}

/// Returns where the inside of the container at `pointer` begins.
fn contents_start(text: &str, pointer: &str) -> Result<Option<usize>, JsonError> {
    let found = super::find(text.as_bytes(), pointer)?;
    Ok(found.map(|container| container.start + 1))
}
