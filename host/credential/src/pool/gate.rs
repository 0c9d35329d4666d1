//! The gate of trials: how often, and by whom, an open window is tried.

use std::time::Duration;

use crate::{CoolingClass, Requester, Timestamp};

/// The gate of one endpoint of a model at a site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TrialGate {
    /// The last trial; `None` after one that succeeded.
    last: Option<Trial>,
    /// The trials that are undecided since the last one that was decided.
    open: u32,
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

/// How a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TrialEnd {
    Served,
    Failed,
    /// The client left. Those that leave at once must not cause more trials.
    Cancelled,
    /// By a plugin's fault, or since the tokens are refreshed.
    Undecided,
}

/// A client that waits for its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Waiting {
    client: u64,
    since: Timestamp,
    /// When it comes again, if it follows what it was informed of.
    expected_at: Timestamp,
}

impl TrialGate {
    /// Returns until when an undecided trial holds up the next one.
    pub(super) fn undecided_until(&self) -> Option<Timestamp> {
        let undecided = self.last.filter(|last| last.undecided);
        undecided.map(|last| last.began + UNDECIDED_MAX)
    }

    /// Returns the time between two attempts after the end of a window. The more are undecided, the shorter it is:
    /// responses may take long, and so calls of a provider that is well again are all back in seconds.
    pub(super) fn interval_after_window(&self) -> Duration {
        SITE_TRIALS / self.open.max(1)
    }

    /// True if a client waits that comes at about this time.
    pub(super) fn has_waiting(&self, at: Timestamp) -> bool {
        let mut waiting = self.waiting.iter();
        waiting.any(|one| one.expected_at + CLAIM >= at && one.expected_at <= at + CLAIM)
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
        // Those that were refused before the gate opened come back when it opens, or soon after. The first of
        // them has some time to come, and no longer: others would otherwise wait for one that has left.
        let claimed_until = opens_at + patience.claim;
        let is_before = |one: &Waiting| {
            one.client != client
                && one.expected_at + patience.life >= opens_at
                && rank(one.client, one.since) < own
        };
        match now < claimed_until && self.waiting.iter().any(is_before) {
            true => claimed_until,
            false => opens_at,
        }
    }

    /// Records that a client could have had a trial, if another had not come first. It is expected to come
    /// again at `expected_at`.
    pub(super) fn note_waiting(&mut self, client: u64, expected_at: Timestamp, now: Timestamp) {
        if let Some(known) = self.waiting.iter_mut().find(|one| one.client == client) {
            known.expected_at = expected_at;
            return;
        }
        if self.waiting.len() >= WAITING_MAX {
            let stalest = self.waiting.iter().enumerate();
            let stalest = stalest.min_by_key(|(_, one)| one.expected_at);
            let stalest = stalest.map_or(0, |(index, _)| index);
            self.waiting.remove(stalest);
        }
        self.waiting.push(Waiting {
            client,
            since: now,
            expected_at,
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
        self.open = self.open.saturating_add(1);
        self.waiting.retain(|one| one.client != requester.client);
    }

    /// Records the end of a trial, and returns true if others may go on sooner for it. After a success, and after
    /// an end that decides nothing, the next one need not wait.
    pub(super) fn end(&mut self, attempt: u64, end: TrialEnd) -> bool {
        self.open = match end {
            TrialEnd::Served | TrialEnd::Failed => 0,
            TrialEnd::Undecided | TrialEnd::Cancelled => self.open.saturating_sub(1),
        };
        let last = self.last.as_mut().filter(|last| last.attempt == attempt);
        let Some(last) = last else {
            return false;
        };
        last.undecided = false;
        match end {
            TrialEnd::Served => *self = Self::default(),
            TrialEnd::Undecided => self.last = None,
            TrialEnd::Failed | TrialEnd::Cancelled => {}
        }
        true
    }
}

/// How long the turn of a client that waits is left to it.
struct Patience {
    /// A client that was to come so long before the gate opened waits no longer.
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

/// How long after the end of a window the attempts take turns. If there were none for so long, few calls come, and those
/// that come need not wait.
pub(super) const DUE_MAX: Duration = Duration::from_mins(1);

/// A trial that takes longer does not hold up the next one.
const UNDECIDED_MAX: Duration = Duration::from_secs(5);

/// How long the first of the calls that wait may take to come after the gate has opened: more than a timer and the
/// jitter of a wait take.
pub(super) const CLAIM: Duration = Duration::from_millis(300);

/// The clients that are remembered as waiting for a trial: with more, those that asked last are enough to use
/// each trial.
const WAITING_MAX: usize = 16;
