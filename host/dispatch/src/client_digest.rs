//! Which client a plugin works for, as an opaque number: enough to tell clients apart, and nothing more.

use std::fmt;

/// A hash of a client: of its key's name, or of its network where clients have no keys. The hash has a key of this
/// process, so the number means nothing elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientDigest(u64);

impl ClientDigest {
    /// The host itself: refreshes of tokens, and requests of the operator.
    pub const HOST: Self = Self(0);

    /// The digest of a client with this hash.
    #[must_use]
    pub const fn new(hash: u64) -> Self {
        // 0 is the host's.
        Self(if hash == 0 { 1 } else { hash })
    }
}

impl fmt::Display for ClientDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_client_is_the_host() {
        assert_ne!(ClientDigest::new(0), ClientDigest::HOST);
        assert_eq!(ClientDigest::new(0xab).to_string(), "00000000000000ab");
    }
}
