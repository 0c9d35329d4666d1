//! When a credential may be used for an endpoint: everything that its failures are booked on.

use super::HealthPlace;
use super::entry::{Live, Slots};
use super::index_entry::{CountsFor, EntryState, IndexEntry, OwnGuess};
use super::model_group::GroupNumber;
use super::sites::{SiteWay, Sites};
use crate::evidence::Failing;
use crate::{Availability, CoolingClass, Endpoint, Health, ModelKey, Timestamp, Window};

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
        let shared = self.shared_layers(live.route, of_model.map(|model| &model.key), endpoint);
        let own = [Some(account), model_layer, lane];
        own.into_iter().flatten().chain(shared)
    }

    /// Returns the health of the site lane and the way.
    pub(super) fn shared_layers(
        &self,
        route: SiteWay,
        model: Option<&ModelKey>,
        endpoint: Option<Endpoint>,
    ) -> impl Iterator<Item = Layer<'a>> + use<'a> {
        let sites = self.sites;
        let shared = endpoint.filter(|_| !sites.are_ready());
        let site_lane = model.zip(shared).and_then(|(model, endpoint)| {
            let lane = sites.lane(route, model, endpoint)?;
            Some(Layer {
                place: HealthPlace::SiteLane(endpoint),
                health: &lane.health,
                failing: &lane.evidence.failing,
            })
        });
        let way = shared.and_then(|_| sites.way(route)).map(|way| Layer {
            place: HealthPlace::Way,
            health: &way.health,
            failing: &way.failing,
        });
        [site_lane, way].into_iter().flatten()
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
        match states.reduce(EntryState::better).unwrap_or_default() {
            // Any of its models may have a turn.
            EntryState::Due(_) if group.is_some() => EntryState::Due(OwnGuess {
                counts_for: CountsFor::Unclear,
                ..OwnGuess::default()
            }),
            state => state,
        }
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
            Availability::Ready | Availability::Probe => {
                let guess = self.own_guess(live, model, endpoint);
                guess.map_or(EntryState::Ready, EntryState::Due)
            }
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

    /// Returns the credential's own guess that no success has closed yet; an empty one if there is only one of
    /// the site or way, and `None` if there is none at all.
    fn own_guess(&self, live: &Live, model: u32, endpoint: Option<Endpoint>) -> Option<OwnGuess> {
        let mut found: Option<OwnGuess> = None;
        for layer in self.layers(live, model, endpoint) {
            let Some(window) = layer.health.window().filter(|window| !window.hint) else {
                continue;
            };
            let is_own = !matches!(layer.place, HealthPlace::SiteLane(_) | HealthPlace::Way);
            let known = found.get_or_insert_default();
            match known.counts_for {
                _ if !is_own => {}
                CountsFor::NoClient => {
                    *known = OwnGuess {
                        until: window.until,
                        class: Some(window.class),
                        counts_for: counts_for(layer.failing, window.class),
                    };
                }
                CountsFor::AllClients | CountsFor::Client(_) | CountsFor::Unclear => {
                    known.counts_for = CountsFor::Unclear;
                }
            }
        }
        found
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

    /// Returns the window that ends last, or the guess of a credential in no window that ended last.
    pub(super) fn last_or_ended(
        &self,
        live: &'a Live,
        model: u32,
        endpoint: Option<Endpoint>,
    ) -> Option<(HealthPlace, &'a Window)> {
        let last = self.last_window(live, model, endpoint);
        last.or_else(|| self.last_ended(live, model, endpoint))
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

/// Returns whose calls take turns after a window of this class: see [`turn_after_windows`].
///
/// [`turn_after_windows`]: super::trial_time::turn_after_windows
fn counts_for(failing: &Failing, class: CoolingClass) -> CountsFor {
    match failing.only_client(class) {
        Some(client) if class != CoolingClass::Limit => CountsFor::Client(client),
        _ => CountsFor::AllClients,
    }
}
