//! The calls of a plugin in the last [`EVIDENCE_WINDOW`], and whether their faults are the plugin's own. Pure: the time
//! is an argument.

use jackfield_credential::Timestamp;
use jackfield_dispatch::ClientDigest;

use crate::limits::{EVIDENCE_WINDOW, SUSPENDING_CLIENTS, SUSPENDING_FAULTS_MIN};

/// Counts calls in parts of the window. The oldest part falls out as a whole.
#[derive(Debug, Default)]
pub(super) struct Window {
    parts: [Part; PARTS],
}

/// The parts of the window.
const PARTS: usize = 6;

#[derive(Debug, Default, Clone)]
struct Part {
    /// Which part since the epoch.
    number: u64,
    calls: u64,
    faults: u64,
    users: FewClients,
    faulted: FewClients,
}

/// Up to [`SUSPENDING_CLIENTS`] different clients: more would change nothing.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct FewClients([Option<ClientDigest>; SUSPENDING_CLIENTS]);

/// Why a plugin is not called for any client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Evidence {
    pub(super) calls: u64,
    pub(super) faults: u64,
    /// Clients with faults.
    pub(super) accused: FewClients,
}

impl Window {
    /// Counts a call that ended.
    pub(super) fn count_call(&mut self, client: ClientDigest, now: Timestamp) {
        let part = self.part(now);
        part.calls += 1;
        part.users.add(client);
    }

    /// Counts a fault.
    pub(super) fn count_fault(&mut self, client: ClientDigest, now: Timestamp) {
        let part = self.part(now);
        part.faults += 1;
        // A reply may have begun before the window: its client uses the plugin all the same.
        part.users.add(client);
        part.faulted.add(client);
    }

    /// Returns the evidence if the faults are the plugin's own: over half of its calls, and from several clients, or
    /// from all if fewer used it.
    pub(super) fn evidence(&self, now: Timestamp) -> Option<Evidence> {
        let oldest = part_number(now).saturating_sub(PARTS as u64 - 1);
        let (mut users, mut faulted) = (FewClients::default(), FewClients::default());
        let (mut calls, mut faults) = (0, 0);
        for part in self.parts.iter().filter(|part| part.number >= oldest) {
            calls += part.calls;
            faults += part.faults;
            part.users.iter().for_each(|client| users.add(client));
            part.faulted.iter().for_each(|client| faulted.add(client));
        }
        let from_all = faulted.len() > 0 && users.iter().all(|client| faulted.contains(client));
        let is_own = faulted.is_full() || from_all;
        (faults >= SUSPENDING_FAULTS_MIN && faults * 2 > calls && is_own).then_some(Evidence {
            calls,
            faults,
            accused: faulted,
        })
    }

    fn part(&mut self, now: Timestamp) -> &mut Part {
        let number = part_number(now);
        let part = &mut self.parts[(number % PARTS as u64) as usize];
        if part.number != number {
            *part = Part {
                number,
                ..Part::default()
            };
        }
        part
    }
}

fn part_number(now: Timestamp) -> u64 {
    now.as_millis() / (EVIDENCE_WINDOW.as_millis() as u64 / PARTS as u64)
}

impl FewClients {
    fn iter(&self) -> impl Iterator<Item = ClientDigest> {
        self.0.iter().copied().flatten()
    }

    pub(super) fn len(&self) -> usize {
        self.iter().count()
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() == SUSPENDING_CLIENTS
    }

    pub(super) fn contains(&self, client: ClientDigest) -> bool {
        self.0.contains(&Some(client))
    }

    /// Adds a client if there is room. The host is none.
    pub(super) fn add(&mut self, client: ClientDigest) {
        if client == ClientDigest::HOST || self.contains(client) {
            return;
        }
        if let Some(free) = self.0.iter_mut().find(|place| place.is_none()) {
            *free = Some(client);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    /// Faults and good calls of clients, at one time.
    fn evidence(faults: &[(u64, u64)], good: &[(u64, u64)]) -> Option<Evidence> {
        let mut window = Window::default();
        for (client, count) in faults {
            for _ in 0..*count {
                window.count_call(ClientDigest::new(*client), at(0));
                window.count_fault(ClientDigest::new(*client), at(0));
            }
        }
        for (client, count) in good {
            for _ in 0..*count {
                window.count_call(ClientDigest::new(*client), at(0));
            }
        }
        window.evidence(at(0))
    }

    #[test]
    fn one_client_suspends_a_plugin_only_if_no_other_uses_it() {
        assert!(evidence(&[(1, 50)], &[]).is_some());
        assert!(evidence(&[(1, 50)], &[(2, 1)]).is_none());
        assert!(evidence(&[(1, 5), (2, 5)], &[]).is_some());
        assert!(evidence(&[(1, 25), (2, 25)], &[(3, 1)]).is_none());
        assert!(evidence(&[(1, 4), (2, 4), (3, 4)], &[(4, 11)]).is_some());
        // No more than half.
        assert!(evidence(&[(1, 4), (2, 4), (3, 4)], &[(4, 12)]).is_none());
        // Too few to say anything.
        assert!(evidence(&[(1, 3), (2, 3), (3, 3)], &[]).is_none());
        // Calls of the host count, but it is no client.
        let mut window = Window::default();
        for _ in 0..50 {
            window.count_call(ClientDigest::HOST, at(0));
            window.count_fault(ClientDigest::HOST, at(0));
        }
        assert!(window.evidence(at(0)).is_none());
    }

    proptest! {
        /// A slow count of all calls agrees.
        #[test]
        fn agrees_with_a_list_of_all_calls(steps in prop::collection::vec((0..2_000_u64, 1..6_u64, any::<bool>()), 1..200)) {
            let (mut window, mut all, mut now) = (Window::default(), Vec::new(), 0);
            for (millis, client, is_fault) in steps {
                now += millis;
                let digest = ClientDigest::new(client);
                window.count_call(digest, at(now));
                if is_fault {
                    window.count_fault(digest, at(now));
                }
                all.push((now, client, is_fault));
                let part = EVIDENCE_WINDOW / PARTS as u32;
                let part = part.as_millis() as u64;
                let begin = ((1_000_000 + now) / part + 1).saturating_sub(PARTS as u64) * part;
                let recent = || all.iter().filter(|(at, ..)| 1_000_000 + at >= begin);
                let faults = recent().filter(|(.., is_fault)| *is_fault);
                let faulted: BTreeSet<u64> = faults.clone().map(|(_, client, _)| *client).collect();
                let users: BTreeSet<u64> = recent().map(|(_, client, _)| *client).collect();
                let faults = faults.count() as u64;
                let calls = recent().count() as u64;
                let is_own = faulted.len() >= SUSPENDING_CLIENTS || faulted == users;
                let expected = faults >= SUSPENDING_FAULTS_MIN && faults * 2 > calls && is_own;
                prop_assert_eq!(window.evidence(at(now)).is_some(), expected);
                let all_parts = Duration::from_millis(part * PARTS as u64);
                prop_assert_eq!(all_parts, EVIDENCE_WINDOW);
            }
        }
    }
}
