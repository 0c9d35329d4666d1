//! A credential together with its secrets, as it is registered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jackfield_credential::{Credential, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::port::Definition;

/// A credential and its secrets. `Debug` shows the names of the secrets and no more.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The credential. Its `secret_fields` need not be filled in: they are taken from `secrets`.
    pub credential: Credential,
    /// The secrets, by the names that executors know them by, such as `api-key`.
    pub secrets: BTreeMap<String, SecretString>,
    /// The proxy of its connections: a URL, which may hold a password.
    pub proxy: Option<SecretString>,
    /// Who says so.
    pub origin: Origin,
    /// When the access token among the secrets ends, where that is known.
    pub expires_at: Option<Timestamp>,
    /// When the tokens were renewed, where that is known.
    pub refreshed_at: Option<Timestamp>,
    /// When to renew them.
    pub timing: RefreshTiming,
    /// What else is known of the account and is not secret: its e-mail address, its project.
    pub metadata: BTreeMap<String, Value>,
    /// What to keep of it, where the admin API made it.
    pub definition: Option<Definition>,
}

impl Registration {
    /// A registration by the configuration, of which nothing else is known.
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

    /// The credential for the pool, with the names of exactly the secrets there are.
    pub(crate) fn pool_credential(&self) -> Credential {
        Credential {
            secret_fields: self.secrets.keys().cloned().collect(),
            ..self.credential.clone()
        }
    }

    /// A digest of its secrets: tells whether a source gives the same as before.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for (name, secret) in &self.secrets {
            for part in [name.as_str(), secret.expose_secret()] {
                digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
                digest.update(part);
            }
        }
        digest.finalize().into()
    }
}

/// When tokens are renewed; see [`RefreshFacts`](jackfield_credential::RefreshFacts).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefreshTiming {
    /// So long before their end; none leaves it to the executor.
    pub lead: Option<Duration>,
    /// So often, whatever their end.
    pub interval: Option<Duration>,
}

/// Who defines a credential.
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
    /// The word for it in the admin API.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::File(_) => "file",
            Self::Admin => "admin",
        }
    }
}
