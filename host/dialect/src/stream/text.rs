//! A text inside an event, before it is decoded.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::json::string;

/// A JSON string as the provider sent it, with quotes and escapes. A missing value, and a value that is no
/// string, count as an empty text.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Text<'a>(Option<&'a RawValue>);

impl<'a> Text<'a> {
    /// Whether there are no characters between the quotes.
    pub(crate) fn is_empty(self) -> bool {
        self.0
            .is_none_or(|raw| !raw.get().starts_with('"') || raw.get().len() == 2)
    }

    /// Returns the text; empty if it has an escape that stands for no character.
    pub(crate) fn decode(self) -> Cow<'a, str> {
        self.0.and_then(string).unwrap_or_default()
    }
}

impl<'a> From<Option<&'a RawValue>> for Text<'a> {
    fn from(raw: Option<&'a RawValue>) -> Self {
        Self(raw)
    }
}
