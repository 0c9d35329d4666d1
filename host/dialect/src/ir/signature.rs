//! A provider's own record of what its model thought, which only that provider can read again.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::Dialect;

/// A provider's record of what its model thought. Clients hand it back unread in the next turn. It
/// means something only in the dialect that it was made in; through a client of another it travels
/// wrapped, so that it is known again and is never handed to a provider that would refuse it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The dialect of the provider that made it.
    pub origin: Dialect,
    /// The record, as that dialect has it.
    pub data: String,
}

impl Signature {
    /// Reads what stands where `dialect` has its signatures.
    #[must_use]
    pub fn read(dialect: Dialect, text: &str) -> Self {
        Self::parse_wrapped(text).unwrap_or_else(|| Self {
            origin: dialect,
            data: text.to_owned(),
        })
    }

    /// As it is written where `dialect` has its signatures: as it is at home, wrapped elsewhere. A
    /// wrapped one is base64, since some clients decode it.
    #[must_use]
    pub fn encode_for(&self, dialect: Dialect) -> String {
        if self.origin == dialect {
            return self.data.clone();
        }
        STANDARD.encode(format!("{WRAPPER_PREFIX}{}:{}", self.origin, self.data))
    }

    /// The record, if a provider of this dialect made it.
    #[must_use]
    pub fn data_for(&self, dialect: Dialect) -> Option<&str> {
        (self.origin == dialect).then_some(self.data.as_str())
    }

    fn parse_wrapped(text: &str) -> Option<Self> {
        // Most are not wrapped: the first bytes tell, without decoding the rest.
        let first = text.as_bytes().get(..WRAPPER_PREFIX_BASE64.len())?;
        if first != WRAPPER_PREFIX_BASE64 {
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
/// Its length is a multiple of three, so that its base64 is that of every wrapped one's beginning.
const WRAPPER_PREFIX_BASE64: &[u8] = b"amFja2ZpZWxkOjE6";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unwraps_signature_from_any_dialect() {
        assert_eq!(
            STANDARD.encode(WRAPPER_PREFIX).as_bytes(),
            WRAPPER_PREFIX_BASE64
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
