//! Seals of files: HMAC-SHA-256 (RFC 2104) over name and content.

use sha2::{Digest, Sha256};

/// Seals files with one key.
#[derive(Clone)]
pub(super) struct Sealer {
    /// The hash after the padded key, for the content and for the result.
    inner: Sha256,
    outer: Sha256,
}

impl Sealer {
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self::with_key(&key)
    }

    /// A key of at most [`BLOCK_BYTES`] bytes; the rest of a longer one does not count.
    fn with_key(key: &[u8]) -> Self {
        let padded = |pad: u8| {
            let mut block = [pad; BLOCK_BYTES];
            for (byte, key) in block.iter_mut().zip(key) {
                *byte ^= key;
            }
            let mut hash = Sha256::new();
            hash.update(block);
            hash
        };
        Self {
            inner: padded(0x36),
            outer: padded(0x5c),
        }
    }

    /// Returns the seal of a file.
    pub(super) fn seal(&self, name: &[u8], content: &[u8]) -> [u8; 32] {
        // Its length first, so that no other name and content give the same text.
        let length = (name.len() as u64).to_be_bytes();
        self.code([&length, name, content])
    }

    pub(super) fn is_valid(&self, name: &[u8], content: &[u8], seal: &[u8]) -> bool {
        let expected = self.seal(name, content);
        // In constant time. It cannot be measured from outside, but it costs nothing.
        let differences = expected
            .iter()
            .zip(seal)
            .fold(0, |all, (a, b)| all | (a ^ b));
        seal.len() == expected.len() && differences == 0
    }

    /// Returns a file name for the seal of a file.
    pub(super) fn hex_of(&self, name: &[u8]) -> String {
        let code = self.code([b"name", name, b""]);
        code.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn code(&self, parts: [&[u8]; 3]) -> [u8; 32] {
        let mut inner = self.inner.clone();
        for part in parts {
            inner.update(part);
        }
        let mut outer = self.outer.clone();
        outer.update(inner.finalize());
        outer.finalize().into()
    }
}

/// The block of SHA-256, to which HMAC pads its key.
const BLOCK_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// Test case 2 of RFC 4231.
    #[test]
    fn is_hmac_sha_256() {
        let code = Sealer::with_key(b"Jefe").code([b"what do ya want ", b"for ", b"nothing?"]);
        let hex: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn seal_holds_for_one_name_content_and_key() {
        let sealer = Sealer::new([7; 32]);
        let seal = sealer.seal(b"a", b"code");
        assert!(sealer.is_valid(b"a", b"code", &seal));
        assert!(!sealer.is_valid(b"ac", b"ode", &seal));
        assert!(!sealer.is_valid(b"a", b"codf", &seal));
        assert!(!sealer.is_valid(b"a", b"code", &seal[..31]));
        assert!(!sealer.is_valid(b"a", b"code", &[]));
        assert!(!Sealer::new([8; 32]).is_valid(b"a", b"code", &seal));
    }
}
