//! When a credential may be used for an endpoint: everything that its failures are booked on.

use super::HealthPlace;
use super::entry::{Live, Slots};
use super::index_entry::{EntryState, IndexEntry};
use super::model_group::GroupNumber;
use super::sites::Sites;
use crate::evidence::Failing;
use crate::{Availability, CoolingClass, Endpoint, Health, Timestamp, Window};

/// Reads the health behind the entries of an index at one moment.
#[derive(Clone, Copy)]
pub(super) struct HealthReader<'a> {
    pub(super) slots: &'a Slots,
    pub(super) sites: &'a Sites,
    pub(super) now: Timestamp,
}

/// A health, with the requests whose failures opened or prolonged its window.
#[derive(Clone, Copy)]
pub(super) struct Layer<'a> {
    pub(super) place: HealthPlace,
    pub(super) health: &'a Health,
    pub(super) failing: &'a Failing,
}

impl<'a> HealthReader<'a> {
    /// Returns the health of a credential's account and model, and for an endpoint also of the lane,
    /// the site lane and the way.
    pub(super) fn layers(
        &self,
        live: &'a Live,
        model: u32,
        endpoint: Option<Endpoint>,
    ) -> impl Iterator<Item = Layer<'a>> {
        let account = Layer {
            place: HealthPlace::Account,
            health: &live.account,
            failing: &live.failing,
        };
        let of_model = live.models.get(model as usize);
        let model_layer = of_model.map(|model| Layer {
            place: HealthPlace::Model,
            health: &model.health,
            failing: &model.failing,
        });
        let lane = of_model.zip(endpoint).and_then(|(model, endpoint)| {
            let lane = model.lane(endpoint)?;
            Some(Layer {
                place: HealthPlace::Lane(endpoint),
                health: lane.health(),
                failing: &lane.evidence.failing,
            })
        });
        let sites = self.sites;
        let shared = endpoint.filter(|_| !sites.are_ready());
        let site_lane = of_model.zip(shared).and_then(|(model, endpoint)| {
            let lane = sites.lane(live.route, &model.key, endpoint)?;
            Some(Layer {
                place: HealthPlace::SiteLane(endpoint),
                health: &lane.health,
                failing: &lane.evidence.failing,
            })
        });
        let way = shared.and_then(|_| sites.way(live.route)).map(|way| Layer {
            place: HealthPlace::Way,
            health: &way.health,
            failing: &way.failing,
        });
        [Some(account), model_layer, lane, site_lane, way]
            .into_iter()
            .flatten()
    }

    /// Returns whether an attempt may start.
    pub(super) fn availability(
        &self,
        live: &Live,
        model: u32,
        endpoint: Option<Endpoint>,
    ) -> Availability {
        let mut all = self.and(Availability::Ready, &live.account);
        let Some(model) = live.models.get(model as usize) else {
            return all;
        };
        all = self.and(all, &model.health);
        let Some(endpoint) = endpoint else {
            return all;
        };
        if let Some(lane) = model.lane(endpoint) {
            all = self.and(all, lane.health());
        }
        if self.sites.are_ready() {
            return all;
        }
        if let Some(lane) = self.sites.lane(live.route, &model.key, endpoint) {
            all = self.and(all, &lane.health);
        }
        let way = self.sites.way(live.route);
        way.map_or(all, |way| self.and(all, &way.health))
    }

    /// Combines an availability with that of a health.
    fn and(&self, all: Availability, health: &Health) -> Availability {
        match health {
            // As most.
            Health::Ready => all,
            health => all.and(health.availability(self.now)),
        }
    }

    /// Returns the state of an entry.
    pub(super) fn entry_state(&self, entry: &IndexEntry, endpoint: Option<Endpoint>) -> EntryState {
        let live = self.slots.live(entry.member.slot());
        live.map_or(EntryState::Disabled, |live| {
            self.group_state(live, entry.member.model, entry.group, endpoint)
        })
    }

    /// Returns the best state of a credential with one of the models of a group.
    pub(super) fn group_state(
        &self,
        live: &Live,
        model: u32,
        group: GroupNumber,
        endpoint: Option<Endpoint>,
    ) -> EntryState {
        let models = live.grouped_models(group, model);
        let states = models.map(|model| self.state(live, model, endpoint));
        states.reduce(EntryState::better).unwrap_or_default()
    }

    /// Returns the state of a credential with one of its models.
    pub(super) fn state(&self, live: &Live, model: u32, endpoint: Option<Endpoint>) -> EntryState {
        if !live.credential.enabled {
            return EntryState::Disabled;
        }
        let availability = self.availability(live, model, endpoint);
        match availability {
            Availability::Barred => EntryState::Barred,
            Availability::Cooling { until } | Availability::Probing { until } => {
                let (wake, last) = self.wake_and_last(live, model, endpoint);
                EntryState::Waiting {
                    wake: wake.unwrap_or(until),
                    until,
                    class: last.map_or(CoolingClass::Outage, |(_, window)| window.class),
                    probing: matches!(availability, Availability::Probing { .. }),
                }
            }
            Availability::Ready | Availability::Probe if live.is_busy() => EntryState::Busy,
            Availability::Ready | Availability::Probe if self.is_due(live, model, endpoint) => {
                EntryState::Due
            }
            Availability::Ready | Availability::Probe => EntryState::Ready,
        }
    }

    /// Returns the window that keeps the credential unavailable longest, of several the first one, and whose it
    /// is. A window whose probe is due does not.
    pub(super) fn last_window(
        &self,
        live: &'a Live,
        model: u32,
        endpoint: Option<Endpoint>,
    ) -> Option<(HealthPlace, &'a Window)> {
        self.wake_and_last(live, model, endpoint).1
    }

    /// True if an attempt may start, but no success has closed the window of a guess yet.
    fn is_due(&self, live: &Live, model: u32, endpoint: Option<Endpoint>) -> bool {
        let mut layers = self.layers(live, model, endpoint);
        layers.any(|layer| layer.health.window().is_some_and(|window| !window.hint))
    }

    /// Returns the window of a guess that ended last, of those that no success has closed yet, and whose it is.
    pub(super) fn last_ended(
        &self,
        live: &'a Live,
        model: u32,
        endpoint: Option<Endpoint>,
    ) -> Option<(HealthPlace, &'a Window)> {
        let layers = self.layers(live, model, endpoint);
        let ended = layers.filter_map(|layer| {
            let window = layer.health.ended_guess(self.now)?;
            Some((layer.place, window))
        });
        ended.max_by_key(|(_, window)| window.until)
    }

    /// Returns when the first health changes by itself, and [`Self::last_window`].
    fn wake_and_last(
        &self,
        live: &'a Live,
        model: u32,
        endpoint: Option<Endpoint>,
    ) -> (Option<Timestamp>, Option<(HealthPlace, &'a Window)>) {
        let (mut first, mut last) = (None, None);
        let mut last_until = None;
        for Layer { place, health, .. } in self.layers(live, model, endpoint) {
            let wakes = [first, health.wakes_at(self.now)];
            first = wakes.into_iter().flatten().min();
            let until = health.availability(self.now).until();
            if until > last_until {
                last = health.window().map(|window| (place, window));
                last_until = until;
            }
        }
        (first, last)
    }
}
