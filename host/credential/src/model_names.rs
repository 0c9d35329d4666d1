//! Which names a credential serves its models under: lists, aliases, prefixes and routes, worked
//! out once into [`Served`], so that nothing has to be looked up in stages when a call comes.
//!
//! The order is that of a call in the system we succeed, backwards: a model's own names, then the
//! aliases of the credential's OAuth channel over them, then the prefix before all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::{ProviderName, Served, split_suffix};

/// A model as a list of the configuration names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedModel {
    /// The provider's own name of it.
    pub name: Arc<str>,
    /// One more name that clients may use.
    pub alias: Option<Arc<str>>,
}

/// One entry of an OAuth channel's aliases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelAlias {
    /// A name that a credential of the channel serves. Letter case does not matter. It may carry a
    /// suffix of its own, as in `model(high)`, which then goes to the provider.
    pub name: Arc<str>,
    /// What clients call it.
    pub alias: Arc<str>,
    /// Whether the name stays in use beside its alias. If any entry of a name says so, it stays.
    pub fork: bool,
}

/// A name whose servers the operator chose one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// What clients call it.
    pub name: Arc<str>,
    /// Who serves it: nobody else does, whatever its models are called. Empty: whoever has a model
    /// of this name. Each provider once at most; of more, the first counts.
    pub targets: Vec<RouteTarget>,
}

/// One provider's model behind a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteTarget {
    /// The provider.
    pub provider: ProviderName,
    /// A model of the provider, by its name or its alias there.
    pub model: Arc<str>,
    /// Added to the priority of the provider's credentials.
    pub priority: i32,
    /// Multiplies the weight of the provider's credentials; at least 1.
    pub weight: u32,
}

/// All that decides the names of one credential's models.
#[derive(Clone, Copy, Debug)]
pub struct NamingRules<'a> {
    /// Whose the credential is.
    pub provider: &'a ProviderName,
    /// The credential's own models. If there are any they stand in place of the provider's.
    pub own_models: &'a [NamedModel],
    /// The provider's models.
    pub provider_models: &'a [NamedModel],
    /// The credential's prefix, as [`normalize_prefix`] has it.
    pub prefix: Option<&'a str>,
    /// Whether a credential with a prefix serves nothing without it.
    pub force_prefix: bool,
    /// The aliases of the credential's channel; see [`oauth_model_alias_channel`].
    pub channel: &'a [ChannelAlias],
    /// All routes. Of several with targets and the same name the first counts.
    pub routes: &'a [Route],
}

impl NamingRules<'_> {
    /// What the credential serves. No name stands twice, and no entry is without a name.
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

    /// The names with the prefix before them and, unless it is forced, without it as well. A name
    /// that begins with the prefix by itself yields to one that was given it: at a call the prefix
    /// is what is read first.
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

    /// An entry for each route that leads to this credential's provider and a model it has.
    fn route_entries(&self, models: &[NamedModel]) -> Vec<Served> {
        let served = |route: &Route| {
            let mine = |target: &&RouteTarget| target.provider == *self.provider;
            let target = route.targets.iter().find(mine)?;
            let model = models.iter().find(|model| model.name == target.model);
            let by_alias = || {
                let mut models = models.iter();
                models.find(|model| model.alias.as_ref() == Some(&target.model))
            };
            let model = model.or_else(by_alias)?;
            let name = Name {
                name: Arc::clone(&route.name),
                model: Arc::clone(&model.name),
            };
            let names = self.add_prefix(vec![name]);
            let names = names.into_iter().map(|name| name.name).collect();
            Some(Served {
                priority: target.priority,
                weight: target.weight.max(1),
                ..Served::new(Arc::clone(&model.name), names)
            })
        };
        let mut seen = BTreeSet::new();
        let once = |route: &&Route| seen.insert(Arc::clone(&route.name));
        self.targeted_routes()
            .filter(once)
            .filter_map(served)
            .collect()
    }

    /// The routes that say who serves their names.
    fn targeted_routes(&self) -> impl Iterator<Item = &Route> {
        let routes = self.routes.iter();
        routes.filter(|route| !route.targets.is_empty())
    }
}

/// The channel whose aliases apply to a credential, or none. These are the providers of the system
/// we succeed; a model of any other provider has its alias in the provider's own list.
///
/// `auth_kind` is `apikey` for API keys, as that system writes it, and anything else for OAuth.
pub fn oauth_model_alias_channel(provider: &str, auth_kind: &str) -> Option<&'static str> {
    let provider = provider.trim();
    let is = |channel: &&&str| channel.eq_ignore_ascii_case(provider);
    let always = || CHANNELS_ALWAYS.iter().find(is);
    let api_key = auth_kind.trim().eq_ignore_ascii_case(API_KEY);
    let by_kind = CHANNELS_OF_OAUTH.iter().find(is).filter(|_| !api_key);
    by_kind.or_else(always).copied()
}

/// Every channel there is, for those who check a configuration.
pub fn oauth_model_alias_channels() -> impl Iterator<Item = &'static str> {
    CHANNELS_OF_OAUTH
        .iter()
        .chain(CHANNELS_ALWAYS.iter())
        .copied()
}

/// A prefix without the spaces and slashes around it; none if nothing is left.
///
/// # Errors
///
/// A slash within: what comes before a model's name is one word.
pub fn normalize_prefix(text: &str) -> Result<Option<&str>, SlashInPrefix> {
    let prefix = text.trim().trim_matches('/').trim();
    match prefix {
        "" => Ok(None),
        prefix if prefix.contains('/') => Err(SlashInPrefix),
        prefix => Ok(Some(prefix)),
    }
}

/// A prefix holds a slash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a prefix is one word: it holds no slash but those around it")]
pub struct SlashInPrefix;

/// A name that clients may use, and the provider's name of the model that it means.
#[derive(Clone, Debug)]
struct Name {
    name: Arc<str>,
    model: Arc<str>,
}

/// The names and aliases of a list. Of names that differ only in case the first alias decides what
/// all of them mean, and after the aliases the first name.
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

/// A channel's aliases without those that say nothing and those whose alias is taken.
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

/// Puts a channel's aliases over the names that a credential has. An alias wins over a name of the
/// same text; an entry whose name the credential does not have says nothing about it.
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

/// The model that an alias stands for, and whether the table has the alias's name as it is; if it
/// has only the part before its suffix, the suffix is put on the model.
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

/// Names of one model together, models in the order of their first names.
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

/// How names are compared where case does not matter.
fn fold_case(name: &str) -> String {
    name.trim().to_lowercase()
}

fn is_blank(name: &str) -> bool {
    name.trim().is_empty()
}

const API_KEY: &str = "apikey";

/// Channels of providers that are used with OAuth or with API keys, which have no channel.
const CHANNELS_OF_OAUTH: [&str; 3] = ["vertex", "claude", "codex"];

/// Channels of providers that are used in one way only.
const CHANNELS_ALWAYS: [&str; 5] = ["gemini-cli", "aistudio", "antigravity", "qwen", "iflow"];

#[cfg(test)]
mod tests;
