//! Signatures in bodies that are not translated: what is left after their removal is JSON, and nothing is left to be
//! removed.

use jackfield_dialect::{
    Dialect, SignatureFilter, SignedPart, is_wrapped, scan_signatures, strip_signatures,
};
use serde_json::value::RawValue;

pub(crate) fn check(dialect: Dialect, data: &[u8]) {
    scan_signatures(dialect, data, &mut |_| {});
    for refused in [false, true] {
        let drops = |part: &SignedPart<'_>| {
            let signature = part.signature.as_deref();
            refused || signature.is_some_and(is_wrapped)
        };
        let filter = SignatureFilter {
            refused,
            drops: &drops,
        };
        let strip = |body: &[u8]| strip_signatures(dialect, body, "claude-gemini-3", filter);
        if let Some(stripped) = strip(data) {
            let json = serde_json::from_slice::<&RawValue>(&stripped.body);
            assert!(json.is_ok(), "{dialect}: no JSON: {:?}", stripped.body);
            assert!(!stripped.warnings.is_empty(), "{dialect}: no warning");
        }
    }
}
