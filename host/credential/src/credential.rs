//! The definition of one account or API key. Its state is in the pool.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use crate::{CredentialId, ModelKey, ProviderName};

/// One account or API key of one provider. It contains no secret, only the names of secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The unique name.
    pub id: CredentialId,
    /// The provider.
    pub provider: ProviderName,
    /// False if the operator disabled it.
    pub enabled: bool,
    /// Credentials of a higher priority are used while any of them is available. Default 0.
    pub priority: i32,
    /// Its share among credentials of the same priority, for selectors with weights; at least 1.
    pub weight: u32,
    /// The base URL of the provider's API, without a trailing slash.
    pub base_url: Arc<str>,
    /// Attributes for executors and selectors, such as a region or a project.
    pub attributes: BTreeMap<String, String>,
    /// The names of its secrets, never their values.
    pub secret_fields: Vec<String>,
    /// The models it serves.
    pub serves: Vec<Served>,
    /// A label for operators.
    pub label: Option<Arc<str>>,
    /// The prefix of its models' names, for display: the names in `serves` contain it already.
    pub prefix: Option<Arc<str>>,
    /// API key or OAuth.
    pub kind: CredentialKind,
    /// Its own or its provider's setting of [`CooldownPolicy::disable_cooling`]; `None` leaves it
    /// to the policy.
    ///
    /// [`CooldownPolicy::disable_cooling`]: crate::CooldownPolicy::disable_cooling
    pub disable_cooling: Option<bool>,
    /// Maximum number of attempts in flight; `None` means no limit.
    pub in_flight_max: Option<NonZeroU32>,
    /// In how many rounds of a call it may be tried; `None` leaves it to the call.
    pub rounds: Option<u32>,
    /// A digest of the proxy of its connections; `None` if there is none. Credentials with the same
    /// proxy and origin share the way to the provider.
    pub proxy_digest: Option<u64>,
}

impl Credential {
    /// Creates an enabled API-key credential that serves no model, with default settings.
    pub fn new(
        id: impl Into<CredentialId>,
        provider: impl Into<ProviderName>,
        base_url: impl Into<Arc<str>>,
    ) -> Self {
        Self {
            id: id.into(),
            provider: provider.into(),
            enabled: true,
            priority: 0,
            weight: 1,
            base_url: base_url.into(),
            attributes: BTreeMap::new(),
            secret_fields: Vec::new(),
            serves: Vec::new(),
            label: None,
            prefix: None,
            kind: CredentialKind::ApiKey,
            disable_cooling: None,
            in_flight_max: None,
            rounds: None,
            proxy_digest: None,
        }
    }
}

/// How a credential authenticates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CredentialKind {
    /// With a key that only the operator changes.
    #[default]
    ApiKey,
    /// With a token that is refreshed.
    Oauth,
}

impl CredentialKind {
    /// Returns the word used in the configuration and the admin API.
    pub fn label(self) -> &'static str {
        match self {
            Self::ApiKey => "api-key",
            Self::Oauth => "oauth",
        }
    }
}

/// A model that a credential serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// The key of its health.
    pub model: ModelKey,
    /// The provider's name of the model, as configured, with its suffix if it has one.
    pub upstream: Arc<str>,
    /// The names that clients may use: its name and its aliases. If several models of a credential
    /// share a name, calls are spread over those of the highest priority by weight, and go on to the
    /// others if they fail.
    pub names: Vec<Arc<str>>,
    /// Added to the credential's priority under these names.
    pub priority: i32,
    /// Multiplies the credential's weight under these names; at least 1.
    pub weight: u32,
}

impl Served {
    /// Creates a model with the provider's name and the names for clients.
    pub fn new(upstream: impl Into<Arc<str>>, names: Vec<Arc<str>>) -> Self {
        let upstream = upstream.into();
        Self {
            model: ModelKey::canonical(&upstream),
            upstream,
            names,
            priority: 0,
            weight: 1,
        }
    }

    /// Returns the provider's name for a client that requested this suffix. A suffix in the
    /// configured name takes precedence.
    pub(crate) fn upstream_with(&self, suffix: Option<&str>) -> Arc<str> {
        match (crate::split_suffix(&self.upstream), suffix) {
            ((base, None), Some(suffix)) => Arc::from(format!("{base}({suffix})")),
            _ => Arc::clone(&self.upstream),
        }
    }
}
