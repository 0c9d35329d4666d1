//! The gate of trials: how often, and by whom, an open window is tried.

use std::time::Duration;

use crate::{CoolingClass, Requester, Timestamp};

/// The gate of one endpoint of a model at a site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TrialGate {
    /// The last trial; `None` after one that succeeded.
    last: Option<Trial>,
    /// The clients that could have had a trial and got none, the first one first: each once.
    waiting: Vec<Waiting>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Trial {
    attempt: u64,
    began: Timestamp,
    client: u64,
    undecided: bool,
}

/// A client that waits for its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Waiting {
    client: u64,
    since: Timestamp,
    /// When it last requested.
    requested_at: Timestamp,
}

impl TrialGate {
    /// Returns until when an undecided trial holds up the next one.
    pub(super) fn undecided_until(&self) -> Option<Timestamp> {
        let undecided = self.last.filter(|last| last.undecided);
        undecided.map(|last| last.began + UNDECIDED_MAX)
    }

    /// Returns when a client has its turn, if trials are possible again from `opens_at` on.
    ///
    /// The client of the last trial comes last. Before others come those whose requests the provider has
    /// served, so that requests that no provider accepts do not use up the trials; and of two, the one that has
    /// waited longer.
    pub(super) fn turn_of(
        &self,
        client: u64,
        interval: Duration,
        opens_at: Timestamp,
        now: Timestamp,
        is_served: impl Fn(u64) -> bool,
    ) -> Timestamp {
        let patience = Patience::of(interval);
        let rank = |client: u64, since: Timestamp| {
            let was_last = self.last.is_some_and(|last| last.client == client);
            (was_last, !is_served(client), since)
        };
        let own = self.waiting.iter().find(|one| one.client == client);
        let own = rank(client, own.map_or(now, |own| own.since));
        // Those that were refused before the gate opened come back when it opens, or soon after.
        let claimed_until = opens_at + patience.claim;
        let is_before = |one: &Waiting| {
            one.client != client
                && one.requested_at + patience.life >= opens_at
                && rank(one.client, one.since) < own
        };
        match now < claimed_until && self.waiting.iter().any(is_before) {
            true => claimed_until,
            false => opens_at,
        }
    }

    /// Records that a client could have had a trial, if another had not come first.
    pub(super) fn note_waiting(&mut self, client: u64, now: Timestamp) {
        if let Some(known) = self.waiting.iter_mut().find(|one| one.client == client) {
            known.requested_at = now;
            return;
        }
        if self.waiting.len() >= WAITING_MAX {
            let stalest = self.waiting.iter().enumerate();
            let stalest = stalest.min_by_key(|(_, one)| one.requested_at);
            let stalest = stalest.map_or(0, |(index, _)| index);
            self.waiting.remove(stalest);
        }
        self.waiting.push(Waiting {
            client,
            since: now,
            requested_at: now,
        });
    }

    /// Records the beginning of a trial.
    pub(super) fn begin(&mut self, attempt: u64, requester: Requester, now: Timestamp) {
        self.last = Some(Trial {
            attempt,
            began: now,
            client: requester.client,
            undecided: true,
        });
        self.waiting.retain(|one| one.client != requester.client);
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

/// How long the turn of a client that waits is left to it.
struct Patience {
    /// A client that did not ask for so long before the gate opened waits no longer.
    life: Duration,
    /// How long after the opening it may come.
    claim: Duration,
}

impl Patience {
    fn of(interval: Duration) -> Self {
        match interval > SITE_TRIALS {
            // The calls were refused, and their clients come back after about the delay that they got.
            true => Self {
                life: OTHER_TRIALS,
                claim: UNDECIDED_MAX,
            },
            // The calls themselves wait, and come at the opening.
            false => Self {
                life: 2 * SITE_TRIALS,
                claim: CLAIM,
            },
        }
    }
}

/// Returns the time between two trials of a window.
pub(super) fn trial_interval(class: CoolingClass) -> Duration {
    match class {
        CoolingClass::Outage | CoolingClass::Overload => SITE_TRIALS,
        CoolingClass::Limit
        | CoolingClass::Refused
        | CoolingClass::Billing
        | CoolingClass::Missing => OTHER_TRIALS,
    }
}

/// A refused key or a missing model seldom comes back by itself, and providers may lock out who
/// keeps trying.
const OTHER_TRIALS: Duration = Duration::from_secs(30);

/// The time between two trials of one site, over all models. One request a second finds the end of an outage soon,
/// and is no load for a provider.
pub(super) const SITE_TRIALS: Duration = Duration::from_secs(1);

/// A trial that takes longer does not hold up the next one.
const UNDECIDED_MAX: Duration = Duration::from_secs(5);

/// How long the first of the calls that wait may take to come after the gate has opened: more than a timer and the
/// jitter of a wait take.
const CLAIM: Duration = Duration::from_millis(300);

/// The clients that are remembered as waiting for a trial: with more, those that asked last are enough to use
/// each trial.
const WAITING_MAX: usize = 16;
