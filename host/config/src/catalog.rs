//! Makes registrations from credentials: those of the configuration, of credential files and of the
//! admin API. It adds what the provider and the rules of names say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jackfield_auth::Registration;
use jackfield_credential::model_names::{NamedModel, NamingRules, oauth_model_alias_channel};
use jackfield_credential::{Credential, CredentialId, CredentialKind, ProviderName, Served};

use crate::config::Config;
use crate::credentials::CredentialEntry;
use crate::providers::Provider;

/// The models that providers list, by provider, in their order.
pub type ListedModels = BTreeMap<ProviderName, Vec<Arc<str>>>;

/// A configuration, with indexes for its providers and credentials.
#[derive(Debug)]
pub struct Catalog {
    config: Arc<Config>,
    providers: BTreeMap<ProviderName, IndexedProvider>,
    credentials: BTreeSet<CredentialId>,
}

#[derive(Debug)]
struct IndexedProvider {
    /// Its position in the configuration.
    position: usize,
    /// The base URL as credentials carry it, shared by all of them.
    base_url: Arc<str>,
    /// The models of the configuration, and those that the provider lists.
    models: Vec<NamedModel>,
}

/// Most credentials of a provider serve the same models under the same names. Those are computed once.
type ServedCache = BTreeMap<(ProviderName, CredentialKind, Option<Arc<str>>), Vec<Served>>;

impl Catalog {
    /// Indexes a configuration. Of the models that providers list, those are served that its discovery allows, and that
    /// the configuration does not name.
    pub fn new(config: Arc<Config>, listed: &ListedModels) -> Self {
        let providers = config.providers.iter().enumerate();
        let index = |(position, provider): (usize, &Provider)| {
            let base_url = provider.endpoint.base_url.as_str();
            let base_url = base_url.trim_end_matches('/').into();
            (
                provider.name.clone(),
                IndexedProvider {
                    position,
                    base_url,
                    models: served_models(provider, listed),
                },
            )
        };
        let credentials = config.providers.iter().flat_map(|each| &each.credentials);
        Self {
            providers: providers.map(index).collect(),
            credentials: credentials.map(|each| each.credential.id.clone()).collect(),
            config,
        }
    }

    /// Returns the configuration.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Whether the configuration file defines this credential. It takes precedence over the other sources.
    pub fn defines(&self, id: &CredentialId) -> bool {
        self.credentials.contains(id)
    }

    /// Whether files with secrets that every user can read are refused.
    pub(crate) fn is_strict(&self) -> bool {
        self.config.strict_files
    }

    /// Whether there is a provider of this name.
    pub fn has_provider(&self, name: &ProviderName) -> bool {
        self.providers.contains_key(name)
    }

    /// Returns the names of the clients' keys.
    pub fn client_names(&self) -> impl Iterator<Item = &str> {
        self.config.client_keys.iter().map(|key| key.name.as_str())
    }

    /// Returns the registrations of the credentials in the configuration file.
    pub fn registrations(&self) -> Vec<Registration> {
        let mut cache = ServedCache::new();
        let credentials = self
            .config
            .providers
            .iter()
            .flat_map(|each| &each.credentials);
        credentials
            .filter_map(|entry| self.registration_cached(entry, &mut cache))
            .collect()
    }

    /// Returns the registration of one credential.
    ///
    /// # Errors
    ///
    /// The configuration does not have its provider.
    pub fn registration(&self, entry: &CredentialEntry) -> Result<Registration, String> {
        let registration = self.registration_cached(entry, &mut ServedCache::new());
        registration.ok_or_else(|| {
            let provider = &entry.credential.provider;
            format!("the configuration has no provider `{provider}`")
        })
    }

    fn registration_cached(
        &self,
        entry: &CredentialEntry,
        cache: &mut ServedCache,
    ) -> Option<Registration> {
        let CredentialEntry { credential, .. } = entry;
        let indexed = self.providers.get(&credential.provider)?;
        let provider = self.config.providers.get(indexed.position)?;
        let serves = if entry.models.is_empty() {
            let Credential {
                provider: name,
                kind,
                prefix,
                ..
            } = credential;
            let cached = cache.entry((name.clone(), *kind, prefix.clone()));
            let served = cached.or_insert_with(|| self.names_of(provider, indexed, entry));
            served.clone()
        } else {
            self.names_of(provider, indexed, entry)
        };
        let credential = Credential {
            base_url: Arc::clone(&indexed.base_url),
            serves,
            disable_cooling: credential.disable_cooling.or(provider.disable_cooling),
            ..credential.clone()
        };
        Some(Registration {
            proxy: entry.proxy.clone(),
            expires_at: entry.expires_at,
            timing: provider.refresh,
            ..Registration::new(credential, entry.secrets.clone())
        })
    }

    fn names_of(
        &self,
        provider: &Provider,
        indexed: &IndexedProvider,
        entry: &CredentialEntry,
    ) -> Vec<Served> {
        let CredentialEntry { credential, .. } = entry;
        let kind = channel_kind(credential.kind);
        let channel = oauth_model_alias_channel(provider.name.as_str(), kind);
        let aliases = channel.and_then(|channel| self.config.channel_aliases.get(channel));
        let naming = NamingRules {
            provider: &provider.name,
            own_models: &entry.models,
            provider_models: &indexed.models,
            prefix: credential.prefix.as_deref(),
            force_prefix: self.config.force_model_prefix,
            channel: aliases.map(Vec::as_slice).unwrap_or_default(),
            routes: &self.config.routes,
        };
        naming.serves()
    }
}

/// Returns the models of a provider. Names and aliases differ by more than case.
fn served_models(provider: &Provider, listed: &ListedModels) -> Vec<NamedModel> {
    let mut models = provider.models.clone();
    let Some(discovery) = &provider.discovery else {
        return models;
    };
    let named = models
        .iter()
        .flat_map(|model| [Some(&model.name), model.alias.as_ref()]);
    let named = named.flatten().map(|name| name.to_lowercase());
    let mut names: BTreeSet<String> = named.collect();
    for name in listed.get(&provider.name).into_iter().flatten() {
        if discovery.serves(name) && names.insert(name.to_lowercase()) {
            models.push(NamedModel {
                name: Arc::clone(name),
                alias: None,
            });
        }
    }
    models
}

/// The kind as [`oauth_model_alias_channel`] knows it.
fn channel_kind(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::ApiKey => "apikey",
        CredentialKind::Oauth => "oauth",
    }
}
