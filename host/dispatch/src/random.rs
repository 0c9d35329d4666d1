//! The randomness of a dispatcher: jitter, and the number for selectors. Nothing that must be secret uses it.

use std::ops::{RangeInclusive, RangeTo};

use parking_lot::Mutex;

/// A source of random numbers: the same seed gives the same numbers.
pub(crate) struct Random(Mutex<fastrand::Rng>);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }

    pub(crate) fn u32(&self, range: RangeInclusive<u32>) -> u32 {
        self.0.lock().u32(range)
    }

    pub(crate) fn u64(&self, range: RangeTo<u64>) -> u64 {
        self.0.lock().u64(range)
    }
}
