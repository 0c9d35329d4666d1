//! Whether the generation before takes over from one that is suspended. Pure: the time is an argument.

use jackfield_credential::Timestamp;

use crate::instance::InstanceCounts;
use crate::limits::{PROVING_TIME, SERVED_WELL_CALLS_PER_FAULT};

/// A new generation whose predecessor served well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Proving {
    until: Timestamp,
}

impl Proving {
    /// Begins at a swap, if the generation before served well: it was called, hardly failed, and was not suspended.
    pub(crate) fn begin(
        before: InstanceCounts,
        was_suspended: bool,
        now: Timestamp,
    ) -> Option<Self> {
        served_well(before, was_suspended).then(|| Self {
            until: now + PROVING_TIME,
        })
    }

    /// When the proving time ends.
    pub(crate) fn until(self) -> Timestamp {
        self.until
    }

    /// Whether the generation before takes over now.
    pub(crate) fn takes_back(self, now: Timestamp) -> bool {
        now < self.until
    }
}

/// Whether a generation was called, hardly failed, and is not suspended.
pub(crate) fn served_well(counts: InstanceCounts, is_suspended: bool) -> bool {
    counts.calls > 0 && counts.faults * SERVED_WELL_CALLS_PER_FAULT <= counts.calls && !is_suspended
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(calls: u64, faults: u64) -> InstanceCounts {
        InstanceCounts {
            created: 1,
            calls,
            faults,
            log_lines_dropped: 0,
            idle: 0,
            plans: 0,
        }
    }

    #[test]
    fn only_a_predecessor_that_served_well_takes_over_and_only_in_time() {
        let now = Timestamp::from_millis(1_000);
        assert_eq!(Proving::begin(counts(0, 0), false, now), None);
        assert_eq!(Proving::begin(counts(19, 2), false, now), None);
        assert_eq!(Proving::begin(counts(1_000, 0), true, now), None);
        let proving = Proving::begin(counts(20, 2), false, now).unwrap();
        assert_eq!(proving.until(), now + PROVING_TIME);
        assert!(proving.takes_back(Timestamp::from_millis(600_999)));
        assert!(!proving.takes_back(Timestamp::from_millis(601_000)));
    }
}
