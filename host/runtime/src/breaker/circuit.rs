//! Refuses calls for a time, with trials. Pure: the time is an argument.

use std::time::Duration;

use jackfield_credential::Timestamp;

use crate::limits::CIRCUIT_MEMORY;

/// Lets calls through while it is closed. Once it is open it lets single calls through as trials, after a wait that
/// doubles with each failed one, until a trial succeeds.
#[derive(Debug, Clone)]
pub(super) struct Circuit {
    open: Option<Open>,
    /// The wait before the first trial of the next time that it opens.
    next_wait: Duration,
    /// When it was last open, or opened.
    last_open: Timestamp,
    wait_first: Duration,
    wait_max: Duration,
}

/// An open circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Open {
    /// Since when.
    pub(super) since: Timestamp,
    /// When the next call is let through.
    pub(super) trial_at: Timestamp,
    /// The wait before that trial.
    wait: Duration,
}

impl Open {
    /// When a client whose trial failed gets one again, if no other has had it by then.
    pub(super) fn second_turn_at(self) -> Timestamp {
        self.trial_at + self.wait
    }
}

impl Circuit {
    /// A closed circuit, with its shortest and its longest wait.
    pub(super) const fn new(wait_first: Duration, wait_max: Duration) -> Self {
        Self {
            open: None,
            next_wait: wait_first,
            last_open: Timestamp::from_millis(0),
            wait_first,
            wait_max,
        }
    }

    pub(super) fn open(&self) -> Option<Open> {
        self.open
    }

    /// Whether a call may pass now, and as a trial. Changes nothing: see [`Self::begin_trial`].
    ///
    /// # Errors
    /// How long it is until the next trial.
    pub(super) fn check(&self, now: Timestamp) -> Result<bool, Duration> {
        match self.open {
            None => Ok(false),
            Some(open) if now < open.trial_at => Err(open.trial_at.saturating_since(now)),
            Some(_) => Ok(true),
        }
    }

    /// A trial begins. If it has no result, because its client left, the next one comes after the same wait.
    pub(super) fn begin_trial(&mut self, now: Timestamp) {
        if let Some(open) = &mut self.open {
            open.trial_at = now + open.wait;
        }
    }

    /// The trial did not reach the plugin: the next call is one.
    pub(super) fn return_trial(&mut self, now: Timestamp) {
        if let Some(open) = &mut self.open {
            open.trial_at = now;
        }
    }

    /// Opens it. The more often it opened of late, the longer is the first wait. Does nothing if it is open.
    pub(super) fn trip(&mut self, now: Timestamp) {
        if self.open.is_some() {
            return;
        }
        if now > self.last_open + CIRCUIT_MEMORY {
            self.next_wait = self.wait_first;
        }
        let wait = self.next_wait;
        self.next_wait = (wait * 2).min(self.wait_max);
        self.last_open = now;
        self.open = Some(Open {
            since: now,
            trial_at: now + wait,
            wait,
        });
    }

    /// A trial failed: the next one comes later.
    pub(super) fn trial_failed(&mut self, now: Timestamp) {
        if let Some(open) = &mut self.open {
            open.wait = self.next_wait;
            open.trial_at = now + open.wait;
            self.next_wait = (open.wait * 2).min(self.wait_max);
            self.last_open = now;
        }
    }

    /// A trial succeeded: closes it.
    pub(super) fn close(&mut self, now: Timestamp) {
        if self.open.take().is_some() {
            self.last_open = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FIRST: Duration = Duration::from_secs(10);
    const MAX: Duration = Duration::from_secs(300);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    /// Begins a trial if the call is one.
    fn try_call(circuit: &mut Circuit, now: Timestamp) -> Result<bool, Duration> {
        let is_trial = circuit.check(now)?;
        if is_trial {
            circuit.begin_trial(now);
        }
        Ok(is_trial)
    }

    #[test]
    fn trial_that_did_not_reach_the_plugin_is_not_used_up() {
        let mut circuit = Circuit::new(FIRST, MAX);
        circuit.trip(at(1));
        assert_eq!(try_call(&mut circuit, at(11)), Ok(true));
        circuit.return_trial(at(12));
        assert_eq!(try_call(&mut circuit, at(12)), Ok(true));
        assert_eq!(try_call(&mut circuit, at(13)), Err(Duration::from_secs(9)));
        assert_eq!(circuit.open().unwrap().second_turn_at(), at(32));
    }

    #[test]
    fn waits_double_until_a_trial_succeeds_and_are_forgotten_later() {
        let mut circuit = Circuit::new(FIRST, MAX);
        assert_eq!(try_call(&mut circuit, at(1)), Ok(false));
        circuit.trip(at(1));
        assert_eq!(try_call(&mut circuit, at(4)), Err(Duration::from_secs(7)));
        assert_eq!(try_call(&mut circuit, at(11)), Ok(true));
        // One trial at a time.
        assert!(try_call(&mut circuit, at(12)).is_err());
        circuit.trial_failed(at(12));
        assert_eq!(circuit.open().unwrap().trial_at, at(32));
        assert_eq!(try_call(&mut circuit, at(32)), Ok(true));
        circuit.close(at(33));
        assert_eq!(try_call(&mut circuit, at(33)), Ok(false));
        circuit.trip(at(40));
        assert_eq!(circuit.open().unwrap().trial_at, at(80));
        circuit.close(at(80));
        let later = at(81) + CIRCUIT_MEMORY;
        circuit.trip(later);
        assert_eq!(circuit.open().unwrap().trial_at, later + FIRST);
    }

    proptest! {
        /// Whatever happens, a call is let through after the longest wait, and an open circuit lets through at most one
        /// call in its shortest wait.
        #[test]
        fn trials_come_in_time_and_one_by_one(steps in prop::collection::vec((0..60_u64, 0..4_u8), 1..80)) {
            let mut circuit = Circuit::new(FIRST, MAX);
            let (mut now, mut last_trial) = (at(1), None);
            for (seconds, action) in steps {
                now = now + Duration::from_secs(seconds);
                match action {
                    0 => circuit.trip(now),
                    1 => circuit.trial_failed(now),
                    2 => circuit.close(now),
                    _ => {}
                }
                let is_open = circuit.open().is_some();
                match try_call(&mut circuit, now) {
                    Ok(trial) => {
                        prop_assert_eq!(trial, is_open);
                        if trial {
                            if let Some(last) = last_trial {
                                prop_assert!(now >= last + FIRST);
                            }
                            last_trial = Some(now);
                        }
                    }
                    Err(wait) => {
                        prop_assert!(is_open && wait > Duration::ZERO && wait <= MAX);
                        let later = circuit.check(now + wait);
                        prop_assert_eq!(later, Ok(true));
                    }
                }
                if !is_open {
                    last_trial = None;
                }
            }
        }
    }
}
