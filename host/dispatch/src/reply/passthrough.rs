//! An answer that goes on as it comes, with nobody looking: one that is no stream of events and too
//! large to be held back, or that is encoded.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::reply::source::Source;
use crate::reply::{Polled, StreamError};

/// Bytes on their way to the client.
pub(crate) struct Passthrough {
    pub(crate) source: Source,
    /// What was read before it was known to be too much.
    prefix: Option<Bytes>,
}

impl Passthrough {
    /// The rest of an answer of which `begun` was read already.
    pub(crate) fn new(source: Source, prefix: Bytes) -> Self {
        Self {
            source,
            prefix: Some(prefix).filter(|prefix| !prefix.is_empty()),
        }
    }

    pub(crate) async fn poll(&mut self, out: &mut VecDeque<Bytes>) -> Result<Polled, StreamError> {
        if let Some(prefix) = self.prefix.take() {
            out.push_back(prefix);
            return Ok(Polled::Content);
        }
        match self.source.next().await {
            Ok(Some(chunk)) => out.push_back(chunk),
            Ok(None) => return Ok(Polled::End),
            Err(error) => return Err(error.into()),
        }
        Ok(Polled::Content)
    }
}
