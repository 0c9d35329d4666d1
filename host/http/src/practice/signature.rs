//! Signatures of reasoning. Whoever hands reasoning back must hand its signature back unchanged, and
//! the practice provider knows its own: each says which dialect it is of, and what it stands for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The signature of a text, in a dialect.
pub(super) fn sign(dialect: &str, text: &str) -> String {
    STANDARD.encode(plain(dialect, text))
}

/// Whether this is the signature of this text.
pub(super) fn signs(signature: &str, dialect: &str, text: &str) -> bool {
    signature == sign(dialect, text)
}

/// Whether this is a signature of any text.
pub(super) fn is_ours(signature: &str, dialect: &str) -> bool {
    let Some(plain) = STANDARD.decode(signature).ok() else {
        return false;
    };
    let plain = String::from_utf8_lossy(&plain).into_owned();
    let text = plain.rsplit_once('/').map(|(head, _)| head);
    let text = text.and_then(|head| head.strip_prefix(&format!("practice/{dialect}/")));
    text.is_some_and(|text| signs(signature, dialect, text))
}

fn plain(dialect: &str, text: &str) -> String {
    let digest = Sha256::digest(format!("practice/{dialect}/{text}"));
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("practice/{dialect}/{text}/{digest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_dialect_and_its_text() {
        let signature = sign("gemini", "thought/1");
        assert!(is_ours(&signature, "gemini"));
        assert!(signs(&signature, "gemini", "thought/1"));
        assert!(!signs(&signature, "gemini", "thought/2"));
        assert!(!is_ours(&signature, "anthropic"));
        assert!(!is_ours("c2lnbmF0dXJl", "gemini") && !is_ours("?", "gemini"));
        // Of the right form, but with a digest of something else.
        assert!(!is_ours(
            &STANDARD.encode("practice/gemini/thought/1/00"),
            "gemini"
        ));
    }
}
