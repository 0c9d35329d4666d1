//! Attempts in flight per provider, and their limits.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use crate::ProviderName;

/// The pool's providers, by number. Numbers are not reused until the index is rebuilt, so there
/// are as many as providers were named since.
#[derive(Debug, Default)]
pub(super) struct Providers {
    numbers: BTreeMap<ProviderName, u32>,
    loads: Vec<Load>,
    /// Providers at their limit.
    full: BTreeSet<u32>,
}

/// The load of one provider.
#[derive(Clone, Copy, Debug)]
struct Load {
    in_flight: u32,
    most: Option<NonZeroU32>,
}

impl Providers {
    /// Adds a credential with its attempts in flight, and returns its provider's number.
    pub(super) fn join(
        &mut self,
        name: &ProviderName,
        in_flight: u32,
        limits: &BTreeMap<ProviderName, NonZeroU32>,
    ) -> u32 {
        let number = match self.numbers.get(name) {
            Some(&number) => number,
            None => {
                let number = u32::try_from(self.loads.len()).unwrap_or(u32::MAX);
                self.numbers.insert(name.clone(), number);
                self.loads.push(Load {
                    in_flight: 0,
                    most: limits.get(name).copied(),
                });
                number
            }
        };
        self.change(number, |now| now.saturating_add(in_flight));
        number
    }

    /// Removes a credential with its attempts in flight.
    pub(super) fn leave(&mut self, number: u32, in_flight: u32) {
        self.change(number, |now| now.saturating_sub(in_flight));
    }

    /// Records the beginning of an attempt.
    pub(super) fn begin(&mut self, number: u32) {
        self.change(number, |now| now.saturating_add(1));
    }

    /// Records the end of an attempt. Returns true if the provider was at its limit and no longer
    /// is.
    pub(super) fn end(&mut self, number: u32) -> bool {
        let was_full = self.is_full(number);
        self.change(number, |now| now.saturating_sub(1));
        was_full && !self.is_full(number)
    }

    pub(super) fn is_full(&self, number: u32) -> bool {
        self.full.contains(&number)
    }

    pub(super) fn full(&self) -> &BTreeSet<u32> {
        &self.full
    }

    fn change(&mut self, number: u32, update: impl FnOnce(u32) -> u32) {
        let Some(load) = self.loads.get_mut(number as usize) else {
            return;
        };
        load.in_flight = update(load.in_flight);
        let full = load.most.is_some_and(|most| load.in_flight >= most.get());
        if full {
            self.full.insert(number);
        } else {
            self.full.remove(&number);
        }
    }

    /// Panics unless these attempts are in flight.
    #[cfg(test)]
    pub(super) fn audit(&self, in_flight: &BTreeMap<ProviderName, u32>) {
        for (name, &number) in &self.numbers {
            let load = self.loads[number as usize];
            let expected = in_flight.get(name).copied().unwrap_or(0);
            assert_eq!(load.in_flight, expected, "with `{name}`");
            let full = load.most.is_some_and(|most| expected >= most.get());
            assert_eq!(self.is_full(number), full, "with `{name}`");
        }
        assert!(in_flight.keys().all(|name| self.numbers.contains_key(name)));
    }
}
