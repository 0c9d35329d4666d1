//! Where a failure is booked; see the table in [`booking`](super).

use super::is_of_same_site;
use crate::policy::class_of;
use crate::pool::{Attempt, Effects, HealthChange, HealthPlace, Pool, Slot};
use crate::{CoolingClass, Failure, Health, Observation, Outcome, Scope, Timestamp};

/// What an outcome speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Nothing,
    /// Of everything that the attempt used: it was served.
    Everything,
    Account,
    Model,
    Lane,
    SiteLane,
    Way,
}

impl Target {
    pub(super) fn includes(self, place: HealthPlace) -> bool {
        match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::Account => place == HealthPlace::Account,
            Self::Model => place == HealthPlace::Model,
            Self::Lane => matches!(place, HealthPlace::Lane(_)),
            Self::SiteLane => matches!(place, HealthPlace::SiteLane(_)),
            Self::Way => place == HealthPlace::Way,
        }
    }
}

impl Pool {
    /// Decides where a failure is booked, and records it as evidence.
    pub(super) fn target(
        &mut self,
        attempt: &Attempt,
        outcome: &Outcome,
        observation: Observation,
        effects: &mut Effects,
    ) -> Target {
        let Outcome::Failed(failure) = outcome else {
            return Target::Nothing;
        };
        if failure.scope != Scope::Transport {
            self.note_response(attempt, observation, effects);
        }
        let (requester, now) = (attempt.requester, observation.now);
        let class = class_of_failure(failure);
        let Some(live) = self.slots.live_mut(attempt.slot) else {
            return Target::Nothing;
        };
        match failure.scope {
            Scope::Request => Target::Nothing,
            Scope::Credential => {
                live.failing.forget_later(&live.account);
                live.failing.note(requester, class, now);
                Target::Account
            }
            Scope::Model => {
                let position = live.model_position(attempt);
                let Some(model) = position.and_then(|index| live.models.get_mut(index)) else {
                    return Target::Nothing;
                };
                if class == CoolingClass::Limit {
                    model.failing.forget_later(&model.health);
                    model.failing.note(requester, class, now);
                    return Target::Model;
                }
                if let Some(lane) = model.lane_mut(attempt.endpoint) {
                    lane.forget_later();
                    lane.evidence.failing.note(requester, class, now);
                }
                Target::Lane
            }
            Scope::Transport if !failure.sent => {
                let way = is_of_same_site(attempt, live).then_some(live.route);
                let way = way.and_then(|route| self.sites.way_mut(route));
                match way.is_some_and(|way| way.note_unsent(requester, class, now)) {
                    true => Target::Way,
                    false => Target::Nothing,
                }
            }
            Scope::Provider | Scope::Transport => self.unattributed(attempt, failure, now, effects),
        }
    }

    /// Decides where a failure is booked that the provider attributed to nothing.
    fn unattributed(
        &mut self,
        attempt: &Attempt,
        failure: &Failure,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Target {
        let (number, requester) = (attempt.number, attempt.requester);
        let class = class_of_failure(failure);
        let Some(live) = self.slots.live_mut(attempt.slot) else {
            return Target::Nothing;
        };
        let position = live.model_position(attempt);
        let model = position.and_then(|index| live.models.get_mut(index));
        let lane = model.and_then(|model| model.lane_mut(attempt.endpoint));
        let lane_excuses = lane.is_some_and(|lane| {
            lane.forget_later();
            lane.evidence.excuses(number, requester, class, now)
        });
        let route = is_of_same_site(attempt, live).then_some(live.route);
        // What failed at one credential alone speaks of that one, and is no evidence about the site.
        let others = self.others_with_same_failure(attempt, failure);
        let of_site = route.filter(|_| !others.is_empty());
        let site_lane =
            of_site.and_then(|route| self.sites.lane_mut(route, &attempt.key, attempt.endpoint));
        let Some(site_lane) = site_lane else {
            return match lane_excuses {
                true => Target::Nothing,
                false => Target::Lane,
            };
        };
        site_lane.evidence.failing.forget_later(&site_lane.health);
        let site_excuses = site_lane.evidence.excuses(number, requester, class, now);
        let is_booked =
            site_lane.opened_by == requester && site_lane.health.open_window(now).is_some();
        for slot in others {
            self.drop_window_of_call(slot, attempt, now, effects);
        }
        match lane_excuses || site_excuses || is_booked {
            true => Target::Nothing,
            false => Target::SiteLane,
        }
    }

    /// Returns the other credentials of the site at which the call failed with the model; none
    /// unless all failed with this status.
    fn others_with_same_failure(&self, attempt: &Attempt, failure: &Failure) -> Vec<Slot> {
        let Some(live) = self.slots.live(attempt.slot) else {
            return Vec::new();
        };
        let site = live.route.site;
        let of_site = attempt.failed.iter().filter(|prior| {
            let other = self.slots.live(prior.slot);
            other.is_some_and(|other| {
                let mut models = other.models.iter();
                other.route.site == site && models.any(|model| model.key == attempt.key)
            })
        });
        if of_site.clone().any(|prior| prior.status != failure.status) {
            return Vec::new();
        }
        let slots = of_site.map(|prior| prior.slot);
        slots.filter(|&slot| slot != attempt.slot).collect()
    }

    /// Drops the window that the same call opened on another credential's lane.
    fn drop_window_of_call(
        &mut self,
        slot: Slot,
        attempt: &Attempt,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let Some(live) = self.slots.live_mut(slot) else {
            return;
        };
        let models = live.models.iter_mut().zip(0_u32..);
        let mut models = models.filter(|(model, _)| model.key == attempt.key);
        let Some((model, index)) = models.next() else {
            return;
        };
        let Some(lane) = model.lane_mut(attempt.endpoint) else {
            return;
        };
        let is_of_call = lane.opened_by() == Some(attempt.requester);
        if !is_of_call || lane.health().open_window(now).is_none() {
            return;
        }
        let from = lane.take_health();
        effects.changes.push(HealthChange {
            credential: live.credential.id.clone(),
            model: Some(attempt.key.clone()),
            place: HealthPlace::Lane(attempt.endpoint),
            from,
            to: Health::Ready,
        });
        effects.capacity_freed = true;
        effects.cooldown_changed = true;
        self.touch_lane(slot, index, attempt.endpoint, now);
    }
}

/// Returns the class of a failure. One that is in no row of the table opens no window.
fn class_of_failure(failure: &Failure) -> CoolingClass {
    class_of(&failure.kind, failure.status).unwrap_or(CoolingClass::Outage)
}
