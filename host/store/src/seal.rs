//! Sealing: encryption of secrets, bound to the place where they are stored.

use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};

use secrecy::zeroize::Zeroizing;

use crate::Key;

/// Seals and opens data with XChaCha20-Poly1305, whose nonce is long enough to be random.
pub(crate) struct Sealer(XChaCha20Poly1305);

/// The data was sealed with another key or for another place, or was modified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DecryptError;

/// Why data was not sealed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    /// The system has no random numbers for the nonce.
    #[error("the system has no random numbers: {0}")]
    NoRandomness(getrandom::Error),
    /// The cipher's limit is exceeded.
    #[error("the data is too large to be encrypted")]
    TooLarge,
}

impl Sealer {
    pub(crate) fn new(key: &Key) -> Self {
        Self(XChaCha20Poly1305::new(key.bytes().into()))
    }

    /// Seals bytes for a place, such as a credential's id and a column.
    pub(crate) fn seal(&self, location: &[&str], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(SealError::NoRandomness)?;
        let payload = Payload {
            msg: plain,
            aad: &associated_data(location),
        };
        let sealed = self.0.encrypt((&nonce).into(), payload);
        let sealed = sealed.map_err(|_| SealError::TooLarge)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens data that was sealed for the same place.
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

/// Encodes a place unambiguously: the name of the format, then each part with its length.
fn associated_data(location: &[&str]) -> Vec<u8> {
    let mut bytes = FORMAT.to_vec();
    for part in location {
        bytes.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

const NONCE_BYTES: usize = 24;

/// The sealed data is JSON of the types in `rows.rs`. Another format must have another name, so
/// that the two cannot be confused.
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
