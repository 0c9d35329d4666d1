//! When a credential's tokens are to be renewed: the rule, the pause after a failure, and the queue.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::{CredentialId, CredentialKind, Timestamp};

/// What decides when a credential is to be renewed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefreshFacts {
    /// Only credentials that are in use are renewed.
    pub enabled: bool,
    /// Only tokens are renewed, keys are not.
    pub kind: CredentialKind,
    /// Whether the executor wants it now; none leaves it to the rest.
    pub policy_decision: Option<bool>,
    /// Renew so often, whatever the token's end.
    pub interval: Option<Duration>,
    /// Renew so long before the token's end.
    pub lead: Option<Duration>,
    /// The token's end.
    pub expires_at: Option<Timestamp>,
    /// When it was last renewed.
    pub refreshed_at: Option<Timestamp>,
    /// Not before this time, since a refresh failed.
    pub not_before: Option<Timestamp>,
}

impl RefreshFacts {
    /// When a refresh is due; the beginning of time means at once, none means never. The first rule
    /// that says something counts: not in use, or a key; the executor's word; an interval; a lead.
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

    /// When an executor that has an opinion is to be asked for it. `next`: the time that it was given
    /// with its last answer. Not while a failed refresh rests, whatever it would say.
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

/// How long to leave a refresh alone after so many failures in a row, at least one: five minutes,
/// doubling up to forty, moved by up to a fifth so that those that failed together part. `draw` is
/// any number.
pub fn refresh_backoff(failures: u32, jitter: u64) -> Duration {
    let doublings = failures.saturating_sub(1).min(BACKOFF_DOUBLINGS_MAX);
    jittered(FAILURE_BACKOFF * 2_u32.pow(doublings), jitter)
}

/// How long to leave an executor alone that was asked whether to renew: a minute, moved by up to a
/// fifth so that those that were asked together part. `draw` is any number.
pub fn policy_check_interval(jitter: u64) -> Duration {
    jittered(POLICY_CHECK_INTERVAL, jitter)
}

fn jittered(pause: Duration, jitter: u64) -> Duration {
    let permille = 800 + u32::try_from(jitter % 401).unwrap_or(0);
    pause * permille / 1000
}

/// CLIProxyAPI v6.7.21 asks every 5 s, of objects in its memory. Here it is a call of a plugin, some
/// microseconds: at 10,000 credentials a thousandth of a core, and small beside the five minutes that
/// leads are at least.
const POLICY_CHECK_INTERVAL: Duration = Duration::from_mins(1);

/// As CLIProxyAPI v6.7.21.
const FAILURE_BACKOFF: Duration = Duration::from_mins(5);

/// 5, 10, 20, 40 minutes: by then a token of an hour has ended, and somebody looks.
const BACKOFF_DOUBLINGS_MAX: u32 = 3;

/// Who is due when. Every operation takes time logarithmic in the number of credentials.
#[derive(Clone, Debug, Default)]
pub struct DueQueue {
    by_time: BTreeSet<(Timestamp, CredentialId)>,
    times: BTreeMap<CredentialId, Timestamp>,
}

impl DueQueue {
    /// Puts a credential at a time, wherever it stood; none takes it out.
    pub fn set(&mut self, id: &CredentialId, due: Option<Timestamp>) {
        if let Some(known) = self.times.remove(id) {
            self.by_time.remove(&(known, id.clone()));
        }
        if let Some(due) = due {
            self.times.insert(id.clone(), due);
            self.by_time.insert((due, id.clone()));
        }
    }

    /// Takes out the one that has been due for longest, if any is.
    pub fn take_due(&mut self, now: Timestamp) -> Option<CredentialId> {
        let (due, _) = self.by_time.first()?;
        if *due > now {
            return None;
        }
        let (_, id) = self.by_time.pop_first()?;
        self.times.remove(&id);
        Some(id)
    }

    /// When the next one is due.
    pub fn next_at(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(due, _)| *due)
    }

    /// When this one is due.
    pub fn due_at(&self, id: &CredentialId) -> Option<Timestamp> {
        self.times.get(id).copied()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }
}

#[cfg(test)]
mod tests;
