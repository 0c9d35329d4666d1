//! One credential: an entry under a provider, or what the admin API is sent.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;

use jackfield_credential::model_names::NamedModel;
use jackfield_credential::{CredentialKind, Timestamp};
use secrecy::SecretString;
use url::Url;

use super::models::models;
use super::reader::{Names, Reader};
use super::section::{Section, Spot, entries, join};

/// One account or API key. Its `Debug` shows nothing secret.
pub(crate) struct Credential {
    /// Its name, unique in the file, of the same characters as a provider's.
    pub(crate) id: String,
    /// What people call it.
    pub(crate) label: Option<String>,
    /// What it is.
    pub(crate) kind: CredentialKind,
    /// At least one, by the names that executors know them by; visible ASCII.
    pub(crate) secrets: BTreeMap<String, SecretString>,
    /// When its token ends.
    pub(crate) expires_at: Option<Timestamp>,
    /// What stands before the names of its models: one word, no slash.
    pub(crate) prefix: Option<String>,
    /// Its own models, in place of the provider's; empty for those.
    pub(crate) models: Vec<NamedModel>,
    /// Higher ones are used first.
    pub(crate) priority: i32,
    /// Its share among equals, from 1 to 1,000,000.
    pub(crate) weight: u32,
    /// Attempts that may be under way at once; none: no limit of its own.
    pub(crate) max_in_flight: Option<NonZeroU32>,
    /// Rounds of a call in which it takes part; none: all of them.
    pub(crate) rounds: Option<u32>,
    /// Whether failures leave it fit; none: as its provider has it.
    pub(crate) disable_cooling: Option<bool>,
    /// The proxy its connections go through: http, https or socks5. It may carry a user and a
    /// password, so it is not for logs.
    pub(crate) proxy_url: Option<Url>,
    /// What executors and selectors may know of it.
    pub(crate) attributes: BTreeMap<String, String>,
    /// Whether it is left out of use.
    pub(crate) disabled: bool,
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
pub(super) fn credential(
    reader: &mut Reader<'_>,
    spot: &Spot<'_>,
    ids: &mut Names,
) -> Option<Credential> {
    let mut section = Section::open(reader, spot)?;
    let credential = fields(reader, &mut section, spot, ids);
    section.end(reader);
    credential
}

/// Reads the keys of a credential out of a mapping that may hold more.
pub(super) fn fields<'n>(
    reader: &mut Reader<'_>,
    section: &mut Section<'n>,
    spot: &Spot<'n>,
    ids: &mut Names,
) -> Option<Credential> {
    let id = section.required(reader, "id", |reader, spot| reader.unique(spot, ids));
    let secrets = secrets(reader, section, spot);
    let kind = section.optional(reader, "kind", |reader, spot| reader.choice(spot, &KINDS));
    let kind = kind.unwrap_or_else(|| kind_of(secrets.as_ref()));
    let label = section.optional(reader, "label", Reader::line);
    let expires_at = section.optional(reader, "expires-at", Reader::moment);
    let prefix = section.optional(reader, "prefix", Reader::prefix);
    let models = section.optional(reader, "models", models);
    let priority = section.field(reader, "priority", 0, Reader::priority);
    let weight = section.field(reader, "weight", 1, Reader::weight);
    let max_in_flight = section.optional(reader, "max-in-flight", Reader::in_flight);
    let rounds = section.optional(reader, "rounds", Reader::rounds);
    let disable_cooling = section.optional(reader, "disable-cooling", Reader::flag);
    let proxy_url = section.optional(reader, "proxy-url", Reader::proxy_url);
    let attributes = section.optional(reader, "attributes", attributes);
    let disabled = section.field(reader, "disabled", false, Reader::flag);
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
    section: &mut Section<'n>,
    spot: &Spot<'n>,
) -> Option<BTreeMap<String, SecretString>> {
    let given = section.has(API_KEY) || section.has("secrets");
    let key = section.optional(reader, API_KEY, Reader::secret);
    let mut secrets = section
        .optional(reader, "secrets", named_secrets)
        .unwrap_or_default();
    if !given {
        let what = "has no secret; give it an `api-key`, or `secrets` by name";
        reader.refuse(spot, what);
        return None;
    }
    if let Some(key) = key
        && secrets.insert(API_KEY.to_owned(), key).is_some()
    {
        let what = "has an `api-key` beside the one under `secrets`; remove one of them";
        reader.refuse(spot, what);
    }
    Some(secrets)
}

fn named_secrets(
    reader: &mut Reader<'_>,
    spot: &Spot<'_>,
) -> Option<BTreeMap<String, SecretString>> {
    let mut secrets = BTreeMap::new();
    let entries = entries(reader, spot)?;
    if entries.is_empty() {
        reader.refuse(spot, "is an empty mapping; it needs at least one secret");
    }
    for entry in entries {
        if !Reader::is_name(&entry.key) {
            // Not shown: it may be the secret itself.
            let what = "names a secret by what is no name: use a-z, 0-9, `.`, `_` and `-`";
            reader.refuse(spot, what);
            continue;
        }
        let below = Spot {
            name: join(&spot.name, &entry.key),
            node: &entry.node,
        };
        if let Some(secret) = reader.secret(&below) {
            secrets.insert(entry.key.clone(), secret);
        }
    }
    Some(secrets)
}

/// Whoever has a token that ends, or that gets others, has an account.
fn kind_of(secrets: Option<&BTreeMap<String, SecretString>>) -> CredentialKind {
    let of_account =
        |secrets: &BTreeMap<_, _>| TOKENS.iter().any(|token| secrets.contains_key(*token));
    if secrets.is_some_and(of_account) {
        CredentialKind::Oauth
    } else {
        CredentialKind::ApiKey
    }
}

fn attributes(reader: &mut Reader<'_>, spot: &Spot<'_>) -> Option<BTreeMap<String, String>> {
    let mut attributes = BTreeMap::new();
    for entry in entries(reader, spot)? {
        let below = Spot {
            name: join(&spot.name, &entry.key),
            node: &entry.node,
        };
        let Some(text) = reader.text(&below) else {
            continue;
        };
        if let Some(wrong) = wrong_header(&entry.key, text) {
            reader.refuse(&below, wrong);
            continue;
        }
        attributes.insert(entry.key.clone(), text.to_owned());
    }
    Some(attributes)
}

/// What is wrong with an attribute that is to be a header (`header:NAME`); none for any other.
fn wrong_header(name: &str, value: &str) -> Option<&'static str> {
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
