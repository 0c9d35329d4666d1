//! Lists of models, and the aliases of OAuth channels.

use std::collections::BTreeMap;
use std::sync::Arc;

use jackfield_credential::model_names::{
    ChannelAlias, NamedModel, oauth_model_alias_channel, oauth_model_alias_channels,
};

use super::reader::{Names, Reader};
use super::section::{Section, Spot, entries, join};

/// A list of models. All names and aliases differ by more than case.
pub(super) fn models(reader: &mut Reader<'_>, spot: &Spot<'_>) -> Option<Vec<NamedModel>> {
    let mut names = Names::default();
    reader.list(spot, |reader, spot| {
        let mut read = |reader: &mut Reader<'_>, spot: &Spot<'_>| {
            let name = reader.line(spot)?;
            names.check_in_any_case(reader, spot, &name);
            Some(Arc::from(name))
        };
        let mut section = Section::open(reader, spot)?;
        let name = section.required(reader, "name", &mut read);
        let alias = section.optional(reader, "alias", &mut read);
        section.end(reader);
        Some(NamedModel { name: name?, alias })
    })
}

/// The aliases of each channel.
pub(super) fn channel_aliases(
    reader: &mut Reader<'_>,
    spot: &Spot<'_>,
) -> Option<BTreeMap<&'static str, Vec<ChannelAlias>>> {
    let mut channels = BTreeMap::new();
    for entry in entries(reader, spot)? {
        let below = Spot {
            name: join(&spot.name, &entry.key),
            node: &entry.node,
        };
        let Some(channel) = oauth_model_alias_channel(&entry.key, "oauth") else {
            let known: Vec<&str> = oauth_model_alias_channels().collect();
            let what = format!(
                "is no channel; the channels are {}; other providers have aliases under their \
                 `models`",
                known.join(", ")
            );
            reader.refuse(&below, what);
            continue;
        };
        let Some(aliases) = aliases(reader, &below) else {
            continue;
        };
        if channels.insert(channel, aliases).is_some() {
            reader.refuse(&below, format!("the channel `{channel}` is there already"));
        }
    }
    Some(channels)
}

fn aliases(reader: &mut Reader<'_>, spot: &Spot<'_>) -> Option<Vec<ChannelAlias>> {
    let mut names = Names::default();
    reader.list(spot, |reader, spot| {
        let mut section = Section::open(reader, spot)?;
        let name = section.required(reader, "name", Reader::line);
        let alias = section.required(reader, "alias", |reader, spot| {
            let alias = reader.line(spot)?;
            names.check_in_any_case(reader, spot, &alias);
            Some(alias)
        });
        let fork = section.field(reader, "fork", false, Reader::flag);
        section.end(reader);
        let (name, alias) = (name?, alias?);
        if name.to_lowercase() == alias.to_lowercase() {
            reader.refuse(spot, "the alias is the name itself; remove the entry");
            return None;
        }
        let (name, alias) = (name.into(), alias.into());
        Some(ChannelAlias { name, alias, fork })
    })
}
