//! Sealing: encryption of what is secret, bound to the place where it is kept.

use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};

use secrecy::zeroize::Zeroizing;

use crate::Key;

/// Seals and opens (XChaCha20-Poly1305: its nonce is long enough to be made at random each time).
pub(crate) struct Sealer(XChaCha20Poly1305);

/// It was not sealed with this key for this place, or it was changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DecryptError;

impl Sealer {
    pub(crate) fn new(key: &Key) -> Self {
        Self(XChaCha20Poly1305::new(key.bytes().into()))
    }

    /// Seals bytes for a place, such as a credential's id and a column.
    pub(crate) fn seal(&self, location: &[&str], plain: &[u8]) -> Result<Vec<u8>, String> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce)
            .map_err(|error| format!("the system gives no random numbers: {error}"))?;
        let payload = Payload {
            msg: plain,
            aad: &associated_data(location),
        };
        let sealed = self.0.encrypt((&nonce).into(), payload);
        let sealed = sealed.map_err(|_| "it is too large to be encrypted".to_owned())?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what was sealed for the same place.
    pub(crate) fn open(
        &self,
        location: &[&str],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
        let (nonce, sealed) = sealed
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(DecryptError)?;
        let payload = Payload {
            msg: sealed,
            aad: &associated_data(location),
        };
        let opened = self.0.decrypt(nonce.into(), payload);
        opened.map(Zeroizing::new).map_err(|_| DecryptError)
    }
}

/// The place as bytes that no other place has: each part with its length, after the format's name.
fn associated_data(location: &[&str]) -> Vec<u8> {
    let mut bytes = FORMAT.to_vec();
    for part in location {
        bytes.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

const NONCE_BYTES: usize = 24;

/// What is sealed is JSON of the types in `rows.rs`; another format will have another name, so that
/// none is taken for the other.
const FORMAT: &[u8] = b"jackfield store row 1\0";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_unmodified_data_with_same_key_and_location() {
        let key = |text: &str| Key::from_secret(&text.to_owned().into());
        let sealer = Sealer::new(&key("one"));
        let sealed = sealer.seal(&["a", "tokens"], b"secret").unwrap();
        assert_eq!(
            **sealer.open(&["a", "tokens"], &sealed).unwrap(),
            *b"secret"
        );
        assert_ne!(sealed, sealer.seal(&["a", "tokens"], b"secret").unwrap());
        for location in [["b", "tokens"], ["a", "definition"], ["at", "okens"]] {
            assert_eq!(
                sealer.open(&location, &sealed),
                Err(DecryptError),
                "{location:?}"
            );
        }
        let other = Sealer::new(&key("two"));
        assert_eq!(other.open(&["a", "tokens"], &sealed), Err(DecryptError));
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert_eq!(sealer.open(&["a", "tokens"], &changed), Err(DecryptError));
            assert_eq!(
                sealer.open(&["a", "tokens"], &sealed[..index]),
                Err(DecryptError)
            );
        }
    }
}
