//! A guest call that runs: the breaker learns how it ended, also if its client leaves.

use std::sync::Arc;

use jackfield_dispatch::port::{FaultKind, PluginFault};

use crate::breaker::{Breaker, Pass};
use crate::limits::{CALL_TICKS_MAX, TICK};

/// One guest call. Dropping it means that it has no result.
pub(crate) struct RunningCall {
    breaker: Arc<Breaker>,
    pass: Pass,
    /// Ticks that the guest has run.
    ticks: u32,
    is_settled: bool,
}

impl RunningCall {
    pub(crate) fn new(breaker: Arc<Breaker>, pass: Pass) -> Self {
        Self {
            breaker,
            pass,
            ticks: 0,
            is_settled: false,
        }
    }

    /// Counts a tick.
    ///
    /// # Errors
    /// If the client was suspended meanwhile: then the call ends.
    pub(crate) fn tick(&mut self) -> Result<(), PluginFault> {
        self.ticks += 1;
        self.breaker.check(self.pass)
    }

    pub(crate) fn succeeded(mut self) {
        self.is_settled = true;
        self.breaker.succeeded(self.pass);
    }

    /// A call whose client is suspended has no result, and one without an instance did not run.
    pub(crate) fn failed(mut self, kind: FaultKind) {
        let ran = match kind {
            FaultKind::Overloaded => {
                self.is_settled = true;
                return self.breaker.not_run(self.pass);
            }
            FaultKind::Suspended { .. } | FaultKind::SuspendedForClient { .. } => return,
            // A guest that sleeps uses no ticks, but a place.
            FaultKind::OverTime => TICK * self.ticks.max(CALL_TICKS_MAX),
            FaultKind::InvalidOutput | FaultKind::OverOutput | FaultKind::Trapped => {
                TICK * self.ticks
            }
        };
        self.is_settled = true;
        self.breaker.failed(self.pass, ran);
    }
}

impl Drop for RunningCall {
    fn drop(&mut self) {
        if !self.is_settled {
            self.breaker.abandoned(self.pass, TICK * self.ticks);
        }
    }
}
