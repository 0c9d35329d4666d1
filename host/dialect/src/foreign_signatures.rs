//! Signatures in bodies that are not translated: finds them without a tree, and removes those that the
//! provider would refuse. A provider accepts what it signed itself, and refuses the whole request for what
//! another one signed.
//!
//! Each dialect has its places of signatures in its own `signatures.rs`. Which of them are foreign is up to
//! the caller, who knows the providers.

mod refusal;
mod scan;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::Dialect;
use crate::ir::{Signature, TranslationReport, Warning};
use crate::json::TextEdit;

pub use refusal::refuses_signatures;
pub use scan::{SignatureMembers, SignatureScan, scan_signatures};

/// A part of a request that its provider may have signed.
#[derive(Clone, Debug)]
pub struct SignedPart<'a> {
    /// The signature; `None` if the part has no member for it.
    pub signature: Option<Cow<'a, str>>,
    /// The part as JSON.
    pub json: &'a str,
}

/// Which parts lose their signatures.
#[derive(Clone, Copy)]
pub struct SignatureFilter<'a> {
    /// Whether the provider refused the request for its signatures. Then what would be refused without them is
    /// changed as well.
    pub refused: bool,
    /// Whether a part loses its signature, or is removed if it is nothing without it.
    pub drops: &'a dyn Fn(&SignedPart<'_>) -> bool,
}

impl std::fmt::Debug for SignatureFilter<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut filter = out.debug_struct("SignatureFilter");
        filter
            .field("refused", &self.refused)
            .finish_non_exhaustive()
    }
}

/// A body without the signatures that the filter dropped.
#[derive(Clone, Debug)]
pub struct StrippedBody {
    /// The body. All bytes outside of the dropped parts are as before.
    pub body: Bytes,
    /// What was dropped or changed.
    pub warnings: Vec<Warning>,
}

/// A body whose signatures are being removed.
pub struct SignatureEdit<'a> {
    pub(crate) text: TextEdit<'a>,
    pub(crate) report: TranslationReport,
    /// The provider's name of the model.
    pub(crate) model: &'a str,
    filter: SignatureFilter<'a>,
}

impl std::fmt::Debug for SignatureEdit<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("SignatureEdit").finish_non_exhaustive()
    }
}

/// Returns whether Jackfield wrapped a signature: another provider than those of the dialect in whose place it
/// is made it.
#[must_use]
pub fn is_wrapped(signature: &str) -> bool {
    signature.as_bytes().starts_with(Signature::WRAPPED_PREFIX)
}

/// Removes the signatures of a request in `dialect` that `filter` drops, with the parts that are nothing without
/// them. `model` is the provider's name of the model. `None` if there is nothing to remove, or if the body is
/// not a JSON object.
#[must_use]
pub fn strip_signatures(
    dialect: Dialect,
    body: &[u8],
    model: &str,
    filter: SignatureFilter<'_>,
) -> Option<StrippedBody> {
    let text = std::str::from_utf8(body).ok()?;
    let root: &RawValue = serde_json::from_str(text).ok()?;
    let mut edit = SignatureEdit {
        text: TextEdit::new(text),
        report: TranslationReport::default(),
        model,
        filter,
    };
    dialect.codec().strip_signatures(root, &mut edit);
    (!edit.text.is_empty()).then(|| StrippedBody {
        body: edit.text.apply().into(),
        warnings: edit.report.into_warnings(),
    })
}

impl SignatureEdit<'_> {
    /// Whether a part loses its signature.
    pub(crate) fn drops(&self, part: &SignedPart<'_>) -> bool {
        (self.filter.drops)(part)
    }

    /// Whether the provider refused the request for its signatures.
    pub(crate) fn is_refused(&self) -> bool {
        self.filter.refused
    }

    /// Adds the warning that signed parts were dropped.
    pub(crate) fn warn_dropped(&mut self, field: &str) {
        let what = if self.filter.refused {
            "dropped: the provider refused the request with it"
        } else {
            "dropped: another provider signed it"
        };
        self.report.warn(field, what);
    }
}
