//! Errors of a request that does not become a call.

use jackfield_dialect::RequestError;

use crate::client_keys::ClientKeyError;
use crate::limits::{REQUEST_BODY_BYTES_MAX, REQUEST_BODY_TIMEOUT};

/// Why a request did not become a call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IngressError {
    #[error(transparent)]
    Key(#[from] ClientKeyError),
    #[error("the request body is larger than {} MiB; send a smaller one", REQUEST_BODY_BYTES_MAX >> 20)]
    TooLarge,
    #[error("the request body did not arrive within {} s", REQUEST_BODY_TIMEOUT.as_secs())]
    Timeout,
    #[error("the request body ended early: {0}")]
    Incomplete(String),
    #[error(transparent)]
    Body(#[from] RequestError),
}
