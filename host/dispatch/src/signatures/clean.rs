//! Removes from a request what its provider would refuse, or has refused, for its signature.

use std::cell::RefCell;

use bytes::Bytes;
use jackfield_dialect::ir::Warning;
use jackfield_dialect::{
    SignatureFilter, SignedPart, StrippedBody, is_wrapped, scan_signatures, strip_signatures,
};

use super::memory::{Provenance, RefusedPart, SignatureMemory};
use super::recorder::SignatureRecorder;

/// A body without signatures that its provider would refuse.
pub(crate) struct CleanedBody {
    pub(crate) body: Bytes,
    /// What was dropped.
    pub(crate) warnings: Vec<Warning>,
}

impl From<StrippedBody> for CleanedBody {
    fn from(stripped: StrippedBody) -> Self {
        let StrippedBody { body, warnings } = stripped;
        Self { body, warnings }
    }
}

/// A body without all of its signatures.
pub(crate) struct UnsignedBody {
    pub(crate) cleaned: CleanedBody,
    /// The parts that were dropped or changed.
    pub(crate) dropped: Vec<RefusedPart>,
}

/// Looks whether a body may have signatures that [`clean_body`] removes. Most bodies have none.
pub(crate) fn may_need_cleaning(body: &[u8], model: &str, recorder: &SignatureRecorder) -> bool {
    Judge::new(model, recorder).may_drop(body)
}

/// Removes what another provider signed: what Jackfield wrapped, what is empty where the model refuses that, what
/// another provider gave, and what this one refused before. `None` if there is nothing of it.
pub(crate) fn clean_body(
    body: &[u8],
    model: &str,
    recorder: &SignatureRecorder,
) -> Option<CleanedBody> {
    let judge = Judge::new(model, recorder);
    let filter = SignatureFilter {
        refused: false,
        drops: &|part| judge.drops(part),
    };
    strip_signatures(recorder.dialect, body, model, filter).map(CleanedBody::from)
}

/// Removes all signatures, after the provider refused the request for them. `None` if it has none.
pub(crate) fn without_signatures(
    body: &[u8],
    model: &str,
    recorder: &SignatureRecorder,
) -> Option<UnsignedBody> {
    let dropped = RefCell::default();
    let filter = SignatureFilter {
        refused: true,
        drops: &|part| {
            let refused = refused_part(part, &recorder.memory);
            RefCell::<Vec<RefusedPart>>::borrow_mut(&dropped).push(refused);
            true
        },
    };
    let stripped = strip_signatures(recorder.dialect, body, model, filter)?;
    Some(UnsignedBody {
        cleaned: stripped.into(),
        dropped: dropped.into_inner(),
    })
}

/// A part by its signature, or by its JSON if it has none: clients send a history as they received it.
fn refused_part(part: &SignedPart<'_>, memory: &SignatureMemory) -> RefusedPart {
    match part.signature.as_deref() {
        None | Some("") => RefusedPart::Part(memory.digest(part.json)),
        Some(signature) => RefusedPart::Signature(memory.digest(signature)),
    }
}

/// Decides which signatures a provider gets.
struct Judge<'a> {
    recorder: &'a SignatureRecorder,
    refuses_empty: bool,
    /// Whether the memory may know signatures of others.
    may_know: bool,
    /// Whether the provider has refused parts without a signature.
    has_refused_parts: bool,
}

impl<'a> Judge<'a> {
    fn new(model: &str, recorder: &'a SignatureRecorder) -> Self {
        let codec = recorder.dialect.codec();
        Self {
            recorder,
            refuses_empty: codec.refuses_empty_signature(model),
            may_know: recorder.memory.may_know_foreign(recorder.origin),
            has_refused_parts: recorder.memory.has_refused_parts(recorder.origin),
        }
    }

    /// Looks at the bytes of a body. Members of the same name in other places make it true as well.
    fn may_drop(&self, body: &[u8]) -> bool {
        // No look finds a part without a signature.
        if self.has_refused_parts {
            return true;
        }
        let mut found = false;
        scan_signatures(self.recorder.dialect, body, &mut |signature| {
            found = found || self.drops_signature(signature);
        });
        found
    }

    fn drops(&self, part: &SignedPart<'_>) -> bool {
        match part.signature.as_deref() {
            Some(signature) if self.drops_signature(signature) => true,
            Some(signature) if !signature.is_empty() => false,
            _ => self.has_refused_parts && self.is_refused_part(part.json),
        }
    }

    fn drops_signature(&self, signature: &str) -> bool {
        if signature.is_empty() {
            return self.refuses_empty;
        }
        let Self { recorder, .. } = self;
        if is_wrapped(signature) {
            // Another Jackfield may be the provider: what it wrapped, it unwraps.
            let digest = recorder.memory.digest(signature);
            let provenance = recorder.memory.provenance(digest, recorder.origin);
            return provenance != Provenance::Own;
        }
        self.knows_as_foreign(signature)
    }

    fn knows_as_foreign(&self, text: &str) -> bool {
        let Self { recorder, .. } = self;
        self.may_know && {
            let digest = recorder.memory.digest(text);
            recorder.memory.provenance(digest, recorder.origin) == Provenance::Foreign
        }
    }

    fn is_refused_part(&self, json: &str) -> bool {
        let Self { recorder, .. } = self;
        let digest = recorder.memory.digest(json);
        recorder.memory.is_refused_part(digest, recorder.origin)
    }
}
