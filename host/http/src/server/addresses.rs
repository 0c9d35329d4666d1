//! Limits the connections of one client address, so that no client can take all places.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::limits::{CONNECTIONS_PER_ADDRESS_MAX, CONNECTIONS_PER_KIND_MAX};
use crate::proxies::{Peer, TrustedProxies};

/// Counts connections by client. There are no more entries than connections.
#[derive(Debug)]
pub(super) struct Addresses {
    counts: Mutex<HashMap<Group, u32>>,
    limits: GroupLimits,
}

/// The most connections of a group.
#[derive(Debug, Clone, Copy)]
pub(super) struct GroupLimits {
    pub(super) network: u32,
    /// Of the groups in which many clients have one address.
    pub(super) shared: u32,
}

impl Default for GroupLimits {
    fn default() -> Self {
        Self {
            network: CONNECTIONS_PER_ADDRESS_MAX,
            shared: CONNECTIONS_PER_KIND_MAX,
        }
    }
}

/// Who shares a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Group {
    /// The clients of one address or network.
    Network(IpAddr),
    /// The clients on this machine.
    Loopback,
    /// The clients by a Unix socket.
    UnixSocket,
    /// The trusted proxies: many clients stand behind one address.
    TrustedProxies,
}

impl Group {
    /// Returns the group of a peer.
    pub(super) fn of(peer: Peer, proxies: &TrustedProxies) -> Self {
        if proxies.trusts(peer) {
            return Self::TrustedProxies;
        }
        match peer {
            Peer::UnixSocket => Self::UnixSocket,
            Peer::Address(address) => match network(address) {
                address if address.is_loopback() => Self::Loopback,
                address => Self::Network(address),
            },
        }
    }
}

/// A place of a group, given back when it is dropped.
#[derive(Debug)]
pub(super) struct AddressPlace {
    addresses: Arc<Addresses>,
    group: Group,
}

impl Addresses {
    pub(super) fn new(limits: GroupLimits) -> Self {
        Self {
            counts: Mutex::default(),
            limits,
        }
    }

    /// Takes a place; `None` if the group has all of its own.
    pub(super) fn admit(self: &Arc<Self>, group: Group) -> Option<AddressPlace> {
        let max = match group {
            Group::Network(_) => self.limits.network,
            Group::Loopback | Group::UnixSocket | Group::TrustedProxies => self.limits.shared,
        };
        let mut counts = self.counts.lock();
        let count = counts.entry(group).or_default();
        if *count >= max {
            return None;
        }
        *count += 1;
        Some(AddressPlace {
            addresses: Arc::clone(self),
            group,
        })
    }
}

impl Drop for AddressPlace {
    fn drop(&mut self) {
        let mut counts = self.addresses.counts.lock();
        if let Some(count) = counts.get_mut(&self.group) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.group);
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
    use crate::proxies::ProxyNetworks;

    fn group(text: &str) -> Group {
        Group::of(
            Peer::Address(text.parse().unwrap()),
            &TrustedProxies::default(),
        )
    }

    const LIMITS: GroupLimits = GroupLimits {
        network: 2,
        shared: 3,
    };

    #[test]
    fn counts_by_network_and_forgets_closed_connections() {
        let addresses = Arc::new(Addresses::new(LIMITS));
        let places: Vec<_> = ["2001:db8::1", "2001:db8::2"]
            .map(|peer| addresses.admit(group(peer)).unwrap())
            .into();
        assert!(addresses.admit(group("2001:db8::3")).is_none());
        assert!(addresses.admit(group("2001:db8:0:1::3")).is_some());
        let first = addresses.admit(group("192.0.2.1"));
        let mapped = addresses.admit(group("::ffff:192.0.2.1"));
        assert!(first.is_some() && mapped.is_some());
        assert!(addresses.admit(group("192.0.2.1")).is_none());
        drop((places, first, mapped));
        assert!(addresses.admit(group("2001:db8::3")).is_some());
        assert!(addresses.counts.lock().is_empty());
    }

    #[test]
    fn each_kind_of_shared_address_has_a_limit_of_its_own() {
        let proxies = TrustedProxies::new(ProxyNetworks {
            networks: vec!["10.0.0.0/8".parse().unwrap()],
            ..ProxyNetworks::default()
        });
        let addresses = Arc::new(Addresses::new(LIMITS));
        let loopback = ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"];
        let proxy = ["10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2"];
        let mut places = Vec::new();
        for (peers, kind) in [(loopback, Group::Loopback), (proxy, Group::TrustedProxies)] {
            for (index, peer) in peers.into_iter().enumerate() {
                let group = Group::of(Peer::Address(peer.parse().unwrap()), &proxies);
                assert_eq!(group, kind, "{peer}");
                let place = addresses.admit(group);
                assert_eq!(place.is_some(), index < 3, "{peer}");
                places.extend(place);
            }
        }
        assert_eq!(Group::of(Peer::UnixSocket, &proxies), Group::UnixSocket);
        assert!(addresses.admit(Group::UnixSocket).is_some());
    }
}
