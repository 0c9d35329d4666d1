//! The memory of all calls together. Each body has a limit of its own, but there may be thousands of them: what they
//! hold counts against one budget, and a call for which nothing is left fails at once instead of the whole process. No
//! client gets all of the budget: it may hold a few times what it leaves free for others.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

/// How many bytes all calls together may hold, and how many they hold now.
#[derive(Debug)]
pub struct MemoryBudget {
    held: Mutex<Held>,
    /// Its keys are random, so that no client can craft a name with the hash of another.
    hashes: RandomState,
}

#[derive(Debug)]
struct Held {
    bytes_max: usize,
    all: usize,
    /// By the hash of the client. Only those that hold something: there are no more than calls.
    by_client: HashMap<u64, usize>,
}

/// The budget is used up, or the client's share of it. The call may be repeated after [`MEMORY_RETRY_AFTER`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the calls in progress hold all the memory of `limits.memory`, or this client's share of it; try again in a second"
)]
pub struct MemoryFull;

/// When a client may repeat a call that found no memory: most bodies are held for less.
pub const MEMORY_RETRY_AFTER: Duration = Duration::from_secs(1);

/// A client may hold so many times what is free. With 3, a single client gets three quarters of the budget, two get
/// three sevenths each, and the next one always finds some.
pub const CLIENT_SHARE_OF_FREE: usize = 3;

impl MemoryBudget {
    /// Creates a budget in bytes.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self {
            held: Mutex::new(Held {
                bytes_max,
                all: 0,
                by_client: HashMap::new(),
            }),
            hashes: RandomState::new(),
        }
    }

    /// Changes the budget. What is held stays, even if it is more.
    pub fn set_max(&self, bytes_max: usize) {
        self.held.lock().bytes_max = bytes_max;
    }

    /// Returns how many bytes are held.
    pub fn held(&self) -> usize {
        self.held.lock().all
    }

    /// Returns the largest body that one client may have held while no other one holds anything, in bytes.
    #[must_use]
    pub fn largest_body(bytes_max: usize) -> usize {
        bytes_max - bytes_max.div_ceil(CLIENT_SHARE_OF_FREE + 1)
    }

    fn take(&self, client: Option<u64>, bytes: usize) -> Result<(), MemoryFull> {
        let mut held = self.held.lock();
        let all = held.all.checked_add(bytes).ok_or(MemoryFull)?;
        let free = held.bytes_max.checked_sub(all).ok_or(MemoryFull)?;
        if let Some(client) = client {
            let of_client = held.by_client.get(&client).copied().unwrap_or_default() + bytes;
            if of_client > free.saturating_mul(CLIENT_SHARE_OF_FREE) {
                return Err(MemoryFull);
            }
            held.by_client.insert(client, of_client);
        }
        held.all = all;
        Ok(())
    }

    fn give_back(&self, client: Option<u64>, bytes: usize) {
        let mut held = self.held.lock();
        held.all -= bytes;
        let Some(client) = client else {
            return;
        };
        if let Some(of_client) = held.by_client.get_mut(&client) {
            *of_client -= bytes;
            if *of_client == 0 {
                held.by_client.remove(&client);
            }
        }
    }
}

/// A part of the budget that is held. It goes back when this is dropped.
#[derive(Debug)]
pub struct HeldMemory {
    budget: Arc<MemoryBudget>,
    /// The hash of the client whose share it counts in.
    client: Option<u64>,
    bytes: usize,
}

impl HeldMemory {
    /// Holds nothing of a budget yet. A client is known by the name of its key, and without keys by its network.
    #[must_use]
    pub fn of_client(budget: &Arc<MemoryBudget>, name: &str, network: Option<IpAddr>) -> Self {
        Self::none(budget, (name, network))
    }

    /// Holds nothing of a budget yet. The hash of `client` says who shares a part.
    #[must_use]
    pub fn none(budget: &Arc<MemoryBudget>, client: impl Hash) -> Self {
        Self {
            budget: Arc::clone(budget),
            client: Some(budget.hashes.hash_one(client)),
            bytes: 0,
        }
    }

    /// Holds nothing of a budget yet that is not shared between clients.
    #[must_use]
    pub fn without_client(budget: &Arc<MemoryBudget>) -> Self {
        Self {
            budget: Arc::clone(budget),
            client: None,
            bytes: 0,
        }
    }

    /// Holds more or less than before.
    ///
    /// # Errors
    /// When the budget, or the client's share of it, has not so much more. What was held before stays.
    pub fn resize(&mut self, bytes: usize) -> Result<(), MemoryFull> {
        if bytes > self.bytes {
            self.budget.take(self.client, bytes - self.bytes)?;
        } else if bytes < self.bytes {
            self.budget.give_back(self.client, self.bytes - bytes);
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
            self.budget.give_back(self.client, self.bytes);
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
        let mut held = HeldMemory::none(&budget, "a");
        held.resize(7).unwrap();
        let body = held.attach(Bytes::from_static(b"0123456"));
        let part = body.slice(2..4);
        drop(body);
        assert_eq!((budget.held(), &*part), (7, &b"23"[..]));
        assert_eq!(HeldMemory::none(&budget, "a").resize(3), Err(MemoryFull));
        drop(part);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn no_client_gets_all() {
        for bytes_max in 0..50 {
            let largest = MemoryBudget::largest_body(bytes_max);
            let budget = Arc::new(MemoryBudget::new(bytes_max));
            let mut only = HeldMemory::none(&budget, "only");
            only.resize(largest).unwrap();
            assert_eq!(only.resize(largest + 1), Err(MemoryFull), "{bytes_max}");
        }
        let budget = Arc::new(MemoryBudget::new(100));
        let mut greedy = HeldMemory::none(&budget, "greedy");
        assert_eq!(greedy.resize(76), Err(MemoryFull));
        greedy.resize(MemoryBudget::largest_body(100)).unwrap();
        assert_eq!(greedy.bytes(), 75);
        // Another object of the same client.
        assert_eq!(
            HeldMemory::none(&budget, "greedy").resize(1),
            Err(MemoryFull)
        );
        let mut others: Vec<_> = (0..10)
            .map(|name| HeldMemory::none(&budget, name))
            .collect();
        for other in &mut others {
            other.resize(2).unwrap();
        }
        assert_eq!(budget.held(), 95);
        drop((greedy, others));
        assert_eq!(budget.held.lock().by_client.len(), 0);
    }

    proptest! {
        #[test]
        fn holds_the_sum_and_never_more_than_the_budget(steps in prop::collection::vec((0..6_usize, 0..60_usize), 0..40)) {
            let budget = Arc::new(MemoryBudget::new(100));
            // Two parts for each of three clients.
            let mut parts: Vec<HeldMemory> = (0..6).map(|index| HeldMemory::none(&budget, index / 2)).collect();
            for (index, bytes) in steps {
                let before = parts[index].bytes();
                let all = budget.held() - before + bytes;
                let of_client = parts[index ^ 1].bytes() + bytes;
                let is_free = all <= 100 && of_client <= (100 - all) * CLIENT_SHARE_OF_FREE;
                prop_assert_eq!(parts[index].resize(bytes).is_ok(), bytes <= before || is_free);
                let now = if bytes <= before || is_free { bytes } else { before };
                prop_assert_eq!(parts[index].bytes(), now);
                let sum: usize = parts.iter().map(HeldMemory::bytes).sum();
                prop_assert_eq!(budget.held(), sum);
                prop_assert!(sum <= 100);
            }
            drop(parts);
            prop_assert_eq!(budget.held(), 0);
        }
    }
}
