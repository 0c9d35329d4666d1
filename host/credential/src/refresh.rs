//! When a credential's tokens are refreshed: the rule, the backoff after a failure, and the queue.

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
    /// lead.
    pub fn due_at(&self) -> Option<Timestamp> {
        if !self.is_refreshable() {
            return None;
        }
        let due = match self.policy_decision {
            Some(true) => Some(Timestamp::default()),
            Some(false) => None,
            None => self.by_interval().or_else(|| self.by_lead()),
        };
        due.map(|due| due.max(self.not_before.unwrap_or_default()))
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
        let ends = self.expires_at.map(|end| end.before(interval));
        Some(ends.map_or(interval_due, |ends| ends.min(interval_due)))
    }

    fn by_lead(&self) -> Option<Timestamp> {
        let lead = self.lead?;
        let due = match (self.expires_at, self.refreshed_at) {
            (Some(end), _) => end.before(lead),
            (None, Some(at)) => at + lead,
            (None, None) => Timestamp::default(),
        };
        Some(due)
    }
}

/// Returns the backoff after this many consecutive failures, at least one: five minutes, doubling
/// up to forty, changed by up to a fifth so that credentials that failed together spread. `jitter`
/// is a random number.
pub fn refresh_backoff(failures: u32, jitter: u64) -> Duration {
    let doublings = failures.saturating_sub(1).min(BACKOFF_DOUBLINGS_MAX);
    jittered(FAILURE_BACKOFF * 2_u32.pow(doublings), jitter)
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

/// The same as in CLIProxyAPI v6.7.21.
const FAILURE_BACKOFF: Duration = Duration::from_mins(5);

/// 5, 10, 20, 40 minutes: by then a token of an hour has expired.
const BACKOFF_DOUBLINGS_MAX: u32 = 3;

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
