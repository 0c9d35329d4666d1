//! A time in which calls are refused, except for trials.

use std::time::Duration;

use jackfield_credential::Timestamp;

/// Refuses calls until a trial succeeds. Trials come after a wait that doubles with each failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Suspension {
    /// When it began.
    pub(super) since: Timestamp,
    /// When the next call is let through.
    pub(super) trial_at: Timestamp,
    /// The wait before that trial.
    wait: Duration,
    wait_max: Duration,
}

impl Suspension {
    /// Begins now. The first trial is after `wait`.
    pub(super) fn begin(now: Timestamp, wait: Duration, wait_max: Duration) -> Self {
        let wait = wait.min(wait_max);
        Self {
            since: now,
            trial_at: now + wait,
            wait,
            wait_max,
        }
    }

    /// Lets a call through as a trial if it is time for one.
    ///
    /// # Errors
    /// How long it is until the next trial.
    pub(super) fn try_call(&mut self, now: Timestamp) -> Result<(), Duration> {
        if now < self.trial_at {
            return Err(self.trial_at.saturating_since(now));
        }
        // If this trial has no result, because its client left, the next one comes after the same wait.
        self.trial_at = now + self.wait;
        Ok(())
    }

    /// A trial failed: the next one comes later.
    pub(super) fn trial_failed(&mut self, now: Timestamp) {
        self.wait = (self.wait * 2).min(self.wait_max);
        self.trial_at = now + self.wait;
    }
}
