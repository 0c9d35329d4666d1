//! The memory of all calls together. Each body has a limit of its own, but there may be thousands of them: what they
//! hold counts against one budget, and a call for which nothing is left fails at once instead of the whole process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;

/// How many bytes all calls together may hold, and how many they hold now.
#[derive(Debug)]
pub struct MemoryBudget {
    bytes_max: AtomicUsize,
    held: AtomicUsize,
}

/// The budget is used up. The call may be repeated after [`MEMORY_RETRY_AFTER`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the calls in progress hold all the memory of `limits.memory`; try again in a second")]
pub struct MemoryFull;

/// When a client may repeat a call that found no memory: most bodies are held for less.
pub const MEMORY_RETRY_AFTER: Duration = Duration::from_secs(1);

impl MemoryBudget {
    /// Creates a budget in bytes.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max: AtomicUsize::new(bytes_max),
            held: AtomicUsize::new(0),
        }
    }

    /// Changes the budget. What is held stays, even if it is more.
    pub fn set_max(&self, bytes_max: usize) {
        self.bytes_max.store(bytes_max, Ordering::Relaxed);
    }

    /// Returns how many bytes are held.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: usize) -> Result<(), MemoryFull> {
        let bytes_max = self.bytes_max.load(Ordering::Relaxed);
        let add = |held: usize| held.checked_add(bytes).filter(|held| *held <= bytes_max);
        // Relaxed: the number guards no other data.
        let taken = self
            .held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        taken.map(drop).map_err(|_| MemoryFull)
    }

    fn give_back(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// A part of the budget. It goes back when this is dropped.
#[derive(Debug)]
pub struct HeldMemory {
    budget: Arc<MemoryBudget>,
    bytes: usize,
}

impl HeldMemory {
    /// Holds nothing of a budget.
    #[must_use]
    pub fn none(budget: &Arc<MemoryBudget>) -> Self {
        Self {
            budget: Arc::clone(budget),
            bytes: 0,
        }
    }

    /// Holds more or less than before.
    ///
    /// # Errors
    /// When the budget has not so much more. What was held before stays.
    pub fn resize(&mut self, bytes: usize) -> Result<(), MemoryFull> {
        if bytes > self.bytes {
            self.budget.take(bytes - self.bytes)?;
        } else if bytes < self.bytes {
            self.budget.give_back(self.bytes - bytes);
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Returns how many bytes this holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Ties the memory to a body: it goes back with the last reference to the body.
    #[must_use]
    pub fn attach(self, body: Bytes) -> Bytes {
        if self.bytes == 0 {
            return body;
        }
        Bytes::from_owner(HeldBody { body, _held: self })
    }
}

impl Drop for HeldMemory {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.give_back(self.bytes);
        }
    }
}

struct HeldBody {
    body: Bytes,
    _held: HeldMemory,
}

impl AsRef<[u8]> for HeldBody {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_body_holds_memory_as_long_as_a_part_of_it() {
        let budget = Arc::new(MemoryBudget::new(10));
        let mut held = HeldMemory::none(&budget);
        held.resize(10).unwrap();
        let body = held.attach(Bytes::from_static(b"0123456789"));
        let part = body.slice(2..4);
        drop(body);
        assert_eq!((budget.held(), &*part), (10, &b"23"[..]));
        assert_eq!(HeldMemory::none(&budget).resize(1), Err(MemoryFull));
        drop(part);
        assert_eq!(budget.held(), 0);
    }

    proptest! {
        #[test]
        fn holds_the_sum_and_never_more_than_the_budget(steps in prop::collection::vec((0..4_usize, 0..60_usize), 0..40)) {
            let budget = Arc::new(MemoryBudget::new(100));
            let mut parts: Vec<HeldMemory> = (0..4).map(|_| HeldMemory::none(&budget)).collect();
            for (index, bytes) in steps {
                let before = parts[index].bytes();
                let others = budget.held() - before;
                let is_free = others + bytes <= 100;
                prop_assert_eq!(parts[index].resize(bytes).is_ok(), is_free);
                prop_assert_eq!(parts[index].bytes(), if is_free { bytes } else { before });
                let sum: usize = parts.iter().map(HeldMemory::bytes).sum();
                prop_assert_eq!(budget.held(), sum);
            }
            drop(parts);
            prop_assert_eq!(budget.held(), 0);
        }
    }
}
