//! The index from names to credentials: rebuilt as a whole, or updated for one credential at the
//! cost of that one's names.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::availability::HealthReader;
use super::entry::{Listing, Live};
use super::index_entry::{EntryState, IndexEntry, LaneNumber};
use super::model_group::{GroupNumber, ServedWith};
use super::name_index::{Lanes, NameIndex};
use super::providers::Providers;
use super::{Member, Pool, Slot};
use crate::{Endpoint, Health, ProviderName, Timestamp};

impl Pool {
    /// Rebuilds the index in one pass over the pool.
    pub(super) fn rebuild_index(&mut self) {
        self.assign_ranks();
        let health = HealthReader {
            slots: &self.slots,
            sites: &self.sites,
            now: self.latest,
        };
        let mut drafts: BTreeMap<Arc<str>, NameIndexDraft> = BTreeMap::new();
        let mut lengths = Vec::with_capacity(self.by_id.len());
        for &slot in self.by_id.values() {
            let Some(live) = self.slots.live(slot) else {
                continue;
            };
            let models = models_by_name(live);
            lengths.push((slot, models.len()));
            for (name, with) in models {
                let draft = drafts.entry(name).or_default();
                let entry = index_entry(slot, live, with);
                let state = health.entry_state(&entry, None);
                draft.push(entry, state, with.first.served, live);
            }
        }
        self.by_name.clear();
        self.name_indexes.clear();
        self.vacant.clear();
        for (slot, length) in lengths {
            if let Some(live) = self.slots.live_mut(slot) {
                live.listings = Vec::with_capacity(length);
            }
        }
        for (name_index, (name, draft)) in (0..).zip(drafts) {
            for (entry, &served) in draft.entries.iter().zip(&draft.served) {
                let Member {
                    slot,
                    position,
                    model,
                    ..
                } = entry.member;
                if let Some(live) = self.slots.live_mut(slot) {
                    live.listings.push(Listing {
                        name_index,
                        position,
                        model,
                        served,
                        group: entry.group,
                    });
                }
            }
            self.by_name.insert(Arc::clone(&name), name_index);
            let NameIndexDraft {
                mut entries,
                states,
                enabled,
                lanes,
                ..
            } = draft;
            entries.shrink_to_fit();
            let name_index = NameIndex::of(name, entries, &states, enabled, lanes);
            self.name_indexes.push(name_index);
        }
        for slot in self.by_id.values().copied().collect::<Vec<_>>() {
            self.touch_lanes(slot);
        }
    }

    /// Assigns ranks, counts attempts in flight per provider, finds sites and ways, and collects
    /// rounds.
    fn assign_ranks(&mut self) {
        self.providers = Providers::default();
        let sites_before = self.sites.rebuilt();
        self.rounds.clear();
        let all = u32::try_from(self.by_id.len()).unwrap_or(u32::MAX);
        let apart = RANK_SPREAD / all.saturating_add(1);
        let mut rank = 0_u32;
        for &slot in self.by_id.values() {
            let Some(live) = self.slots.live_mut(slot) else {
                continue;
            };
            rank = rank.saturating_add(apart.max(1));
            live.rank = rank;
            let limits = &self.options.provider_in_flight_max;
            let provider = &live.credential.provider;
            live.provider = self.providers.join(provider, live.in_flight, limits);
            live.route = self.sites.join(&live.credential);
            if let Some(rounds) = live.credential.rounds {
                *self.rounds.entry(rounds).or_default() += 1;
            }
        }
        self.sites.inherit(sites_before, self.latest);
    }

    /// Returns a rank for a new id between its neighbours; `None` if there is no number between
    /// theirs.
    pub(super) fn rank_for(&self, id: &str) -> Option<u32> {
        let rank = |slot: &Slot| self.slots.live(*slot).map(|live| live.rank);
        let below = (Bound::Unbounded, Bound::Excluded(id));
        let above = (Bound::Excluded(id), Bound::Unbounded);
        let previous = self.by_id.range::<str, _>(below).next_back();
        let next = self.by_id.range::<str, _>(above).next();
        let before = previous.and_then(|(_, slot)| rank(slot)).unwrap_or(0);
        match next.and_then(|(_, slot)| rank(slot)) {
            Some(after) => {
                let middle = before + after.saturating_sub(before) / 2;
                (middle > before).then_some(middle)
            }
            None => before.checked_add(RANK_STEP),
        }
    }

    /// Adds a credential to the index of each of its names. It must not be in the index.
    pub(super) fn index_slot(&mut self, slot: Slot) {
        let Some(live) = self.slots.live_mut(slot) else {
            return;
        };
        let limits = &self.options.provider_in_flight_max;
        let provider = &live.credential.provider;
        live.provider = self.providers.join(provider, live.in_flight, limits);
        live.route = self.sites.join(&live.credential);
        if let Some(rounds) = live.credential.rounds {
            *self.rounds.entry(rounds).or_default() += 1;
        }
        let health = HealthReader {
            slots: &self.slots,
            sites: &self.sites,
            now: self.latest,
        };
        let Some(live) = self.slots.live(slot) else {
            return;
        };
        let models = models_by_name(live);
        let mut listings = Vec::with_capacity(models.len());
        for (name, with) in models {
            let index = match self.by_name.get(&name) {
                Some(&index) => index,
                None => {
                    let vacant = self.vacant.pop();
                    let index = vacant.unwrap_or_else(|| narrow(self.name_indexes.len()));
                    self.by_name.insert(Arc::clone(&name), index);
                    match self.name_indexes.get_mut(index as usize) {
                        Some(name_index) => *name_index = NameIndex::new(name),
                        None => self.name_indexes.push(NameIndex::new(name)),
                    }
                    index
                }
            };
            if let Some(name_index) = self.name_indexes.get_mut(index as usize) {
                let entry = index_entry(slot, live, with);
                listings.push(Listing {
                    name_index: index,
                    position: name_index.add(entry, &live.credential, &health),
                    model: with.first.model,
                    served: with.first.served,
                    group: with.group,
                });
            }
        }
        // `Live::listing` uses binary search, but the loop is in the order of names, not of numbers.
        listings.sort_unstable_by_key(|listing| listing.name_index);
        if let Some(live) = self.slots.live_mut(slot) {
            live.listings = listings;
        }
        self.touch_lanes(slot);
    }

    /// Marks the lane of a credential as changed in the indexes of its names.
    pub(super) fn touch_lane(
        &mut self,
        slot: Slot,
        model: u32,
        endpoint: Endpoint,
        now: Timestamp,
    ) {
        let health = HealthReader {
            slots: &self.slots,
            sites: &self.sites,
            now,
        };
        let Some(live) = self.slots.live(slot) else {
            return;
        };
        let of_model = live.models.get(model as usize);
        let lane = of_model.and_then(|model| model.lane(endpoint));
        let needs_view = lane.is_some_and(|lane| {
            let is_guess = lane.health().window().is_some_and(|window| !window.hint);
            is_guess || !lane.health().availability(now).is_available()
        });
        let listings = live.listings.iter();
        let is_affected = |listing: &&Listing| {
            let mut models = live.grouped_models(listing.group, listing.model);
            models.any(|other| other == model)
        };
        for listing in listings.filter(is_affected) {
            if let Some(index) = self.name_indexes.get_mut(listing.name_index as usize) {
                index.touch_lane(listing.position, endpoint, needs_view, &health);
            }
        }
    }

    /// The same for all lanes of a credential that is new in the index.
    pub(super) fn touch_lanes(&mut self, slot: Slot) {
        let Some(live) = self.slots.live(slot) else {
            return;
        };
        let lanes = (0..).zip(&live.models).flat_map(|(index, model)| {
            let failed = model.lanes.iter();
            let failed = failed.filter(|lane| *lane.health() != Health::Ready);
            failed.map(move |lane| (index, lane.endpoint))
        });
        for (model, endpoint) in lanes.collect::<Vec<_>>() {
            self.touch_lane(slot, model, endpoint, self.latest);
        }
    }

    /// Removes a credential from the index: before it leaves, or changes in anything but its
    /// health.
    pub(super) fn unindex_slot(&mut self, slot: Slot) {
        let Some(live) = self.slots.live_mut(slot) else {
            return;
        };
        for listing in std::mem::take(&mut live.listings) {
            let Some(name_index) = self.name_indexes.get_mut(listing.name_index as usize) else {
                continue;
            };
            name_index.remove(listing.position, &live.credential);
            if name_index.is_empty() {
                self.by_name.remove(name_index.name());
                // The index stays in place, since a removal would shift the numbers of all later ones.
                self.vacant.push(listing.name_index);
            }
        }
        self.providers.leave(live.provider, live.in_flight);
        self.sites.leave(live.route);
        if let Some(rounds) = live.credential.rounds
            && let Some(times) = self.rounds.get_mut(&rounds)
        {
            *times -= 1;
            if *times == 0 {
                self.rounds.remove(&rounds);
            }
        }
    }
}

/// The index of a name while it is built. Entries are in the order of ids.
#[derive(Default)]
struct NameIndexDraft {
    entries: Vec<IndexEntry>,
    states: Vec<EntryState>,
    /// For each entry, the index into the credential's `serves`.
    served: Vec<u32>,
    enabled: BTreeMap<ProviderName, u32>,
    lanes: Lanes,
}

impl NameIndexDraft {
    fn push(&mut self, mut entry: IndexEntry, state: EntryState, served: u32, live: &Live) {
        entry.member.position = narrow(self.entries.len());
        if let Some(model) = live.model_key(entry.member.model) {
            entry.lane = self.lanes.number(live.route, model);
        }
        self.entries.push(entry);
        self.states.push(state);
        self.served.push(served);
        if live.credential.enabled {
            let provider = live.credential.provider.clone();
            *self.enabled.entry(provider).or_default() += 1;
        }
    }
}

/// How a credential serves a name.
#[derive(Clone, Copy)]
struct NamedModels {
    /// The model that is used first.
    first: ServedWith,
    /// All of them, if there are several.
    group: GroupNumber,
}

/// Creates an index entry; its position and the number of its lane are not set yet.
fn index_entry(slot: Slot, live: &Live, with: NamedModels) -> IndexEntry {
    let credential = &live.credential;
    let served = credential.serves.get(with.first.served as usize);
    let weight = served.map_or(1, |served| served.weight);
    let priority = served.map_or(0, |served| served.priority);
    IndexEntry {
        member: Member {
            slot,
            model: with.first.model,
            position: 0,
            rank: live.rank,
            weight: credential.weight.saturating_mul(weight),
        },
        priority: credential.priority.saturating_add(priority),
        provider: live.provider,
        rounds: credential.rounds,
        group: with.group,
        lane: LaneNumber::default(),
    }
}

/// Returns the names that a credential serves. A name with several models begins with one of the
/// highest priority, else with its only one.
fn models_by_name(live: &Live) -> BTreeMap<Arc<str>, NamedModels> {
    let models: BTreeMap<_, _> = (0_u32..)
        .zip(&live.models)
        .map(|(index, model)| (&model.key, index))
        .collect();
    let mut names = BTreeMap::new();
    for (index, served) in (0..).zip(&live.credential.serves) {
        let Some(&model) = models.get(&served.model) else {
            continue;
        };
        for name in &served.names {
            names.entry(Arc::clone(name)).or_insert_with(|| {
                let (group, first) = live.group_of(name);
                let only = ServedWith {
                    served: index,
                    model,
                };
                NamedModels {
                    first: first.unwrap_or(only),
                    group,
                }
            });
        }
    }
    names
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The range of ranks after a rebuild: with 10,000 credentials, 17 new ones in a row fit between
/// the same two. The numbers above are for those appended later.
const RANK_SPREAD: u32 = 1 << 31;

/// The distance of an appended credential from the last one: 131,072 can be appended, and 13 in a
/// row inserted between two.
const RANK_STEP: u32 = 1 << 14;

#[cfg(test)]
mod audit;
