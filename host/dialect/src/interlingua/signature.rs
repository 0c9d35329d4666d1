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
        Self::unwrap(text).unwrap_or_else(|| Self {
            origin: dialect,
            data: text.to_owned(),
        })
    }

    /// As it is written where `dialect` has its signatures: as it is at home, wrapped elsewhere. A
    /// wrapped one is base64, since some clients decode it.
    #[must_use]
    pub fn written_in(&self, dialect: Dialect) -> String {
        if self.origin == dialect {
            return self.data.clone();
        }
        STANDARD.encode(format!("{WRAP}{}:{}", self.origin, self.data))
    }

    /// The record, if a provider of this dialect made it.
    #[must_use]
    pub fn of(&self, dialect: Dialect) -> Option<&str> {
        (self.origin == dialect).then_some(self.data.as_str())
    }

    fn unwrap(text: &str) -> Option<Self> {
        // Most are not wrapped: the first bytes tell, without decoding the rest.
        let first = text.as_bytes().get(..WRAP_BASE64.len())?;
        if first != WRAP_BASE64 {
            return None;
        }
        let bytes = STANDARD.decode(text).ok()?;
        let text = std::str::from_utf8(&bytes).ok()?;
        let (origin, data) = text.strip_prefix(WRAP)?.split_once(':')?;
        Some(Self {
            origin: Dialect::parse(origin)?,
            data: data.to_owned(),
        })
    }
}

const WRAP: &str = "jackfield:1:";
/// Its length is a multiple of three, so that its base64 is that of every wrapped one's beginning.
const WRAP_BASE64: &[u8] = b"amFja2ZpZWxkOjE6";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_known_again_behind_any_dialect() {
        assert_eq!(STANDARD.encode(WRAP).as_bytes(), WRAP_BASE64);
        for origin in Dialect::ALL {
            for dialect in Dialect::ALL {
                for data in ["", "EqQB:é", "jackfield:1:x"] {
                    let data = data.to_owned();
                    let made = Signature { origin, data };
                    let written = made.written_in(dialect);
                    assert_eq!(Signature::read(dialect, &written), made);
                    assert_eq!(made.of(dialect).is_some(), origin == dialect);
                }
            }
        }
    }

    #[test]
    fn what_only_looks_wrapped_is_the_dialects_own() {
        for text in ["amFja2ZpZWxkOjE6", "amFja2ZpZWxkOjE6!", "x", ""] {
            let read = Signature::read(Dialect::AnthropicMessages, text);
            assert_eq!(read.origin, Dialect::AnthropicMessages);
            assert_eq!(read.data, text);
        }
    }
}
