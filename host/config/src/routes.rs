//! `models`: names that several providers serve, and what is tried in place of a name.

use std::collections::{BTreeMap, BTreeSet};

use jackfield_credential::model_names::{ChannelAlias, NamedModel, Route, RouteTarget};
use jackfield_credential::split_suffix;

use crate::mapping::{Located, Mapping};
use crate::providers::Provider;
use crate::reader::{Reader, UniqueNames};

/// One name that may stand in for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// The name that is tried.
    pub model: String,
    /// After which of these; at least one.
    pub on: Vec<FallbackOn>,
}

/// Why a call to a model found nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FallbackOn {
    /// Every credential cools.
    Cooling,
    /// No credential is fit, for whatever other reason.
    Unavailable,
    /// The providers failed.
    Failed,
    /// The request is longer than the model takes.
    ContextLength,
}

/// What `models` holds.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    /// The names with their targets.
    pub(crate) routes: Vec<Route>,
    /// The names with what stands in for them.
    pub(crate) fallbacks: BTreeMap<String, Vec<Fallback>>,
}

/// What targets and fallbacks may name.
pub(crate) struct KnownModels<'a> {
    /// The models of each provider, its credentials' own included.
    providers: BTreeMap<&'a str, Vec<&'a NamedModel>>,
    aliases: BTreeSet<&'a str>,
    /// Whether providers were read without a mistake; otherwise nothing is said of targets.
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
            (&*provider.name, provider.models.iter().chain(own).collect())
        };
        Self {
            providers: providers.iter().map(models).collect(),
            aliases: channels
                .values()
                .flatten()
                .map(|entry| &*entry.alias)
                .collect(),
            is_complete,
        }
    }

    /// Refuses a target that leads nowhere.
    fn check(&self, reader: &mut Reader<'_>, located: &Located<'_>, provider: &str, model: &str) {
        let Some(models) = self.providers.get(provider) else {
            if self.is_complete {
                let message = format!("there is no provider `{provider}` under `providers`");
                reader.report(located, message);
            }
            return;
        };
        if self.is_complete && !models.iter().any(|named| is_named(named, model)) {
            let message = format!("the provider `{provider}` has no model `{model}`; add it there");
            reader.report(located, message);
        }
    }

    /// Whether clients may ask for it, with or without a prefix and a suffix.
    fn serves(&self, name: &str) -> bool {
        let bare = split_suffix(name).0;
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
        let mut mapping = Mapping::open(reader, located)?;
        let name = mapping.required(reader, "name", |reader, located| {
            let name = reader.line(located)?;
            names.check(reader, located, &name);
            Some(name)
        });
        let idle = !mapping.has("targets") && !mapping.has("fallback");
        let targets = mapping.optional(reader, "targets", |reader, located| {
            targets(reader, located, known)
        });
        let fallback = mapping.optional(reader, "fallback", |reader, located| {
            fallback(reader, located, name.as_deref(), &mut fallback_models)
        });
        mapping.deny_unknown(reader);
        if idle {
            reader.report(
                located,
                "says nothing of the name; add `targets` or `fallback`",
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
            let message = format!("nobody serves `{model}`; name a model or an alias of this file");
            reader.report(located, message);
        }
    }
    let mut found = Routes::default();
    for (name, targets, fallback) in read {
        if !fallback.is_empty() {
            found.fallbacks.insert(name.clone(), fallback);
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
    let mut providers = UniqueNames::default();
    reader.list(located, |reader, located| {
        let mut mapping = Mapping::open(reader, located)?;
        let provider = mapping.required(reader, "provider", |reader, located| {
            reader.unique(located, &mut providers)
        });
        let model = mapping.required(reader, "model", Reader::line);
        let priority = mapping.field(reader, "priority", 0, Reader::priority);
        let weight = mapping.field(reader, "weight", 1, Reader::weight);
        mapping.deny_unknown(reader);
        let (provider, model) = (provider?, model?);
        known.check(reader, located, &provider, &model);
        Some(RouteTarget {
            provider: provider.into(),
            model: model.into(),
            priority,
            weight,
        })
    })
}

/// Reads what stands in for a name, and notes the models in it with their places.
fn fallback<'n>(
    reader: &mut Reader<'_>,
    located: &Located<'n>,
    of: Option<&str>,
    fallback_models: &mut Vec<(Located<'n>, String)>,
) -> Option<Vec<Fallback>> {
    let mut models = UniqueNames::default();
    reader.list(located, |reader, located| {
        let mut mapping = Mapping::open(reader, located)?;
        let model = mapping.required(reader, "model", |reader, located| {
            let model = reader.line(located)?;
            models.check(reader, located, &model);
            if of == Some(&*model) {
                reader.report(located, "stands in for itself; name another model");
            }
            fallback_models.push((located.clone(), model.clone()));
            Some(model)
        });
        let on = mapping.optional(reader, "on", |reader, located| {
            reader.list(located, |reader, located| {
                reader.choice(located, &CONDITIONS)
            })
        });
        mapping.deny_unknown(reader);
        let on = on.unwrap_or_else(|| CONDITIONS.map(|(_, condition)| condition).to_vec());
        Some(Fallback { model: model?, on })
    })
}

const CONDITIONS: [(&str, FallbackOn); 4] = [
    ("cooling", FallbackOn::Cooling),
    ("unavailable", FallbackOn::Unavailable),
    ("failed", FallbackOn::Failed),
    ("context-length", FallbackOn::ContextLength),
];
