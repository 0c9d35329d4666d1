//! A client's request, as every provider gets it.

use jackfield_dialect::Dialect;
use jackfield_dialect::ir::{TranslationReport, WARNINGS_MAX};

use crate::{request_head, bound};

pub(crate) fn check(dialect: Dialect, data: &[u8]) {
    let request_head = request_head(data);
    let mut report = TranslationReport::default();
    let Ok(request) = dialect.codec().decode_request(data, &request_head, &mut report) else {
        return;
    };
    assert_eq!(request.model, request_head.model);
    for to in Dialect::ALL {
        let mut report = report.clone();
        // It may refuse; what it does not refuse is a request.
        let Ok(written) = to.codec().encode_request(&request, &mut report) else {
            continue;
        };
        assert!(report.warnings().len() <= WARNINGS_MAX, "{to}: warnings");
        bound::hold("a request", data.len(), written.len());
        if let Err(refusal) = to.codec().decode_request(&written, &request_head, &mut TranslationReport::default()) {
            // A provider's dialect has more than can be translated from it.
            let untranslated = UNTRANSLATED.iter().any(|what| refusal.what.contains(what));
            let shown = String::from_utf8_lossy(&written);
            assert!(untranslated, "{to}: {refusal}\n{shown}");
        }
    }
}

/// What a refusal says of what only one dialect has: films, and files under Google's own addresses.
const UNTRANSLATED: [&str; 2] = ["can be translated", "uploaded to Google"];
