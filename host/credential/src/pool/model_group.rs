//! Several models of a credential under one name: which of them an attempt uses.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Credential, ModelKey};

/// How a credential serves a name: indexes into its `serves` and its models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ServedWith {
    pub(super) served: u32,
    pub(super) model: u32,
}

/// The models of a credential under one name, at least two, those of the highest priority first.
#[derive(Debug)]
pub(super) struct ModelGroup {
    name: Arc<str>,
    models: Box<[GroupedModel]>,
}

#[derive(Clone, Copy, Debug)]
struct GroupedModel {
    with: ServedWith,
    priority: i32,
    weight: u32,
}

/// The number of a credential's group of models. A name with one model has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct GroupNumber(Option<u16>);

impl GroupNumber {
    pub(super) fn new(index: usize) -> Self {
        Self(u16::try_from(index).ok())
    }

    pub(super) fn index(self) -> Option<usize> {
        self.0.map(usize::from)
    }

    pub(super) fn is_some(self) -> bool {
        self.0.is_some()
    }
}

impl ModelGroup {
    /// Returns the groups of a credential, ordered by name. `model` finds the index of a model.
    pub(super) fn of(
        credential: &Credential,
        model: impl Fn(&ModelKey) -> Option<u32>,
    ) -> Vec<Self> {
        if credential.serves.len() < 2 {
            return Vec::new();
        }
        let mut names: BTreeMap<&Arc<str>, Vec<GroupedModel>> = BTreeMap::new();
        for (index, served) in (0..).zip(&credential.serves) {
            let Some(model) = model(&served.model) else {
                continue;
            };
            let grouped = GroupedModel {
                with: ServedWith {
                    served: index,
                    model,
                },
                priority: served.priority,
                weight: served.weight,
            };
            for name in &served.names {
                let group = names.entry(name).or_default();
                if group.iter().all(|other| other.with.model != model) {
                    group.push(grouped);
                }
            }
        }
        let several = names.into_iter().filter(|(_, models)| models.len() > 1);
        several
            // More are never configured; the number must fit.
            .take(usize::from(u16::MAX))
            .map(|(name, mut models)| {
                models.sort_by_key(|grouped| std::cmp::Reverse(grouped.priority));
                Self {
                    name: Arc::clone(name),
                    models: models.into(),
                }
            })
            .collect()
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns how the credential serves the name first.
    pub(super) fn first(&self) -> Option<ServedWith> {
        self.models.first().map(|first| first.with)
    }

    /// Returns the indexes of the models.
    pub(super) fn models(&self) -> impl Iterator<Item = u32> + '_ {
        self.models.iter().map(|one| one.with.model)
    }

    /// Returns the number of models.
    pub(super) fn len(&self) -> usize {
        self.models.len()
    }

    /// Returns the models in the order in which a call tries them: by priority, and those of the
    /// highest one begin with one that the seed selects by weight. `tried` of them come last.
    pub(super) fn order(&self, seed: u64, tried: usize) -> impl Iterator<Item = ServedWith> + '_ {
        let highest = self.models.first().map_or(0, |grouped| grouped.priority);
        let preferred = self.models.partition_point(|one| one.priority == highest);
        let weights = self.models.iter().take(preferred);
        let total: u64 = weights.map(|one| u64::from(one.weight)).sum();
        let mut left = seed % total.max(1);
        let mut first = 0;
        for (index, one) in self.models.iter().enumerate().take(preferred) {
            let weight = u64::from(one.weight);
            if left < weight {
                first = index;
                break;
            }
            left -= weight;
        }
        let all = self.models.len();
        (0..all).filter_map(move |step| {
            let position = (step + tried) % all;
            let index = if position < preferred {
                (first + position) % preferred
            } else {
                position
            };
            self.models.get(index).map(|one| one.with)
        })
    }
}
