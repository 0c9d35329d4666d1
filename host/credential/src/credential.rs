//! What the operator says about one account or API key. How it stands is the pool's to know.

use std::collections::BTreeMap;
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
}

/// A model that a credential serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// The provider's name of it.
    pub model: ModelKey,
    /// What clients may call it: its name and its aliases. Where several models of one credential
    /// share a name, the first is meant.
    pub names: Vec<Arc<str>>,
}
