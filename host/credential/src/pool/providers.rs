//! How much is under way with each provider, against how much may be.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use crate::ProviderName;

/// Every provider of the pool, by number. A number is given once between two makings of the index,
/// also where nobody of the provider is left, so there are as many as were named since.
#[derive(Debug, Default)]
pub(super) struct Providers {
    numbers: BTreeMap<ProviderName, u32>,
    loads: Vec<Load>,
    /// Those that have as many attempts under way as they may.
    full: BTreeSet<u32>,
}

/// What is under way with one provider.
#[derive(Clone, Copy, Debug)]
struct Load {
    in_flight: u32,
    most: Option<NonZeroU32>,
}

impl Providers {
    /// Counts in a credential that has attempts under way; answers its provider's number.
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

    /// Counts a credential out again.
    pub(super) fn leave(&mut self, number: u32, in_flight: u32) {
        self.change(number, |now| now.saturating_sub(in_flight));
    }

    /// An attempt begins.
    pub(super) fn begin(&mut self, number: u32) {
        self.change(number, |now| now.saturating_add(1));
    }

    /// An attempt ends. Answers whether there is room where there was none.
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

    fn change(&mut self, number: u32, of: impl FnOnce(u32) -> u32) {
        let Some(load) = self.loads.get_mut(number as usize) else {
            return;
        };
        load.in_flight = of(load.in_flight);
        let full = load.most.is_some_and(|most| load.in_flight >= most.get());
        if full {
            self.full.insert(number);
        } else {
            self.full.remove(&number);
        }
    }

    /// Panics unless this is under way.
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
