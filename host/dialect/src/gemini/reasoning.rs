//! Reasoning: thinking levels, and `thoughtSignature`, which is base64 on a part of any kind.

pub(super) mod suffix;

use crate::gemini::DIALECT;
use crate::ir::{Effort, Signature};

/// The values of `thinkingLevel` that map both ways.
pub(crate) const LEVELS: [(&str, Effort); 4] = [
    ("MINIMAL", Effort::Minimal),
    ("LOW", Effort::Low),
    ("MEDIUM", Effort::Medium),
    ("HIGH", Effort::High),
];

/// The placeholder for a missing signature.
pub(crate) const PLACEHOLDER: &str = Signature::PLACEHOLDER;

/// The same bytes in standard base64: clients that decode signatures to bytes encode them like this.
const PLACEHOLDER_STANDARD: &str = "skip/thought/signature/validator";

/// Whether a signature is the placeholder.
pub(super) fn is_placeholder(text: &str) -> bool {
    [PLACEHOLDER, PLACEHOLDER_STANDARD].contains(&text)
}

/// Decodes a signature; `None` if it is empty or the placeholder.
pub(crate) fn decode(text: &str) -> Option<Signature> {
    if text.is_empty() || is_placeholder(text) {
        return None;
    }
    let signature = Signature::read(DIALECT, text);
    if signature.origin != DIALECT || !text.contains(['-', '_']) {
        return Some(signature);
    }
    // Clients that decode signatures to bytes encode them as URL-safe base64, wrapped ones included.
    let standard = text.replace('-', "+").replace('_', "/");
    let wrapped = Signature::read(DIALECT, &standard);
    Some(if wrapped.origin == DIALECT {
        signature
    } else {
        wrapped
    })
}

/// Encodes a signature for a client.
pub(crate) fn encode(signature: &Signature) -> String {
    signature.encode_for(DIALECT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dialect;

    #[test]
    fn reads_wrapped_signature_in_url_safe_alphabet() {
        let signature = Signature {
            origin: Dialect::AnthropicMessages,
            data: "~~~???>>>".to_owned(),
        };
        let written = encode(&signature);
        let printed = written.replace('+', "-").replace('/', "_");
        assert_ne!(written, printed);
        assert_eq!(decode(&printed), Some(signature.clone()));
        assert_eq!(decode(&written), Some(signature));
    }

    #[test]
    fn ignores_placeholder_signature() {
        assert_eq!(decode(PLACEHOLDER), None);
        assert_eq!(decode(""), None);
        let own = decode("CiQB-_x=");
        assert_eq!(
            own.as_ref().and_then(|it| it.data_for(Dialect::Gemini)),
            Some("CiQB-_x=")
        );
    }
}
