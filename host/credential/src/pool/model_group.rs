//! Several models of a credential under one name: which of them an attempt uses.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::entry::Live;
use super::index_entry::EntryState;
use super::{CandidateQuery, Slot};
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

    /// Returns the models in the order in which a call tries them: by priority, and those of the
    /// highest one begin with one that the seed selects by weight. `tried` of them come last.
    fn order(&self, seed: u64, tried: usize) -> impl Iterator<Item = ServedWith> + '_ {
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

impl Live {
    /// Returns the number of the group of a name, and how the credential serves the name first.
    pub(super) fn group_of(&self, name: &str) -> (GroupNumber, Option<ServedWith>) {
        let found = self
            .groups
            .binary_search_by(|group| group.name.as_ref().cmp(name));
        let Ok(index) = found else {
            return (GroupNumber::default(), None);
        };
        let first = self
            .groups
            .get(index)
            .and_then(|group| group.models.first());
        (
            GroupNumber(u16::try_from(index).ok()),
            first.map(|first| first.with),
        )
    }

    fn group(&self, number: GroupNumber) -> Option<&ModelGroup> {
        self.groups.get(usize::from(number.0?))
    }

    /// Returns the models of a group; only `model` if there is none.
    pub(super) fn grouped_models(
        &self,
        number: GroupNumber,
        model: u32,
    ) -> impl Iterator<Item = u32> + '_ {
        let group = self.group(number);
        let several = group.into_iter().flat_map(|group| &group.models);
        let single = group.is_none().then_some(model);
        several.map(|one| one.with.model).chain(single)
    }

    /// Returns how the credential serves a name in the order in which a call tries its models.
    pub(super) fn models_in_order(
        &self,
        number: GroupNumber,
        single: ServedWith,
        query: &CandidateQuery<'_>,
        slot: Slot,
        seed: u64,
    ) -> impl Iterator<Item = ServedWith> + '_ {
        let tried = query.tried.iter().filter(|&&tried| tried == slot).count();
        let group = self.group(number);
        let several = group
            .into_iter()
            .flat_map(move |group| group.order(seed, tried));
        several.chain(group.is_none().then_some(single))
    }

    /// True if a call has tried the credential as often as it has models under the name.
    pub(super) fn is_tried(&self, number: GroupNumber, slot: Slot, tried: &[Slot]) -> bool {
        let models = self.group(number).map_or(1, |group| group.models.len());
        tried.iter().filter(|&&tried| tried == slot).count() >= models
    }
}

impl EntryState {
    /// Returns the better one of the states of two models.
    pub(super) fn better(self, other: Self) -> Self {
        if let (
            Self::Waiting {
                wake,
                until,
                class,
                probing,
            },
            Self::Waiting {
                wake: other_wake,
                until: other_until,
                class: other_class,
                probing: other_probing,
            },
        ) = (self, other)
        {
            let class = if other_until < until {
                other_class
            } else {
                class
            };
            return Self::Waiting {
                wake: wake.min(other_wake),
                until: until.min(other_until),
                class,
                probing: probing && other_probing,
            };
        }
        let badness = |state: Self| match state {
            Self::Ready => 0,
            Self::Busy => 1,
            Self::Waiting { .. } => 2,
            Self::Barred => 3,
            Self::Disabled => 4,
        };
        if badness(other) < badness(self) {
            other
        } else {
            self
        }
    }
}
