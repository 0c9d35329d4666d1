//! Reads `models`: names that several providers serve, and the models that replace a name that fails.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jackfield_credential::model_names::{ChannelAlias, NamedModel, Route, RouteTarget};
use jackfield_credential::{ProviderName, split_suffix};
use jackfield_dialect::Thinking;
use jackfield_dispatch::Fallback;

use crate::keys::models::{CONDITIONS, fallback as fallback_keys, route, target};
use crate::mapping::Mapping;
use crate::providers::Provider;
use crate::reader::{Located, Reader, UniqueNames};

/// What `models` holds.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    /// The names with their targets.
    pub(crate) routes: Vec<Route>,
    /// The names with their fallbacks.
    pub(crate) fallbacks: BTreeMap<Arc<str>, Vec<Fallback>>,
}

/// The names that targets and fallbacks may use.
pub(crate) struct KnownModels<'a> {
    /// The models of each provider, its credentials' own included.
    providers: BTreeMap<&'a ProviderName, Vec<&'a NamedModel>>,
    aliases: BTreeSet<&'a str>,
    /// The providers that are asked for their models: those of the file are not all.
    discovered: BTreeSet<&'a ProviderName>,
    /// Whether the providers were read without errors; otherwise targets are not checked.
    is_complete: bool,
}

impl<'a> KnownModels<'a> {
    pub(crate) fn new(
        providers: &'a [Provider],
        channels: &'a BTreeMap<&'static str, Vec<ChannelAlias>>,
        is_complete: bool,
    ) -> Self {
        let models = |provider: &'a Provider| {
            let own = provider.credentials.iter().flat_map(|own| &own.models);
            (&provider.name, provider.models.iter().chain(own).collect())
        };
        Self {
            providers: providers.iter().map(models).collect(),
            aliases: channels
                .values()
                .flatten()
                .map(|entry| &*entry.alias)
                .collect(),
            discovered: (providers.iter())
                .filter(|provider| provider.discovery.is_some())
                .map(|provider| &provider.name)
                .collect(),
            is_complete,
        }
    }

    /// Reports a target whose provider or model does not exist.
    fn check(&self, reader: &mut Reader<'_>, located: &Located<'_>, provider: &str, model: &str) {
        let provider = ProviderName::from(provider);
        let Some(models) = self.providers.get(&provider) else {
            if self.is_complete {
                let message = format!("there is no provider `{provider}` under `providers`");
                reader.report(located, message);
            }
            return;
        };
        let is_known = self.discovered.contains(&provider)
            || models.iter().any(|named| is_named(named, model));
        if self.is_complete && !is_known {
            let message = format!("the provider `{provider}` has no model `{model}`; add it there");
            reader.report(located, message);
        }
    }

    /// Whether clients may use the name, with or without a prefix and a suffix. Any may be, if models are discovered.
    fn serves(&self, name: &str) -> bool {
        // A suffix without a meaning is part of the name.
        let bare = match split_suffix(name) {
            (bare, Some(suffix)) if Thinking::parse(suffix).is_some() => bare,
            _ => name,
        };
        if !self.discovered.is_empty() {
            return true;
        }
        let served = |name: &str| {
            let mut models = self.providers.values().flatten();
            self.aliases.contains(name) || models.any(|named| is_named(named, name))
        };
        let unprefixed = bare.split_once('/').map(|(_, name)| name);
        [Some(name), Some(bare), unprefixed]
            .into_iter()
            .flatten()
            .any(served)
    }
}

fn is_named(model: &NamedModel, name: &str) -> bool {
    *model.name == *name || model.alias.as_deref() == Some(name)
}

/// Reads the list. Fallbacks may name what any part of the list serves.
pub(crate) fn routes(
    reader: &mut Reader<'_>,
    located: &Located<'_>,
    known: &KnownModels<'_>,
) -> Option<Routes> {
    let (mut names, mut fallback_models) = (UniqueNames::default(), Vec::new());
    let read = reader.list(located, |reader, located| {
        let mut mapping = Mapping::open(reader, located, &route::SECTION)?;
        let name = mapping.get_checked(reader, &route::NAME, |reader, located, name| {
            names.check(reader, located, name);
        });
        let idle = !mapping.has(&route::TARGETS) && !mapping.has(&route::FALLBACK);
        let targets = mapping.nested(reader, &route::TARGETS, |reader, located| {
            targets(reader, located, known)
        });
        let fallback = mapping.nested(reader, &route::FALLBACK, |reader, located| {
            fallback(reader, located, name.as_deref(), &mut fallback_models)
        });
        mapping.deny_unknown(reader);
        if idle {
            reader.report(
                located,
                "has no rule for the name; add `targets` or `fallback`",
            );
        }
        Some((
            name?,
            targets.unwrap_or_default(),
            fallback.unwrap_or_default(),
        ))
    })?;
    let routed: BTreeSet<&str> = read.iter().map(|(name, ..)| &**name).collect();
    for (located, model) in &fallback_models {
        if known.is_complete && !routed.contains(&**model) && !known.serves(model) {
            let message =
                format!("no provider serves `{model}`; use a model or an alias of this file");
            reader.report(located, message);
        }
    }
    let mut found = Routes::default();
    for (name, targets, fallback) in read {
        if !fallback.is_empty() {
            found.fallbacks.insert(name.as_str().into(), fallback);
        }
        if !targets.is_empty() {
            let name = name.into();
            found.routes.push(Route { name, targets });
        }
    }
    Some(found)
}

fn targets(
    reader: &mut Reader<'_>,
    located: &Located<'_>,
    known: &KnownModels<'_>,
) -> Option<Vec<RouteTarget>> {
    let mut seen = BTreeSet::new();
    reader.list(located, |reader, located| {
        let mut mapping = Mapping::open(reader, located, &target::SECTION)?;
        let provider = mapping.get(reader, &target::PROVIDER);
        let model = mapping.get(reader, &target::MODEL);
        let priority = mapping.get(reader, &target::PRIORITY);
        let weight = mapping.get(reader, &target::WEIGHT);
        mapping.deny_unknown(reader);
        let (provider, model) = (provider?, model?);
        if !seen.insert((provider.clone(), model.clone())) {
            let message = format!("`{model}` of `{provider}` is in the list already; remove one");
            reader.report(located, message);
        }
        known.check(reader, located, &provider, &model);
        Some(RouteTarget {
            provider: provider.into(),
            model: model.into(),
            priority,
            weight,
        })
    })
}

/// Reads the fallbacks of a name, and collects their models with their positions.
fn fallback<'n>(
    reader: &mut Reader<'_>,
    located: &Located<'n>,
    of: Option<&str>,
    fallback_models: &mut Vec<(Located<'n>, String)>,
) -> Option<Vec<Fallback>> {
    let mut models = UniqueNames::default();
    reader.list(located, |reader, located| {
        let mut mapping = Mapping::open(reader, located, &fallback_keys::SECTION)?;
        let model = mapping.get_checked(reader, &fallback_keys::MODEL, |reader, located, model| {
            models.check(reader, located, model);
            if of == Some(model) {
                reader.report(located, "is a fallback of itself; use another model");
            }
            fallback_models.push((located.clone(), model.clone()));
        });
        let on = mapping.get(reader, &fallback_keys::ON);
        mapping.deny_unknown(reader);
        Some(Fallback {
            model: model?.into(),
            on: on.unwrap_or_else(|| CONDITIONS.map(|(_, condition)| condition).to_vec()),
        })
    })
}
