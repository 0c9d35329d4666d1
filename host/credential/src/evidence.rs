//! What a lane has served, and whose requests failed there since: the evidence on which a failure
//! that nothing is blamed for is booked, or not.

use std::time::Duration;

use crate::{Requester, Timestamp};

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
    pub(crate) fn excuses(&mut self, attempt: u64, requester: Requester, now: Timestamp) -> bool {
        self.failing.note(requester, now);
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

/// The last requests that failed, each once, the oldest first. The failures may have opened a window
/// or prolonged it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Failing(Vec<FailedRequest>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FailedRequest {
    requester: Requester,
    at: Timestamp,
}

impl Failing {
    /// Adds a request. Beyond the limit, the oldest is forgotten.
    pub(crate) fn note(&mut self, requester: Requester, now: Timestamp) {
        self.0.retain(|failed| failed.requester != requester);
        if self.0.len() >= FAILING_MAX {
            self.0.remove(0);
        }
        self.0.push(FailedRequest { requester, at: now });
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True if this request is among them.
    pub(crate) fn contains(&self, requester: Requester) -> bool {
        self.0.iter().any(|failed| failed.requester == requester)
    }

    /// Returns when a client's last request failed.
    pub(crate) fn last_of(&self, client: u64) -> Option<Timestamp> {
        let of_client = self.0.iter().rev();
        let mut of_client = of_client.filter(|failed| failed.requester.client == client);
        of_client.next().map(|failed| failed.at)
    }

    /// True if all that failed are requests of one known client other than this one.
    pub(crate) fn are_of_one_other(&self, client: u64) -> bool {
        match self.0.first().map(|failed| failed.requester) {
            Some(first) if first.is_known() && first.client != client => {
                let mut all = self.0.iter();
                all.all(|failed| failed.requester.client == first.client)
            }
            _ => false,
        }
    }
}

/// How long a success speaks for a lane. A minute is longer than most attempts take, and shorter
/// than an operator waits before they look.
const EVIDENCE_LIFE: Duration = Duration::from_mins(1);

/// An attempt that failed later than this after a success began after it, except for very long
/// ones: a whole response may take ten minutes.
const ATTEMPT_LIFE: Duration = Duration::from_mins(10);

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
        assert!(!lane.excuses(1, request(1, 1), at(0)), "nothing was served");
        lane.note_served(3, 1, at(10));
        assert!(lane.excuses(2, request(1, 2), at(600_000)));
        assert!(!lane.excuses(4, request(1, 2), at(600_000)));
    }

    #[test]
    fn one_request_that_keeps_failing_is_excused_for_a_minute() {
        let mut lane = Evidence::default();
        lane.note_served(1, 1, at(0));
        assert!(lane.excuses(2, request(1, 7), at(1_000)));
        assert!(lane.excuses(3, request(1, 7), at(60_000)));
        assert!(!lane.excuses(4, request(1, 7), at(60_001)));
    }

    #[test]
    fn requests_of_one_client_are_excused_while_another_was_served() {
        let mut lane = Evidence::default();
        lane.note_served(1, 1, at(0));
        assert!(lane.excuses(2, request(2, 1), at(1)));
        assert!(lane.excuses(3, request(2, 2), at(2)));
        assert!(!lane.excuses(4, request(1, 3), at(3)), "two clients fail");
        lane.note_served(5, 2, at(4));
        assert!(lane.excuses(6, request(2, 1), at(5)));
        assert!(!lane.excuses(7, request(2, 2), at(6)), "its own success");
        let unknown = Requester::default();
        lane.note_served(8, 2, at(7));
        assert!(!lane.excuses(9, unknown, at(8)));
    }

    #[test]
    fn remembers_the_last_eight() {
        let mut failing = Failing::default();
        for digest in 0..20 {
            failing.note(request(1, digest), at(digest));
        }
        assert!(!failing.contains(request(1, 11)) && failing.contains(request(1, 12)));
        assert_eq!(failing.last_of(1), Some(at(19)));
        assert_eq!(failing.last_of(2), None);
        assert!(failing.are_of_one_other(2) && !failing.are_of_one_other(1));
    }
}
