//! The address of a client behind proxies that the operator trusts.

use std::net::{IpAddr, SocketAddr};

use arc_swap::ArcSwap;
use axum::http::header::FORWARDED;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
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

/// The header in which trusted proxies name their client. There is one: a proxy passes on what a client wrote into
/// the other one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClientAddressHeader {
    /// `x-forwarded-for`, which most proxies write.
    #[default]
    XForwardedFor,
    /// `forwarded` (RFC 7239).
    Forwarded,
}

/// Where trusted proxies are, and how they name their clients.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyNetworks {
    /// Their networks.
    pub networks: Vec<IpNet>,
    /// Whether everyone who connects by a Unix socket is one.
    pub unix_socket: bool,
    /// The header in which they name their client.
    pub client_address_header: ClientAddressHeader,
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

    /// Returns the client's address: the peer's, or behind trusted proxies the last one that is not trusted, of the one
    /// header in which they name it. What a client wrote into that header itself is before it and does not count. The
    /// address behind a text that is none is the proxy's. `None` for a client by a Unix socket.
    pub(crate) fn client(&self, peer: Peer, headers: &HeaderMap) -> Option<IpAddr> {
        let mut client = peer.address();
        if !self.trusts(peer) {
            return client;
        }
        let header = self.known.load().client_address_header;
        let lines: Vec<&HeaderValue> = headers.get_all(header.name()).iter().collect();
        // A line that is no text is a hop that is none.
        let lines = lines.iter().rev();
        let hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
        for hop in hops.take(HOPS_MAX) {
            let Some(address) = header.address_in(hop) else {
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

impl Peer {
    /// Its own address.
    pub(crate) fn address(self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(address),
            Self::UnixSocket => None,
        }
    }
}

impl ClientAddressHeader {
    fn name(self) -> HeaderName {
        match self {
            Self::XForwardedFor => X_FORWARDED_FOR,
            Self::Forwarded => FORWARDED,
        }
    }

    /// Returns the address in one element of the header.
    fn address_in(self, element: &str) -> Option<IpAddr> {
        address_of(match self {
            Self::XForwardedFor => element.trim(),
            Self::Forwarded => for_parameter(element)?,
        })
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
    use super::ClientAddressHeader::{Forwarded, XForwardedFor};
    use super::*;

    type Line = (&'static str, &'static [u8]);

    fn client(client_address_header: ClientAddressHeader, lines: &[Line]) -> String {
        let networks = ["10.0.0.0/8", "2001:db8:1::/48"].map(|net| net.parse().unwrap());
        let proxies = TrustedProxies::new(ProxyNetworks {
            networks: networks.into(),
            unix_socket: true,
            client_address_header,
        });
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value).unwrap());
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
        let (x, forwarded) = ("x-forwarded-for", "forwarded");
        for (expected, header, lines) in [
            ("10.0.0.1", XForwardedFor, &[][..]),
            ("192.0.2.7", XForwardedFor, &[(x, b"192.0.2.7" as &[u8])]),
            (
                "192.0.2.7",
                XForwardedFor,
                &[(x, b"198.51.100.1, 192.0.2.7, 10.1.1.1")],
            ),
            (
                "192.0.2.7",
                XForwardedFor,
                &[(x, b"198.51.100.1"), (x, b"192.0.2.7:4711")],
            ),
            ("10.1.1.1", XForwardedFor, &[(x, b"10.1.1.1")]),
            (
                "10.2.2.2",
                XForwardedFor,
                &[(x, b"192.0.2.7, unknown, 10.2.2.2")],
            ),
            // A line that is no text ends the chain, and so does an empty one.
            (
                "10.2.2.2",
                XForwardedFor,
                &[(x, b"192.0.2.7"), (x, b"\xff"), (x, b"10.2.2.2")],
            ),
            (
                "10.2.2.2",
                XForwardedFor,
                &[(x, b"192.0.2.7"), (x, b""), (x, b"10.2.2.2")],
            ),
            (
                "2001:db8::9",
                XForwardedFor,
                &[(x, b"[2001:db8::9]:80, 2001:db8:1::1")],
            ),
            (
                "2001:db8::9",
                Forwarded,
                &[(
                    forwarded,
                    br#"for=192.0.2.1, For="[2001:db8::9]:4711";proto=https, proto=http;for=10.0.0.9"#,
                )],
            ),
            ("10.0.0.1", Forwarded, &[(forwarded, b"for=_hidden")]),
            // The header that the proxy does not write is the client's own word.
            (
                "192.0.2.7",
                XForwardedFor,
                &[(forwarded, b"for=198.51.100.1"), (x, b"192.0.2.7")],
            ),
            (
                "10.0.0.1",
                Forwarded,
                &[(x, b"198.51.100.1")],
            ),
        ] {
            assert_eq!(client(header, lines), expected, "{lines:?}");
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
