//! Reads lists of models, and the aliases of OAuth channels.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jackfield_credential::model_names::{
    ChannelAlias, NamedModel, oauth_model_alias_channel, oauth_model_alias_channels,
};

use jackfield_dialect::traits::TraitSet;

use crate::discovery::ModelDiscovery;
use crate::key::Section;
use crate::keys::models::{channel_alias, model, provider_model};
use crate::keys::providers::{discover, provider};
use crate::mapping::{Mapping, entries};
use crate::reader::{Located, Reader, UniqueNames};
use crate::yaml::Value;

/// Reads a list of models of a credential. All names and aliases differ by more than case.
pub(crate) fn models(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Vec<NamedModel>> {
    list(reader, located, &model::SECTION, |_, _, _| {})
}

/// The traits of models, by their names.
type TraitsByModel = BTreeMap<Arc<str>, TraitSet>;

/// The models of a provider.
#[derive(Default)]
pub(crate) struct ProviderModels {
    /// Those of the list.
    pub(crate) listed: Vec<NamedModel>,
    pub(crate) traits: TraitsByModel,
    /// Whether those are served that the provider lists.
    pub(crate) discovered: bool,
}

/// Reads the models of a provider, and their traits.
pub(crate) fn provider_models(
    reader: &mut Reader<'_>,
    located: &Located<'_>,
) -> Option<ProviderModels> {
    if let Value::Scalar { .. } = &located.node.value {
        let discovered = provider::MODELS.kind.is_word(located);
        if !discovered {
            reader.report(located, "must be a list of models, or the word `discover`");
        }
        return discovered.then(|| ProviderModels {
            discovered,
            ..ProviderModels::default()
        });
    }
    let mut traits = BTreeMap::new();
    let section = &provider_model::SECTION;
    let models = list(reader, located, section, |reader, mapping, name| {
        let entry = mapping.get(reader, &provider_model::TRAITS);
        if let (Some(name), Some(entry)) = (name, entry) {
            traits.insert(name.into(), entry.set);
        }
    });
    Some(ProviderModels {
        listed: models?,
        traits,
        discovered: false,
    })
}

/// Reads `discover`.
pub(crate) fn discovery(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<ModelDiscovery> {
    let mut mapping = Mapping::open(reader, located, &discover::SECTION)?;
    let found = from_mapping(reader, &mut mapping);
    mapping.deny_unknown(reader);
    Some(found)
}

fn from_mapping(reader: &mut Reader<'_>, mapping: &mut Mapping<'_>) -> ModelDiscovery {
    let include = mapping.get(reader, &discover::INCLUDE);
    let exclude = mapping.get(reader, &discover::EXCLUDE);
    let interval = mapping.get_checked(reader, &discover::INTERVAL, |reader, located, interval| {
        if *interval < INTERVAL_MIN {
            reader.report(located, "must be at least 1m");
        }
    });
    ModelDiscovery {
        include: include.unwrap_or_default(),
        exclude: exclude.unwrap_or_default(),
        interval,
    }
}

/// Lists change with releases of models. Providers count these requests as others.
const INTERVAL_MIN: Duration = Duration::from_mins(1);

/// Reads a list of models. `more` reads the keys that a section has beside name and alias.
fn list<'e>(
    reader: &mut Reader<'e>,
    located: &Located<'_>,
    section: &'static Section,
    mut more: impl FnMut(&mut Reader<'e>, &mut Mapping<'_>, Option<&str>),
) -> Option<Vec<NamedModel>> {
    let mut names = UniqueNames::default();
    reader.list(located, |reader, located| {
        let mut check = |reader: &mut Reader<'_>, located: &Located<'_>, name: &String| {
            names.check_ignoring_case(reader, located, name);
        };
        let mut mapping = Mapping::open(reader, located, section)?;
        let name = mapping.get_checked(reader, &model::NAME, &mut check);
        let alias = mapping.get_checked(reader, &model::ALIAS, &mut check);
        more(reader, &mut mapping, name.as_deref());
        mapping.deny_unknown(reader);
        Some(NamedModel {
            name: name?.into(),
            alias: alias.map(Arc::from),
        })
    })
}

/// Reads the aliases of each channel.
pub(crate) fn channel_aliases(
    reader: &mut Reader<'_>,
    located: &Located<'_>,
) -> Option<BTreeMap<&'static str, Vec<ChannelAlias>>> {
    let mut channels = BTreeMap::new();
    for entry in entries(reader, located)? {
        let below = located.member(&entry.key, &entry.node);
        let Some(channel) = oauth_model_alias_channel(&entry.key, "oauth") else {
            let known: Vec<&str> = oauth_model_alias_channels().collect();
            let message = format!(
                "is not a channel; the channels are {}; other providers have aliases under their \
                 `models`",
                known.join(", ")
            );
            reader.report(&below, message);
            continue;
        };
        let Some(aliases) = aliases(reader, &below) else {
            continue;
        };
        if channels.insert(channel, aliases).is_some() {
            reader.report(
                &below,
                format!("the channel `{channel}` is listed twice; remove one of them"),
            );
        }
    }
    Some(channels)
}

fn aliases(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Vec<ChannelAlias>> {
    let mut names = UniqueNames::default();
    reader.list(located, |reader, located| {
        let mut mapping = Mapping::open(reader, located, &channel_alias::SECTION)?;
        let name = mapping.get(reader, &channel_alias::NAME);
        let alias = mapping.get_checked(reader, &channel_alias::ALIAS, |reader, located, alias| {
            names.check_ignoring_case(reader, located, alias);
        });
        let fork = mapping.get(reader, &channel_alias::FORK);
        mapping.deny_unknown(reader);
        let (name, alias) = (name?, alias?);
        if name.to_lowercase() == alias.to_lowercase() {
            reader.report(located, "the alias is the name itself; remove the entry");
            return None;
        }
        Some(ChannelAlias {
            name: name.into(),
            alias: alias.into(),
            fork,
        })
    })
}
