//! An answer that goes on as it comes, with nobody looking: one that is no stream of events and too
//! large to be held back, or that is encoded.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::exchange::{Broke, Step};
use crate::source::Source;

/// Bytes on their way to the client.
pub(crate) struct Raw {
    pub(crate) source: Source,
    /// What was read before it was known to be too much.
    begun: Option<Bytes>,
}

impl Raw {
    /// The rest of an answer of which `begun` was read already.
    pub(crate) fn new(source: Source, begun: Bytes) -> Self {
        Self {
            source,
            begun: Some(begun).filter(|begun| !begun.is_empty()),
        }
    }

    pub(crate) async fn step(&mut self, out: &mut VecDeque<Bytes>) -> Result<Step, Broke> {
        if let Some(begun) = self.begun.take() {
            out.push_back(begun);
            return Ok(Step::Content);
        }
        match self.source.next().await {
            Ok(Some(chunk)) => out.push_back(chunk),
            Ok(None) => return Ok(Step::Over),
            Err(stopped) => return Err(stopped.into()),
        }
        Ok(Step::Content)
    }
}
