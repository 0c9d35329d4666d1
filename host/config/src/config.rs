//! The configuration: one YAML file, read once into values that are all legal. Whatever is wrong
//! with the file is told at once, each mistake with its place. Nothing here acts on a value.
//!
//! `host/docs/configuration.md` describes the keys for users.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jackfield_credential::model_names::{ChannelAlias, Route};
use secrecy::SecretString;

use crate::diagnostics::ConfigErrors;
use crate::environment::Environment;
use crate::providers::Provider;
use crate::reader;
use crate::retry::Retry;
use crate::routes::Fallback;
use crate::routing::Routing;

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
    /// What is tried in place of a name, in this order.
    pub fallbacks: BTreeMap<String, Vec<Fallback>>,
    /// Whether credentials with a prefix serve nothing without it.
    pub force_model_prefix: bool,
    /// Aliases by channel; every channel is a known one.
    pub channel_aliases: BTreeMap<&'static str, Vec<ChannelAlias>>,
    /// How credentials are chosen.
    pub routing: Routing,
    /// When a failed attempt is followed by another.
    pub retry: Retry,
    /// How long a call may take.
    pub timeouts: Timeouts,
    /// Whether failures leave credentials fit, so that no cooldown ever begins.
    pub disable_cooling: bool,
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

/// How long a call may take. None of them is zero.
#[derive(Debug)]
pub struct Timeouts {
    /// For a connection to a provider, with TLS.
    pub connect: Duration,
    /// From a request sent to the first byte of the answer.
    pub first_byte: Duration,
    /// Between two pieces of an answer.
    pub idle: Duration,
    /// For a whole call, with all its attempts.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(60),
            idle: Duration::from_secs(120),
            total: Duration::from_secs(600),
        }
    }
}

impl Config {
    /// Reads the file at `path`. Relative paths inside it are relative to its folder.
    ///
    /// # Errors
    ///
    /// Every mistake in the file, or the one that kept it from being read at all.
    pub fn load(path: &Path, environment: &dyn Environment) -> Result<Self, ConfigErrors> {
        reader::load(path, environment)
    }

    /// Reads nothing but the admin listener; none if there is none. The rest of the file may have
    /// mistakes, and its secrets may be out of reach.
    ///
    /// # Errors
    ///
    /// Every mistake in the `admin` section, or the one that kept the file from being read at all.
    pub fn load_admin(
        path: &Path,
        environment: &dyn Environment,
    ) -> Result<Option<Admin>, ConfigErrors> {
        reader::load_admin(path, environment)
    }
}
