//! Counts of open and settled leases.

use jackfield_credential::Outcome;

/// Numbers of leases since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseCounts {
    /// Not settled yet.
    pub open: u64,
    /// Settled as a success.
    pub success: u64,
    /// Settled as a failure, of any cause.
    pub failed: u64,
    /// Settled as cancelled, or dropped.
    pub cancelled: u64,
    /// Settled as inconclusive, because a plugin failed.
    pub inconclusive: u64,
}

impl LeaseCounts {
    pub(crate) fn settle(&mut self, outcome: &Outcome) {
        self.open = self.open.saturating_sub(1);
        let count = match outcome {
            Outcome::Cancelled => &mut self.cancelled,
            Outcome::Failed(_) => &mut self.failed,
            Outcome::Success => &mut self.success,
            Outcome::Inconclusive => &mut self.inconclusive,
        };
        *count += 1;
    }
}
