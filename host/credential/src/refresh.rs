//! When a credential's tokens are refreshed: the rule, the backoff after a failure, the limit of refreshes
//! that rejected tokens cause, and the queue.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::jitter::jittered;
use crate::{CredentialId, CredentialKind, Timestamp};

/// Everything that decides when a credential is refreshed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefreshFacts {
    /// Only enabled credentials are refreshed.
    pub enabled: bool,
    /// Only OAuth tokens are refreshed.
    pub kind: CredentialKind,
    /// When a refresh may begin that cannot wait for policy, interval and lead: there is no access token
    /// yet, or the provider rejected it. `None` if none is required.
    pub required_at: Option<Timestamp>,
    /// The executor's decision; `None` leaves it to interval and lead.
    pub policy_decision: Option<bool>,
    /// Interval between refreshes, whatever the expiry.
    pub interval: Option<Duration>,
    /// Time before expiry.
    pub lead: Option<Duration>,
    /// When the token expires.
    pub expires_at: Option<Timestamp>,
    /// When it was last refreshed.
    pub refreshed_at: Option<Timestamp>,
    /// The end of the backoff after a failed refresh.
    pub not_before: Option<Timestamp>,
}

impl RefreshFacts {
    /// Returns when a refresh is due. The zero timestamp means at once, `None` never. The first
    /// rule that applies decides: disabled, or a key; the executor's decision; the interval; the
    /// lead. A required refresh does not wait for the last three.
    ///
    /// A token is not refreshed before half of its life has passed, so one that lives no longer than
    /// the lead is not refreshed without pause. Two refreshes are at least
    /// [`REFRESH_INTERVAL_MIN`] apart, whatever the provider reports.
    pub fn due_at(&self) -> Option<Timestamp> {
        if !self.is_refreshable() {
            return None;
        }
        let regular = match self.policy_decision {
            Some(true) => Some(Timestamp::default()),
            Some(false) => None,
            None => self.by_interval().or_else(|| self.by_lead()),
        };
        let due = regular.into_iter().chain(self.required_at).min()?;
        let earliest = self.refreshed_at.map(|at| at + REFRESH_INTERVAL_MIN);
        let earliest = earliest.max(self.not_before).unwrap_or_default();
        Some(due.max(earliest))
    }

    /// Returns when the executor's next policy check is due. `next` is the time set after the last
    /// check. There is no check during the backoff.
    pub fn check_at(&self, next: Timestamp) -> Option<Timestamp> {
        self.is_refreshable()
            .then(|| next.max(self.not_before.unwrap_or_default()))
    }

    fn is_refreshable(&self) -> bool {
        self.enabled && self.kind != CredentialKind::ApiKey
    }

    fn by_interval(&self) -> Option<Timestamp> {
        let interval = self.interval.filter(|interval| !interval.is_zero())?;
        let interval_due = self
            .refreshed_at
            .map_or(Timestamp::default(), |at| at + interval);
        // Counted back from the expiry too, so that a long interval does not let the token expire.
        let ends = self.expires_at.map(|end| self.ahead_of(end, interval));
        Some(ends.map_or(interval_due, |ends| ends.min(interval_due)))
    }

    fn by_lead(&self) -> Option<Timestamp> {
        let lead = self.lead?;
        let due = match (self.expires_at, self.refreshed_at) {
            (Some(end), _) => self.ahead_of(end, lead),
            (None, Some(at)) => at + lead.max(UNKNOWN_LIFE_MIN),
            (None, None) => Timestamp::default(),
        };
        Some(due)
    }

    /// Returns when a token that expires at `end` is refreshed: `lead` before its end, but not in the
    /// first half of its life.
    fn ahead_of(&self, end: Timestamp, lead: Duration) -> Timestamp {
        let life = self.refreshed_at.map(|at| end.saturating_since(at));
        end.before(life.map_or(lead, |life| lead.min(life / 2)))
    }
}

/// Returns the backoff after this many consecutive failures, at least one: 5 s, 15 s, 1 min, then
/// doubling up to 40 min. It is shortened by up to a fifth, so that credentials that failed together
/// spread; a call that waits 5 s for the next refresh waits long enough. `jitter` is a random number.
pub fn refresh_backoff(failures: u32, jitter: u64) -> Duration {
    let position = failures.saturating_sub(1);
    let last = FAILURE_BACKOFFS.len() - 1;
    let step = usize::try_from(position).unwrap_or(last).min(last);
    let doublings = position.saturating_sub(u32::try_from(last).unwrap_or(0));
    let backoff = FAILURE_BACKOFFS[step].saturating_mul(2_u32.saturating_pow(doublings));
    let shortened = u32::try_from(jitter % (BACKOFF_JITTER_PERMILLE + 1)).unwrap_or(0);
    backoff.min(FAILURE_BACKOFF_MAX) * (1000 - shortened) / 1000
}

/// Limits the refreshes that rejected tokens cause. A provider that rejects every token, for example of
/// an account that it has closed, would otherwise cause one refresh for each call.
///
/// They are at least 5 s apart, and at most three begin within 5 minutes. While they go on without a
/// pause, each further one doubles these 5 minutes, up to 40.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OnDemandLimit {
    /// The times of the last refreshes, oldest first.
    times: [Option<Timestamp>; ON_DEMAND_MAX],
    /// Consecutive refreshes without a pause between them.
    consecutive: u32,
}

impl OnDemandLimit {
    /// Returns when the next refresh may begin. The zero timestamp means at once.
    pub fn next_at(&self) -> Timestamp {
        let [oldest, .., newest] = self.times;
        let spaced = newest.map(|at| at + ON_DEMAND_INTERVAL_MIN);
        let limited = oldest.map(|at| at + self.window());
        spaced.max(limited).unwrap_or_default()
    }

    /// Records a refresh that begins.
    pub fn record(&mut self, now: Timestamp) {
        let newest = self.times[ON_DEMAND_MAX - 1];
        let paused = newest.is_none_or(|at| now.saturating_since(at) > self.window());
        self.consecutive = if paused {
            1
        } else {
            self.consecutive.saturating_add(1)
        };
        self.times.rotate_left(1);
        self.times[ON_DEMAND_MAX - 1] = Some(now);
    }

    /// The time in which at most [`ON_DEMAND_MAX`] refreshes begin.
    fn window(&self) -> Duration {
        let allowed = u32::try_from(ON_DEMAND_MAX).unwrap_or(u32::MAX);
        let doublings = self.consecutive.saturating_sub(allowed);
        let factor = 2_u32.saturating_pow(doublings);
        ON_DEMAND_WINDOW
            .saturating_mul(factor)
            .min(FAILURE_BACKOFF_MAX)
    }
}

/// Returns the interval to the next policy check: a minute, changed by up to a fifth so that
/// checks spread. `jitter` is a random number.
pub fn policy_check_interval(jitter: u64) -> Duration {
    jittered(POLICY_CHECK_INTERVAL, jitter)
}

/// CLIProxyAPI v6.7.21 checks every 5 s, in memory. Here a check is a plugin call of some
/// microseconds: with 10,000 credentials a thousandth of a core, and a minute is short beside
/// leads of five minutes and more.
const POLICY_CHECK_INTERVAL: Duration = Duration::from_mins(1);

/// The shortest time between two refreshes of a credential. A token endpoint that issues tokens without
/// a life would otherwise be asked without pause.
pub const REFRESH_INTERVAL_MIN: Duration = Duration::from_secs(1);

/// The shortest time to the next refresh of a token whose life the provider did not report. A lead of
/// some seconds would otherwise wear tokens that may live for an hour.
const UNKNOWN_LIFE_MIN: Duration = Duration::from_secs(30);

/// The backoffs after the first failures. Most failures of token endpoints are over after some seconds:
/// a restart, a gateway, a rate limit. CLIProxyAPI v6.7.21 waits 5 minutes, which is an outage of 5
/// minutes for a token that has expired (xorbitsai/xagent#1544).
const FAILURE_BACKOFFS: [Duration; 3] = [
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_mins(1),
];

/// How much a backoff is shortened at most: a fifth.
const BACKOFF_JITTER_PERMILLE: u64 = 200;

/// The longest backoff: by then a token of an hour has expired.
const FAILURE_BACKOFF_MAX: Duration = Duration::from_mins(40);

/// Refreshes that rejected tokens may cause within [`ON_DEMAND_WINDOW`].
const ON_DEMAND_MAX: usize = 3;

/// See [`ON_DEMAND_MAX`].
const ON_DEMAND_WINDOW: Duration = Duration::from_mins(5);

/// The shortest time between two refreshes that rejected tokens cause. All calls that a revoked token
/// fails have ended by then and share the first one.
const ON_DEMAND_INTERVAL_MIN: Duration = Duration::from_secs(5);

/// Credentials by due time. Every operation takes logarithmic time.
#[derive(Clone, Debug, Default)]
pub struct DueQueue {
    by_time: BTreeSet<(Timestamp, CredentialId)>,
    times: BTreeMap<CredentialId, Timestamp>,
}

impl DueQueue {
    /// Sets when a credential is due; `None` removes it.
    pub fn set(&mut self, id: &CredentialId, due: Option<Timestamp>) {
        if let Some(known) = self.times.remove(id) {
            self.by_time.remove(&(known, id.clone()));
        }
        if let Some(due) = due {
            self.times.insert(id.clone(), due);
            self.by_time.insert((due, id.clone()));
        }
    }

    /// Removes and returns the credential that has been due for longest, if any is due.
    pub fn take_due(&mut self, now: Timestamp) -> Option<CredentialId> {
        let (due, _) = self.by_time.first()?;
        if *due > now {
            return None;
        }
        let (_, id) = self.by_time.pop_first()?;
        self.times.remove(&id);
        Some(id)
    }

    /// Returns when the next credential is due.
    pub fn next_at(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(due, _)| *due)
    }

    /// Returns when this credential is due.
    pub fn due_at(&self, id: &CredentialId) -> Option<Timestamp> {
        self.times.get(id).copied()
    }
}

#[cfg(test)]
mod tests;
