//! The member `cache_control`, which may be in many places of a request.

use crate::ir::{ObjectReader, TranslationReport};

/// Drops the member, with a warning: other providers choose themselves what they cache. The report keeps
/// one warning for all places.
pub(crate) fn drop(fields: &mut ObjectReader, report: &mut TranslationReport) {
    if fields.take("cache_control").is_some() {
        report.warn_dropped("cache_control");
    }
}
