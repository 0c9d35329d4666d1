//! What the end of an attempt changes: where its failure is booked, and what its success closes.
//!
//! | failure | booked on |
//! |---|---|
//! | the request's | nothing |
//! | the credential's | the account |
//! | the model's: a rate limit or quota | the model, with all endpoints |
//! | the model's: another kind | the lane |
//! | nothing was sent | the way, from the third one in a row on |
//! | unattributed (the provider's, or of the transport) | the lane or site lane, or nothing |
//!
//! An unattributed failure is booked on nothing if the lane's [`Evidence`] excuses it. If an earlier
//! attempt of the same call failed with the same status at another credential of the site, it is
//! booked once on the site lane, and the window of the earlier one is dropped. Otherwise it is
//! booked on the lane.
//!
//! [`Evidence`]: crate::evidence::Evidence

mod target;

use std::mem;
use std::time::Duration;

use super::entry::Live;
use super::gate::TrialEnd;
use super::sites::Change;
use super::{Attempt, Effects, HealthChange, HealthPlace, Pool, touch};
use crate::pool::entry::Touched;
use crate::{
    Availability, CooldownPolicy, Failure, Health, Observation, Outcome, Requester, Scope,
    Timestamp,
};
use target::Target;

impl Pool {
    /// Ends an attempt with its outcome. `first_byte` is the time to the first byte of the
    /// response, if there was one.
    ///
    /// It has no effect if the credential has left the pool.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an attempt is consumed, so that it is settled once"
    )]
    pub fn settle(
        &mut self,
        attempt: Attempt,
        outcome: &Outcome,
        first_byte: Option<Duration>,
        now: Timestamp,
    ) -> Effects {
        let now = self.advance(now);
        let observation = self.observation(&attempt, now);
        self.sites.end_finding(attempt.number);
        self.slow.remove(&attempt.slot);
        let Some(live) = self.slots.live_mut(attempt.slot) else {
            return Effects::default();
        };
        let was_busy = live.is_busy();
        live.in_flight = live.in_flight.saturating_sub(1);
        let position = live.model_position(&attempt);
        if let Some(model) = position.and_then(|index| live.models.get_mut(index)) {
            model.record(outcome, first_byte);
        }
        let mut effects = Effects::default();
        if was_busy {
            effects.capacity_freed = !live.is_busy();
            touch(&mut self.name_indexes, live, Touched::Account);
        }
        effects.capacity_freed |= self.providers.end(live.provider);
        if matches!(outcome, Outcome::Success) {
            live.last_success = Some(now);
        }
        match outcome {
            Outcome::Success if attempt.served => {}
            Outcome::Success => self.serve(&attempt, observation, &mut effects),
            Outcome::Failed(_) | Outcome::Cancelled | Outcome::Inconclusive => {
                let observation = Observation {
                    trial: attempt.prolongs,
                    ..observation
                };
                let target = self.target(&attempt, outcome, observation, &mut effects);
                let end = AttemptEnd {
                    outcome,
                    target,
                    observation,
                };
                self.apply(&attempt, end, &mut effects);
                let end = match outcome {
                    Outcome::Cancelled => TrialEnd::Cancelled,
                    Outcome::Inconclusive => TrialEnd::Undecided,
                    Outcome::Failed(_) | Outcome::Success => TrialEnd::Failed,
                };
                self.end_trial(&attempt, end, &mut effects);
            }
        }
        if let Outcome::Failed(failure) = outcome
            && let Some(live) = self.slots.live_mut(attempt.slot)
        {
            if failure.scope != Scope::Request {
                // Whose requests failed decides who takes turns, also where the health stays as it was.
                touch(&mut self.name_indexes, live, Touched::Account);
            }
            live.record_failure(&attempt, failure, &effects.changes, now);
        }
        effects
    }

    /// Records that an attempt has reached its first content: the provider serves it. That closes
    /// windows and decides a trial. A success that follows changes nothing more.
    pub fn note_content(&mut self, attempt: &mut Attempt, now: Timestamp) -> Effects {
        let now = self.advance(now);
        let mut effects = Effects::default();
        if mem::replace(&mut attempt.served, true) {
            return effects;
        }
        self.sites.end_finding(attempt.number);
        self.slow.remove(&attempt.slot);
        let observation = self.observation(attempt, now);
        self.serve(attempt, observation, &mut effects);
        effects
    }

    /// Makes an attempt that begins the probe, trial or finder of what it shares with others.
    pub(super) fn begin_shared(&mut self, attempt: &mut Attempt) {
        let Some(live) = self.slots.live(attempt.slot) else {
            return;
        };
        let (route, now) = (live.route, attempt.began);
        let lane = (route, &attempt.key, attempt.endpoint);
        if attempt.prolongs {
            if let Some(lane) = self.sites.lane_mut(route, &attempt.key, attempt.endpoint) {
                lane.gate.begin(attempt.number, attempt.requester, now);
            }
            self.sites.begin_trial(route, attempt);
        }
        if self.sites.are_ready() {
            return;
        }
        self.sites.begin_finding(lane, attempt.number, now);
        let (number, first) = (attempt.number, self.options.policy.probe_first);
        let probed = self.sites.apply_to_lane(lane, |health| {
            let from = mem::take(health);
            let due = from.availability(now) == Availability::Probe;
            *health = match due {
                true => from.clone().begin_probe(number, first),
                false => from.clone(),
            };
            due.then(|| (from, health.clone()))
        });
        if probed.is_some() {
            attempt.probe = Some(number);
        }
    }

    fn observation(&mut self, attempt: &Attempt, now: Timestamp) -> Observation {
        Observation {
            began: attempt.began,
            now,
            probe: attempt.probe,
            trial: attempt.trial,
            refutes_guesses: false,
            jitter: self.next_random(),
        }
    }

    /// Records a success on everything that the attempt used.
    fn serve(&mut self, attempt: &Attempt, mut observation: Observation, effects: &mut Effects) {
        if self.note_served(attempt, observation.now) {
            return;
        }
        observation.refutes_guesses = attempt.requester.is_known() && !self.has_failed(attempt);
        self.apply(attempt, AttemptEnd::served(observation), effects);
        if !self.sites.are_ready() {
            self.note_response(attempt, observation, effects);
        }
        self.end_trial(attempt, TrialEnd::Served, effects);
        self.forget_failing(attempt);
    }

    /// True if the request of an attempt is among those that failed at its lane.
    fn has_failed(&self, attempt: &Attempt) -> bool {
        let Some(live) = self.slots.live(attempt.slot) else {
            return false;
        };
        let position = live.model_position(attempt);
        let model = position.and_then(|index| live.models.get(index));
        let lane = model.and_then(|model| model.lane(attempt.endpoint));
        lane.is_some_and(|lane| lane.evidence.failing.contains(attempt.requester))
    }

    /// Records a success as evidence. Returns true if there is nothing else to do, as for most
    /// attempts: everything is ready.
    fn note_served(&mut self, attempt: &Attempt, now: Timestamp) -> bool {
        let Requester { client, .. } = attempt.requester;
        let mut is_ready = !attempt.is_probe() && self.sites.are_ready();
        let Some(live) = self.slots.live_mut(attempt.slot) else {
            return true;
        };
        is_ready &= live.account == Health::Ready && live.failing.is_empty();
        let (route, is_same) = (live.route, is_of_same_site(attempt, live));
        let position = live.model_position(attempt);
        if let Some(model) = position.and_then(|index| live.models.get_mut(index)) {
            is_ready &= model.health == Health::Ready && model.failing.is_empty();
            if let Some(lane) = model.lane_mut(attempt.endpoint) {
                is_ready &= lane.is_untroubled();
                lane.evidence.note_served(attempt.number, client, now);
            }
        }
        if !is_same {
            return false;
        }
        if let Some(way) = self.sites.way_mut(route) {
            way.note_response();
        }
        let lane = self.sites.lane_mut(route, &attempt.key, attempt.endpoint);
        lane.is_none_or(|lane| {
            let has_failed = !lane.evidence.failing.is_empty();
            lane.evidence.note_served(attempt.number, client, now);
            lane.regulars.note(client, now);
            is_ready && !has_failed
        })
    }

    /// Forgets whose requests failed where the health is ready again.
    fn forget_failing(&mut self, attempt: &Attempt) {
        let Some(live) = self.slots.live_mut(attempt.slot) else {
            return;
        };
        if live.account == Health::Ready {
            live.failing.clear();
        }
        let position = live.model_position(attempt);
        if let Some(model) = position.and_then(|index| live.models.get_mut(index)) {
            model.forget_failing();
        }
        let lane = self
            .sites
            .lane_mut(live.route, &attempt.key, attempt.endpoint);
        if let Some(lane) = lane.filter(|lane| lane.health == Health::Ready) {
            lane.evidence.failing.clear();
        }
    }

    fn end_trial(&mut self, attempt: &Attempt, end: TrialEnd, effects: &mut Effects) {
        if !attempt.prolongs {
            return;
        }
        let Some(live) = self.slots.live(attempt.slot) else {
            return;
        };
        let lane = self
            .sites
            .lane_mut(live.route, &attempt.key, attempt.endpoint);
        if let Some(lane) = lane {
            effects.cooldown_changed |= lane.gate.end(attempt.number, end);
        }
        if matches!(end, TrialEnd::Served | TrialEnd::Undecided) {
            self.sites.end_trial(live.route, attempt.number);
        }
    }

    /// Records that the way to the provider works: something was answered.
    fn note_response(
        &mut self,
        attempt: &Attempt,
        observation: Observation,
        effects: &mut Effects,
    ) {
        let Some(live) = self.slots.live(attempt.slot) else {
            return;
        };
        if !is_of_same_site(attempt, live) {
            return;
        }
        let route = live.route;
        let Some(way) = self.sites.way_mut(route) else {
            return;
        };
        way.note_response();
        if way.health == Health::Ready {
            return;
        }
        let policy = self.options.policy;
        let end = AttemptEnd::served(observation);
        let change = (self.sites).apply_to_way(route, |health| {
            end.apply_to(HealthPlace::Way, health, &policy)
        });
        self.note_change(attempt, HealthPlace::Way, change, effects);
    }

    /// Applies an outcome to the health of what it speaks of, and completes the probes of the rest.
    fn apply(&mut self, attempt: &Attempt, end: AttemptEnd<'_>, effects: &mut Effects) {
        let AttemptEnd {
            target,
            observation,
            ..
        } = end;
        let Some(live) = self.slots.live_mut(attempt.slot) else {
            return;
        };
        if target == Target::Nothing && observation.probe.is_none() {
            // Nothing changes, but the endpoint was used.
            let position = live.model_position(attempt);
            let model = position.and_then(|index| live.models.get_mut(index));
            model.and_then(|model| model.lane_mut(attempt.endpoint));
            return;
        }
        let policy = self.options.policy.of(live.credential.disable_cooling);
        let step = |place: HealthPlace, health: &mut Health| end.apply_to(place, health, &policy);
        let account = step(HealthPlace::Account, &mut live.account);
        let position = live.model_position(attempt);
        let (mut model, mut lane) = (None, None);
        let lane_place = HealthPlace::Lane(attempt.endpoint);
        if let Some(of_model) = position.and_then(|index| live.models.get_mut(index)) {
            model = step(HealthPlace::Model, &mut of_model.health);
            if let Some(of_lane) = of_model.lane_mut(attempt.endpoint)
                && (*of_lane.health() != Health::Ready || target.includes(lane_place))
            {
                let opened_by = of_lane.opened_by().unwrap_or(attempt.requester);
                let mut health = of_lane.take_health();
                lane = step(lane_place, &mut health);
                let opened_by = opened_by_after(lane.as_ref(), opened_by, attempt.requester);
                of_lane.set_health(health, opened_by);
            }
        }
        let index = position.and_then(|index| u32::try_from(index).ok());
        match (&account, &model, index) {
            (Some(_), ..) => touch(&mut self.name_indexes, live, Touched::Account),
            (None, Some(_), Some(index)) => {
                touch(&mut self.name_indexes, live, Touched::Model(index));
            }
            _ => {}
        }
        let is_of_same_site = is_of_same_site(attempt, live);
        if let Some(index) = index.filter(|_| lane.is_some()) {
            self.touch_lane(attempt.slot, index, attempt.endpoint, observation.now);
        }
        self.note_change(attempt, HealthPlace::Account, account, effects);
        self.note_change(attempt, HealthPlace::Model, model, effects);
        self.note_change(attempt, lane_place, lane, effects);
        if is_of_same_site {
            self.apply_shared(attempt, end, effects);
        }
    }

    /// Applies an outcome to the health of the site lane and the way.
    fn apply_shared(&mut self, attempt: &Attempt, end: AttemptEnd<'_>, effects: &mut Effects) {
        let target = end.target;
        let place = HealthPlace::SiteLane(attempt.endpoint);
        let speaks = matches!(target, Target::SiteLane | Target::Way);
        if !speaks && self.sites.are_ready() {
            return;
        }
        let Some(live) = self.slots.live(attempt.slot) else {
            return;
        };
        let policy = self.options.policy.of(live.credential.disable_cooling);
        let route = live.route;
        let lane = (route, &attempt.key, attempt.endpoint);
        let step = |place: HealthPlace, health: &mut Health| end.apply_to(place, health, &policy);
        let site_lane = (self.sites).apply_to_lane(lane, |health| step(place, health));
        if site_lane.is_some()
            && let Some(lane) = self.sites.lane_mut(route, &attempt.key, attempt.endpoint)
        {
            lane.opened_by = opened_by_after(site_lane.as_ref(), lane.opened_by, attempt.requester);
        }
        self.note_change(attempt, place, site_lane, effects);
        if target == Target::Way {
            let way = (self.sites).apply_to_way(route, |health| step(HealthPlace::Way, health));
            self.note_change(attempt, HealthPlace::Way, way, effects);
        }
    }

    /// Adds a change to the effects. Waiting calls may go on if something is ready again.
    fn note_change(
        &self,
        attempt: &Attempt,
        place: HealthPlace,
        change: Change,
        effects: &mut Effects,
    ) {
        let Some((from, to)) = change else {
            return;
        };
        let Some(live) = self.slots.live(attempt.slot) else {
            return;
        };
        effects.cooldown_changed |= to == Health::Ready;
        let without_model = matches!(place, HealthPlace::Account | HealthPlace::Way);
        // Mostly the only one, and large.
        effects.changes.reserve_exact(1);
        effects.changes.push(HealthChange {
            credential: live.credential.id.clone(),
            model: (!without_model).then(|| attempt.key.clone()),
            place,
            from,
            to,
        });
    }
}

/// True if the credential's site and way are still those of the attempt.
fn is_of_same_site(attempt: &Attempt, live: &Live) -> bool {
    attempt.place == live.place
}

/// Returns whose failure opened the window after a change: the attempt's if it is a new one.
fn opened_by_after(
    change: Option<&(Health, Health)>,
    before: Requester,
    requester: Requester,
) -> Requester {
    let since = |health: &Health| health.window().map(|window| window.since);
    match change {
        Some((from, to)) if since(from) != since(to) => requester,
        _ => before,
    }
}

/// The end of an attempt, or its first content, as it is applied to one health after the other.
#[derive(Clone, Copy)]
struct AttemptEnd<'a> {
    outcome: &'a Outcome,
    target: Target,
    observation: Observation,
}

impl AttemptEnd<'_> {
    /// The end of an attempt that was served.
    fn served(observation: Observation) -> Self {
        Self {
            outcome: &Outcome::Success,
            target: Target::Everything,
            observation,
        }
    }

    /// Applies it to one health. A probe always completes, even if the outcome does not speak of this health: a
    /// failure then counts as one of the way, which may be down for longer.
    fn apply_to(self, place: HealthPlace, health: &mut Health, policy: &CooldownPolicy) -> Change {
        let speaks = self.target.includes(place);
        let probe = self.observation.probe;
        if !speaks && !probe.is_some_and(|probe| health.is_probed_by(probe)) {
            return None;
        }
        let from = mem::take(health);
        let next = from.clone();
        *health = match self.outcome {
            Outcome::Failed(failure) if !speaks => {
                let blameless = Outcome::Failed(Failure {
                    scope: Scope::Request,
                    ..failure.clone()
                });
                next.next(&blameless, self.observation, policy)
            }
            outcome => next.next(outcome, self.observation, policy),
        };
        (*health != from).then(|| (from, health.clone()))
    }
}
