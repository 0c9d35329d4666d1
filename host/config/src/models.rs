//! Lists of models, and the aliases of OAuth channels.

use std::collections::BTreeMap;
use std::sync::Arc;

use jackfield_credential::model_names::{
    ChannelAlias, NamedModel, oauth_model_alias_channel, oauth_model_alias_channels,
};

use crate::mapping::{Located, Mapping, entries, join};
use crate::reader::{Reader, UniqueNames};

/// A list of models. All names and aliases differ by more than case.
pub(crate) fn models(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Vec<NamedModel>> {
    let mut names = UniqueNames::default();
    reader.list(located, |reader, located| {
        let mut read = |reader: &mut Reader<'_>, located: &Located<'_>| {
            let name = reader.line(located)?;
            names.check_ignoring_case(reader, located, &name);
            Some(Arc::from(name))
        };
        let mut mapping = Mapping::open(reader, located)?;
        let name = mapping.required(reader, "name", &mut read);
        let alias = mapping.optional(reader, "alias", &mut read);
        mapping.deny_unknown(reader);
        Some(NamedModel { name: name?, alias })
    })
}

/// The aliases of each channel.
pub(crate) fn channel_aliases(
    reader: &mut Reader<'_>,
    located: &Located<'_>,
) -> Option<BTreeMap<&'static str, Vec<ChannelAlias>>> {
    let mut channels = BTreeMap::new();
    for entry in entries(reader, located)? {
        let below = Located {
            name: join(&located.name, &entry.key),
            node: &entry.node,
        };
        let Some(channel) = oauth_model_alias_channel(&entry.key, "oauth") else {
            let known: Vec<&str> = oauth_model_alias_channels().collect();
            let message = format!(
                "is no channel; the channels are {}; other providers have aliases under their \
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
            reader.report(&below, format!("the channel `{channel}` is there already"));
        }
    }
    Some(channels)
}

fn aliases(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Vec<ChannelAlias>> {
    let mut names = UniqueNames::default();
    reader.list(located, |reader, located| {
        let mut mapping = Mapping::open(reader, located)?;
        let name = mapping.required(reader, "name", Reader::line);
        let alias = mapping.required(reader, "alias", |reader, located| {
            let alias = reader.line(located)?;
            names.check_ignoring_case(reader, located, &alias);
            Some(alias)
        });
        let fork = mapping.field(reader, "fork", false, Reader::flag);
        mapping.deny_unknown(reader);
        let (name, alias) = (name?, alias?);
        if name.to_lowercase() == alias.to_lowercase() {
            reader.report(located, "the alias is the name itself; remove the entry");
            return None;
        }
        let (name, alias) = (name.into(), alias.into());
        Some(ChannelAlias { name, alias, fork })
    })
}
