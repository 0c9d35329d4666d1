//! The budget of each client for guest time that was wasted on its requests. Pure: the time is an argument.

use std::collections::HashMap;
use std::time::Duration;

use jackfield_credential::Timestamp;
use jackfield_dispatch::ClientDigest;

use super::circuit::{Circuit, Open};
use crate::limits::{
    CIRCUIT_MEMORY, CLIENT_WASTE_MAX, CLIENT_WASTE_WINDOW, FAULT_WASTE_MIN, SUSPENDED_CLIENT_WAIT,
    SUSPENDED_CLIENT_WAIT_MAX, WASTEFUL_CLIENTS_MAX,
};

/// The clients on whose requests a plugin failed. The others have no entry.
#[derive(Debug, Default)]
pub(super) struct Clients {
    by_client: HashMap<ClientDigest, Client>,
    /// How many of them are suspended.
    suspended: usize,
}

#[derive(Debug)]
struct Client {
    /// Guest time wasted of late. It falls by [`CLIENT_WASTE_MAX`] in each [`CLIENT_WASTE_WINDOW`].
    wasted: Duration,
    /// When `wasted` was right.
    as_of: Timestamp,
    circuit: Circuit,
}

/// A client for which a plugin is not called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SuspendedClient {
    pub(super) client: ClientDigest,
    pub(super) open: Open,
}

impl Clients {
    pub(super) fn any_suspended(&self) -> bool {
        self.suspended > 0
    }

    /// Returns at most this many suspended clients, the latest first.
    pub(super) fn suspended(&self, most: usize) -> Vec<SuspendedClient> {
        let entry = |(client, state): (&ClientDigest, &Client)| {
            let open = state.circuit.open()?;
            Some(SuspendedClient {
                client: *client,
                open,
            })
        };
        let mut all: Vec<_> = self.by_client.iter().filter_map(entry).collect();
        all.sort_by_key(|one| (std::cmp::Reverse(one.open.since), one.client));
        all.truncate(most);
        all
    }

    /// Whether a call of a client may pass now, and as a trial. Changes nothing: see [`Self::begin_trial`].
    ///
    /// # Errors
    /// How long it is until the client's next trial.
    pub(super) fn check(&self, client: ClientDigest, now: Timestamp) -> Result<bool, Duration> {
        match self.by_client.get(&client) {
            Some(client) => client.circuit.check(now),
            None => Ok(false),
        }
    }

    /// A client's trial begins.
    pub(super) fn begin_trial(&mut self, client: ClientDigest, now: Timestamp) {
        if let Some(client) = self.by_client.get_mut(&client) {
            client.circuit.begin_trial(now);
        }
    }

    /// A client's trial did not reach the plugin.
    pub(super) fn return_trial(&mut self, client: ClientDigest, now: Timestamp) {
        if let Some(client) = self.by_client.get_mut(&client) {
            client.circuit.return_trial(now);
        }
    }

    /// Returns the suspension of a client, if there is one.
    pub(super) fn open_of(&self, client: ClientDigest) -> Option<Open> {
        self.by_client.get(&client)?.circuit.open()
    }

    /// A client's trial succeeded. Its next fault suspends it again, unless that comes much later.
    pub(super) fn trial_succeeded(&mut self, client: ClientDigest, now: Timestamp) {
        let Some(client) = self.by_client.get_mut(&client) else {
            return;
        };
        if client.circuit.open().is_some() {
            self.suspended -= 1;
            client.circuit.close(now);
            client.leak(now);
            client.wasted = client.wasted.max(CLIENT_WASTE_MAX - FAULT_WASTE_MIN);
        }
    }

    /// Charges a client with guest time. Returns the suspension, if that begins now.
    pub(super) fn charge(
        &mut self,
        client: ClientDigest,
        time: Duration,
        is_trial: bool,
        now: Timestamp,
    ) -> Option<Open> {
        // The host's own calls are few, and a refresh that is not made loses an account.
        if client == ClientDigest::HOST || !self.free_place(client, now) {
            return None;
        }
        let entry = self.by_client.entry(client).or_insert_with(|| Client {
            wasted: Duration::ZERO,
            as_of: now,
            circuit: Circuit::new(SUSPENDED_CLIENT_WAIT, SUSPENDED_CLIENT_WAIT_MAX),
        });
        entry.leak(now);
        entry.wasted = (entry.wasted + time).min(CLIENT_WASTE_MAX);
        if entry.circuit.open().is_some() {
            if is_trial {
                entry.circuit.trial_failed(now);
            }
            return None;
        }
        if entry.wasted < CLIENT_WASTE_MAX {
            return None;
        }
        entry.circuit.trip(now);
        self.suspended += 1;
        entry.circuit.open()
    }

    /// Makes room for a client. If all places are taken, forgets what does not count any more, then the client with
    /// the oldest fault that is not suspended. False if all are suspended: a further client has no budget then.
    fn free_place(&mut self, client: ClientDigest, now: Timestamp) -> bool {
        if self.by_client.len() < WASTEFUL_CLIENTS_MAX || self.by_client.contains_key(&client) {
            return true;
        }
        self.by_client.retain(|_, client| !client.is_over(now));
        let is_suspended = |client: &&Client| client.circuit.open().is_some();
        self.suspended = self.by_client.values().filter(is_suspended).count();
        if self.by_client.len() < WASTEFUL_CLIENTS_MAX {
            return true;
        }
        let all = self.by_client.iter();
        let oldest = all
            .filter(|(_, client)| client.circuit.open().is_none())
            .min_by_key(|(_, client)| client.as_of)
            .map(|(client, _)| *client);
        oldest
            .and_then(|client| self.by_client.remove(&client))
            .is_some()
    }
}

impl Client {
    fn leak(&mut self, now: Timestamp) {
        let passed = now.saturating_since(self.as_of).min(CLIENT_WASTE_WINDOW);
        let share = passed.as_secs_f64() / CLIENT_WASTE_WINDOW.as_secs_f64();
        self.wasted = self.wasted.saturating_sub(CLIENT_WASTE_MAX.mul_f64(share));
        self.as_of = now.max(self.as_of);
    }

    /// Whether nothing of it counts any more.
    fn is_over(&self, now: Timestamp) -> bool {
        let last = self
            .circuit
            .open()
            .map_or(self.as_of, |open| open.trial_at.max(self.as_of));
        now > last + CIRCUIT_MEMORY
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::{CALL_TICKS_MAX, TICK};

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    fn id(number: u64) -> ClientDigest {
        ClientDigest::new(number + 1)
    }

    /// Begins a trial if the call is one.
    fn try_call(
        clients: &mut Clients,
        client: ClientDigest,
        now: Timestamp,
    ) -> Result<bool, Duration> {
        let is_trial = clients.check(client, now)?;
        if is_trial {
            clients.begin_trial(client, now);
        }
        Ok(is_trial)
    }

    /// The longest that one call may waste.
    fn over_time() -> Duration {
        TICK * CALL_TICKS_MAX
    }

    #[test]
    fn budget_suspends_its_client_only_and_a_good_trial_ends_it() {
        let mut clients = Clients::default();
        let mut suspended = None;
        for _ in 0..4 {
            assert_eq!(try_call(&mut clients, id(1), at(0)), Ok(false));
            suspended = clients.charge(id(1), over_time(), false, at(0));
        }
        assert_eq!(suspended.unwrap().trial_at, at(0) + SUSPENDED_CLIENT_WAIT);
        assert_eq!(
            try_call(&mut clients, id(1), at(0)),
            Err(SUSPENDED_CLIENT_WAIT),
            "the client is refused"
        );
        assert_eq!(try_call(&mut clients, id(2), at(0)), Ok(false));
        let trial = at(0) + SUSPENDED_CLIENT_WAIT;
        assert_eq!(try_call(&mut clients, id(1), trial), Ok(true));
        clients.trial_succeeded(id(1), trial);
        assert_eq!(try_call(&mut clients, id(1), trial), Ok(false));
        assert!(!clients.any_suspended());
        // The next fault suspends it again, for longer.
        let again = clients.charge(id(1), FAULT_WASTE_MIN, false, trial);
        assert_eq!(again.unwrap().trial_at, trial + 2 * SUSPENDED_CLIENT_WAIT);
    }

    #[test]
    fn quiet_client_has_its_whole_budget_again() {
        let mut clients = Clients::default();
        for minute in 0..100 {
            let now = at(0) + minute * CLIENT_WASTE_WINDOW;
            let almost = CLIENT_WASTE_MAX - Duration::from_millis(1);
            assert_eq!(clients.charge(id(1), almost, false, now), None);
        }
    }

    #[test]
    fn host_is_never_suspended() {
        let mut clients = Clients::default();
        assert_eq!(
            clients.charge(ClientDigest::HOST, CLIENT_WASTE_MAX, false, at(0)),
            None
        );
        assert!(clients.by_client.is_empty());
    }

    #[test]
    fn full_map_forgets_the_oldest_that_is_not_suspended() {
        let mut clients = Clients::default();
        for number in 0..WASTEFUL_CLIENTS_MAX as u64 {
            let time = match number {
                3 => FAULT_WASTE_MIN,
                _ => CLIENT_WASTE_MAX,
            };
            clients.charge(id(number), time, false, at(number));
        }
        let (further, another) = (id(1_000_000), id(1_000_001));
        assert!(
            clients
                .charge(further, CLIENT_WASTE_MAX, false, at(5_000))
                .is_some()
        );
        assert!(!clients.by_client.contains_key(&id(3)));
        assert_eq!(
            clients.charge(another, CLIENT_WASTE_MAX, false, at(5_000)),
            None
        );
        assert_eq!(clients.suspended, WASTEFUL_CLIENTS_MAX);
        assert_eq!(clients.suspended(3)[0].client, further);
        // Later none of them counts.
        let later = at(6_000) + SUSPENDED_CLIENT_WAIT + CIRCUIT_MEMORY;
        assert!(
            clients
                .charge(another, CLIENT_WASTE_MAX, false, later)
                .is_some()
        );
        assert_eq!((clients.by_client.len(), clients.suspended), (1, 1));
    }

    proptest! {
        /// Clients call one after the other; each call of an odd one is wasted. Even ones are never refused, and what an
        /// odd one wastes stays within its budget, its trials and one call for each time that it was let in again.
        #[test]
        fn waste_stays_within_the_budget(steps in prop::collection::vec((0..4_000_u64, 0..6_u64, 1..=300_u64), 1..400)) {
            let mut clients = Clients::default();
            let (mut now, mut wasted, mut trials) = (at(0), HashMap::new(), HashMap::new());
            for (millis, number, used) in steps {
                now = now + Duration::from_millis(millis);
                let client = id(number);
                let admitted = try_call(&mut clients, client, now);
                if number % 2 == 0 {
                    prop_assert_eq!(admitted, Ok(false));
                    continue;
                }
                let Ok(trial) = admitted else { continue };
                let used = Duration::from_millis(used);
                clients.charge(client, used, trial, now);
                *wasted.entry(client).or_insert(Duration::ZERO) += used;
                *trials.entry(client).or_insert(0) += u32::from(trial);
            }
            let passed = now.saturating_since(at(0)).as_secs_f64() / CLIENT_WASTE_WINDOW.as_secs_f64();
            for (client, wasted) in wasted {
                let most = CLIENT_WASTE_MAX.mul_f64(1.0 + passed) + over_time() * (1 + trials[&client]);
                prop_assert!(wasted <= most, "{wasted:?} of {most:?}");
            }
            let open = clients.by_client.values().filter(|client| client.circuit.open().is_some());
            prop_assert_eq!(open.count(), clients.suspended);
        }
    }
}
