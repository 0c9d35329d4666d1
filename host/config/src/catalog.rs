//! What the configuration says of its providers, kept for whoever makes credentials of it: the
//! configuration itself, credential files, and the admin API.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jackfield_auth::{RefreshTiming, Registration};
use jackfield_credential::model_names::{
    ChannelAlias, NamedModel, NamingRules, Route, oauth_model_alias_channel,
};
use jackfield_credential::{Credential, CredentialId, CredentialKind, ProviderName, Served};
use secrecy::SecretString;

use crate::config::Config;
use crate::credential_entry::NewCredential;
use crate::{credentials, providers};

/// The providers, and the rules of names.
#[derive(Debug)]
pub struct Catalog {
    providers: BTreeMap<ProviderName, ProviderEntry>,
    /// The credentials that the configuration itself defines.
    defined: BTreeSet<CredentialId>,
    routes: Vec<Route>,
    force_prefix: bool,
    channels: BTreeMap<&'static str, Vec<ChannelAlias>>,
}

#[derive(Debug)]
struct ProviderEntry {
    base_url: Arc<str>,
    disable_cooling: Option<bool>,
    timing: RefreshTiming,
    models: Vec<NamedModel>,
}

/// Most credentials of a provider serve the same under the same names, which are worked out once.
type ServedCache = BTreeMap<(ProviderName, CredentialKind, Option<String>), Vec<Served>>;

impl Catalog {
    /// Indexes the providers of a configuration.
    pub fn new(config: &Config) -> Self {
        let entry = |provider: &providers::Provider| {
            let entry = ProviderEntry {
                base_url: provider.base_url.as_str().trim_end_matches('/').into(),
                disable_cooling: provider.disable_cooling,
                timing: provider.refresh,
                models: provider.models.clone(),
            };
            (ProviderName::from(provider.name.as_str()), entry)
        };
        let credentials = config.providers.iter().flat_map(|each| &each.credentials);
        Self {
            providers: config.providers.iter().map(entry).collect(),
            defined: credentials
                .map(|each| CredentialId::from(&*each.id))
                .collect(),
            routes: config.routes.clone(),
            force_prefix: config.force_model_prefix,
            channels: config.channel_aliases.clone(),
        }
    }

    /// Whether the configuration itself has a credential of this id, which counts more than others.
    pub fn defines(&self, id: &CredentialId) -> bool {
        self.defined.contains(id)
    }

    /// Whether there is a provider of this name.
    pub fn has_provider(&self, name: &str) -> bool {
        self.providers.contains_key(&ProviderName::from(name))
    }

    /// The credentials of the configuration that this catalog is of.
    pub fn registrations(&self, config: &Config) -> Vec<Registration> {
        let mut cache = ServedCache::new();
        let mut registrations = Vec::new();
        for provider in &config.providers {
            let name = ProviderName::from(provider.name.as_str());
            for credential in &provider.credentials {
                let registration = self.registration_cached(&name, credential, &mut cache);
                registrations.extend(registration);
            }
        }
        registrations
    }

    /// One credential.
    ///
    /// # Errors
    ///
    /// There is no such provider.
    pub fn registration(&self, new: &NewCredential) -> Result<Registration, String> {
        let NewCredential {
            provider,
            credential,
        } = new;
        let registration = self.registration_cached(
            &provider.as_str().into(),
            credential,
            &mut ServedCache::new(),
        );
        registration.ok_or_else(|| format!("the configuration has no provider `{provider}`"))
    }

    fn registration_cached(
        &self,
        provider: &ProviderName,
        given: &credentials::Credential,
        cache: &mut ServedCache,
    ) -> Option<Registration> {
        let entry = self.providers.get(provider)?;
        let serves = if given.models.is_empty() {
            let key = (provider.clone(), given.kind, given.prefix.clone());
            let serves = cache
                .entry(key)
                .or_insert_with(|| self.served_models(provider, entry, given));
            serves.clone()
        } else {
            self.served_models(provider, entry, given)
        };
        let credential = Credential {
            enabled: !given.disabled,
            priority: given.priority,
            weight: given.weight,
            attributes: given.attributes.clone(),
            serves,
            label: given.label.as_deref().map(Arc::from),
            prefix: given.prefix.as_deref().map(Arc::from),
            kind: given.kind,
            disable_cooling: given.disable_cooling.or(entry.disable_cooling),
            in_flight_max: given.max_in_flight,
            rounds: given.rounds,
            ..Credential::new(&*given.id, provider.clone(), Arc::clone(&entry.base_url))
        };
        let proxy = given.proxy_url.as_ref();
        Some(Registration {
            proxy: proxy.map(|url| SecretString::from(url.as_str())),
            expires_at: given.expires_at,
            timing: entry.timing,
            ..Registration::new(credential, given.secrets.clone())
        })
    }

    fn served_models(
        &self,
        provider: &ProviderName,
        entry: &ProviderEntry,
        given: &credentials::Credential,
    ) -> Vec<Served> {
        let channel = oauth_model_alias_channel(provider.as_str(), channel_kind(given.kind));
        let aliases = channel.and_then(|channel| self.channels.get(channel));
        let naming = NamingRules {
            provider,
            own_models: &given.models,
            provider_models: &entry.models,
            prefix: given.prefix.as_deref(),
            force_prefix: self.force_prefix,
            channel: aliases.map(Vec::as_slice).unwrap_or_default(),
            routes: &self.routes,
        };
        naming.serves()
    }
}

/// The kind as the rule of channels has it.
fn channel_kind(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::ApiKey => "apikey",
        CredentialKind::Oauth => "oauth",
    }
}
