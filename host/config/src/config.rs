//! The configuration as the host uses it. Every value is legal, and defaults are filled in.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use jackfield_credential::model_names::{ChannelAlias, Route};
use jackfield_dispatch::snapshot::{RetryPolicy, Routing, Timeouts};
use secrecy::SecretString;

use crate::providers::Provider;
use crate::restart_only::RestartOnly;

/// A whole configuration. Every value is legal, and defaults are filled in.
#[derive(Debug)]
pub struct Config {
    /// Where clients are served. Beyond loopback only if there are client keys.
    pub listen: SocketAddr,
    /// The admin listener; none means that there is none.
    pub admin: Option<Admin>,
    /// Who may call; empty means everybody who reaches `listen`.
    pub client_keys: Vec<ClientKey>,
    /// The folder of plugins, absolute. It need not exist.
    pub plugins: PathBuf,
    /// The folder of state and caches, absolute. It need not exist.
    pub data: PathBuf,
    /// The folder of credential files, absolute, if there are any. It need not exist.
    pub credential_files: Option<PathBuf>,
    /// Where what must outlive the process is kept.
    pub store: StoreKind,
    /// What secrets at rest are encrypted with; none: with the key file in the data folder.
    pub encryption_key: Option<SecretString>,
    /// At least one. Names are unique, and so are the ids of all their credentials together.
    pub providers: Vec<Provider>,
    /// Names that the operator leads to models of several providers. Each once, with targets of
    /// known providers.
    pub routes: Vec<Route>,
    /// Whether credentials with a prefix serve nothing without it.
    pub force_model_prefix: bool,
    /// Aliases by channel; every channel is a known one.
    pub channel_aliases: BTreeMap<&'static str, Vec<ChannelAlias>>,
    /// How credentials are chosen.
    pub routing: Routing,
    /// When a failed attempt is followed by another.
    pub retry: RetryPolicy,
    /// How long a call may take.
    pub timeouts: Timeouts,
    /// Whether failures leave credentials fit, so that no cooldown ever begins.
    pub disable_cooling: bool,
    /// A line for each deprecated key in the file, with its position.
    pub warnings: Vec<String>,
    /// The values that only a restart can change.
    pub restart_only: RestartOnly,
}

/// Where tokens, overrides and health are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// In a database in the data folder.
    Sqlite,
    /// Nowhere: a restart begins anew.
    None,
}

/// The admin listener.
#[derive(Debug)]
pub struct Admin {
    /// Where it listens; never the same as the clients' address.
    pub listen: SocketAddr,
    /// What a request must carry as its bearer token; at least 16 bytes of visible ASCII.
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
