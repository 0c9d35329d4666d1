//! What the operator says about one account or API key. How it stands is the pool's to know.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use crate::{CredentialId, ModelKey, ProviderName};

/// One account or API key with one provider. Nothing in it is secret: secrets are only named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its name.
    pub id: CredentialId,
    /// Whose it is.
    pub provider: ProviderName,
    /// Whether it may be used at all.
    pub enabled: bool,
    /// Credentials of a higher priority are used as long as any of them is fit. Default 0.
    pub priority: i32,
    /// Its share among equals, for selectors that weigh; at least 1.
    pub weight: u32,
    /// Where the provider's API begins, without a slash at the end.
    pub base_url: Arc<str>,
    /// What the operator wrote down for executors and selectors: a region, a project.
    pub attributes: BTreeMap<String, String>,
    /// The names of its secrets, never their values.
    pub secret_fields: Vec<String>,
    /// The models it serves.
    pub serves: Vec<Served>,
    /// What people call it.
    pub label: Option<Arc<str>>,
    /// The prefix of its models' names, for people: the names in `serves` have it already.
    pub prefix: Option<Arc<str>>,
    /// How it proves who it is.
    pub kind: CredentialKind,
    /// Its own word, or its provider's, on [`CooldownPolicy::disable_cooling`]; none leaves that to
    /// the policy.
    ///
    /// [`CooldownPolicy::disable_cooling`]: crate::CooldownPolicy::disable_cooling
    pub disable_cooling: Option<bool>,
    /// How many attempts may be under way with it at once; none sets no limit.
    pub in_flight_max: Option<NonZeroU32>,
    /// In how many rounds of a call it may be tried; none leaves that to the call.
    pub rounds: Option<u32>,
}

impl Credential {
    /// An enabled credential with an API key that serves nothing yet; all else is as by default.
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
        }
    }
}

/// How a credential proves who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CredentialKind {
    /// With a key that stays the same until the operator changes it.
    #[default]
    ApiKey,
    /// With a token that is renewed.
    Oauth,
}

impl CredentialKind {
    /// The word for it in the configuration and the admin API.
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
    /// What its health is kept by.
    pub model: ModelKey,
    /// The provider's name of it, as configured, with its suffix if it has one.
    pub upstream: Arc<str>,
    /// What clients may call it: its name and its aliases. Where several models of one credential
    /// share a name, the first is meant.
    pub names: Vec<Arc<str>>,
    /// Added to the credential's priority under these names.
    pub priority: i32,
    /// Times the credential's weight under these names; at least 1.
    pub weight: u32,
}

impl Served {
    /// A model as its provider calls it, under these names.
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

    /// The provider's name of it for a client that asked with this suffix: the configured name's
    /// own suffix wins.
    pub(crate) fn upstream_with(&self, suffix: Option<&str>) -> Arc<str> {
        match (crate::split_suffix(&self.upstream), suffix) {
            ((base, None), Some(suffix)) => Arc::from(format!("{base}({suffix})")),
            _ => Arc::clone(&self.upstream),
        }
    }
}
