//! Records the signatures of a provider's response on its way to the client.

use std::sync::Arc;

use jackfield_dialect::{Dialect, SignatureScan, scan_signatures};
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
        scan_signatures(self.dialect, piece, &mut |signature| self.note(signature));
    }

    /// Returns a recorder for a body that passes in pieces.
    pub(crate) fn in_pieces(&self) -> PieceRecorder {
        PieceRecorder {
            recorder: self.clone(),
            scan: SignatureScan::new(self.dialect),
        }
    }

    fn note(&self, signature: &str) {
        if !signature.is_empty() {
            let digest = self.memory.digest(signature);
            self.memory.note_given(digest, self.origin);
        }
    }
}

/// Records the signatures of a body that is too large to be held back, such as one with images.
pub(crate) struct PieceRecorder {
    recorder: SignatureRecorder,
    scan: SignatureScan,
}

impl PieceRecorder {
    /// Records the signatures that end in the next piece.
    pub(crate) fn record(&mut self, piece: &[u8]) {
        let recorder = &self.recorder;
        self.scan
            .push(piece, &mut |signature| recorder.note(signature));
    }

    /// The bytes that are kept.
    pub(crate) const fn held_bytes(&self) -> usize {
        self.scan.held_bytes()
    }
}
