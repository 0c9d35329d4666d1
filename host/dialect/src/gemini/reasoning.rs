//! `thoughtSignature`: bytes in base64, on a part of any kind.

pub(super) mod suffix;

use crate::gemini::DIALECT;
use crate::ir::Signature;

/// What the API documents for a call whose signature is not at hand, such as one that another model
/// made: Gemini 3 refuses the first call of a step without any, and passes this one
/// (<https://ai.google.dev/gemini-api/docs/thought-signatures>, the questions at its end). It happens
/// to be base64 in the alphabet for URLs, which proto JSON takes as well.
pub(crate) const PLACEHOLDER: &str = "skip_thought_signature_validator";

/// The same as a client prints it that keeps bytes: decoded, and encoded in the standard alphabet.
const PLACEHOLDER_STANDARD: &str = "skip/thought/signature/validator";

/// Reads a signature. The stand-in is none.
pub(crate) fn decode(text: &str) -> Option<Signature> {
    if ["", PLACEHOLDER, PLACEHOLDER_STANDARD].contains(&text) {
        return None;
    }
    let signature = Signature::read(DIALECT, text);
    if signature.origin != DIALECT || !text.contains(['-', '_']) {
        return Some(signature);
    }
    // Clients that keep bytes print them in the alphabet for URLs, also those of a wrapped one.
    let standard = text.replace('-', "+").replace('_', "/");
    let wrapped = Signature::read(DIALECT, &standard);
    Some(if wrapped.origin == DIALECT {
        signature
    } else {
        wrapped
    })
}

/// As it is written to a client.
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
