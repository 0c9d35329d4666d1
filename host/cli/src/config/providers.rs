//! The providers, with their credentials and their models.

use std::num::NonZeroU32;
use std::time::Duration;

use jackfield_auth::RefreshTiming;
use jackfield_credential::model_names::NamedModel;
use url::Url;

use super::credentials::{Credential, credential};
use super::models::models;
use super::reader::{Names, Reader};
use super::section::{Section, Spot};
use crate::built_in::default_base_url;

/// A provider with its credentials and models.
#[derive(Debug)]
pub(crate) struct Provider {
    /// Its name: lower-case letters, digits, dots, underscores and hyphens.
    pub(crate) name: String,
    /// The plugin that speaks to it, named by the same rule.
    pub(crate) executor: String,
    /// Where its API begins: http or https, without user, query and fragment. Its path has no slash
    /// at the end, except that a URL without a path has the path `/`.
    pub(crate) base_url: Url,
    /// Origins beside that of `base_url` to which its executor may send requests: http or https,
    /// without a path.
    pub(crate) grants: Vec<Url>,
    /// What the executor is told: the text of one JSON object, without secrets.
    pub(crate) settings: String,
    /// Attempts that may be under way at once with all its credentials; none: no limit.
    pub(crate) max_in_flight: Option<NonZeroU32>,
    /// Whether failures leave its credentials fit; none: as the whole configuration has it.
    pub(crate) disable_cooling: Option<bool>,
    /// When the tokens of its accounts are refreshed.
    pub(crate) refresh: RefreshTiming,
    /// At least one, unless there are credential files.
    pub(crate) credentials: Vec<Credential>,
    /// At least one. All names and aliases differ by more than case.
    pub(crate) models: Vec<NamedModel>,
}

/// Reads the list of providers. `credentials_needed`: whether each must have one in the file.
pub(super) fn providers(
    reader: &mut Reader<'_>,
    spot: &Spot<'_>,
    credentials_needed: bool,
) -> Option<Vec<Provider>> {
    let (mut names, mut ids) = (Names::default(), Names::default());
    reader.list(spot, |reader, spot| {
        let mut section = Section::open(reader, spot)?;
        let name = section.required(reader, "name", |reader, spot| {
            reader.unique(spot, &mut names)
        });
        let executor = section.required(reader, "executor", Reader::name);
        let base_url = match executor.as_deref().and_then(default_base_url) {
            Some(known) => {
                let known = Url::parse(known).ok();
                section
                    .optional(reader, "base-url", Reader::base_url)
                    .or(known)
            }
            None => section.required(reader, "base-url", Reader::base_url),
        };
        let grants = section.optional(reader, "grants", |reader, spot| {
            reader.list(spot, Reader::origin)
        });
        let settings = section.field(reader, "settings", "{}".to_owned(), Reader::settings);
        let max_in_flight = section.optional(reader, "max-in-flight", Reader::in_flight);
        let disable_cooling = section.optional(reader, "disable-cooling", Reader::flag);
        let refresh = section.optional(reader, "refresh", refresh);
        let list = |reader: &mut Reader<'_>, spot: &Spot<'_>| {
            reader.list(spot, |reader, spot| credential(reader, spot, &mut ids))
        };
        let credentials = if credentials_needed {
            section.required(reader, "credentials", list)
        } else {
            Some(
                section
                    .optional(reader, "credentials", list)
                    .unwrap_or_default(),
            )
        };
        let models = section.required(reader, "models", models);
        section.end(reader);
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

fn refresh(reader: &mut Reader<'_>, spot: &Spot<'_>) -> Option<RefreshTiming> {
    let mut section = Section::open(reader, spot)?;
    let mut time = |key| {
        section.optional(reader, key, |reader, spot| {
            reader.duration(spot, REFRESH_MAX)
        })
    };
    let timing = RefreshTiming {
        lead: time("lead"),
        interval: time("interval"),
    };
    section.end(reader);
    Some(timing)
}

/// No token in use is known to live longer than a year, here of 365.25 days.
const REFRESH_MAX: Duration = Duration::from_secs(31_557_600);
