//! A provider's own record of its model's reasoning, which only that provider can read.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::Dialect;

/// A provider's record of its model's reasoning. Clients send it back unread in the next turn. It is
/// valid only in the dialect it comes from. Clients of other dialects get it wrapped, so that it is
/// recognized when it comes back, and never sent to a provider that would reject it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The dialect of the provider that made it.
    pub origin: Dialect,
    /// The record in that dialect.
    pub data: String,
}

impl Signature {
    /// How every wrapped signature begins: the length of the prefix is a multiple of three, so its base64 does not
    /// depend on what follows.
    pub(crate) const WRAPPED_PREFIX: &[u8] = b"amFja2ZpZWxkOjE6";

    /// The signature that Google documents for a tool call without one, such as a call by another model. Gemini 3
    /// rejects the first call of a step without a signature, and accepts this one
    /// (<https://ai.google.dev/gemini-api/docs/thought-signatures>, see the FAQ). The text happens to be valid
    /// URL-safe base64, which protobuf JSON accepts too.
    pub(crate) const PLACEHOLDER: &str = "skip_thought_signature_validator";

    /// Reads a text in the place where `dialect` has its signatures.
    #[must_use]
    pub fn read(dialect: Dialect, text: &str) -> Self {
        Self::parse_wrapped(text).unwrap_or_else(|| Self {
            origin: dialect,
            data: text.to_owned(),
        })
    }

    /// Returns the text for the place where `dialect` has its signatures: verbatim in its own dialect,
    /// wrapped in others. A wrapped one is base64, since some clients decode it.
    #[must_use]
    pub fn encode_for(&self, dialect: Dialect) -> String {
        if self.origin == dialect {
            return self.data.clone();
        }
        STANDARD.encode(format!("{WRAPPER_PREFIX}{}:{}", self.origin, self.data))
    }

    /// Returns the record if a provider of this dialect made it.
    #[must_use]
    pub fn data_for(&self, dialect: Dialect) -> Option<&str> {
        (self.origin == dialect).then_some(self.data.as_str())
    }

    fn parse_wrapped(text: &str) -> Option<Self> {
        // Most are not wrapped. The first bytes show it, so the rest is not decoded.
        if !text.as_bytes().starts_with(Self::WRAPPED_PREFIX) {
            return None;
        }
        let bytes = STANDARD.decode(text).ok()?;
        let text = std::str::from_utf8(&bytes).ok()?;
        let (origin, data) = text.strip_prefix(WRAPPER_PREFIX)?.split_once(':')?;
        Some(Self {
            origin: Dialect::parse(origin)?,
            data: data.to_owned(),
        })
    }
}

const WRAPPER_PREFIX: &str = "jackfield:1:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unwraps_signature_from_any_dialect() {
        assert_eq!(
            STANDARD.encode(WRAPPER_PREFIX).as_bytes(),
            Signature::WRAPPED_PREFIX
        );
        for origin in Dialect::ALL {
            for dialect in Dialect::ALL {
                for data in ["", "EqQB:é", "jackfield:1:x"] {
                    let data = data.to_owned();
                    let signature = Signature { origin, data };
                    let written = signature.encode_for(dialect);
                    assert_eq!(Signature::read(dialect, &written), signature);
                    assert_eq!(signature.data_for(dialect).is_some(), origin == dialect);
                }
            }
        }
    }

    #[test]
    fn treats_invalid_wrapper_as_own_signature() {
        for text in ["amFja2ZpZWxkOjE6", "amFja2ZpZWxkOjE6!", "x", ""] {
            let read = Signature::read(Dialect::AnthropicMessages, text);
            assert_eq!(read.origin, Dialect::AnthropicMessages);
            assert_eq!(read.data, text);
        }
    }
}
