//! Records the signatures of a provider's response on its way to the client.

use std::sync::Arc;

use jackfield_dialect::{Dialect, scan_signatures};
use url::Url;

use super::memory::{Origin, SignatureMemory};

/// Records the signatures that one provider gives in one call.
#[derive(Clone)]
pub(crate) struct SignatureRecorder {
    pub(crate) memory: Arc<SignatureMemory>,
    /// The provider.
    pub(crate) origin: Origin,
    /// The dialect of its response.
    pub(crate) dialect: Dialect,
}

impl SignatureRecorder {
    /// The recorder of a provider at this base URL.
    pub(crate) fn new(memory: &Arc<SignatureMemory>, base_url: &Url, dialect: Dialect) -> Self {
        Self {
            origin: memory.origin(base_url),
            memory: Arc::clone(memory),
            dialect,
        }
    }

    /// Records the signatures in a piece of the response: an event's data, or a whole body.
    pub(crate) fn record(&self, piece: &[u8]) {
        scan_signatures(self.dialect, piece, &mut |signature| {
            if !signature.is_empty() {
                let digest = self.memory.digest(signature);
                self.memory.note_given(digest, self.origin);
            }
        });
    }
}
