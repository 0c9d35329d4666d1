//! Reads one credential: an item under a provider, or the body of a request to the admin API.

use std::collections::BTreeMap;

use jackfield_credential::model_names::NamedModel;
use jackfield_credential::{Credential, CredentialKind, ProviderName, Timestamp};
use secrecy::SecretString;

use crate::key::Kind;
use crate::keys::providers::credential as keys;
use crate::kinds::is_name;
use crate::mapping::{Mapping, entries};
use crate::models::models;
use crate::reader::{Located, Reader, UniqueNames};

/// One account or API key, as its source defines it. `Debug` shows no secret.
#[derive(Debug)]
pub struct CredentialEntry {
    /// The credential. The catalog fills in `base_url`, `serves`, and the value of `disable_cooling` that
    /// comes from its provider.
    pub credential: Credential,
    /// At least one, by the names that executors use; visible ASCII.
    pub secrets: BTreeMap<String, SecretString>,
    /// End of the access token.
    pub expires_at: Option<Timestamp>,
    /// Its own models, which replace those of the provider; empty for those of the provider.
    pub models: Vec<NamedModel>,
    /// The URL of the proxy for its connections. It may hold a password.
    pub proxy: Option<SecretString>,
}

/// Reads an item whose id is not among `ids`. `provider` is none after an error in its name.
pub(crate) fn credential(
    reader: &mut Reader<'_>,
    located: &Located<'_>,
    provider: Option<&ProviderName>,
    ids: &mut UniqueNames,
) -> Option<CredentialEntry> {
    let mut mapping = Mapping::open(reader, located, &keys::SECTION)?;
    let credential = fields(reader, &mut mapping, located, provider, ids);
    mapping.deny_unknown(reader);
    credential
}

/// Reads the keys of a credential from a mapping that may have more keys.
pub(crate) fn fields<'n>(
    reader: &mut Reader<'_>,
    mapping: &mut Mapping<'n>,
    located: &Located<'n>,
    provider: Option<&ProviderName>,
    ids: &mut UniqueNames,
) -> Option<CredentialEntry> {
    let id = mapping.get_checked(reader, &keys::ID, |reader, located, id| {
        ids.check(reader, located, id);
    });
    let secrets = secrets(reader, mapping, located);
    let kind = mapping.get(reader, &keys::KIND);
    let kind = kind.unwrap_or_else(|| infer_kind(secrets.as_ref()));
    let label = mapping.get(reader, &keys::LABEL);
    let expires_at = mapping.get(reader, &keys::EXPIRES_AT);
    let prefix = mapping.get(reader, &keys::PREFIX);
    let models = mapping.nested(reader, &keys::MODELS, models);
    let priority = mapping.get(reader, &keys::PRIORITY);
    let weight = mapping.get(reader, &keys::WEIGHT);
    let in_flight_max = mapping.get(reader, &keys::MAX_IN_FLIGHT);
    let rounds = mapping.get(reader, &keys::ROUNDS);
    let disable_cooling = mapping.get(reader, &keys::DISABLE_COOLING);
    let proxy = mapping.get(reader, &keys::PROXY_URL);
    let attributes = mapping.nested(reader, &keys::ATTRIBUTES, attributes);
    let disabled = mapping.get(reader, &keys::DISABLED);
    // Every `?` is below the reading of all keys, so that no error hides another.
    let credential = Credential {
        enabled: !disabled,
        priority,
        weight,
        attributes: attributes.unwrap_or_default(),
        label: label.map(Into::into),
        prefix: prefix.map(Into::into),
        kind,
        disable_cooling,
        in_flight_max,
        rounds,
        ..Credential::new(id?, provider?.clone(), "")
    };
    Some(CredentialEntry {
        credential,
        secrets: secrets?,
        expires_at,
        models: models.unwrap_or_default(),
        proxy: proxy.map(|url| SecretString::from(url.as_str())),
    })
}

/// Reads `api-key` and `secrets` into one map.
fn secrets<'n>(
    reader: &mut Reader<'_>,
    mapping: &mut Mapping<'n>,
    located: &Located<'n>,
) -> Option<BTreeMap<String, SecretString>> {
    let given = mapping.has(&keys::API_KEY) || mapping.has(&keys::SECRETS);
    let api_key = mapping.get(reader, &keys::API_KEY);
    let mut secrets = mapping
        .nested(reader, &keys::SECRETS, named_secrets)
        .unwrap_or_default();
    if !given {
        let message = "has no secret; give it an `api-key`, or `secrets` by name";
        reader.report(located, message);
        return None;
    }
    // Plugins know the secret of an `api-key` by the name of the key.
    if let Some(api_key) = api_key
        && secrets
            .insert(keys::API_KEY.name.to_owned(), api_key)
            .is_some()
    {
        let message = "has an `api-key` beside the one under `secrets`; remove one of them";
        reader.report(located, message);
    }
    Some(secrets)
}

fn named_secrets(
    reader: &mut Reader<'_>,
    located: &Located<'_>,
) -> Option<BTreeMap<String, SecretString>> {
    let mut secrets = BTreeMap::new();
    let entries = entries(reader, located)?;
    if entries.is_empty() {
        reader.report(located, "is an empty mapping; it needs at least one secret");
    }
    for entry in entries {
        if !is_name(&entry.key) {
            // The key is not shown: it may be the secret itself.
            let message = "has an invalid secret name; use a-z, 0-9, `.`, `_` and `-`";
            reader.report(located, message);
            continue;
        }
        let below = located.member(&entry.key, &entry.node);
        if let Some(secret) = keys::SECRETS.kind.values.read(reader, &below) {
            secrets.insert(entry.key.clone(), secret);
        }
    }
    Some(secrets)
}

/// A credential with an access token, or with what gets one, is an account.
fn infer_kind(secrets: Option<&BTreeMap<String, SecretString>>) -> CredentialKind {
    let of_account =
        |secrets: &BTreeMap<_, _>| TOKENS.iter().any(|token| secrets.contains_key(*token));
    if secrets.is_some_and(of_account) {
        CredentialKind::Oauth
    } else {
        CredentialKind::ApiKey
    }
}

fn attributes(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<BTreeMap<String, String>> {
    let mut attributes = BTreeMap::new();
    for entry in entries(reader, located)? {
        let below = located.member(&entry.key, &entry.node);
        let Some(text) = reader.text(&below) else {
            continue;
        };
        if let Some(error) = header_error(&entry.key, text) {
            reader.report(&below, error);
            continue;
        }
        attributes.insert(entry.key.clone(), text.to_owned());
    }
    Some(attributes)
}

/// Returns the error in an attribute that sets a header (`header:NAME`); none for other attributes.
fn header_error(name: &str, value: &str) -> Option<&'static str> {
    let name = name.strip_prefix("header:")?;
    if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Some("must have the name of a header after `header:`");
    }
    if http::HeaderValue::from_str(value).is_err() {
        return Some("must be a valid header value: visible characters and spaces");
    }
    None
}

/// The secrets that make a credential an account.
const TOKENS: [&str; 3] = ["access-token", "refresh-token", "service-account-key"];
