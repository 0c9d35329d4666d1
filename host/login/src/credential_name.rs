//! The id of an account's credential.

use sha2::{Digest, Sha256};

/// Returns an id for the credential of an account: the provider and the account, as far as ids allow its characters,
/// and a digest if something was changed. Ids have `a-z`, `0-9`, `.`, `_` and `-`, and at most
/// 64 bytes.
pub fn credential_name(provider: &str, account: &str) -> String {
    let whole = format!("{provider}-{account}");
    if whole.len() <= NAME_BYTES_MAX && whole.bytes().all(legal) {
        return whole;
    }
    with_digest(&whole, account)
}

/// Returns another id than [`credential_name`], for an account whose id another provider's account has: `a` and `b-c`
/// have the same one as `a-b` and `c`.
pub fn distinct_credential_name(provider: &str, account: &str) -> String {
    // Neither names of providers nor accounts contain a control character.
    let both = format!("{provider}\n{account}");
    with_digest(&format!("{provider}-{account}"), &both)
}

fn with_digest(whole: &str, digested: &str) -> String {
    let digest = Sha256::digest(digested.as_bytes());
    let digest: String = digest
        .iter()
        .take(DIGEST_BYTES)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let lower = whole.to_ascii_lowercase();
    let legal_or_dash = |byte: u8| if legal(byte) { char::from(byte) } else { '-' };
    let shown = lower.bytes().map(legal_or_dash);
    let shown: String = shown.take(NAME_BYTES_MAX - 2 * DIGEST_BYTES - 1).collect();
    format!("{}-{digest}", shown.trim_end_matches('-'))
}

fn legal(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte)
}

/// The longest id, in bytes; the reader of the configuration has the same limit.
const NAME_BYTES_MAX: usize = 64;

/// How much of the digest tells accounts apart, in bytes. An operator reads it.
const DIGEST_BYTES: usize = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn account_is_in_the_id_as_far_as_possible() {
        assert_eq!(credential_name("acme", "user_1.x-2"), "acme-user_1.x-2");
        assert_eq!(
            credential_name("acme", "me@example.com"),
            "acme-me-example.com-8c2a47d3"
        );
        assert_ne!(credential_name("acme", "Me"), credential_name("acme", "me"));
    }

    #[test]
    fn accounts_of_two_providers_have_different_ids() {
        assert_eq!(credential_name("a", "b-c"), credential_name("a-b", "c"));
        let second = distinct_credential_name("a-b", "c");
        assert_ne!(second, credential_name("a", "b-c"));
        assert_ne!(second, distinct_credential_name("a", "b-c"));
        assert!(second.starts_with("a-b-c-"), "{second}");
    }

    proptest! {
        #[test]
        fn id_is_valid_and_stable(provider in "[a-z0-9][a-z0-9._-]{0,63}", account in "\\PC{1,256}") {
            let name = credential_name(&provider, &account);
            prop_assert!(name.len() <= NAME_BYTES_MAX);
            prop_assert!(name.bytes().all(legal), "{}", name);
            let distinct = distinct_credential_name(&provider, &account);
            prop_assert!(distinct.len() <= NAME_BYTES_MAX && distinct.bytes().all(legal), "{}", distinct);
            prop_assert_eq!(&name, &credential_name(&provider, &account));
            let other = credential_name(&provider, &format!("{account}x"));
            prop_assert_ne!(name, other);
        }
    }
}
