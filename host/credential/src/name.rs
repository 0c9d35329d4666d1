//! Names as types of their own: shared text, cheap to clone.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Creates the name from this text, unchanged.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::new(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        /// Lets maps with this key be searched by `&str`.
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// The name of a credential: unique in the host, stable across restarts, never secret.
    CredentialId
}

impl CredentialId {
    /// Returns a 53-bit hash of the name (the integer range of JavaScript), for rendezvous
    /// hashing. It is the same on every machine and must never change: another function would move
    /// all sessions. FNV-1a with a finalizer, since its upper bits are weak for short names.
    pub fn hash53(&self) -> u64 {
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME);
        let hash = self.0.as_bytes().iter().fold(FNV_OFFSET, step);
        let hash = (hash ^ (hash >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
        (hash ^ (hash >> 33)) >> 11
    }
}

/// The 64-bit parameters: RFC 9923, section 5.
const FNV_OFFSET: u64 = 0xCBF2_9CE4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01B3;

name! {
    /// The name of a provider, as the operator configured it.
    ProviderName
}

name! {
    /// The provider's name of a model, without a suffix. It is the key of health, so that all
    /// client names of a model share one health.
    ModelKey
}

impl ModelKey {
    /// Returns the key of a model from the provider's name. A suffix such as `(high)` is removed,
    /// since it sets the reasoning effort, not the model.
    pub fn canonical(model: &str) -> Self {
        Self::from(split_suffix(model).0)
    }
}

/// Splits a model's name from its suffix: `gpt(high)` into `gpt` and `high`. The base is never
/// empty.
pub fn split_suffix(name: &str) -> (&str, Option<&str>) {
    let split = name
        .strip_suffix(')')
        .and_then(|open| open.rsplit_once('('))
        .filter(|(base, _)| !base.is_empty());
    match split {
        Some((base, suffix)) => (base, Some(suffix)),
        None => (name, None),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::CredentialId;

    /// Values of the first version: a change would move every session.
    #[test]
    fn hash53_is_stable() {
        assert_eq!(CredentialId::from("acme-a").hash53(), 4_317_945_976_675_897);
        assert_eq!(CredentialId::from("").hash53(), 8_329_108_716_545_799);
    }

    #[test]
    fn similar_ids_have_distinct_hashes() {
        let ids = (0..10_000).map(|number| CredentialId::from(format!("acme-{number}")));
        let hashes: BTreeSet<u64> = ids.map(|id| id.hash53()).collect();
        assert_eq!(hashes.len(), 10_000);
        assert!(hashes.iter().all(|hash| *hash < 1 << 53));
    }
}
