//! The configuration as the host uses it. Every value is legal, and defaults are filled in.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use jackfield_credential::model_names::{ChannelAlias, Route};
use jackfield_dispatch::limits::MEMORY_BYTES_MAX;
use jackfield_dispatch::snapshot::{RetryPolicy, Routing, Timeouts};
use secrecy::SecretString;

use crate::limits::REQUEST_BODY_BYTES_MAX;
use crate::providers::Provider;
use crate::restart_only::RestartOnly;

/// A whole configuration. Every value is legal, and defaults are filled in.
#[derive(Debug)]
pub struct Config {
    /// Where clients connect. It is on loopback, or a socket of the user and its group, unless there are client keys.
    pub listen: ListenAddress,
    /// The permission bits of the socket for clients, if it is a Unix socket.
    pub socket_mode: u32,
    /// The header in which trusted proxies name their client.
    pub client_address_header: AddressHeader,
    /// Whether the connections of trusted proxies begin with a header of the PROXY protocol.
    pub proxy_protocol: bool,
    /// The admin listener, if there is one.
    pub admin: Option<Admin>,
    /// The keys of the clients. If there are none, everyone who reaches `listen` may call.
    pub client_keys: Vec<ClientKey>,
    /// The origins of pages that may call from a browser; `*` for all. Empty for none.
    pub cors_origins: Vec<String>,
    /// Names of this server, besides those of loopback, in lower case.
    pub allowed_hosts: Vec<String>,
    /// The proxies before this server, whose word about a client's address counts.
    pub trusted_proxies: Vec<TrustedProxy>,
    /// Limits of requests.
    pub limits: Limits,
    /// The folder of plugins, absolute. It need not exist.
    pub plugins: PathBuf,
    /// What must be true of each plugin.
    pub plugins_require: Vec<PluginRequirement>,
    /// Executors whose plans are not remembered.
    pub plugins_not_remembered: Vec<String>,
    /// The SHA-256 of the only component that a plugin of this name may be, in hexadecimal.
    pub plugins_pinned: BTreeMap<String, String>,
    /// The folder of state and caches, absolute. It need not exist.
    pub data: PathBuf,
    /// The folder of credential files, absolute, if there are any. It need not exist.
    pub credential_files: Option<PathBuf>,
    /// Whether files with secrets that every user can read are refused.
    pub strict_files: bool,
    /// Where state is stored.
    pub store: StoreKind,
    /// The key that encrypts stored secrets; none: the key file in the data folder.
    pub encryption_key: Option<SecretString>,
    /// At least one. Names are unique, and so are the ids of all their credentials together.
    pub providers: Vec<Provider>,
    /// Names that the operator routes to models of several providers. Names are unique; all providers
    /// exist.
    pub routes: Vec<Route>,
    /// Whether a credential with a prefix serves its models only under the prefix.
    pub force_model_prefix: bool,
    /// Aliases by channel. Every channel is valid.
    pub channel_aliases: BTreeMap<&'static str, Vec<ChannelAlias>>,
    /// How credentials are selected.
    pub routing: Routing,
    /// When a failed attempt is followed by another one.
    pub retry: RetryPolicy,
    /// How long a call may take.
    pub timeouts: Timeouts,
    /// Whether failures start no cooldown.
    pub disable_cooling: bool,
    /// A line for each deprecated key in the file and each file that every user can read, with its position.
    pub warnings: Vec<String>,
    /// The values that only a restart can change.
    pub restart_only: RestartOnly,
}

/// Where a listener accepts connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// The absolute path of a Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(out),
            Self::Unix(path) => write!(out, "unix:{}", path.display()),
        }
    }
}

/// A proxy before this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrustedProxy {
    /// All addresses of a network.
    Network(IpNet),
    /// Everyone who connects by a Unix socket.
    UnixSocket,
}

impl fmt::Display for TrustedProxy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => network.fmt(out),
            Self::UnixSocket => out.write_str("unix"),
        }
    }
}

/// Limits of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest request body, in bytes, decompressed.
    pub request_body_bytes_max: usize,
    /// What all calls together may hold in memory, in bytes.
    pub memory_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_body_bytes_max: REQUEST_BODY_BYTES_MAX,
            memory_bytes_max: MEMORY_BYTES_MAX,
        }
    }
}

/// The header in which trusted proxies name their client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AddressHeader {
    /// `x-forwarded-for`.
    #[default]
    XForwardedFor,
    /// `forwarded` (RFC 7239).
    Forwarded,
}

/// What must be true of a plugin, by its imports and exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginRequirement {
    /// It sees neither bodies of clients' requests nor of responses.
    ContentBlind,
}

/// Where tokens, changes by the admin API and health are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// In a database in the data folder.
    Sqlite,
    /// Nowhere: a restart loses them.
    None,
}

/// The admin listener.
#[derive(Debug)]
pub struct Admin {
    /// Where it listens. It differs from where clients connect.
    pub listen: ListenAddress,
    /// The permission bits of its socket, if it is a Unix socket.
    pub socket_mode: u32,
    /// The bearer token of its requests: at least 16 bytes of visible ASCII.
    pub token: SecretString,
}

/// One client's key.
#[derive(Debug)]
pub struct ClientKey {
    /// The client's name, unique; logs may show it.
    pub name: String,
    /// The key, unique; visible ASCII.
    pub key: SecretString,
}
