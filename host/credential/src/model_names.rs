//! The names under which a credential serves its models. Lists, aliases, prefixes and routes are
//! resolved once into [`Served`], so that a call needs one lookup.
//!
//! The order is the reverse of CLIProxyAPI's lookup for a call: first a model's own names, then
//! the aliases of the credential's OAuth channel, then the prefix.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::{ProviderName, Served, split_suffix};

/// A model in a list of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedModel {
    /// The provider's name of the model.
    pub name: Arc<str>,
    /// Another name for clients.
    pub alias: Option<Arc<str>>,
}

/// One alias of an OAuth channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelAlias {
    /// A name that a credential of the channel serves, ignoring case. It may have a suffix, as in
    /// `model(high)`, which is then sent to the provider.
    pub name: Arc<str>,
    /// The name for clients.
    pub alias: Arc<str>,
    /// True if the original name stays in use. It stays if any entry for the name has this.
    pub fork: bool,
}

/// A name with explicitly configured targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The name for clients.
    pub name: Arc<str>,
    /// The only targets for this name. If empty, every credential with a model of this name serves
    /// it. Several targets with the same provider are several models behind the name.
    pub targets: Vec<RouteTarget>,
}

/// The model of one provider behind a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteTarget {
    /// The provider.
    pub provider: ProviderName,
    /// A model of the provider: its name or its alias there.
    pub model: Arc<str>,
    /// Added to the priority of the provider's credentials.
    pub priority: i32,
    /// Multiplies the weight of the provider's credentials; at least 1.
    pub weight: u32,
}

/// Everything that decides the names of one credential's models.
#[derive(Clone, Copy, Debug)]
pub struct NamingRules<'a> {
    /// The credential's provider.
    pub provider: &'a ProviderName,
    /// The credential's own models. If there are any, they replace the provider's.
    pub own_models: &'a [NamedModel],
    /// The provider's models.
    pub provider_models: &'a [NamedModel],
    /// The credential's prefix, from [`normalize_prefix`].
    pub prefix: Option<&'a str>,
    /// True if a credential with a prefix serves only names with the prefix.
    pub force_prefix: bool,
    /// The aliases of the credential's channel; see [`oauth_model_alias_channel`].
    pub channel: &'a [ChannelAlias],
    /// All routes. Of several with the same name, the first with targets counts.
    pub routes: &'a [Route],
}

impl NamingRules<'_> {
    /// Returns what the credential serves. Each entry has at least one name. Names are unique, except
    /// those of routes with several models of the provider.
    pub fn serves(&self) -> Vec<Served> {
        let models = if self.own_models.is_empty() {
            self.provider_models
        } else {
            self.own_models
        };
        let mut table = list_names(models);
        if !self.channel.is_empty() {
            table = apply_aliases(&table, &effective_aliases(self.channel));
        }
        let table = self.add_prefix(table);
        let routed = self.route_entries(models);

        let mut taken: BTreeSet<&str> = self.targeted_routes().map(|route| &*route.name).collect();
        taken.extend(
            routed
                .iter()
                .flat_map(|served| served.names.iter().map(|name| &**name)),
        );
        let mut serves = group_by_model(
            table
                .into_iter()
                .filter(|name| !taken.contains(&*name.name)),
        );
        serves.extend(routed);
        serves
    }

    /// Returns the names with the prefix and, unless it is forced, without it as well. If a name
    /// that already begins with the prefix equals a prefixed one, the prefixed one wins, because a
    /// call reads the prefix first.
    fn add_prefix(&self, table: Vec<Name>) -> Vec<Name> {
        let Some(prefix) = self.prefix else {
            return table;
        };
        let before = |name: &Name| Name {
            name: format!("{prefix}/{}", name.name).into(),
            ..name.clone()
        };
        let with: Vec<Name> = table.iter().map(before).collect();
        let given: BTreeSet<Arc<str>> = with.iter().map(|name| Arc::clone(&name.name)).collect();
        let stays = |name: &Name| {
            (!self.force_prefix || *name.name == *prefix) && !given.contains(&name.name)
        };
        let without = table.into_iter().filter(stays);
        without.chain(with).collect()
    }

    /// Returns an entry for each model that a route has of this provider. If a prefixed name equals that of another
    /// route, it has the targets of that one only.
    fn route_entries(&self, models: &[NamedModel]) -> Vec<Served> {
        let explicit: BTreeSet<&str> = self.targeted_routes().map(|route| &*route.name).collect();
        let served = |route: &Route, target: &RouteTarget| {
            let by_name = models.iter().find(|model| model.name == target.model);
            let by_alias = || {
                let mut models = models.iter();
                models.find(|model| model.alias.as_ref() == Some(&target.model))
            };
            let model = by_name.or_else(by_alias)?;
            let name = Name {
                name: Arc::clone(&route.name),
                model: Arc::clone(&model.name),
            };
            let prefixed = self.add_prefix(vec![name]);
            let names = prefixed.into_iter().map(|name| name.name);
            let names = names.filter(|name| *name == route.name || !explicit.contains(&**name));
            let names: Vec<Arc<str>> = names.collect();
            (!names.is_empty()).then(|| Served {
                priority: target.priority,
                weight: target.weight.max(1),
                ..Served::new(Arc::clone(&model.name), names)
            })
        };
        let mut seen = BTreeSet::new();
        let once = |route: &&Route| seen.insert(Arc::clone(&route.name));
        let mut entries = Vec::new();
        for route in self.targeted_routes().filter(once) {
            let targets = route.targets.iter();
            let mine = targets.filter(|target| target.provider == *self.provider);
            let mut upstreams = BTreeSet::new();
            let served = mine.filter_map(|target| served(route, target));
            entries.extend(served.filter(|served| upstreams.insert(Arc::clone(&served.upstream))));
        }
        entries
    }

    /// Returns the routes with targets.
    fn targeted_routes(&self) -> impl Iterator<Item = &Route> {
        let routes = self.routes.iter();
        routes.filter(|route| !route.targets.is_empty())
    }
}

/// Returns the channel whose aliases apply to a credential, if any. The channels are CLIProxyAPI's
/// providers. Models of other providers have aliases in the provider's own list.
///
/// `auth_kind` is `apikey` for API keys, as CLIProxyAPI writes it, and anything else for OAuth.
pub fn oauth_model_alias_channel(provider: &str, auth_kind: &str) -> Option<&'static str> {
    let provider = provider.trim();
    let is = |channel: &&&str| channel.eq_ignore_ascii_case(provider);
    let always = || CHANNELS_ALWAYS.iter().find(is);
    let api_key = auth_kind.trim().eq_ignore_ascii_case(API_KEY);
    let by_kind = CHANNELS_OF_OAUTH.iter().find(is).filter(|_| !api_key);
    by_kind.or_else(always).copied()
}

/// Returns all channels, for the check of a configuration.
pub fn oauth_model_alias_channels() -> impl Iterator<Item = &'static str> {
    CHANNELS_OF_OAUTH
        .iter()
        .chain(CHANNELS_ALWAYS.iter())
        .copied()
}

/// Removes spaces and slashes around a prefix. `None` if nothing is left.
///
/// # Errors
///
/// The prefix contains a slash.
pub fn normalize_prefix(text: &str) -> Result<Option<&str>, SlashInPrefix> {
    let prefix = text.trim().trim_matches('/').trim();
    match prefix {
        "" => Ok(None),
        prefix if prefix.contains('/') => Err(SlashInPrefix),
        prefix => Ok(Some(prefix)),
    }
}

/// A prefix contains a slash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a prefix must be one word, without a slash inside")]
pub struct SlashInPrefix;

/// A name for clients, with the provider's name of its model.
#[derive(Clone, Debug)]
struct Name {
    name: Arc<str>,
    model: Arc<str>,
}

/// Returns the names and aliases of a list. If names differ only in case, all of them mean the
/// model of the first alias; without an alias, the first name.
fn list_names(models: &[NamedModel]) -> Vec<Name> {
    let aliases = models
        .iter()
        .filter_map(|model| Some((model.alias.as_ref()?, &model.name)));
    let names = models.iter().map(|model| (&model.name, &model.name));
    let mut means: BTreeMap<String, &Arc<str>> = BTreeMap::new();
    for (name, model) in aliases.chain(names).filter(|(name, _)| !is_blank(name)) {
        means.entry(fold_case(name)).or_insert(model);
    }
    let mut seen = BTreeSet::new();
    let each = models
        .iter()
        .flat_map(|model| [Some(&model.name), model.alias.as_ref()]);
    each.flatten()
        .filter(|name| seen.insert(Arc::clone(name)))
        .filter_map(|name| {
            Some(Name {
                name: Arc::clone(name),
                model: Arc::clone(means.get(&fold_case(name))?),
            })
        })
        .collect()
}

/// Returns a channel's aliases without those that have no effect or repeat an earlier alias.
fn effective_aliases(channel: &[ChannelAlias]) -> Vec<&ChannelAlias> {
    let mut seen = BTreeSet::new();
    let is_effective = |entry: &&ChannelAlias| {
        let blank = is_blank(&entry.name) || is_blank(&entry.alias);
        !blank && fold_case(&entry.name) != fold_case(&entry.alias)
    };
    channel
        .iter()
        .filter(is_effective)
        .filter(|entry| seen.insert(fold_case(&entry.alias)))
        .collect()
}

/// Applies a channel's aliases to a credential's names. An alias replaces a name with the same
/// text. An entry for a name that the credential does not have has no effect.
fn apply_aliases(table: &[Name], channel: &[&ChannelAlias]) -> Vec<Name> {
    let by_name: BTreeMap<String, &Name> = table
        .iter()
        .rev()
        .map(|name| (fold_case(&name.name), name))
        .collect();
    let mut renamed: BTreeMap<String, bool> = BTreeMap::new();
    let mut by_alias: BTreeMap<String, Arc<str>> = BTreeMap::new();
    let mut added = Vec::new();
    for entry in channel {
        let Some((model, whole)) = alias_target(&by_name, &entry.name) else {
            continue;
        };
        if whole {
            *renamed.entry(fold_case(&entry.name)).or_default() |= entry.fork;
        }
        by_alias.insert(fold_case(&entry.alias), Arc::clone(&model));
        let name = Arc::from(entry.alias.trim());
        added.push(Name { name, model });
    }
    let resolve = |name: &Name| match by_alias.get(&fold_case(&name.name)) {
        Some(model) => Some(Name {
            model: Arc::clone(model),
            ..name.clone()
        }),
        None => {
            let replaced = renamed.get(&fold_case(&name.name)) == Some(&false);
            (!replaced).then(|| name.clone())
        }
    };
    let mut table: Vec<Name> = table.iter().filter_map(resolve).collect();
    let existing: BTreeSet<Arc<str>> = table.iter().map(|name| Arc::clone(&name.name)).collect();
    table.extend(
        added
            .into_iter()
            .filter(|name| !existing.contains(&name.name)),
    );
    table
}

/// Returns the model of an alias, and true if the table has the entry's full name. If it has only
/// the part before the suffix, the suffix is appended to the model.
fn alias_target(by_name: &BTreeMap<String, &Name>, name: &str) -> Option<(Arc<str>, bool)> {
    let name = name.trim();
    if let Some(found) = by_name.get(&fold_case(name)) {
        return Some((Arc::clone(&found.model), true));
    }
    let (base, suffix) = split_suffix(name);
    let found = by_name.get(&fold_case(base))?;
    let model = format!("{}({})", split_suffix(&found.model).0, suffix?);
    Some((model.into(), false))
}

/// Groups names by model, in the order of each model's first name.
fn group_by_model(table: impl Iterator<Item = Name>) -> Vec<Served> {
    let mut serves: Vec<Served> = Vec::new();
    let mut positions: BTreeMap<Arc<str>, usize> = BTreeMap::new();
    for Name { name, model } in table {
        let position = *positions.entry(Arc::clone(&model)).or_insert(serves.len());
        match serves.get_mut(position) {
            Some(served) => served.names.push(name),
            None => serves.push(Served::new(model, vec![name])),
        }
    }
    serves
}

/// Returns the form in which names are compared when case is ignored.
fn fold_case(name: &str) -> String {
    name.trim().to_lowercase()
}

fn is_blank(name: &str) -> bool {
    name.trim().is_empty()
}

const API_KEY: &str = "apikey";

/// Channels that apply with OAuth only; with API keys these providers have no channel.
const CHANNELS_OF_OAUTH: [&str; 3] = ["vertex", "claude", "codex"];

/// Channels that always apply.
const CHANNELS_ALWAYS: [&str; 5] = ["gemini-cli", "aistudio", "antigravity", "qwen", "iflow"];

#[cfg(test)]
mod tests;
