//! The grant of assertions (RFC 7523), as Google's token endpoint takes them of service accounts (Google Identity, "Using
//! OAuth 2.0 for server to server applications").

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::rsa;

/// A service account with one key.
#[derive(Debug, Clone)]
pub struct MockServiceAccount {
    /// Its name, which is the issuer of its assertions.
    pub email: String,
    /// The id of its key.
    pub key_id: String,
    /// The modulus of its RSA key, whose exponent is 65537.
    pub modulus: Vec<u8>,
}

pub(super) const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The longest life of an assertion, in seconds.
const LIFETIME_S_MAX: u64 = 3_600;

/// How far an assertion's time may be in the future, in seconds.
const SKEW_S_MAX: u64 = 300;

/// Returns the account of a valid assertion. `now` is in seconds since the Unix epoch.
///
/// # Errors
/// Google's description of the error.
pub(super) fn verify(
    accounts: &[MockServiceAccount],
    assertion: &str,
    audience: &str,
    now: u64,
) -> Result<String, String> {
    let refused = |text: &str| Err(text.to_owned());
    let mut parts = assertion.splitn(3, '.');
    let (Some(header), Some(claims), Some(signature)) = (parts.next(), parts.next(), parts.next())
    else {
        return refused("Invalid JWT: Failed audience check or malformed assertion.");
    };
    let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
    let parsed =
        |text: &str| -> Value { serde_json::from_slice(&decoded(text)).unwrap_or_default() };
    let (head, body) = (parsed(header), parsed(claims));
    let account = accounts
        .iter()
        .find(|account| body["iss"] == account.email.as_str());
    let Some(account) = account else {
        return refused("Invalid grant: account not found");
    };
    let signed = format!("{header}.{claims}");
    let known_key = head["alg"] == "RS256" && head["kid"] == account.key_id.as_str();
    if !known_key || !rsa::verifies(&account.modulus, signed.as_bytes(), &decoded(signature)) {
        return refused("Invalid JWT Signature.");
    }
    if body["aud"] != audience {
        return refused("Invalid JWT: Failed audience check.");
    }
    let (issued, expires) = (body["iat"].as_u64(), body["exp"].as_u64());
    let (issued, expires) = (issued.unwrap_or_default(), expires.unwrap_or_default());
    if expires <= now || expires > issued + LIFETIME_S_MAX || issued > now + SKEW_S_MAX {
        return refused(
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check \
             your iat and exp values in the JWT claim.",
        );
    }
    if body["scope"] != SCOPE {
        return refused("Invalid OAuth scope or ID token audience provided.");
    }
    Ok(account.email.clone())
}

/// The scope of the APIs of Google Cloud.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

#[cfg(test)]
mod tests {
    use super::*;

    /// The time of the assertion: 1 December 2026, 04:07:09 UTC.
    const NOW: u64 = 1_796_098_029;

    /// The account of `tests/cases/jwt`.
    fn account() -> MockServiceAccount {
        let modulus = include_str!("../../../cases/jwt/rs256/modulus.txt");
        let digits = |at: usize| u8::from_str_radix(&modulus[at..at + 2], 16).unwrap();
        MockServiceAccount {
            email: "jackfield@test-project.iam.gserviceaccount.com".to_owned(),
            key_id: "0123456789abcdef".to_owned(),
            modulus: (0..512).step_by(2).map(digits).collect(),
        }
    }

    #[test]
    fn checks_signature_audience_and_time() {
        let assertion = include_str!("../../../cases/jwt/rs256/expect.txt").trim_end();
        let audience = "https://oauth2.googleapis.com/token";
        let verify = |assertion: &str, audience: &str| {
            verify(&[account()], assertion, audience, NOW).unwrap_err()
        };
        let at = |now: u64| super::verify(&[account()], assertion, audience, now);
        assert_eq!(at(NOW), Ok(account().email));
        assert_eq!(at(NOW + LIFETIME_S_MAX - 1), Ok(account().email));
        for now in [NOW - SKEW_S_MAX - 1, NOW + LIFETIME_S_MAX] {
            assert!(at(now).unwrap_err().contains("short-lived"));
        }
        assert!(verify(assertion, "https://other").contains("audience"));
        let other = MockServiceAccount {
            modulus: account().modulus.into_iter().rev().collect(),
            ..account()
        };
        let forged = super::verify(&[other], assertion, audience, NOW).unwrap_err();
        assert_eq!(forged, "Invalid JWT Signature.");
        let (signed, signature) = assertion.rsplit_once('.').unwrap();
        let changed = format!("{signed}.B{}", &signature[1..]);
        assert_eq!(verify(&changed, audience), "Invalid JWT Signature.");
        assert!(
            super::verify(&[], assertion, audience, NOW)
                .unwrap_err()
                .contains("account not found")
        );
        assert!(verify("x", audience).contains("Invalid JWT"));
    }
}
