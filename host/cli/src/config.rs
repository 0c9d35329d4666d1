//! The configuration: one YAML file, read once into values that are all legal. Whatever is wrong
//! with the file is told at once, each mistake with its place. Nothing here acts on a value.
//!
//! `host/cli/CONFIG.md` describes the keys for users.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

pub(crate) use environment::{Environment, ProcessEnvironment};
pub(crate) use mistake::ConfigErrors;

mod environment;
mod mistake;
mod providers;
mod reader;
mod secret;
mod section;
mod server;
mod settings;
mod value;
mod yaml;

#[cfg(test)]
mod tests;

/// A whole configuration. Every value is legal, and defaults are filled in.
#[derive(Debug)]
pub(crate) struct Config {
    /// Where clients are served. Beyond loopback only if there are client keys.
    pub(crate) listen: SocketAddr,
    /// The admin listener; none means that there is none.
    pub(crate) admin: Option<Admin>,
    /// Who may call; empty means everybody who reaches `listen`.
    pub(crate) client_keys: Vec<ClientKey>,
    /// The folder of plugins, absolute. It need not exist.
    pub(crate) plugins: PathBuf,
    /// The folder of state and caches, absolute. It need not exist.
    pub(crate) data: PathBuf,
    /// At least one. Names are unique, and so are the ids of all their credentials together.
    pub(crate) providers: Vec<Provider>,
    /// The plugin that selects credentials. Whether it exists is not known here.
    pub(crate) selector: String,
    /// When a failed attempt is followed by another.
    pub(crate) retry: Retry,
    /// How long a call may take.
    pub(crate) timeouts: Timeouts,
    /// Whether failures leave credentials fit, so that no cooldown ever begins.
    pub(crate) disable_cooling: bool,
}

/// The admin listener.
#[derive(Debug)]
pub(crate) struct Admin {
    /// Where it listens; never the same as the clients' address.
    pub(crate) listen: SocketAddr,
    /// What a request must carry as its bearer token; at least 16 bytes of visible ASCII.
    pub(crate) token: SecretString,
}

/// One client's key.
#[derive(Debug)]
pub(crate) struct ClientKey {
    /// The client's name, unique; logs may show it.
    pub(crate) name: String,
    /// The key, unique; visible ASCII.
    pub(crate) key: SecretString,
}

/// A provider with its credentials and models.
#[derive(Debug)]
pub(crate) struct Provider {
    /// Its name: lower-case letters, digits, dots, underscores and hyphens.
    pub(crate) name: String,
    /// The plugin that speaks to it, named by the same rule.
    pub(crate) executor: String,
    /// Where its API begins: http or https, without user, query and fragment. Its path has no slash
    /// at the end, except that a URL without a path has the path `/`.
    pub(crate) base_url: Url,
    /// What the executor is told: the text of one JSON object, without secrets.
    pub(crate) settings: String,
    /// At least one.
    pub(crate) credentials: Vec<Credential>,
    /// At least one. All names and aliases differ.
    pub(crate) models: Vec<Model>,
}

/// One account or API key. Its `Debug` shows nothing secret.
pub(crate) struct Credential {
    /// Its name, unique in the file, of the same characters as a provider's.
    pub(crate) id: String,
    /// The API key; visible ASCII.
    pub(crate) api_key: SecretString,
    /// Higher ones are used first.
    pub(crate) priority: i32,
    /// Its share among equals, from 1 to 1,000,000.
    pub(crate) weight: u32,
    /// The proxy its connections go through: http, https or socks5. It may carry a user and a
    /// password, so it is not for logs.
    pub(crate) proxy_url: Option<Url>,
    /// What executors and selectors may know of it.
    pub(crate) attributes: BTreeMap<String, String>,
    /// Whether it is left out of use.
    pub(crate) disabled: bool,
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let proxy = self.proxy_url.as_ref();
        formatter
            .debug_struct("Credential")
            .field("id", &self.id)
            .field("priority", &self.priority)
            .field("weight", &self.weight)
            .field("proxy_host", &proxy.and_then(Url::host_str))
            .field("attributes", &self.attributes)
            .field("disabled", &self.disabled)
            .finish_non_exhaustive()
    }
}

/// A model that a provider serves.
#[derive(Debug)]
pub(crate) struct Model {
    /// The provider's own name of it.
    pub(crate) name: String,
    /// One more name that clients may use.
    pub(crate) alias: Option<String>,
}

/// When a failed attempt is followed by another.
#[derive(Debug)]
pub(crate) struct Retry {
    /// How many rounds over the credentials a call may make, from 1.
    pub(crate) rounds: u32,
    /// A further round begins only if a cooldown ends within this time.
    pub(crate) max_wait: Duration,
    /// How many credentials one round may try; 0 means all of them.
    pub(crate) max_credentials: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            rounds: 3,
            max_wait: Duration::from_secs(30),
            max_credentials: 0,
        }
    }
}

/// How long a call may take. None of them is zero.
#[derive(Debug)]
pub(crate) struct Timeouts {
    /// For a connection to a provider, with TLS.
    pub(crate) connect: Duration,
    /// From a request sent to the first byte of the answer.
    pub(crate) first_byte: Duration,
    /// Between two pieces of an answer.
    pub(crate) idle: Duration,
    /// For a whole call, with all its attempts.
    pub(crate) total: Duration,
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
    pub(crate) fn load(path: &Path, environment: &dyn Environment) -> Result<Self, ConfigErrors> {
        reader::load(path, environment)
    }
}
