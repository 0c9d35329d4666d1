//! The gate of trials: how often, and by whom, an open window is tried.

use std::time::Duration;

use crate::{CoolingClass, Requester, Timestamp};

/// The gate of one endpoint of a model at a site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TrialGate {
    /// The last trial; `None` after one that succeeded.
    last: Option<Trial>,
    /// When another client than that of the last trial could have had one, and got none.
    rival_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Trial {
    attempt: u64,
    began: Timestamp,
    client: u64,
    undecided: bool,
}

impl TrialGate {
    /// Returns when a client may have a trial. `interval` is that of the window.
    pub(super) fn opens_at(&self, client: u64, interval: Duration, now: Timestamp) -> Timestamp {
        let Some(last) = self.last else {
            return now;
        };
        let mut opens_at = last.began + interval;
        if last.undecided {
            opens_at = opens_at.max(last.began + UNDECIDED_MAX);
        }
        if last.client == client
            && let Some(rival_at) = self.rival_at
        {
            opens_at = opens_at.max(rival_at + RIVAL_LIFE);
        }
        opens_at.max(now)
    }

    /// Records that a client could have had a trial, if another had not had one just now.
    pub(super) fn note_rival(&mut self, client: u64, now: Timestamp) {
        if self.last.is_some_and(|last| last.client != client) {
            self.rival_at = Some(now);
        }
    }

    /// Records the beginning of a trial.
    pub(super) fn begin(&mut self, attempt: u64, requester: Requester, now: Timestamp) {
        self.last = Some(Trial {
            attempt,
            began: now,
            client: requester.client,
            undecided: true,
        });
        self.rival_at = None;
    }

    /// Records the end of a trial. After a success the next one need not wait.
    pub(super) fn end(&mut self, attempt: u64, succeeded: bool) {
        let Some(last) = &mut self.last else {
            return;
        };
        if last.attempt != attempt {
            return;
        }
        last.undecided = false;
        if succeeded {
            *self = Self::default();
        }
    }
}

/// Returns the time between two trials of a window.
pub(super) fn trial_interval(class: CoolingClass) -> Duration {
    match class {
        CoolingClass::Outage | CoolingClass::Overload => OUTAGE_TRIALS,
        CoolingClass::Limit
        | CoolingClass::Refused
        | CoolingClass::Billing
        | CoolingClass::Missing => OTHER_TRIALS,
    }
}

/// One request a second finds the end of an outage soon, and is no load for a provider.
const OUTAGE_TRIALS: Duration = Duration::from_secs(1);

/// A refused key or a missing model seldom comes back by itself, and providers may lock out who
/// keeps trying.
const OTHER_TRIALS: Duration = Duration::from_secs(30);

/// Trials of one site, over all models.
pub(super) const SITE_TRIALS: Duration = Duration::from_secs(1);

/// A trial that takes longer does not hold up the next one.
const UNDECIDED_MAX: Duration = Duration::from_secs(5);

/// How long a client that got no trial counts as one that waits.
const RIVAL_LIFE: Duration = Duration::from_mins(1);
