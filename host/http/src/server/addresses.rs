//! Limits the connections of one client address, so that no client can take all places.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

/// Counts connections by address. There are no more entries than connections.
#[derive(Debug)]
pub(super) struct Addresses {
    counts: Mutex<HashMap<IpAddr, u32>>,
    max: u32,
}

/// A place of an address, given back when it is dropped. `None` for loopback and trusted proxies: many clients stand
/// behind one address.
#[derive(Debug)]
pub(super) struct AddressPlace(Option<(Arc<Addresses>, IpAddr)>);

impl Addresses {
    /// Allows `max` connections for each address.
    pub(super) fn new(max: u32) -> Self {
        Self {
            counts: Mutex::default(),
            max,
        }
    }

    /// Returns a place that no address is charged with.
    pub(super) fn unlimited() -> AddressPlace {
        AddressPlace(None)
    }

    /// Takes a place; `None` if the address has all of its own.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<AddressPlace> {
        let address = network(peer);
        if address.is_loopback() {
            return Some(AddressPlace(None));
        }
        let mut counts = self.counts.lock();
        let count = counts.entry(address).or_default();
        if *count == self.max {
            return None;
        }
        *count += 1;
        Some(AddressPlace(Some((Arc::clone(self), address))))
    }
}

impl Drop for AddressPlace {
    fn drop(&mut self) {
        let Some((addresses, address)) = &self.0 else {
            return;
        };
        let mut counts = addresses.counts.lock();
        if let Some(count) = counts.get_mut(address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(address);
            }
        }
    }
}

/// What counts as one client: an IPv4 address, or the /64 that a provider gives to one IPv6 customer
/// (RFC 6177, section 2).
pub(crate) fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn counts_by_network_and_forgets_closed_connections() {
        let addresses = Arc::new(Addresses::new(2));
        let places: Vec<_> = ["2001:db8::1", "2001:db8::2"]
            .map(|peer| addresses.admit(address(peer)).unwrap())
            .into();
        assert!(addresses.admit(address("2001:db8::3")).is_none());
        assert!(addresses.admit(address("2001:db8:0:1::3")).is_some());
        let first = addresses.admit(address("192.0.2.1"));
        let mapped = addresses.admit(address("::ffff:192.0.2.1"));
        assert!(first.is_some() && mapped.is_some());
        assert!(addresses.admit(address("192.0.2.1")).is_none());
        drop((places, first, mapped));
        assert!(addresses.admit(address("2001:db8::3")).is_some());
        assert!(addresses.counts.lock().is_empty());
    }

    #[test]
    fn loopback_is_not_limited() {
        let addresses = Arc::new(Addresses::new(1));
        let places: Vec<_> = ["127.0.0.1", "127.0.0.1", "::1", "::1", "::ffff:127.0.0.1"]
            .map(|peer| addresses.admit(address(peer)))
            .into();
        assert!(places.iter().all(Option::is_some));
    }
}
