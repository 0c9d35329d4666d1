//! Values about the edge for clients: addresses, sizes, networks, and origins of web pages.

use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStrExt;

use ipnet::IpNet;
use serde_json::{Value as Json, json};
use url::{Host, Url};

use crate::config::{ListenAddress, TrustedProxy};
use crate::key::{Describe, Kind};
use crate::reader::{Located, Reader};

/// A size in bytes, written in whole MiB.
pub(crate) struct Size {
    pub(crate) mib_max: u32,
}

/// The origin of a web page, as browsers write it in the header `origin`; `*` for all.
pub(crate) struct WebOrigin;

/// A name or address of this server, without a port.
pub(crate) struct HostName;

/// An IP address and a port, or `unix:` and the path of a socket.
pub(crate) struct Address;

/// Permission bits in octal.
pub(crate) struct SocketMode;

/// A network of addresses, or `unix`.
pub(crate) struct Proxy;

impl Describe for Size {
    fn rule(&self) -> String {
        format!("Size from 1MiB to {}MiB.", self.mib_max)
    }

    fn schema(&self) -> Json {
        json!({ "type": "string", "pattern": "^[0-9]+ ?MiB$" })
    }
}

impl Kind for Size {
    type Value = usize;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<usize> {
        let text = reader.text(located)?;
        let number = text.strip_suffix("MiB").map(str::trim_end);
        let mib = number.and_then(|number| number.parse::<u32>().ok());
        match mib.filter(|mib| (1..=self.mib_max).contains(mib)) {
            Some(mib) => usize::try_from(u64::from(mib) << 20).ok(),
            None => {
                let max = self.mib_max;
                let rule = format!("must be a size from 1MiB to {max}MiB, such as 64MiB");
                reader.invalid_value(located, text, &rule)
            }
        }
    }

    fn text(&self, value: &usize) -> String {
        format!("{}MiB", value >> 20)
    }
}

impl Describe for WebOrigin {
    fn rule(&self) -> String {
        "Origin such as `https://example.com`, or `*`.".to_owned()
    }

    fn schema(&self) -> Json {
        json!({ "type": "string", "pattern": "^(\\*|[a-z][a-z0-9+.-]*://[^/?#@ ]+/?)$" })
    }
}

impl Kind for WebOrigin {
    type Value = String;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<String> {
        let text = reader.text(located)?;
        match origin(text) {
            Some(origin) => Some(origin),
            None => {
                let rule = "must be `*`, or a scheme and a host such as https://example.com, with a \
                            port if the page has one, and without a path";
                reader.invalid_value(located, text, rule)
            }
        }
    }

    fn text(&self, value: &String) -> String {
        value.clone()
    }
}

impl Describe for Address {
    fn rule(&self) -> String {
        "IP address and port, or `unix:` and the path of a socket.".to_owned()
    }

    fn schema(&self) -> Json {
        json!({ "type": "string", "pattern": "^(unix:[^~]|.+:[0-9]+$)" })
    }
}

impl Kind for Address {
    type Value = ListenAddress;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<ListenAddress> {
        let text = reader.text(located)?;
        if let Some(path) = text.strip_prefix("unix:") {
            let absolute = reader.folder.join(path);
            let bytes = absolute.as_os_str().as_bytes().len();
            if path.is_empty() || path.starts_with('~') || bytes > SOCKET_PATH_BYTES_MAX {
                let rule = format!(
                    "must be `unix:` and a path without `~`, of at most {SOCKET_PATH_BYTES_MAX} bytes as an absolute one"
                );
                return reader.invalid_value(located, text, &rule);
            }
            return Some(ListenAddress::Unix(absolute));
        }
        match text.parse::<SocketAddr>() {
            Ok(address) => Some(ListenAddress::Tcp(address)),
            Err(_) => {
                let rule = "must be an IP address and a port, such as 127.0.0.1:8317 or [::1]:8317, or the path of a \
                            Unix socket, such as unix:/run/jackfield.sock";
                reader.invalid_value(located, text, rule)
            }
        }
    }

    fn text(&self, value: &ListenAddress) -> String {
        value.to_string()
    }
}

impl Describe for SocketMode {
    fn rule(&self) -> String {
        "Permission bits, as three octal digits.".to_owned()
    }

    fn schema(&self) -> Json {
        json!({ "type": ["string", "integer"], "pattern": "^0?[0-7]{3}$" })
    }
}

impl Kind for SocketMode {
    type Value = u32;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<u32> {
        let text = reader.text(located)?;
        // `chmod` takes both spellings.
        let digits = text.strip_prefix('0').filter(|rest| rest.len() == 3);
        let digits = digits.unwrap_or(text);
        match u32::from_str_radix(digits, 8) {
            Ok(mode) if digits.len() == 3 => Some(mode),
            Ok(_) | Err(_) => {
                reader.invalid_value(located, text, "must be three octal digits, such as 660")
            }
        }
    }

    fn text(&self, value: &u32) -> String {
        format!("{value:03o}")
    }
}

impl Describe for Proxy {
    fn rule(&self) -> String {
        "IP address, network such as `10.0.0.0/8`, or `unix`.".to_owned()
    }

    fn schema(&self) -> Json {
        json!({ "type": "string", "pattern": "^(unix|[0-9a-fA-F.:]+(/[0-9]+)?)$" })
    }
}

impl Kind for Proxy {
    type Value = TrustedProxy;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<TrustedProxy> {
        let text = reader.text(located)?;
        if text == "unix" {
            return Some(TrustedProxy::UnixSocket);
        }
        let network = text.parse::<IpNet>().ok();
        let network = network.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        match network {
            // Bits after the prefix are a mistake more often than not: 10.0.0.7/8 is all of 10.
            Some(network) if network == network.trunc() => Some(TrustedProxy::Network(network)),
            Some(_) | None => {
                let rule = "must be an IP address, a network such as 10.0.0.0/8, whose other bits are 0, or `unix`";
                reader.invalid_value(located, text, rule)
            }
        }
    }

    fn text(&self, value: &TrustedProxy) -> String {
        value.to_string()
    }
}

impl Describe for HostName {
    fn rule(&self) -> String {
        "Host name such as `proxy.example.com`, or IP address.".to_owned()
    }

    fn schema(&self) -> Json {
        json!({ "type": "string", "pattern": "^[^/?#@ *]+$" })
    }
}

impl Kind for HostName {
    type Value = String;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<String> {
        let text = reader.text(located)?;
        // An IPv6 address stands in brackets in a URL only.
        let host = match text.parse::<IpAddr>() {
            Ok(address) => Some(address.to_string()),
            Err(_) => match Host::parse(text) {
                Ok(Host::Domain(name)) if !name.contains('*') => Some(name),
                Ok(_) | Err(_) => None,
            },
        };
        match host {
            Some(host) => Some(host),
            None => {
                let rule = "must be a host name such as proxy.example.com, or an IP address, without a port";
                reader.invalid_value(located, text, rule)
            }
        }
    }

    fn text(&self, value: &String) -> String {
        value.clone()
    }
}

/// Returns the origin as browsers write it: in lower case, and without the scheme's own port.
fn origin(text: &str) -> Option<String> {
    if text == "*" {
        return Some(text.to_owned());
    }
    // A browser compares whole origins, so a pattern such as `https://*.example.com` would match nothing.
    let url = Url::parse(text).ok().filter(Url::has_host)?;
    if text.contains('*') {
        return None;
    }
    let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    if !bare || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    Some(match url.scheme() {
        "http" | "https" => url.origin().ascii_serialization(),
        // Pages of desktop applications and of browser extensions: `tauri://localhost`. The standard has
        // no origin for them, but browsers write scheme and host.
        scheme => {
            let port = url.port().map(|port| format!(":{port}"));
            format!(
                "{scheme}://{}{}",
                url.host_str()?.to_ascii_lowercase(),
                port.unwrap_or_default()
            )
        }
    })
}

/// The longest path of a Unix socket, in bytes: Linux has 108 with the zero byte (unix(7)), other systems a few less.
const SOCKET_PATH_BYTES_MAX: usize = 103;
