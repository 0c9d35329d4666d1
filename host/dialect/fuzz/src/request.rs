//! A client's request, as every provider gets it.

use jackfield_dialect::Dialect;
use jackfield_dialect::interlingua::{Notes, WARNINGS_MAX};

use crate::{asked, bound};

pub(crate) fn check(dialect: Dialect, data: &[u8]) {
    let asked = asked(data);
    let mut notes = Notes::default();
    let Ok(request) = dialect.decode_request(data, &asked, &mut notes) else {
        return;
    };
    assert_eq!(request.model, asked.model);
    for to in Dialect::ALL {
        let mut notes = notes.clone();
        // It may refuse; what it does not refuse is a request.
        let Ok(written) = to.encode_request(&request, &mut notes) else {
            continue;
        };
        assert!(notes.warnings().len() <= WARNINGS_MAX, "{to}: warnings");
        bound::hold("a request", data.len(), written.len());
        if let Err(refusal) = to.decode_request(&written, &asked, &mut Notes::default()) {
            // A provider's dialect has more than can be translated from it.
            let untranslated = UNTRANSLATED.iter().any(|what| refusal.what.contains(what));
            let shown = String::from_utf8_lossy(&written);
            assert!(untranslated, "{to}: {refusal}\n{shown}");
        }
    }
}

/// What a refusal says of what only one dialect has: films, and files under Google's own addresses.
const UNTRANSLATED: [&str; 2] = ["can be translated", "kept with Google"];
