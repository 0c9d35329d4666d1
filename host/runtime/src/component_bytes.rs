//! A component before it is compiled: bytes of an allowed size, with their digest.

use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

use crate::component_size::check_size;
use crate::inspect::check_header;
use crate::limits::COMPONENT_BYTES_MAX;
use crate::prepare_error::PrepareError;

/// The bytes of a component, whose size and header are checked, and their digest.
pub(crate) struct ComponentBytes {
    bytes: Vec<u8>,
    digest: String,
}

impl ComponentBytes {
    /// Checks the size and the header of a file and computes its digest.
    ///
    /// # Errors
    /// When it is larger than [`COMPONENT_BYTES_MAX`], does not begin like a component, or has too much to compile.
    pub(crate) async fn check(bytes: Vec<u8>) -> Result<Self, PrepareError> {
        if bytes.len() as u64 > COMPONENT_BYTES_MAX {
            return Err(PrepareError::TooLarge);
        }
        check_header(&bytes)?;
        // SHA-256 of the largest component takes tens of milliseconds: on an async worker thread all
        // calls of that thread would wait for it.
        let hashed = spawn_blocking(move || {
            let digest = Sha256::digest(&bytes);
            let digest = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            check_size(&bytes)?;
            Ok(Self { bytes, digest })
        });
        hashed
            .await
            .map_err(|panic| PrepareError::Read(panic.to_string()))?
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the bytes, in hexadecimal.
    pub(crate) fn digest(&self) -> &str {
        &self.digest
    }
}
