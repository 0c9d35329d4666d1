//! A map by the id of a credential, which every attempt looks up.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use jackfield_credential::CredentialId;

/// A map by credential id.
pub(crate) type IdMap<T> = HashMap<CredentialId, T, BuildHasherDefault<IdHasher>>;

/// A hash for ids, several times as fast as the standard one. It does not resist chosen ids, and
/// need not: those who choose them, in the configuration and the admin API, can do worse.
#[derive(Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(size_of::<u64>());
        for chunk in &mut chunks {
            let word = chunk.try_into().map_or(0, u64::from_le_bytes);
            self.add(word);
        }
        let rest = chunks.remainder().iter();
        self.add(rest.fold(0, |word, &byte| (word << 8) | u64::from(byte)));
    }

    fn write_u8(&mut self, byte: u8) {
        self.add(u64::from(byte));
    }

    fn finish(&self) -> u64 {
        // The map uses the lowest and the highest bits; a product is good in the upper ones only.
        self.0 ^ (self.0 >> 32)
    }
}

impl IdHasher {
    fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(ROTATION) ^ word).wrapping_mul(FACTOR);
    }
}

/// Moves the well-mixed upper bits down, before the next word.
const ROTATION: u32 = 26;

/// An odd number without a pattern: 2^64 divided by the golden ratio.
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::hash::{BuildHasher as _, BuildHasherDefault};

    use super::*;

    #[test]
    fn similar_ids_differ_in_the_bits_that_the_map_uses() {
        let hasher = BuildHasherDefault::<IdHasher>::default();
        for name in ["acme-", "an-account-of-the-provider-", ""] {
            let ids = (0..10_000).map(|number| CredentialId::from(format!("{name}{number}")));
            let hashes: BTreeSet<u64> = ids.map(|id| hasher.hash_one(id)).collect();
            assert_eq!(hashes.len(), 10_000);
            let low: BTreeSet<u64> = hashes.iter().map(|hash| hash % 16_384).collect();
            // Random ones would fill 16,384 * (1 - e^(-10,000 / 16,384)) = 7,485.
            assert!(low.len() > 7_000, "{} of `{name}`", low.len());
            let high: BTreeSet<u64> = hashes.iter().map(|hash| hash >> 57).collect();
            assert_eq!(high.len(), 128);
        }
    }
}
