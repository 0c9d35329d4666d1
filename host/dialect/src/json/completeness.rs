//! Follows a JSON text that arrives in pieces, to know whether it has ended. It does not check the text.

/// How far a JSON text is. It needs constant memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Completeness {
    /// How many objects and arrays are open.
    depth: usize,
    in_string: bool,
    /// Whether the last character was the backslash of an escape.
    escaped: bool,
    /// Whether an object or an array has begun and ended.
    ended: bool,
}

impl Completeness {
    /// The completeness of a whole text.
    pub(crate) fn of(text: &str) -> Self {
        let mut completeness = Self::default();
        completeness.push(text);
        completeness
    }

    /// Reads the next piece.
    pub(crate) fn push(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string ^= true,
                b'{' | b'[' if !self.in_string => self.depth += 1,
                b'}' | b']' if !self.in_string && self.depth > 0 => {
                    self.depth -= 1;
                    self.ended |= self.depth == 0;
                }
                _ => {}
            }
        }
    }

    /// Whether an object or an array has ended, and none is open.
    pub(crate) const fn is_complete(self) -> bool {
        self.ended && self.depth == 0
    }

    /// Whether an object or an array is open: more has to follow.
    pub(crate) const fn is_open(self) -> bool {
        self.depth > 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::openai_chat::json_strategy;

    #[test]
    fn knows_where_objects_end() {
        for complete in ["{}", " [1] ", r#"{"a":"}\"{"}"#, r#"{"a": Rome}"#] {
            assert!(Completeness::of(complete).is_complete(), "{complete}");
        }
        for open in ["{", r#"{"a":"}"#, r#"{"a":"\"}"#, "[{}"] {
            assert!(Completeness::of(open).is_open(), "{open}");
        }
        for other in ["", "42", "\"{\"", "Rome", "null"] {
            let completeness = Completeness::of(other);
            assert!(
                !completeness.is_complete() && !completeness.is_open(),
                "{other}"
            );
        }
    }

    proptest! {
        #[test]
        fn every_prefix_of_an_object_is_open(value in json_strategy::object(), at: prop::sample::Index) {
            let text = value.to_string();
            let cut = text.ceil_char_boundary(1 + at.index(text.len()));
            let mut completeness = Completeness::of(&text[..cut]);
            prop_assert_eq!(completeness.is_open(), cut < text.len());
            completeness.push(&text[cut..]);
            prop_assert!(completeness.is_complete());
        }
    }
}
