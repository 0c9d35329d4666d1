//! Proof Key for Code Exchange (RFC 7636), by S256 only: `plain` protects nothing if the request is seen.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

/// The random bytes of one login: 32 for the state and 32 for the verifier (RFC 7636, section 4.1).
pub const RANDOM_BYTES: usize = 64;

/// Returns the state and the verifier of a login.
pub(crate) fn state_and_verifier(random: &[u8; RANDOM_BYTES]) -> (SecretString, SecretString) {
    let (state, verifier) = random.split_at(RANDOM_BYTES / 2);
    let text = |bytes| SecretString::from(URL_SAFE_NO_PAD.encode(bytes));
    (text(state), text(verifier))
}

/// Returns the challenge of a verifier.
pub(crate) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    /// The example of RFC 7636, appendix B.
    #[test]
    fn challenge_is_that_of_the_rfc() {
        let bytes = [
            116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212,
            37, 77, 105, 214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
        ];
        let mut random = [0; RANDOM_BYTES];
        random[RANDOM_BYTES / 2..].copy_from_slice(&bytes);
        let (_, verifier) = state_and_verifier(&random);
        let verifier = verifier.expose_secret();
        assert_eq!(verifier, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(
            challenge(verifier),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }
}
