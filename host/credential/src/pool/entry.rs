//! The state of one credential in the pool, and the slots.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::{Attempt, Effects, HealthChange, LastFailure, Slot};
use crate::stats::ModelStats;
use crate::{
    Availability, Cause, CooldownPolicy, Credential, Failure, Health, ModelKey, Observation,
    Outcome, Scope, Timestamp,
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
    /// Its models, in the credential's order, each once.
    pub(super) models: Vec<Model>,
    /// The names it serves, sorted by index.
    pub(super) listings: Vec<Listing>,
    /// The order of its id in the pool: higher means later.
    pub(super) rank: u32,
    /// The number of its provider.
    pub(super) provider: u32,
    pub(super) in_flight: u32,
    pub(super) last_used: Timestamp,
    pub(super) last_success: Option<Timestamp>,
    pub(super) last_failure: Option<LastFailure>,
}

/// A model of one credential.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) key: ModelKey,
    pub(super) health: Health,
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
            models: Vec::new(),
            listings: Vec::new(),
            rank: 0,
            provider: 0,
            in_flight: 0,
            last_used: Timestamp::default(),
            last_success: None,
            last_failure: None,
        };
        live.adopt_models();
        live
    }

    /// Replaces the definition. Health and statistics stay.
    pub(super) fn redefine(&mut self, credential: Credential) {
        self.credential = Arc::new(credential);
        self.adopt_models();
    }

    fn adopt_models(&mut self) {
        let mut known: BTreeMap<_, _> = mem::take(&mut self.models)
            .into_iter()
            .map(|model| (model.key.clone(), model))
            .collect();
        let mut seen = BTreeSet::new();
        for served in &self.credential.serves {
            if seen.insert(&served.model) {
                let model = known.remove(&served.model);
                self.models
                    .push(model.unwrap_or_else(|| Model::new(served.model.clone())));
            }
        }
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

    /// Returns whether this credential's health allows an attempt with this model.
    pub(super) fn availability(&self, model: u32, now: Timestamp) -> Availability {
        let account = self.account.availability(now);
        let model = self.models.get(model as usize);
        account.and(model.map_or(Availability::Ready, |model| model.health.availability(now)))
    }

    /// Returns when the availability next changes by itself.
    pub(super) fn wakes_at(&self, model: u32, now: Timestamp) -> Option<Timestamp> {
        let model = self.models.get(model as usize);
        let model_wakes_at = model.and_then(|model| model.health.wakes_at(now));
        [self.account.wakes_at(now), model_wakes_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// True if its attempts in flight are at the limit.
    pub(super) fn is_busy(&self) -> bool {
        let most = self.credential.in_flight_max;
        most.is_some_and(|most| self.in_flight >= most.get())
    }

    /// Makes an attempt the probe that is due, of the account or the model, and returns whose
    /// health changed.
    pub(super) fn begin_probe(
        &mut self,
        model: u32,
        probe: u64,
        first: Duration,
        now: Timestamp,
    ) -> Touched {
        let due = |health: &Health| health.availability(now) == Availability::Probe;
        let mut touched = Touched::Nothing;
        let of_model = self.models.get_mut(model as usize);
        if let Some(of_model) = of_model.filter(|of_model| due(&of_model.health)) {
            of_model.health = mem::take(&mut of_model.health).begin_probe(probe, first);
            touched = Touched::Model(model);
        }
        if due(&self.account) {
            self.account = mem::take(&mut self.account).begin_probe(probe, first);
            touched = Touched::Account;
        }
        touched
    }

    pub(super) fn settle(
        &mut self,
        attempt: &Attempt,
        outcome: &Outcome,
        first_byte: Option<Duration>,
        observation: Observation,
        policy: &CooldownPolicy,
    ) -> (Effects, Touched) {
        let was_busy = self.is_busy();
        self.in_flight = self.in_flight.saturating_sub(1);
        self.record_last(attempt, outcome, observation.now);
        let position = self.model_position(attempt);
        if let Some(model) = position.and_then(|index| self.models.get_mut(index)) {
            model.record(outcome, first_byte);
        }
        let (account, model) = affected_scopes(outcome);
        let policy = policy.with(self.credential.disable_cooling);
        let step = |health: &mut Health, news: bool| {
            apply_outcome(health, outcome, news, observation, &policy)
        };
        let account = step(&mut self.account, account);
        let model = position
            .and_then(|index| self.models.get_mut(index))
            .and_then(|of_model| step(&mut of_model.health, model));
        let touched = match (&account, &model, position) {
            _ if was_busy => Touched::Account,
            (Some(_), ..) => Touched::Account,
            (None, Some(_), Some(index)) => {
                Touched::Model(u32::try_from(index).unwrap_or(u32::MAX))
            }
            _ => Touched::Nothing,
        };
        let changes = self.changes(Some(&attempt.key), account, model);
        let capacity_freed = was_busy && !self.is_busy();
        (
            Effects {
                changes,
                capacity_freed,
            },
            touched,
        )
    }

    fn record_last(&mut self, attempt: &Attempt, outcome: &Outcome, now: Timestamp) {
        match outcome {
            Outcome::Failed(failure) if failure.scope != Scope::Request => {
                self.last_failure = Some(LastFailure {
                    at: now,
                    model: attempt.key.clone(),
                    cause: Arc::new(Cause::of(failure)),
                });
            }
            Outcome::Success => self.last_success = Some(now),
            Outcome::Failed(_) | Outcome::Cancelled | Outcome::Inconclusive => {}
        }
    }

    /// Sets the account's health, and returns the changes.
    pub(super) fn set_account(&mut self, to: Health) -> Vec<HealthChange> {
        let from = mem::replace(&mut self.account, to.clone());
        let change = (from != to).then_some((from, to));
        self.changes(None, change, None)
    }

    /// Makes the account and all models ready, and returns the changes.
    pub(super) fn reset(&mut self) -> Vec<HealthChange> {
        let mut changes = self.set_account(Health::Ready);
        for model in &mut self.models {
            let from = mem::take(&mut model.health);
            if from != Health::Ready {
                changes.push(HealthChange {
                    credential: self.credential.id.clone(),
                    model: Some(model.key.clone()),
                    from,
                    to: Health::Ready,
                });
            }
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

    fn changes(&self, key: Option<&ModelKey>, account: Change, model: Change) -> Vec<HealthChange> {
        let change = |key: Option<&ModelKey>, (from, to)| HealthChange {
            credential: self.credential.id.clone(),
            model: key.cloned(),
            from,
            to,
        };
        let account = account.map(|states| change(None, states));
        let model = model.map(|states| change(key, states));
        account.into_iter().chain(model).collect()
    }
}

impl Model {
    fn new(key: ModelKey) -> Self {
        Self {
            key,
            health: Health::Ready,
            stats: ModelStats::default(),
            quota: Quota::default(),
        }
    }

    /// Cancelled attempts and client errors do not count in the failure rate.
    fn record(&mut self, outcome: &Outcome, first_byte: Option<Duration>) {
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

/// Returns whether an outcome affects the account, and whether it affects the model.
fn affected_scopes(outcome: &Outcome) -> (bool, bool) {
    match outcome {
        Outcome::Cancelled | Outcome::Inconclusive => (false, false),
        Outcome::Success => (true, true),
        Outcome::Failed(failure) => match failure.scope {
            Scope::Request | Scope::Transport => (false, false),
            Scope::Credential => (true, false),
            Scope::Model | Scope::Provider => (false, true),
        },
    }
}

/// Before and after, if they differ.
type Change = Option<(Health, Health)>;

/// Applies an outcome to one scope. A probe always completes, even if the outcome does not affect
/// this scope: a failure then counts as a transport error.
fn apply_outcome(
    health: &mut Health,
    outcome: &Outcome,
    news: bool,
    observation: Observation,
    policy: &CooldownPolicy,
) -> Change {
    if !news
        && !observation
            .probe
            .is_some_and(|probe| health.is_probed_by(probe))
    {
        return None;
    }
    let from = mem::take(health);
    let next = from.clone();
    *health = match outcome {
        Outcome::Failed(failure) if !news => {
            let blameless = Outcome::Failed(Failure {
                scope: Scope::Transport,
                ..failure.clone()
            });
            next.next(&blameless, observation, policy)
        }
        outcome => next.next(outcome, observation, policy),
    };
    (*health != from).then(|| (from, health.clone()))
}
