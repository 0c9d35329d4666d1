//! The address of a client behind proxies that the operator trusts.

use std::net::{IpAddr, SocketAddr};

use arc_swap::ArcSwap;
use axum::http::header::FORWARDED;
use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The other side of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// It has an address.
    Address(IpAddr),
    /// It is a process of this machine, which has none.
    UnixSocket,
}

/// The proxies whose word about a client's address counts. A reload can replace them.
#[derive(Debug, Default)]
pub struct TrustedProxies {
    known: ArcSwap<ProxyNetworks>,
}

/// Where trusted proxies are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyNetworks {
    /// Their networks.
    pub networks: Vec<IpNet>,
    /// Whether everyone who connects by a Unix socket is one.
    pub unix_socket: bool,
}

impl TrustedProxies {
    /// Trusts these proxies.
    #[must_use]
    pub fn new(known: ProxyNetworks) -> Self {
        Self {
            known: ArcSwap::from_pointee(known),
        }
    }

    /// Replaces the proxies.
    pub fn replace(&self, known: ProxyNetworks) {
        self.known.store(known.into());
    }

    /// Whether a peer is a trusted proxy.
    pub(crate) fn trusts(&self, peer: Peer) -> bool {
        let known = self.known.load();
        match peer {
            Peer::Address(address) => {
                let address = address.to_canonical();
                known.networks.iter().any(|net| net.contains(&address))
            }
            Peer::UnixSocket => known.unix_socket,
        }
    }

    /// Returns the client's address: the peer's, or behind trusted proxies the last one that is not trusted, of
    /// `forwarded` (RFC 7239) or else `x-forwarded-for`. What a client wrote into these headers itself is before it and
    /// does not count. The address before a text that is none is the proxy's. `None` for a client by a Unix socket.
    pub(crate) fn client(&self, peer: Peer, headers: &HeaderMap) -> Option<IpAddr> {
        let mut client = match peer {
            Peer::Address(address) => Some(address),
            Peer::UnixSocket => None,
        };
        if !self.trusts(peer) {
            return client;
        }
        let name = if headers.contains_key(FORWARDED) {
            FORWARDED
        } else {
            X_FORWARDED_FOR
        };
        let lines: Vec<&str> = headers
            .get_all(&name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        let hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
        for hop in hops.take(HOPS_MAX) {
            let hop = if name == FORWARDED {
                for_parameter(hop)
            } else {
                Some(hop.trim())
            };
            let Some(address) = hop.and_then(address_of) else {
                break;
            };
            client = Some(address);
            if !self.trusts(Peer::Address(address)) {
                break;
            }
        }
        client
    }
}

/// Returns the parameter `for` of one element of `forwarded`.
fn for_parameter(element: &str) -> Option<&str> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    Some(value.trim().trim_matches('"'))
}

/// Parses an address, which may have a port; an IPv6 address may be in brackets.
fn address_of(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse::<IpAddr>().ok();
    address
        .or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))
        .map(|address| address.to_canonical())
}

/// The most proxies whose addresses are read. Real chains have two or three.
const HOPS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn client(lines: &[(&'static str, &'static str)]) -> String {
        let networks = ["10.0.0.0/8", "2001:db8:1::/48"].map(|net| net.parse().unwrap());
        let proxies = TrustedProxies::new(ProxyNetworks {
            networks: networks.into(),
            unix_socket: true,
        });
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let peer = Peer::Address("::ffff:10.0.0.1".parse().unwrap());
        let client = proxies.client(peer, &headers).unwrap().to_canonical();
        // Only the proxy itself has no address.
        let by_socket = proxies.client(Peer::UnixSocket, &headers);
        let own = IpAddr::from([10, 0, 0, 1]);
        assert_eq!(by_socket.unwrap_or(own), client);
        client.to_string()
    }

    #[test]
    fn the_last_untrusted_address_is_the_clients() {
        let x = "x-forwarded-for";
        for (expected, lines) in [
            ("10.0.0.1", &[][..]),
            ("192.0.2.7", &[(x, "192.0.2.7")]),
            ("192.0.2.7", &[(x, "198.51.100.1, 192.0.2.7, 10.1.1.1")]),
            ("192.0.2.7", &[(x, "198.51.100.1"), (x, "192.0.2.7:4711")]),
            ("10.1.1.1", &[(x, "10.1.1.1")]),
            ("10.2.2.2", &[(x, "192.0.2.7, unknown, 10.2.2.2")]),
            ("2001:db8::9", &[(x, "[2001:db8::9]:80, 2001:db8:1::1")]),
            (
                "2001:db8::9",
                &[(
                    "forwarded",
                    r#"for=192.0.2.1, For="[2001:db8::9]:4711";proto=https, proto=http;for=10.0.0.9"#,
                )],
            ),
            (
                "10.0.0.1",
                &[("forwarded", "for=_hidden"), (x, "192.0.2.7")],
            ),
        ] {
            assert_eq!(client(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn others_cannot_name_an_address() {
        let proxies = TrustedProxies::default();
        let mut headers = HeaderMap::new();
        headers.append(X_FORWARDED_FOR, HeaderValue::from_static("192.0.2.7"));
        let peer = IpAddr::from([203, 0, 113, 5]);
        assert_eq!(proxies.client(Peer::Address(peer), &headers), Some(peer));
        assert_eq!(proxies.client(Peer::UnixSocket, &headers), None);
    }
}
