//! `thoughtSignature`: bytes in base64, on a part of any kind.

use crate::Dialect;
use crate::interlingua::Signature;

/// What the API documents for a call whose signature is not at hand, such as one that another model
/// made: Gemini 3 refuses the first call of a step without any, and passes this one
/// (<https://ai.google.dev/gemini-api/docs/thought-signatures>, the questions at its end). It happens
/// to be base64 in the alphabet for URLs, which proto JSON takes as well.
pub(super) const STAND_IN: &str = "skip_thought_signature_validator";

/// The same as a client prints it that keeps bytes: decoded, and encoded in the standard alphabet.
const STAND_IN_STANDARD: &str = "skip/thought/signature/validator";

/// Reads a signature. The stand-in is none.
pub(super) fn read(text: &str) -> Option<Signature> {
    if ["", STAND_IN, STAND_IN_STANDARD].contains(&text) {
        return None;
    }
    let made = Signature::read(Dialect::Gemini, text);
    if made.origin != Dialect::Gemini || !text.contains(['-', '_']) {
        return Some(made);
    }
    // Clients that keep bytes print them in the alphabet for URLs, also those of a wrapped one.
    let standard = text.replace('-', "+").replace('_', "/");
    let wrapped = Signature::read(Dialect::Gemini, &standard);
    Some(if wrapped.origin == Dialect::Gemini {
        made
    } else {
        wrapped
    })
}

/// As it is written to a client.
pub(super) fn write(signature: &Signature) -> String {
    signature.written_in(Dialect::Gemini)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_signature_survives_the_other_alphabet() {
        let made = Signature {
            origin: Dialect::AnthropicMessages,
            data: "~~~???>>>".to_owned(),
        };
        let written = write(&made);
        let printed = written.replace('+', "-").replace('/', "_");
        assert_ne!(written, printed);
        assert_eq!(read(&printed), Some(made.clone()));
        assert_eq!(read(&written), Some(made));
    }

    #[test]
    fn the_stand_in_is_no_signature() {
        assert_eq!(read(STAND_IN), None);
        assert_eq!(read(""), None);
        let own = read("CiQB-_x=");
        assert_eq!(
            own.as_ref().and_then(|it| it.of(Dialect::Gemini)),
            Some("CiQB-_x=")
        );
    }
}
