//! Slows down guesses of keys. The answer to a wrong key is delayed by how many wrong ones its address sent; a
//! right key is never delayed, whatever its address did.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use crate::limits::{
    WRONG_KEY_ADDRESSES_MAX, WRONG_KEY_DELAY_FIRST, WRONG_KEY_DELAY_MAX, WRONG_KEY_DELAYED_MAX,
    WRONG_KEY_MEMORY, WRONG_KEYS_FREE,
};

/// The address of the client's connection, as an extension of its requests.
#[derive(Debug, Clone, Copy)]
pub struct PeerAddress(pub IpAddr);

/// Wrong keys by address.
#[derive(Debug)]
pub struct WrongKeys {
    /// What the keys are for, for the log: `client key` or `admin token`.
    what: &'static str,
    by_address: Mutex<HashMap<Option<IpAddr>, Count>>,
    /// Answers that may be delayed at a time. Beyond it they are not delayed: each one holds a connection.
    delays: Semaphore,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    wrong: u32,
    last: Instant,
}

impl WrongKeys {
    /// Counts wrong keys of this kind, such as `client key`.
    pub fn new(what: &'static str) -> Self {
        Self {
            what,
            by_address: Mutex::default(),
            delays: Semaphore::new(WRONG_KEY_DELAYED_MAX),
        }
    }

    /// Counts and logs a wrong key, and waits before its answer. `address` is `None` if it is not known.
    pub async fn delay(&self, address: Option<PeerAddress>) {
        let address = address.map(|PeerAddress(address)| address.to_canonical());
        let wrong = self.count(address, Instant::now());
        // Each one at first, then less and less often.
        if wrong.is_power_of_two() {
            let address = address.map_or_else(|| "unknown".to_owned(), |it| it.to_string());
            tracing::warn!(address, wrong, "wrong {}", self.what);
        }
        if let Ok(_permit) = self.delays.try_acquire() {
            sleep(delay_after(wrong)).await;
        }
    }

    /// Counts a wrong key; returns how many the address sent.
    fn count(&self, address: Option<IpAddr>, now: Instant) -> u32 {
        let mut by_address = self.by_address.lock();
        if by_address.len() >= WRONG_KEY_ADDRESSES_MAX && !by_address.contains_key(&address) {
            by_address.retain(|_, count| now.duration_since(count.last) < WRONG_KEY_MEMORY);
        }
        // With too many addresses at once, the further ones count as one.
        let is_full = by_address.len() >= WRONG_KEY_ADDRESSES_MAX;
        let address = address.filter(|it| !is_full || by_address.contains_key(&Some(*it)));
        let count = by_address.entry(address).or_insert(Count {
            wrong: 0,
            last: now,
        });
        if now.duration_since(count.last) >= WRONG_KEY_MEMORY {
            count.wrong = 0;
        }
        count.wrong = count.wrong.saturating_add(1);
        count.last = now;
        count.wrong
    }
}

fn delay_after(wrong: u32) -> Duration {
    match wrong.checked_sub(WRONG_KEYS_FREE + 1) {
        None => Duration::ZERO,
        // Beyond 16 doublings it is the maximum anyway.
        Some(further) => {
            let factor = 1 << further.min(16);
            (WRONG_KEY_DELAY_FIRST * factor).min(WRONG_KEY_DELAY_MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> Option<PeerAddress> {
        Some(PeerAddress(IpAddr::from([192, 0, 2, last])))
    }

    #[tokio::test(start_paused = true)]
    async fn delays_grow_by_address_and_are_forgotten() {
        let keys = WrongKeys::new("client key");
        let delay = async |address| {
            let began = Instant::now();
            keys.delay(address).await;
            began.elapsed()
        };
        for _ in 0..WRONG_KEYS_FREE {
            assert_eq!(delay(peer(1)).await, Duration::ZERO);
        }
        assert_eq!(delay(peer(1)).await, WRONG_KEY_DELAY_FIRST);
        assert_eq!(delay(peer(1)).await, WRONG_KEY_DELAY_FIRST * 2);
        assert_eq!(delay(peer(2)).await, Duration::ZERO);
        for _ in 0..40 {
            assert!(delay(peer(1)).await <= WRONG_KEY_DELAY_MAX);
        }
        assert_eq!(delay(peer(1)).await, WRONG_KEY_DELAY_MAX);
        sleep(WRONG_KEY_MEMORY).await;
        assert_eq!(delay(peer(1)).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn memory_and_delays_are_bounded() {
        let keys = WrongKeys::new("client key");
        let now = Instant::now();
        for index in 0..WRONG_KEY_ADDRESSES_MAX as u32 + 100 {
            let wrong = keys.count(Some(IpAddr::from(index.to_be_bytes())), now);
            // The last ones share a place.
            let shared = (index + 1).saturating_sub(WRONG_KEY_ADDRESSES_MAX as u32);
            assert_eq!(wrong, shared.max(1));
        }
        assert!(keys.by_address.lock().len() <= WRONG_KEY_ADDRESSES_MAX + 1);
        for _ in 0..50 {
            keys.count(None, now);
        }
        let all = (0..WRONG_KEY_DELAYED_MAX + 10).map(|_| keys.delay(None));
        let began = Instant::now();
        futures_util::future::join_all(all).await;
        assert!(began.elapsed() <= WRONG_KEY_DELAY_MAX);
    }
}
