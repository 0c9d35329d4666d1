//! Signatures: the member `encrypted_content` of reasoning items, which the provider accepts only
//! together with the item's own `id`.

use crate::Dialect;
use crate::ir::Signature;
use crate::openai_responses::DIALECT;

/// A property of a signature of another dialect, for which this dialect has no member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It belongs to the tool call that follows.
    Call,
    /// Its reasoning is redacted.
    Redacted,
}

/// Makes a signature of this dialect from an item's `id` and `encrypted_content`. Some clients (Codex)
/// leave out the id, which the provider accepts too.
pub(crate) fn from_parts(id: Option<&str>, encrypted: &str) -> Signature {
    // `split` cuts at the first line feed, so the id must not have one.
    let id = id.filter(|id| !id.contains('\n')).unwrap_or_default();
    let data = if id.is_empty() && !encrypted.contains('\n') {
        encrypted.to_owned()
    } else {
        format!("{id}\n{encrypted}")
    };
    Signature {
        origin: DIALECT,
        data,
    }
}

/// Splits the data of a signature of this dialect into the id and `encrypted_content`.
pub(crate) fn split(data: &str) -> (Option<&str>, &str) {
    match data.split_once('\n') {
        Some(("", encrypted)) => (None, encrypted),
        Some((id, encrypted)) => (Some(id), encrypted),
        None => (None, data),
    }
}

/// Decodes a signature that a client sends back.
pub(crate) fn decode(id: Option<&str>, encrypted: &str) -> (Signature, Option<Mark>) {
    if let Some((wrapped, mark)) = split_mark(encrypted)
        && let Some(signature) = unwrap_signature(wrapped)
    {
        return (signature, Some(mark));
    }
    let signature = unwrap_signature(encrypted).unwrap_or_else(|| from_parts(id, encrypted));
    (signature, None)
}

/// Encodes a signature as `encrypted_content` of an item with another id. A signature of this dialect
/// is wrapped as well, to keep its own id.
pub(crate) fn wrap_signature(signature: &Signature, mark: Option<Mark>) -> String {
    let foreign = if signature.origin == DIALECT {
        Dialect::OpenaiChat
    } else {
        DIALECT
    };
    let text = signature.encode_for(foreign);
    match mark {
        None => text,
        Some(mark) => text + mark.suffix(),
    }
}

impl Mark {
    const ALL: [Self; 2] = [Self::Call, Self::Redacted];

    /// No alphabet of base64 has a point, so a marked text cannot be anything else.
    const fn suffix(self) -> &'static str {
        match self {
            Self::Call => ".call",
            Self::Redacted => ".redacted",
        }
    }
}

fn split_mark(text: &str) -> Option<(&str, Mark)> {
    let found = |mark: Mark| Some((text.strip_suffix(mark.suffix())?, mark));
    Mark::ALL.into_iter().find_map(found)
}

/// `None` if it was not wrapped.
fn unwrap_signature(text: &str) -> Option<Signature> {
    let signature = Signature::read(DIALECT, text);
    (signature.origin != DIALECT || signature.data != text).then_some(signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_and_encrypted_content_round_trip() {
        for id in [None, Some("rs_1")] {
            for encrypted in ["gAAA", "g\nA", "a.call"] {
                let signature = from_parts(id, encrypted);
                assert_eq!(split(&signature.data), (id, encrypted));
                assert_eq!(decode(id, encrypted), (signature.clone(), None));
                let under_another = wrap_signature(&signature, None);
                assert_eq!(decode(Some("rs_2"), &under_another), (signature, None));
            }
        }
    }

    #[test]
    fn foreign_signatures_keep_their_marks() {
        let data = "EqQB".to_owned();
        for origin in Dialect::ALL {
            let signature = Signature {
                origin,
                data: data.clone(),
            };
            for mark in [None, Some(Mark::Call), Some(Mark::Redacted)] {
                let text = wrap_signature(&signature, mark);
                assert_eq!(decode(Some("rs_1"), &text), (signature.clone(), mark));
            }
        }
    }
}
