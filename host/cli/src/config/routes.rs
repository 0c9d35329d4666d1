//! `models`: names that several providers serve, and what is tried in place of a name.

use std::collections::{BTreeMap, BTreeSet};

use jackfield_credential::model_names::{ChannelAlias, NamedModel, Route, RouteTarget};
use jackfield_credential::split_suffix;

use super::providers::Provider;
use super::reader::{Names, Reader};
use super::section::{Section, Spot};

/// One name that may stand in for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fallback {
    /// The name that is tried.
    pub(crate) model: String,
    /// After which of these; at least one.
    pub(crate) on: Vec<FallbackOn>,
}

/// Why a call to a model found nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FallbackOn {
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
pub(super) struct Routes {
    /// The names with their targets.
    pub(super) routes: Vec<Route>,
    /// The names with what stands in for them.
    pub(super) fallbacks: BTreeMap<String, Vec<Fallback>>,
}

/// What targets and fallbacks may name.
pub(super) struct Known<'a> {
    /// The models of each provider, its credentials' own included.
    providers: BTreeMap<&'a str, Vec<&'a NamedModel>>,
    aliases: BTreeSet<&'a str>,
    /// Whether providers were read without a mistake; otherwise nothing is said of targets.
    whole: bool,
}

impl<'a> Known<'a> {
    pub(super) fn new(
        providers: &'a [Provider],
        channels: &'a BTreeMap<&'static str, Vec<ChannelAlias>>,
        whole: bool,
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
            whole,
        }
    }

    /// Refuses a target that leads nowhere.
    fn check(&self, reader: &mut Reader<'_>, spot: &Spot<'_>, provider: &str, model: &str) {
        let Some(models) = self.providers.get(provider) else {
            if self.whole {
                let what = format!("there is no provider `{provider}` under `providers`");
                reader.refuse(spot, what);
            }
            return;
        };
        if self.whole && !models.iter().any(|named| is_named(named, model)) {
            let what = format!("the provider `{provider}` has no model `{model}`; add it there");
            reader.refuse(spot, what);
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
pub(super) fn routes(
    reader: &mut Reader<'_>,
    spot: &Spot<'_>,
    known: &Known<'_>,
) -> Option<Routes> {
    let (mut names, mut stand_ins) = (Names::default(), Vec::new());
    let read = reader.list(spot, |reader, spot| {
        let mut section = Section::open(reader, spot)?;
        let name = section.required(reader, "name", |reader, spot| {
            let name = reader.line(spot)?;
            names.check(reader, spot, &name);
            Some(name)
        });
        let idle = !section.has("targets") && !section.has("fallback");
        let targets = section.optional(reader, "targets", |reader, spot| {
            targets(reader, spot, known)
        });
        let fallback = section.optional(reader, "fallback", |reader, spot| {
            fallback(reader, spot, name.as_deref(), &mut stand_ins)
        });
        section.end(reader);
        if idle {
            reader.refuse(
                spot,
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
    for (spot, model) in &stand_ins {
        if known.whole && !routed.contains(&**model) && !known.serves(model) {
            let what = format!("nobody serves `{model}`; name a model or an alias of this file");
            reader.refuse(spot, what);
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
    spot: &Spot<'_>,
    known: &Known<'_>,
) -> Option<Vec<RouteTarget>> {
    let mut providers = Names::default();
    reader.list(spot, |reader, spot| {
        let mut section = Section::open(reader, spot)?;
        let provider = section.required(reader, "provider", |reader, spot| {
            reader.unique(spot, &mut providers)
        });
        let model = section.required(reader, "model", Reader::line);
        let priority = section.field(reader, "priority", 0, Reader::priority);
        let weight = section.field(reader, "weight", 1, Reader::weight);
        section.end(reader);
        let (provider, model) = (provider?, model?);
        known.check(reader, spot, &provider, &model);
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
    spot: &Spot<'n>,
    of: Option<&str>,
    stand_ins: &mut Vec<(Spot<'n>, String)>,
) -> Option<Vec<Fallback>> {
    let mut models = Names::default();
    reader.list(spot, |reader, spot| {
        let mut section = Section::open(reader, spot)?;
        let model = section.required(reader, "model", |reader, spot| {
            let model = reader.line(spot)?;
            models.check(reader, spot, &model);
            if of == Some(&*model) {
                reader.refuse(spot, "stands in for itself; name another model");
            }
            stand_ins.push((spot.clone(), model.clone()));
            Some(model)
        });
        let on = section.optional(reader, "on", |reader, spot| {
            reader.list(spot, |reader, spot| reader.choice(spot, &CONDITIONS))
        });
        section.end(reader);
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
