//! Reads the providers, with their credentials and their models.

use std::num::NonZeroU32;
use std::sync::Arc;

use jackfield_auth::RefreshTiming;
use jackfield_credential::ProviderName;
use jackfield_credential::model_names::NamedModel;
use jackfield_dialect::traits::servers;
use jackfield_dispatch::{ProviderTraits, TraitsConfig, snapshot};
use serde_json::Value;
use url::Url;

use crate::base_urls::default_base_url;
use crate::credentials::{CredentialEntry, credential};
use crate::discovery::ModelDiscovery;
use crate::keys::providers::{provider as keys, refresh as refresh_keys};
use crate::login::login;
use crate::mapping::Mapping;
use crate::models::{ProviderModels, discovery, provider_models};
use crate::reader::{Located, Reader, UniqueNames};

/// A provider with its credentials and models.
#[derive(Debug)]
pub struct Provider {
    /// Its name.
    pub name: ProviderName,
    /// What a call needs to know about it.
    pub endpoint: snapshot::Provider,
    /// Limit of concurrent attempts with all its credentials; none: no limit.
    pub max_in_flight: Option<NonZeroU32>,
    /// Whether failures start no cooldown of its credentials; none: as the whole configuration says.
    pub disable_cooling: Option<bool>,
    /// When the tokens of its accounts are refreshed.
    pub refresh: RefreshTiming,
    /// At least one, unless there are credential files or logins.
    pub credentials: Vec<CredentialEntry>,
    /// At least one, unless they are discovered. All names and aliases differ by more than case.
    pub models: Vec<NamedModel>,
    /// Which of the models that it lists are served as well; none: it is not asked.
    pub discovery: Option<ModelDiscovery>,
}

/// Reads the list of providers. `credentials_needed`: whether each provider must have a credential in
/// the file.
pub(crate) fn providers(
    reader: &mut Reader<'_>,
    located: &Located<'_>,
    credentials_needed: bool,
) -> Option<Vec<Provider>> {
    let (mut names, mut ids) = (UniqueNames::default(), UniqueNames::default());
    reader.list(located, |reader, located| {
        let mut mapping = Mapping::open(reader, located, &keys::SECTION)?;
        let name = mapping.get_checked(reader, &keys::NAME, |reader, located, name| {
            names.check(reader, located, name);
        });
        let name = name.map(|name| ProviderName::from(name.as_str()));
        let executor = mapping.get(reader, &keys::EXECUTOR);
        let default_url = executor.as_deref().and_then(default_base_url);
        if default_url.is_none() && !mapping.has(&keys::BASE_URL) {
            mapping.report_missing(reader, &keys::BASE_URL);
        }
        let base_url = mapping.get(reader, &keys::BASE_URL);
        let base_url = base_url.or_else(|| Url::parse(default_url?).ok());
        let grants = mapping.get(reader, &keys::GRANTS);
        let client_headers = mapping.get(reader, &keys::CLIENT_HEADERS);
        let settings = mapping.get(reader, &keys::SETTINGS);
        let traits = mapping.get(reader, &keys::TRAITS);
        let max_in_flight = mapping.get(reader, &keys::MAX_IN_FLIGHT);
        let disable_cooling = mapping.get(reader, &keys::DISABLE_COOLING);
        let refresh = mapping.nested(reader, &keys::REFRESH, refresh);
        let login = mapping.nested(reader, &keys::LOGIN, login);
        let credentials_needed = credentials_needed && !mapping.has(&keys::LOGIN);
        if credentials_needed && !mapping.has(&keys::CREDENTIALS) {
            mapping.report_missing(reader, &keys::CREDENTIALS);
        }
        let credentials = mapping.nested(reader, &keys::CREDENTIALS, |reader, located| {
            reader.list(located, |reader, located| {
                credential(reader, located, name.as_ref(), &mut ids)
            })
        });
        let models = models(reader, &mut mapping);
        mapping.deny_unknown(reader);
        let (models, discovery) = models?;
        let base_url = base_url?;
        let traits = traits.unwrap_or_default();
        let traits = TraitsConfig {
            server: traits.server.or_else(|| variant(&settings)),
            provider: traits.set,
            models: models.traits,
        };
        let traits = ProviderTraits::new(&base_url, traits);
        Some(Provider {
            name: name?,
            endpoint: snapshot::Provider {
                executor: executor?.into(),
                base_url: Arc::new(base_url),
                settings,
                grants: grants.unwrap_or_default(),
                client_headers: client_headers.unwrap_or_default(),
                traits: Arc::new(traits),
                login: login.map(Arc::new),
            },
            max_in_flight,
            disable_cooling,
            refresh: refresh.unwrap_or_default(),
            credentials: credentials.unwrap_or_default(),
            models: models.listed,
            discovery,
        })
    })
}

/// Reads the models of a provider, and which of those that it lists are served.
fn models(
    reader: &mut Reader<'_>,
    mapping: &mut Mapping<'_>,
) -> Option<(ProviderModels, Option<ModelDiscovery>)> {
    let are_listed = mapping.has(&keys::MODELS);
    if !are_listed && !mapping.has(&keys::DISCOVER) {
        mapping.report_missing(reader, &keys::MODELS);
    }
    let models = mapping.nested(reader, &keys::MODELS, provider_models);
    let discovery = mapping.nested(reader, &keys::DISCOVER, discovery);
    let models = match are_listed {
        true => models?,
        false => ProviderModels::default(),
    };
    let implied = models.discovered.then(ModelDiscovery::default);
    Some((models, discovery.or(implied)))
}

/// Returns the kind of server that the settings of the executor `openai-compatible` name.
fn variant(settings: &str) -> Option<String> {
    let settings: Value = serde_json::from_str(settings).ok()?;
    let variant = settings.get("variant")?.as_str()?;
    servers().contains(&variant).then(|| variant.to_owned())
}

fn refresh(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<RefreshTiming> {
    let mut mapping = Mapping::open(reader, located, &refresh_keys::SECTION)?;
    let timing = RefreshTiming {
        lead: mapping.get(reader, &refresh_keys::LEAD),
        interval: mapping.get(reader, &refresh_keys::INTERVAL),
    };
    mapping.deny_unknown(reader);
    Some(timing)
}
