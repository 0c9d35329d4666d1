//! What a lane has served, and whose requests failed there since: the evidence on which a failure
//! that nothing is blamed for is booked, or not.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::{CoolingClass, Health, Requester, Timestamp};

/// The evidence of one lane or site lane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Evidence {
    served: Option<LastSuccess>,
    /// The requests that failed since the last success.
    pub(crate) failing: Failing,
}

/// The last success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LastSuccess {
    /// The highest number of an attempt that was served: when it began, in order.
    attempt: u64,
    /// When the last one was served.
    at: Timestamp,
    client: u64,
}

impl Evidence {
    /// Records that an attempt was served. The requests that failed before stay, as long as a window
    /// is open that is theirs.
    pub(crate) fn note_served(&mut self, attempt: u64, client: u64, now: Timestamp) {
        let known = self.served.map_or(0, |served| served.attempt);
        self.served = Some(LastSuccess {
            attempt: attempt.max(known),
            at: now,
            client,
        });
    }

    /// True if the evidence is still of use: something was served not long ago.
    pub(crate) fn is_recent(&self, now: Timestamp) -> bool {
        let recent = |served: LastSuccess| now.saturating_since(served.at) <= ATTEMPT_LIFE;
        self.served.is_some_and(recent)
    }

    /// Records a failure, and returns true if nothing should be booked for it: a request that began
    /// later was served, or the last minute speaks for the lane and against this request or client.
    pub(crate) fn excuses(
        &mut self,
        attempt: u64,
        requester: Requester,
        class: CoolingClass,
        now: Timestamp,
    ) -> bool {
        self.failing.note(requester, class, now);
        let Some(served) = self.served else {
            return false;
        };
        if served.attempt > attempt {
            return true;
        }
        if !requester.is_known() || now.saturating_since(served.at) > EVIDENCE_LIFE {
            return false;
        }
        let client = requester.client;
        let since = || self.failing.0.iter().filter(|failed| failed.at > served.at);
        since().all(|failed| failed.requester == requester)
            || (served.client != client && since().all(|failed| failed.requester.client == client))
    }
}

/// The last requests that failed, each once for a class, the oldest first. The failures may have opened a
/// window or prolonged it. A failure of another class than the window's is no evidence about the window: whose
/// requests failed in an outage says nothing about a refusal that one request meets after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Failing(Vec<FailedRequest>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FailedRequest {
    requester: Requester,
    class: CoolingClass,
    /// When it failed first, since the last success.
    first_at: Timestamp,
    at: Timestamp,
}

impl Failing {
    /// Adds a request. Beyond the limit, the oldest is forgotten.
    pub(crate) fn note(&mut self, requester: Requester, class: CoolingClass, now: Timestamp) {
        let is_same =
            |failed: &FailedRequest| failed.requester == requester && failed.class.doubles(class);
        let first_at = self.0.iter().find(|failed| is_same(failed));
        let first_at = first_at.map_or(now, |failed| failed.first_at);
        self.0.retain(|failed| !is_same(failed));
        if self.0.len() >= FAILING_MAX {
            self.0.remove(0);
        }
        self.0.push(FailedRequest {
            requester,
            class,
            first_at,
            at: now,
        });
    }

    /// Makes room for one more beside this health: first goes a request that failed after its window was opened or
    /// prolonged. With many calls in flight, the client that opened it would otherwise be forgotten, and be its trial.
    pub(crate) fn forget_later(&mut self, health: &Health) {
        let since = health.window().map(|window| window.since);
        if self.0.len() < FAILING_MAX {
            return;
        }
        let later = self
            .0
            .iter()
            .position(|failed| Some(failed.first_at) > since);
        if let Some(later) = later.filter(|_| since.is_some()) {
            self.0.remove(later);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of_class(&self, class: CoolingClass) -> impl DoubleEndedIterator<Item = &FailedRequest> {
        let failed = self.0.iter();
        failed.filter(move |failed| failed.class.doubles(class))
    }

    /// True if this request is among them.
    pub(crate) fn contains(&self, requester: Requester) -> bool {
        self.0.iter().any(|failed| failed.requester == requester)
    }

    /// True if this request has failed with this class, first not later than `until`.
    pub(crate) fn contains_of(
        &self,
        requester: Requester,
        class: CoolingClass,
        until: Timestamp,
    ) -> bool {
        let mut failed = self.of_class(class);
        failed.any(|failed| failed.requester == requester && failed.first_at <= until)
    }

    /// Returns when a request of one of these clients failed last with this class, not later than `until`.
    pub(crate) fn last_of_any(
        &self,
        class: CoolingClass,
        until: Timestamp,
        is_one: impl Fn(u64) -> bool,
    ) -> Option<Timestamp> {
        let of_class = self.of_class(class);
        let of_one = of_class.filter(|failed| is_one(failed.requester.client));
        // Of each request only the first and the last failure are known: one between may be left out.
        let before = of_one.filter(|failed| failed.first_at <= until);
        before.map(|failed| failed.at.min(until)).max()
    }

    /// Returns the client whose requests failed with this class, if it is one alone, and known.
    pub(crate) fn only_client(&self, class: CoolingClass) -> Option<u64> {
        let mut failed = self.of_class(class).map(|failed| failed.requester);
        let first = failed.next().filter(|first| first.is_known())?;
        let is_same = |other: Requester| other.client == first.client && other.is_known();
        failed.all(is_same).then_some(first.client)
    }

    /// Returns whose requests failed with this class, from the point of view of this client.
    pub(crate) fn others(&self, client: u64, class: CoolingClass) -> Others {
        let clients = self.of_class(class).map(|failed| failed.requester.client);
        let clients: BTreeSet<u64> = clients.collect();
        let mut failed = self.of_class(class);
        let known = failed.all(|failed| failed.requester.is_known());
        match clients.len() {
            _ if !known || clients.contains(&client) => Others::Many,
            1 => Others::One,
            2..=FEW_CLIENTS => Others::Few,
            _ => Others::Many,
        }
    }
}

/// Whose requests failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Others {
    /// Those of one other client: no evidence against this one's.
    One,
    /// Those of a few other clients.
    Few,
    /// Those of many, of this client, or of unknown ones.
    Many,
}

/// The clients that were served last, with when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Regulars(Vec<(u64, Timestamp)>);

impl Regulars {
    /// Records that a client was served. Beyond the limit, the one whose last success is the oldest is forgotten.
    pub(crate) fn note(&mut self, client: u64, now: Timestamp) {
        if let Some((_, at)) = self.0.iter_mut().find(|(known, _)| *known == client) {
            *at = now;
            return;
        }
        if self.0.len() >= REGULARS_MAX {
            let oldest = self.0.iter().enumerate().min_by_key(|(_, (_, at))| *at);
            let oldest = oldest.map_or(0, |(index, _)| index);
            self.0.swap_remove(oldest);
        }
        self.0.push((client, now));
    }

    /// True if a client was served not long ago.
    pub(crate) fn contain(&self, client: u64, now: Timestamp) -> bool {
        let is_recent = |at: Timestamp| now.saturating_since(at) <= REGULAR_LIFE;
        let mut served = self.0.iter();
        served.any(|&(known, at)| known == client && is_recent(at))
    }
}

/// The most clients that are a few. If the requests of four clients fail, it is hardly the requests.
const FEW_CLIENTS: usize = 3;

/// How long a success speaks for a lane. A minute is longer than most attempts take, and shorter
/// than an operator waits before they look.
const EVIDENCE_LIFE: Duration = Duration::from_mins(1);

/// An attempt that failed later than this after a success began after it, except for very long
/// ones: a whole response may take ten minutes.
const ATTEMPT_LIFE: Duration = Duration::from_mins(10);

/// How long a client that was served counts as one whose requests the provider accepts: longer than most outages,
/// and short enough that a client whose requests have become bad does not come before others for long.
const REGULAR_LIFE: Duration = Duration::from_mins(10);

/// The clients that are remembered as served: more than wait for a trial.
const REGULARS_MAX: usize = 16;

/// The requests remembered for each health. More than a few different ones mean that the provider
/// fails, not the requests.
const FAILING_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn request(client: u64, digest: u64) -> Requester {
        Requester { client, digest }
    }

    #[test]
    fn a_later_attempt_that_was_served_excuses_any_failure() {
        let mut lane = Evidence::default();
        assert!(
            !lane.excuses(1, request(1, 1), CoolingClass::Outage, at(0)),
            "nothing was served"
        );
        lane.note_served(3, 1, at(10));
        assert!(lane.excuses(2, request(1, 2), CoolingClass::Outage, at(600_000)));
        assert!(!lane.excuses(4, request(1, 2), CoolingClass::Outage, at(600_000)));
    }

    #[test]
    fn one_request_that_keeps_failing_is_excused_for_a_minute() {
        let mut lane = Evidence::default();
        lane.note_served(1, 1, at(0));
        assert!(lane.excuses(2, request(1, 7), CoolingClass::Outage, at(1_000)));
        assert!(lane.excuses(3, request(1, 7), CoolingClass::Outage, at(60_000)));
        assert!(!lane.excuses(4, request(1, 7), CoolingClass::Outage, at(60_001)));
    }

    #[test]
    fn requests_of_one_client_are_excused_while_another_was_served() {
        let mut lane = Evidence::default();
        lane.note_served(1, 1, at(0));
        assert!(lane.excuses(2, request(2, 1), CoolingClass::Outage, at(1)));
        assert!(lane.excuses(3, request(2, 2), CoolingClass::Outage, at(2)));
        assert!(
            !lane.excuses(4, request(1, 3), CoolingClass::Outage, at(3)),
            "two clients fail"
        );
        lane.note_served(5, 2, at(4));
        assert!(lane.excuses(6, request(2, 1), CoolingClass::Outage, at(5)));
        assert!(
            !lane.excuses(7, request(2, 2), CoolingClass::Outage, at(6)),
            "its own success"
        );
        let unknown = Requester::default();
        lane.note_served(8, 2, at(7));
        assert!(!lane.excuses(9, unknown, CoolingClass::Outage, at(8)));
    }

    #[test]
    fn remembers_the_last_eight() {
        let mut failing = Failing::default();
        for digest in 0..20 {
            failing.note(request(1, digest), CoolingClass::Outage, at(digest));
        }
        assert!(!failing.contains(request(1, 11)) && failing.contains(request(1, 12)));
        let last_of = |client, until| {
            failing.last_of_any(CoolingClass::Outage, at(until), |one| one == client)
        };
        assert_eq!(last_of(1, 99), Some(at(19)));
        assert_eq!(last_of(1, 15), Some(at(15)));
        assert_eq!(last_of(2, 99), None);
        assert_eq!(failing.others(2, CoolingClass::Outage), Others::One);
        assert_eq!(failing.others(1, CoolingClass::Outage), Others::Many);
        for client in 3..5 {
            failing.note(request(client, 0), CoolingClass::Outage, at(30 + client));
        }
        assert_eq!(failing.others(2, CoolingClass::Outage), Others::Few);
        failing.note(request(5, 0), CoolingClass::Outage, at(40));
        assert_eq!(failing.others(2, CoolingClass::Outage), Others::Many);
    }
}
