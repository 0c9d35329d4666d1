//! Translates a client's request to every provider's dialect.

use jackfield_dialect::traits::Traits;
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
        // An encoder may reject the request. If it does not, its output must be a valid request.
        let Ok(written) = to.codec().encode_request(&request, &Traits::everything(), &mut report) else {
            continue;
        };
        assert!(report.warnings().len() <= WARNINGS_MAX, "{to}: too many warnings");
        bound::hold("request", data.len(), written.len());
        if let Err(refusal) = to.codec().decode_request(&written, &request_head, &mut TranslationReport::default()) {
            // A dialect can express features that its own decoder rejects as untranslatable.
            let untranslated = UNTRANSLATED.iter().any(|what| refusal.what.contains(what));
            let shown = String::from_utf8_lossy(&written);
            assert!(untranslated, "{to}: {refusal}\n{shown}");
        }
    }
}

/// Parts of the error texts for features of a single dialect, such as videos and files uploaded to Google.
const UNTRANSLATED: [&str; 2] = ["can be translated", "uploaded to Google"];
