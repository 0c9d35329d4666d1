//! The providers, with their credentials and their models.

use std::num::NonZeroU32;
use std::time::Duration;

use jackfield_auth::RefreshTiming;
use jackfield_credential::model_names::NamedModel;
use url::Url;

use crate::base_urls::default_base_url;
use crate::credentials::{Credential, credential};
use crate::mapping::{Located, Mapping};
use crate::models::models;
use crate::reader::{Reader, UniqueNames};

/// A provider with its credentials and models.
#[derive(Debug)]
pub struct Provider {
    /// Its name: lower-case letters, digits, dots, underscores and hyphens.
    pub name: String,
    /// The plugin that speaks to it, named by the same rule.
    pub executor: String,
    /// Where its API begins: http or https, without user, query and fragment. Its path has no slash
    /// at the end, except that a URL without a path has the path `/`.
    pub base_url: Url,
    /// Origins beside that of `base_url` to which its executor may send requests: http or https,
    /// without a path.
    pub grants: Vec<Url>,
    /// What the executor is told: the text of one JSON object, without secrets.
    pub settings: String,
    /// Attempts that may be under way at once with all its credentials; none: no limit.
    pub max_in_flight: Option<NonZeroU32>,
    /// Whether failures leave its credentials fit; none: as the whole configuration has it.
    pub disable_cooling: Option<bool>,
    /// When the tokens of its accounts are refreshed.
    pub refresh: RefreshTiming,
    /// At least one, unless there are credential files.
    pub credentials: Vec<Credential>,
    /// At least one. All names and aliases differ by more than case.
    pub models: Vec<NamedModel>,
}

/// Reads the list of providers. `credentials_needed`: whether each must have one in the file.
pub(crate) fn providers(
    reader: &mut Reader<'_>,
    located: &Located<'_>,
    credentials_needed: bool,
) -> Option<Vec<Provider>> {
    let (mut names, mut ids) = (UniqueNames::default(), UniqueNames::default());
    reader.list(located, |reader, located| {
        let mut mapping = Mapping::open(reader, located)?;
        let name = mapping.required(reader, "name", |reader, located| {
            reader.unique(located, &mut names)
        });
        let executor = mapping.required(reader, "executor", Reader::name);
        let base_url = match executor.as_deref().and_then(default_base_url) {
            Some(known) => {
                let known = Url::parse(known).ok();
                mapping
                    .optional(reader, "base-url", Reader::base_url)
                    .or(known)
            }
            None => mapping.required(reader, "base-url", Reader::base_url),
        };
        let grants = mapping.optional(reader, "grants", |reader, located| {
            reader.list(located, Reader::origin)
        });
        let settings = mapping.field(reader, "settings", "{}".to_owned(), Reader::settings);
        let max_in_flight = mapping.optional(reader, "max-in-flight", Reader::in_flight);
        let disable_cooling = mapping.optional(reader, "disable-cooling", Reader::flag);
        let refresh = mapping.optional(reader, "refresh", refresh);
        let list = |reader: &mut Reader<'_>, located: &Located<'_>| {
            reader.list(located, |reader, located| {
                credential(reader, located, &mut ids)
            })
        };
        let credentials = if credentials_needed {
            mapping.required(reader, "credentials", list)
        } else {
            Some(
                mapping
                    .optional(reader, "credentials", list)
                    .unwrap_or_default(),
            )
        };
        let models = mapping.required(reader, "models", models);
        mapping.deny_unknown(reader);
        Some(Provider {
            name: name?,
            executor: executor?,
            base_url: base_url?,
            grants: grants.unwrap_or_default(),
            settings,
            max_in_flight,
            disable_cooling,
            refresh: refresh.unwrap_or_default(),
            credentials: credentials?,
            models: models?,
        })
    })
}

fn refresh(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<RefreshTiming> {
    let mut mapping = Mapping::open(reader, located)?;
    let mut time = |key| {
        mapping.optional(reader, key, |reader, located| {
            reader.duration(located, REFRESH_MAX)
        })
    };
    let timing = RefreshTiming {
        lead: time("lead"),
        interval: time("interval"),
    };
    mapping.deny_unknown(reader);
    Some(timing)
}

/// No token in use is known to live longer than a year, here of 365.25 days.
const REFRESH_MAX: Duration = Duration::from_secs(31_557_600);
