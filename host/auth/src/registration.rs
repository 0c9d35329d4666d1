//! A credential with its secrets, as a source registers it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jackfield_credential::{Credential, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::port::Definition;

/// A credential with its secrets. `Debug` shows the names of the secrets only.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The credential. `secret_fields` may be empty: it is filled from `secrets`.
    pub credential: Credential,
    /// The secrets, by the names that executors use, such as `api-key`.
    pub secrets: BTreeMap<String, SecretString>,
    /// The proxy of its connections: a URL, which may contain a password.
    pub proxy: Option<SecretString>,
    /// The source.
    pub origin: Origin,
    /// When the access token expires, if known.
    pub expires_at: Option<Timestamp>,
    /// When the tokens were last refreshed, if known.
    pub refreshed_at: Option<Timestamp>,
    /// When to refresh the tokens.
    pub timing: RefreshTiming,
    /// Other account data that is not secret, such as e-mail address and project.
    pub metadata: BTreeMap<String, Value>,
    /// The definition to store, for a credential created through the admin API.
    pub definition: Option<Definition>,
}

impl Registration {
    /// Creates a registration with origin [`Origin::Config`] and no other data.
    pub fn new(credential: Credential, secrets: BTreeMap<String, SecretString>) -> Self {
        Self {
            credential,
            secrets,
            proxy: None,
            origin: Origin::Config,
            expires_at: None,
            refreshed_at: None,
            timing: RefreshTiming::default(),
            metadata: BTreeMap::new(),
            definition: None,
        }
    }

    /// Returns the credential for the pool, with the names of its secrets filled in.
    pub(crate) fn pool_credential(&self) -> Credential {
        Credential {
            secret_fields: self.secrets.keys().cloned().collect(),
            proxy_digest: self.proxy.as_ref().map(digest_of),
            ..self.credential.clone()
        }
    }

    /// Returns a digest of the secrets. It shows whether a source has the same secrets as before.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for (name, secret) in &self.secrets {
            // The length before each part keeps (`ab`, `c`) and (`a`, `bc`) apart.
            for part in [name.as_str(), secret.expose_secret()] {
                digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
                digest.update(part);
            }
        }
        digest.finalize().into()
    }
}

/// Returns a short digest of a proxy's URL, which tells proxies apart and reveals nothing.
fn digest_of(proxy: &SecretString) -> u64 {
    let digest: [u8; 32] = Sha256::digest(proxy.expose_secret()).into();
    let first = digest.iter().take(size_of::<u64>());
    first.fold(0, |digest, &byte| (digest << 8) | u64::from(byte))
}

/// When tokens are refreshed; see [`RefreshFacts`](jackfield_credential::RefreshFacts).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefreshTiming {
    /// Time before expiry; `None` leaves it to the executor.
    pub lead: Option<Duration>,
    /// Interval between refreshes, whatever the expiry.
    pub interval: Option<Duration>,
}

/// The source that defines a credential.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The configuration.
    Config,
    /// A credential file of this name.
    File(Arc<str>),
    /// The admin API.
    Admin,
}

impl Origin {
    /// Returns the word used in the admin API.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::File(_) => "file",
            Self::Admin => "admin",
        }
    }
}
