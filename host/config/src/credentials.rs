//! One credential: an entry under a provider, or what the admin API is sent.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;

use jackfield_credential::model_names::NamedModel;
use jackfield_credential::{CredentialKind, Timestamp};
use secrecy::SecretString;
use url::Url;

use crate::mapping::{Located, Mapping, entries, join};
use crate::models::models;
use crate::reader::{Reader, UniqueNames};

/// One account or API key. Its `Debug` shows nothing secret.
pub struct Credential {
    /// Its name, unique in the file, of the same characters as a provider's.
    pub id: String,
    /// What people call it.
    pub label: Option<String>,
    /// What it is.
    pub kind: CredentialKind,
    /// At least one, by the names that executors know them by; visible ASCII.
    pub secrets: BTreeMap<String, SecretString>,
    /// When its token ends.
    pub expires_at: Option<Timestamp>,
    /// What stands before the names of its models: one word, no slash.
    pub prefix: Option<String>,
    /// Its own models, in place of the provider's; empty for those.
    pub models: Vec<NamedModel>,
    /// Higher ones are used first.
    pub priority: i32,
    /// Its share among equals, from 1 to 1,000,000.
    pub weight: u32,
    /// Attempts that may be under way at once; none: no limit of its own.
    pub max_in_flight: Option<NonZeroU32>,
    /// Rounds of a call in which it takes part; none: all of them.
    pub rounds: Option<u32>,
    /// Whether failures leave it fit; none: as its provider has it.
    pub disable_cooling: Option<bool>,
    /// The proxy its connections go through: http, https or socks5. It may carry a user and a
    /// password, so it is not for logs.
    pub proxy_url: Option<Url>,
    /// What executors and selectors may know of it.
    pub attributes: BTreeMap<String, String>,
    /// Whether it is left out of use.
    pub disabled: bool,
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let proxy = self.proxy_url.as_ref();
        formatter
            .debug_struct("Credential")
            .field("id", &self.id)
            .field("label", &self.label)
            .field("kind", &self.kind)
            .field("secrets", &self.secrets.keys())
            .field("priority", &self.priority)
            .field("weight", &self.weight)
            .field("proxy_host", &proxy.and_then(Url::host_str))
            .field("attributes", &self.attributes)
            .field("disabled", &self.disabled)
            .finish_non_exhaustive()
    }
}

/// Reads an entry whose id is not among these.
pub(crate) fn credential(
    reader: &mut Reader<'_>,
    located: &Located<'_>,
    ids: &mut UniqueNames,
) -> Option<Credential> {
    let mut mapping = Mapping::open(reader, located)?;
    let credential = fields(reader, &mut mapping, located, ids);
    mapping.deny_unknown(reader);
    credential
}

/// Reads the keys of a credential out of a mapping that may hold more.
pub(crate) fn fields<'n>(
    reader: &mut Reader<'_>,
    mapping: &mut Mapping<'n>,
    located: &Located<'n>,
    ids: &mut UniqueNames,
) -> Option<Credential> {
    let id = mapping.required(reader, "id", |reader, located| reader.unique(located, ids));
    let secrets = secrets(reader, mapping, located);
    let kind = mapping.optional(reader, "kind", |reader, located| {
        reader.choice(located, &KINDS)
    });
    let kind = kind.unwrap_or_else(|| infer_kind(secrets.as_ref()));
    let label = mapping.optional(reader, "label", Reader::line);
    let expires_at = mapping.optional(reader, "expires-at", Reader::timestamp);
    let prefix = mapping.optional(reader, "prefix", Reader::prefix);
    let models = mapping.optional(reader, "models", models);
    let priority = mapping.field(reader, "priority", 0, Reader::priority);
    let weight = mapping.field(reader, "weight", 1, Reader::weight);
    let max_in_flight = mapping.optional(reader, "max-in-flight", Reader::in_flight);
    let rounds = mapping.optional(reader, "rounds", Reader::rounds);
    let disable_cooling = mapping.optional(reader, "disable-cooling", Reader::flag);
    let proxy_url = mapping.optional(reader, "proxy-url", Reader::proxy_url);
    let attributes = mapping.optional(reader, "attributes", attributes);
    let disabled = mapping.field(reader, "disabled", false, Reader::flag);
    Some(Credential {
        id: id?,
        label,
        kind,
        secrets: secrets?,
        expires_at,
        prefix,
        models: models.unwrap_or_default(),
        priority,
        weight,
        max_in_flight,
        rounds,
        disable_cooling,
        proxy_url,
        attributes: attributes.unwrap_or_default(),
        disabled,
    })
}

/// What `api-key` and `secrets` hold, together.
fn secrets<'n>(
    reader: &mut Reader<'_>,
    mapping: &mut Mapping<'n>,
    located: &Located<'n>,
) -> Option<BTreeMap<String, SecretString>> {
    let given = mapping.has(API_KEY) || mapping.has("secrets");
    let key = mapping.optional(reader, API_KEY, Reader::secret);
    let mut secrets = mapping
        .optional(reader, "secrets", named_secrets)
        .unwrap_or_default();
    if !given {
        let message = "has no secret; give it an `api-key`, or `secrets` by name";
        reader.report(located, message);
        return None;
    }
    if let Some(key) = key
        && secrets.insert(API_KEY.to_owned(), key).is_some()
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
        if !Reader::is_name(&entry.key) {
            // Not shown: it may be the secret itself.
            let message = "names a secret by what is no name: use a-z, 0-9, `.`, `_` and `-`";
            reader.report(located, message);
            continue;
        }
        let below = Located {
            name: join(&located.name, &entry.key),
            node: &entry.node,
        };
        if let Some(secret) = reader.secret(&below) {
            secrets.insert(entry.key.clone(), secret);
        }
    }
    Some(secrets)
}

/// Whoever has a token that ends, or that gets others, has an account.
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
        let below = Located {
            name: join(&located.name, &entry.key),
            node: &entry.node,
        };
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

/// What is wrong with an attribute that is to be a header (`header:NAME`); none for any other.
fn header_error(name: &str, value: &str) -> Option<&'static str> {
    let name = name.strip_prefix("header:")?;
    if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Some("must have a header's name behind `header:`");
    }
    if http::HeaderValue::from_str(value).is_err() {
        return Some("must be what a header can hold: visible characters and spaces");
    }
    None
}

/// The name by which plugins know the secret of an `api-key`.
const API_KEY: &str = "api-key";

const TOKENS: [&str; 2] = ["access-token", "refresh-token"];

const KINDS: [(&str, CredentialKind); 2] = [
    ("api-key", CredentialKind::ApiKey),
    ("oauth", CredentialKind::Oauth),
];
