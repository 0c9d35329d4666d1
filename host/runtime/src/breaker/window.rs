//! The calls of a plugin in the last [`EVIDENCE_WINDOW`], and whether their faults are the plugin's own. Pure: the time
//! is an argument.

use std::collections::HashMap;

use jackfield_credential::Timestamp;
use jackfield_dispatch::ClientDigest;

use super::few_clients::FewClients;
use crate::limits::{
    COUNTED_CLIENTS_MAX, EVIDENCE_WINDOW, SUSPENDING_CLIENTS, SUSPENDING_FAULTS_MIN,
};

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
    clients: [Option<CallsOfClient>; COUNTED_CLIENTS_MAX],
}

/// The calls of a client.
#[derive(Debug, Clone, Copy)]
struct CallsOfClient {
    client: ClientDigest,
    calls: u64,
    faults: u64,
    /// Whether its last call failed.
    is_accused: bool,
}

/// Why a plugin is not called for any client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Evidence {
    pub(super) calls: u64,
    pub(super) faults: u64,
    /// Clients whose last call failed.
    pub(super) accused: FewClients,
}

impl Window {
    /// Counts a call that ended well.
    pub(super) fn count_success(&mut self, client: ClientDigest, now: Timestamp) {
        let part = self.part(now);
        part.calls += 1;
        if let Some(own) = part.of_client(client) {
            own.calls += 1;
            own.is_accused = false;
        }
    }

    /// Counts a fault. `is_call` is false in the further calls of an exchange, which are not counted.
    pub(super) fn count_fault(&mut self, client: ClientDigest, is_call: bool, now: Timestamp) {
        let part = self.part(now);
        part.calls += u64::from(is_call);
        part.faults += 1;
        if let Some(own) = part.of_client(client) {
            own.calls += u64::from(is_call);
            own.faults += 1;
            own.is_accused = true;
        }
    }

    /// Returns the evidence if the faults are the plugin's own: over half of its calls, also without those of the client
    /// that had the most faults, and the last calls of several clients failed, or of all if fewer used it. If one alone
    /// used it, there are no others.
    pub(super) fn evidence(&self, now: Timestamp) -> Option<Evidence> {
        let (calls, faults, clients) = self.sums(now);
        if faults < SUSPENDING_FAULTS_MIN || faults * 2 <= calls {
            return None;
        }
        let mut accused = FewClients::default();
        let all_accused = clients.values().filter(|one| one.is_accused);
        all_accused.for_each(|one| accused.add(one.client));
        let is_from_all = clients.len() < SUSPENDING_CLIENTS && clients.len() == accused.len();
        if accused.len() == 0 || !(accused.is_full() || is_from_all) {
            return None;
        }
        let faultiest = clients
            .values()
            .max_by_key(|one| (one.faults, one.client))?;
        let (others, of_others) = (calls - faultiest.calls, faults - faultiest.faults);
        let is_alone = clients.len() == 1;
        (is_alone || of_others * 2 > others).then_some(Evidence {
            calls,
            faults,
            accused,
        })
    }

    /// Returns the calls, the faults, and those of the clients.
    fn sums(&self, now: Timestamp) -> (u64, u64, HashMap<ClientDigest, CallsOfClient>) {
        let newest = part_number(now);
        let oldest = newest.saturating_sub(PARTS as u64 - 1);
        let (mut calls, mut faults, mut clients) = (0, 0, HashMap::new());
        for number in oldest..=newest {
            let part = &self.parts[place(number)];
            if part.number != number {
                continue;
            }
            calls += part.calls;
            faults += part.faults;
            for one in part.clients.iter().flatten() {
                let sum = clients
                    .entry(one.client)
                    .or_insert(CallsOfClient::new(one.client));
                sum.calls += one.calls;
                sum.faults += one.faults;
                sum.is_accused = one.is_accused;
            }
        }
        (calls, faults, clients)
    }

    fn part(&mut self, now: Timestamp) -> &mut Part {
        let number = part_number(now);
        let part = &mut self.parts[place(number)];
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

fn place(number: u64) -> usize {
    (number % PARTS as u64) as usize
}

impl Part {
    /// Returns a client's entry, if it is one and there is room: one whose last call was good makes room.
    fn of_client(&mut self, client: ClientDigest) -> Option<&mut CallsOfClient> {
        if client == ClientDigest::HOST {
            return None;
        }
        let is_own = |one: &Option<CallsOfClient>| one.is_some_and(|one| one.client == client);
        let index = match self.clients.iter().position(is_own) {
            Some(index) => index,
            None => {
                let index = self.free_place()?;
                self.clients[index] = Some(CallsOfClient::new(client));
                index
            }
        };
        self.clients[index].as_mut()
    }

    fn free_place(&self) -> Option<usize> {
        let places = self.clients.iter().enumerate();
        let rank = |one: Option<CallsOfClient>| match one {
            None => Some(0),
            Some(one) => (!one.is_accused).then_some(1 + one.faults),
        };
        let free = places.filter_map(|(index, one)| Some((rank(*one)?, index)));
        free.min().map(|(_, index)| index)
    }
}

impl CallsOfClient {
    const fn new(client: ClientDigest) -> Self {
        Self {
            client,
            calls: 0,
            faults: 0,
            is_accused: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
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
                window.count_fault(ClientDigest::new(*client), true, at(0));
            }
        }
        for (client, count) in good {
            for _ in 0..*count {
                window.count_success(ClientDigest::new(*client), at(0));
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
        assert!(evidence(&[(1, 4), (2, 4), (3, 4)], &[(4, 7)]).is_some());
        // No more than half, without the calls of one of the three.
        assert!(evidence(&[(1, 4), (2, 4), (3, 4)], &[(4, 8)]).is_none());
        // Too few to say anything.
        assert!(evidence(&[(1, 3), (2, 3), (3, 3)], &[]).is_none());
        // Calls of the host count, but it is no client.
        let mut window = Window::default();
        for _ in 0..50 {
            window.count_fault(ClientDigest::HOST, true, at(0));
        }
        assert!(window.evidence(at(0)).is_none());
    }

    /// A client sends most calls, and all of them fail. Two others had a fault each of late, and are served otherwise.
    #[test]
    fn client_of_most_calls_does_not_suspend_a_plugin_that_works_for_others() {
        let mut window = Window::default();
        let mut call = |client: u64, fails: bool| {
            match (ClientDigest::new(client), fails) {
                (client, true) => window.count_fault(client, true, at(0)),
                (client, false) => window.count_success(client, at(0)),
            }
            window.evidence(at(0))
        };
        for number in 0..1_000 {
            assert_eq!(call(2 + number % 10, false), None);
            for _ in 0..5 {
                assert_eq!(call(1, true), None, "call {number}");
            }
            if number % 50 == 0 {
                assert_eq!(call(2, true), None);
                assert_eq!(call(3, true), None);
            }
        }
        // One other client, whose last call failed.
        let mut window = Window::default();
        (0..5).for_each(|_| window.count_success(ClientDigest::new(2), at(0)));
        window.count_fault(ClientDigest::new(2), true, at(0));
        (0..100).for_each(|_| window.count_fault(ClientDigest::new(1), true, at(0)));
        assert_eq!(window.evidence(at(0)), None);
    }

    #[test]
    fn counted_clients_are_bounded_and_failing_ones_stay() {
        let mut window = Window::default();
        for client in 1..=3 {
            window.count_fault(ClientDigest::new(client), true, at(0));
        }
        for client in 10..1_000 {
            window.count_success(ClientDigest::new(client), at(0));
        }
        for _ in 0..1_000 {
            for client in 1..=3 {
                window.count_fault(ClientDigest::new(client), true, at(0));
            }
        }
        assert_eq!(window.evidence(at(0)).map(|it| it.accused.len()), Some(3));
    }

    proptest! {
        /// A slow count of all calls agrees.
        #[test]
        fn agrees_with_a_list_of_all_calls(steps in prop::collection::vec((0..2_000_u64, 1..6_u64, any::<bool>()), 1..200)) {
            let (mut window, mut all, mut now) = (Window::default(), Vec::new(), 0);
            for (millis, client, is_fault) in steps {
                now += millis;
                let digest = ClientDigest::new(client);
                match is_fault {
                    true => window.count_fault(digest, true, at(now)),
                    false => window.count_success(digest, at(now)),
                }
                all.push((now, client, is_fault));
                let part = EVIDENCE_WINDOW / PARTS as u32;
                let part = part.as_millis() as u64;
                let begin = ((1_000_000 + now) / part + 1).saturating_sub(PARTS as u64) * part;
                let recent = || all.iter().filter(|(at, ..)| 1_000_000 + at >= begin);
                let (mut clients, mut faults, mut calls) = (BTreeMap::new(), 0, 0);
                for (_, client, is_fault) in recent() {
                    let one = clients.entry(*client).or_insert((0, 0, false));
                    *one = (one.0 + 1, one.1 + u64::from(*is_fault), *is_fault);
                    faults += u64::from(*is_fault);
                    calls += 1;
                }
                let accused = clients.values().filter(|(.., is_accused)| *is_accused).count();
                let are_accused = match clients.len() {
                    0 => false,
                    1 | 2 => accused == clients.len(),
                    _ => accused >= SUSPENDING_CLIENTS,
                };
                let faultiest = clients.iter().max_by_key(|(client, (_, faults, _))| (*faults, **client));
                let (of_one, faults_of_one) = faultiest.map_or((0, 0), |(_, (calls, faults, _))| (*calls, *faults));
                let without = clients.len() == 1 || (faults - faults_of_one) * 2 > calls - of_one;
                let expected = faults >= SUSPENDING_FAULTS_MIN && faults * 2 > calls && are_accused && without;
                prop_assert_eq!(window.evidence(at(now)).is_some(), expected);
                let all_parts = Duration::from_millis(part * PARTS as u64);
                prop_assert_eq!(all_parts, EVIDENCE_WINDOW);
            }
        }
    }
}
