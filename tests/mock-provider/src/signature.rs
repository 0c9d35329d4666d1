//! Signatures of reasoning. Clients must send reasoning back with its signature unchanged. A signature
//! contains its dialect and its text, so the mock provider can verify it without a store.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// Returns the signature of a text in a dialect.
pub(super) fn sign(dialect: &str, text: &str) -> String {
    STANDARD.encode(payload(dialect, text))
}

/// Returns whether this is the signature of this text.
pub(super) fn verify(signature: &str, dialect: &str, text: &str) -> bool {
    signature == sign(dialect, text)
}

/// Returns whether this is a signature of any text.
pub(super) fn is_own_signature(signature: &str, dialect: &str) -> bool {
    let Some(payload) = STANDARD.decode(signature).ok() else {
        return false;
    };
    let payload = String::from_utf8_lossy(&payload).into_owned();
    let text = payload.rsplit_once('/').map(|(head, _)| head);
    let text = text.and_then(|head| head.strip_prefix(&format!("mock/{dialect}/")));
    text.is_some_and(|text| verify(signature, dialect, text))
}

fn payload(dialect: &str, text: &str) -> String {
    let digest = Sha256::digest(format!("mock/{dialect}/{text}"));
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("mock/{dialect}/{text}/{digest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signature_is_valid_only_for_its_dialect_and_text() {
        let signature = sign("gemini", "thought/1");
        assert!(is_own_signature(&signature, "gemini"));
        assert!(verify(&signature, "gemini", "thought/1"));
        assert!(!verify(&signature, "gemini", "thought/2"));
        assert!(!is_own_signature(&signature, "anthropic"));
        assert!(!is_own_signature("c2lnbmF0dXJl", "gemini") && !is_own_signature("?", "gemini"));
        // The right format, but another text's digest.
        assert!(!is_own_signature(
            &STANDARD.encode("mock/gemini/thought/1/00"),
            "gemini"
        ));
    }
}
