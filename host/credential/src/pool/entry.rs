//! The state of one credential in the pool, and the slots.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::lane::Lane;
use super::model_group::{GroupNumber, ModelGroup, ServedWith};
use super::sites::SiteWay;
use super::{Attempt, CandidateQuery, HealthChange, HealthPlace, LastFailure, Slot};
use crate::evidence::Failing;
use crate::stats::ModelStats;
use crate::{
    Availability, Cause, Credential, Endpoint, Failure, Health, ModelKey, Outcome, Scope, Timestamp,
};

/// All slots, with the credentials in them.
#[derive(Debug, Default)]
pub(super) struct Slots {
    slots: Vec<SlotState>,
    /// Free slots.
    free: Vec<u32>,
}

/// A slot. Its generation is incremented each time a credential leaves, so that an old [`Slot`]
/// does not refer to the next credential.
#[derive(Debug)]
struct SlotState {
    generation: u32,
    live: Option<Live>,
}

impl Slots {
    pub(super) fn live(&self, slot: Slot) -> Option<&Live> {
        let entry = self.slots.get(slot.index as usize)?;
        entry
            .live
            .as_ref()
            .filter(|_| entry.generation == slot.generation)
    }

    pub(super) fn live_mut(&mut self, slot: Slot) -> Option<&mut Live> {
        let entry = self.slots.get_mut(slot.index as usize)?;
        entry
            .live
            .as_mut()
            .filter(|_| entry.generation == slot.generation)
    }

    pub(super) fn listing(&self, slot: Slot, name_index: u32) -> Option<Listing> {
        self.live(slot)?.listing(name_index)
    }

    /// Makes room for this many more credentials, and no more.
    pub(super) fn reserve(&mut self, more: usize) {
        self.slots.reserve_exact(more);
    }

    pub(super) fn insert(&mut self, live: Live) -> Slot {
        let free = self.free.pop();
        let reused = free.and_then(|index| Some((index, self.slots.get_mut(index as usize)?)));
        if let Some((index, entry)) = reused {
            entry.live = Some(live);
            return Slot {
                index,
                generation: entry.generation,
            };
        }
        let index = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(SlotState {
            generation: 0,
            live: Some(live),
        });
        Slot {
            index,
            generation: 0,
        }
    }

    pub(super) fn remove(&mut self, slot: Slot) {
        let Some(entry) = self.slots.get_mut(slot.index as usize) else {
            return;
        };
        if entry.generation == slot.generation && entry.live.take().is_some() {
            entry.generation = entry.generation.wrapping_add(1);
            self.free.push(slot.index);
        }
    }
}

/// A credential in the pool.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) credential: Arc<Credential>,
    /// The health of the account.
    pub(super) account: Health,
    /// The requests whose failures opened or prolonged the account's window.
    pub(super) failing: Failing,
    /// Its models, in the credential's order, each once.
    pub(super) models: Vec<Model>,
    /// The names with several models, sorted by name.
    pub(super) groups: Vec<ModelGroup>,
    /// The names it serves, sorted by index.
    pub(super) listings: Vec<Listing>,
    /// The order of its id in the pool: higher means later.
    pub(super) rank: u32,
    /// The number of its provider.
    pub(super) provider: u32,
    /// Its site and way.
    pub(super) route: SiteWay,
    /// A digest of what site and way follow from, which outlasts a rebuild of the index.
    pub(super) place: u64,
    pub(super) in_flight: u32,
    pub(super) last_used: Timestamp,
    pub(super) last_success: Option<Timestamp>,
    pub(super) last_failure: Option<LastFailure>,
}

/// A model of one credential.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) key: ModelKey,
    /// The health with respect to rate limits and quotas, for all endpoints.
    pub(super) health: Health,
    /// The requests whose failures opened or prolonged its window.
    pub(super) failing: Failing,
    /// The endpoints that were used: each once.
    pub(super) lanes: Vec<Lane>,
    pub(super) stats: ModelStats,
    pub(super) quota: Quota,
}

/// The quota that the provider last reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// The remaining quota, in thousandths.
    pub left_permille: Option<u16>,
    /// When it resets.
    pub resets_at: Option<Timestamp>,
}

/// A name that a credential serves, and its position in the name's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) name_index: u32,
    pub(super) position: u32,
    pub(super) model: u32,
    /// Index into the credential's `serves`.
    pub(super) served: u32,
    /// All its models under the name, if there are several. `model` and `served` are the first then.
    pub(super) group: GroupNumber,
}

/// Which health changed, for the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Touched {
    Account,
    Model(u32),
    Nothing,
}

impl Touched {
    pub(super) fn includes(self, model: u32) -> bool {
        match self {
            Self::Account => true,
            Self::Model(touched) => touched == model,
            Self::Nothing => false,
        }
    }
}

impl Live {
    pub(super) fn new(credential: Credential) -> Self {
        let mut live = Self {
            credential: Arc::new(credential),
            account: Health::Ready,
            failing: Failing::default(),
            models: Vec::new(),
            groups: Vec::new(),
            listings: Vec::new(),
            rank: 0,
            provider: 0,
            route: SiteWay::default(),
            place: 0,
            in_flight: 0,
            last_used: Timestamp::default(),
            last_success: None,
            last_failure: None,
        };
        live.adopt();
        live
    }

    /// Replaces the definition. Health and statistics stay; with another base URL, the lanes start
    /// afresh.
    pub(super) fn redefine(&mut self, credential: Credential) {
        if self.credential.base_url != credential.base_url {
            self.models.iter_mut().for_each(|model| model.lanes.clear());
        }
        self.credential = Arc::new(credential);
        self.adopt();
    }

    /// Derives what follows from the definition.
    fn adopt(&mut self) {
        let mut place = DefaultHasher::new();
        (&self.credential.base_url, self.credential.proxy_digest).hash(&mut place);
        self.place = place.finish();
        let mut known: BTreeMap<_, _> = mem::take(&mut self.models)
            .into_iter()
            .map(|model| (model.key.clone(), model))
            .collect();
        let serves = &self.credential.serves;
        // Of this size, since a vector that grows has place for four, and most credentials of a large
        // pool serve few models.
        self.models.reserve_exact(serves.len());
        let mut indexes: BTreeMap<&ModelKey, u32> = BTreeMap::new();
        for served in serves {
            let next = u32::try_from(self.models.len()).unwrap_or(u32::MAX);
            if let Entry::Vacant(new) = indexes.entry(&served.model) {
                new.insert(next);
                let model = known.remove(&served.model);
                self.models
                    .push(model.unwrap_or_else(|| Model::new(served.model.clone())));
            }
        }
        self.models.shrink_to_fit();
        self.groups = ModelGroup::of(&self.credential, |key| indexes.get(key).copied());
    }

    pub(super) fn listing(&self, name_index: u32) -> Option<Listing> {
        let index = self
            .listings
            .binary_search_by_key(&name_index, |listing| listing.name_index)
            .ok()?;
        self.listings.get(index).copied()
    }

    pub(super) fn model_key(&self, model: u32) -> Option<&ModelKey> {
        self.models.get(model as usize).map(|model| &model.key)
    }

    /// True if its attempts in flight are at the limit.
    pub(super) fn is_busy(&self) -> bool {
        let most = self.credential.in_flight_max;
        most.is_some_and(|most| self.in_flight >= most.get())
    }

    /// Makes an attempt the probe that is due, of the account, the model or the lane, and returns
    /// whose health changed.
    pub(super) fn begin_probe(
        &mut self,
        (model, endpoint): (u32, Endpoint),
        probe: u64,
        first: Duration,
        now: Timestamp,
    ) -> Touched {
        let due = |health: &Health| health.availability(now) == Availability::Probe;
        let mut touched = Touched::Nothing;
        if let Some(of_model) = self.models.get_mut(model as usize) {
            if due(&of_model.health) {
                of_model.health = mem::take(&mut of_model.health).begin_probe(probe, first);
                touched = Touched::Model(model);
            }
            let lane = of_model.lanes.iter_mut();
            let lane = lane.filter(|lane| lane.endpoint == endpoint);
            for lane in lane.filter(|lane| due(lane.health())) {
                let opened_by = lane.opened_by().unwrap_or_default();
                let health = lane.take_health().begin_probe(probe, first);
                lane.set_health(health, opened_by);
                touched = Touched::Model(model);
            }
        }
        if due(&self.account) {
            self.account = mem::take(&mut self.account).begin_probe(probe, first);
            touched = Touched::Account;
        }
        touched
    }

    /// Records an attempt's failure, unless it is the request's. The record is shared with the
    /// `changes` that the failure caused, if there are any.
    pub(super) fn record_failure(
        &mut self,
        attempt: &Attempt,
        failure: &Failure,
        changes: &[HealthChange],
        now: Timestamp,
    ) {
        if failure.scope == Scope::Request {
            return;
        }
        let mut causes = changes.iter().filter_map(|change| change.to.cause());
        let same = causes.find(|cause| cause.is_of(failure));
        self.last_failure = Some(LastFailure {
            at: now,
            model: attempt.key.clone(),
            cause: same.map_or_else(|| Arc::new(Cause::of(failure)), Arc::clone),
        });
    }

    /// Sets the account's health, and returns the change.
    pub(super) fn set_account(&mut self, to: Health) -> Option<HealthChange> {
        let from = mem::replace(&mut self.account, to.clone());
        if to == Health::Ready {
            self.failing.clear();
        }
        (from != to).then(|| HealthChange {
            credential: self.credential.id.clone(),
            model: None,
            place: HealthPlace::Account,
            from,
            to,
        })
    }

    /// Replaces the health of the account, the models and the lanes, and returns the changes.
    pub(super) fn replace_health(
        &mut self,
        next: impl Fn(HealthPlace, Health) -> Health,
    ) -> Vec<HealthChange> {
        let account = next(HealthPlace::Account, self.account.clone());
        let mut changes = Vec::from_iter(self.set_account(account));
        let credential = &self.credential.id;
        let mut note = |model: &ModelKey, place: HealthPlace, from: Health, to: &Health| {
            if from != *to {
                changes.push(HealthChange {
                    credential: credential.clone(),
                    model: Some(model.clone()),
                    place,
                    from,
                    to: to.clone(),
                });
            }
        };
        for model in &mut self.models {
            let from = mem::take(&mut model.health);
            model.health = next(HealthPlace::Model, from.clone());
            note(&model.key, HealthPlace::Model, from, &model.health);
            for lane in &mut model.lanes {
                let place = HealthPlace::Lane(lane.endpoint);
                let opened_by = lane.opened_by().unwrap_or_default();
                let from = lane.take_health();
                lane.set_health(next(place, from.clone()), opened_by);
                note(&model.key, place, from, lane.health());
            }
            model.forget_failing();
        }
        changes
    }

    /// Returns the present index of the attempt's model; the credential may have been redefined
    /// since.
    pub(super) fn model_position(&self, attempt: &Attempt) -> Option<usize> {
        let then = attempt.model as usize;
        if self
            .models
            .get(then)
            .is_some_and(|model| model.key == attempt.key)
        {
            return Some(then);
        }
        self.models
            .iter()
            .position(|model| model.key == attempt.key)
    }
}

/// Names with several models.
impl Live {
    /// Returns the number of the group of a name, and how the credential serves the name first.
    pub(super) fn group_of(&self, name: &str) -> (GroupNumber, Option<ServedWith>) {
        let found = self.groups.binary_search_by(|group| group.name().cmp(name));
        let Ok(index) = found else {
            return (GroupNumber::default(), None);
        };
        let first = self.groups.get(index).and_then(ModelGroup::first);
        (GroupNumber::new(index), first)
    }

    fn group(&self, number: GroupNumber) -> Option<&ModelGroup> {
        self.groups.get(number.index()?)
    }

    /// Returns the models of a group; only `model` if there is none.
    pub(super) fn grouped_models(
        &self,
        number: GroupNumber,
        model: u32,
    ) -> impl Iterator<Item = u32> + '_ {
        let group = self.group(number);
        let several = group.into_iter().flat_map(ModelGroup::models);
        let single = group.is_none().then_some(model);
        several.chain(single)
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
        let models = self.group(number).map_or(1, ModelGroup::len);
        tried.iter().filter(|&&tried| tried == slot).count() >= models
    }
}

impl Model {
    fn new(key: ModelKey) -> Self {
        Self {
            key,
            health: Health::Ready,
            failing: Failing::default(),
            lanes: Vec::new(),
            stats: ModelStats::default(),
            quota: Quota::default(),
        }
    }

    pub(super) fn lane(&self, endpoint: Endpoint) -> Option<&Lane> {
        self.lanes.iter().find(|lane| lane.endpoint == endpoint)
    }

    /// Returns the lane of an endpoint, which is added if there is none yet.
    pub(super) fn lane_mut(&mut self, endpoint: Endpoint) -> Option<&mut Lane> {
        let found = self.lanes.iter().position(|lane| lane.endpoint == endpoint);
        let index = found.unwrap_or_else(|| {
            // A vector that grows has place for four, but most models are used by one endpoint.
            self.lanes.reserve_exact(1);
            self.lanes.push(Lane::new(endpoint));
            self.lanes.len() - 1
        });
        self.lanes.get_mut(index)
    }

    /// Forgets whose requests failed where the health is ready.
    pub(super) fn forget_failing(&mut self) {
        if self.health == Health::Ready {
            self.failing.clear();
        }
        for lane in &mut self.lanes {
            if *lane.health() == Health::Ready {
                lane.evidence.failing.clear();
            }
        }
    }

    /// Cancelled attempts and client errors do not count in the failure rate.
    pub(super) fn record(&mut self, outcome: &Outcome, first_byte: Option<Duration>) {
        match outcome {
            Outcome::Failed(failure) if failure.scope == Scope::Request => {}
            Outcome::Failed(_) => self.stats.record_outcome(true),
            Outcome::Success => self.stats.record_outcome(false),
            Outcome::Cancelled | Outcome::Inconclusive => {}
        }
        if let Some(took) = first_byte {
            self.stats.record_first_byte(took);
        }
    }
}
