//! Sites and ways: what several credentials share, and what a failure of all of them is booked on.
//!
//! A site is a base URL of a provider. A way is an origin through a proxy. Their state is found out
//! again after a restart, so it is not stored.

mod finders;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use self::finders::Finder;
use super::Attempt;
use super::gate::{CLAIM, DUE_MAX, SITE_TRIALS, TrialGate};
use crate::evidence::{Evidence, Failing, Regulars};
use crate::{
    CoolingClass, Credential, Endpoint, Health, ModelKey, ProviderName, Requester, Timestamp,
};

/// All sites and ways, by number. Numbers are not reused until the index is rebuilt, so there are
/// as many as were named since.
#[derive(Debug, Default)]
pub(super) struct Sites {
    sites: Vec<Site>,
    site_numbers: BTreeMap<(ProviderName, Arc<str>), u32>,
    ways: Vec<Way>,
    way_numbers: BTreeMap<(Arc<str>, Option<u64>), u32>,
    /// Attempts that find out whether a site lane or way is well again after its window. Each is
    /// remembered for some seconds, and there is one for each site lane and way at most.
    finders: Vec<Finder>,
    /// The number of site lanes and ways that are not ready.
    troubled: u32,
    /// No window of a site lane or way is open, or has just ended, from then on.
    open_until: Timestamp,
    /// No gate of a lane holds up an attempt from then on.
    gated_until: Timestamp,
    /// Incremented with every change of the health of a site lane or way.
    version: u64,
}

/// The numbers of a credential's site and way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SiteWay {
    pub(super) site: u32,
    pub(super) way: u32,
}

#[derive(Debug, Default)]
struct Site {
    /// The credentials of the site.
    credentials: u32,
    /// At most one for each endpoint of each model of its credentials, sorted by model.
    lanes: Vec<(ModelKey, Vec<SiteLane>)>,
    /// The last trial of any model; `None` after a success.
    last_trial: Option<SiteTrial>,
}

#[derive(Debug)]
struct SiteTrial {
    attempt: u64,
    began: Timestamp,
    model: ModelKey,
    endpoint: Endpoint,
}

/// The health of one endpoint of a model at a site.
#[derive(Debug)]
pub(super) struct SiteLane {
    endpoint: Endpoint,
    pub(super) health: Health,
    pub(super) evidence: Evidence,
    /// Whose failure opened the last window.
    pub(super) opened_by: Requester,
    pub(super) gate: TrialGate,
    pub(super) regulars: Regulars,
}

/// The health of an origin through a proxy.
#[derive(Debug, Default)]
pub(super) struct Way {
    pub(super) health: Health,
    /// Attempts in a row that could not be sent.
    unsent: u32,
    pub(super) failing: Failing,
}

/// A change of the health of a site lane or way.
pub(super) type Change = Option<(Health, Health)>;

impl Sites {
    /// Adds a credential, and returns the numbers of its site and way.
    pub(super) fn join(&mut self, credential: &Credential) -> SiteWay {
        let site = (
            credential.provider.clone(),
            Arc::clone(&credential.base_url),
        );
        let way = (origin(&credential.base_url), credential.proxy_digest);
        let route = SiteWay {
            site: number(&mut self.site_numbers, &mut self.sites, site),
            way: number(&mut self.way_numbers, &mut self.ways, way),
        };
        if let Some(site) = self.sites.get_mut(route.site as usize) {
            site.credentials += 1;
        }
        route
    }

    /// Removes a credential.
    pub(super) fn leave(&mut self, route: SiteWay) {
        if let Some(site) = self.sites.get_mut(route.site as usize) {
            site.credentials = site.credentials.saturating_sub(1);
        }
    }

    /// Returns the number of credentials of a site, at least one.
    pub(super) fn credentials(&self, route: SiteWay) -> u32 {
        let site = self.sites.get(route.site as usize);
        site.map_or(1, |site| site.credentials.max(1))
    }

    /// Begins a rebuild: returns empty sites. All credentials join again, and then
    /// [`Sites::inherit`] takes the state of the sites that stay.
    pub(super) fn rebuilt(&mut self) -> Self {
        let (version, gated_until) = (self.version + 1, self.gated_until);
        std::mem::replace(
            self,
            Self {
                version,
                gated_until,
                ..Self::default()
            },
        )
    }

    /// Takes the state of the sites and ways that stay.
    pub(super) fn inherit(&mut self, mut before: Self, now: Timestamp) {
        for (key, &to) in &self.site_numbers {
            let from = before.site_numbers.get(key);
            let from = from.and_then(|&from| before.sites.get_mut(from as usize));
            if let (Some(from), Some(to)) = (from, self.sites.get_mut(to as usize)) {
                *to = Site {
                    credentials: to.credentials,
                    ..std::mem::take(from)
                };
                to.prune(now);
            }
        }
        for (key, &to) in &self.way_numbers {
            let from = before.way_numbers.get(key);
            let from = from.and_then(|&from| before.ways.get_mut(from as usize));
            if let (Some(from), Some(to)) = (from, self.ways.get_mut(to as usize)) {
                *to = std::mem::take(from);
            }
        }
        let lanes = self.sites.iter().flat_map(Site::all_lanes);
        let lanes = lanes.map(|lane| &lane.health);
        let healths = lanes.chain(self.ways.iter().map(|way| &way.health));
        for health in healths.filter(|health| **health != Health::Ready) {
            self.troubled += 1;
            let until = health.window().map_or(now, |window| window.until);
            self.open_until = self.open_until.max(until + DUE_MAX);
        }
    }

    /// Returns a number that changes whenever the health of a site lane or way does.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// True if the window of a site lane or way may be open, or has just ended.
    pub(super) fn may_be_closed(&self, now: Timestamp) -> bool {
        now < self.open_until
    }

    /// True if all site lanes and ways are ready.
    pub(super) fn are_ready(&self) -> bool {
        self.troubled == 0
    }

    pub(super) fn lane(
        &self,
        route: SiteWay,
        model: &ModelKey,
        endpoint: Endpoint,
    ) -> Option<&SiteLane> {
        let site = self.sites.get(route.site as usize)?;
        let (_, lanes) = site.lanes.get(site.position(model).ok()?)?;
        lanes.iter().find(|lane| lane.endpoint == endpoint)
    }

    pub(super) fn way(&self, route: SiteWay) -> Option<&Way> {
        self.ways.get(route.way as usize)
    }

    /// Returns a site lane, which is added if there is none yet.
    pub(super) fn lane_mut(
        &mut self,
        route: SiteWay,
        model: &ModelKey,
        endpoint: Endpoint,
    ) -> Option<&mut SiteLane> {
        let site = self.sites.get_mut(route.site as usize)?;
        let position = site.position(model).unwrap_or_else(|free| {
            site.lanes.insert(free, (model.clone(), Vec::new()));
            free
        });
        let (_, lanes) = site.lanes.get_mut(position)?;
        let found = lanes.iter().position(|lane| lane.endpoint == endpoint);
        let index = found.unwrap_or_else(|| {
            lanes.push(SiteLane::new(endpoint));
            lanes.len() - 1
        });
        lanes.get_mut(index)
    }

    pub(super) fn way_mut(&mut self, route: SiteWay) -> Option<&mut Way> {
        self.ways.get_mut(route.way as usize)
    }

    /// Returns when the next trial of a lane may begin: an interval after the last one of the site. If that was
    /// of the same lane, those that wait for another one come first.
    pub(super) fn next_trial(
        &self,
        (route, model, endpoint): (SiteWay, &ModelKey, Endpoint),
        interval: Duration,
    ) -> Timestamp {
        let site = self.sites.get(route.site as usize);
        let last = site.and_then(|site| Some((site, site.last_trial.as_ref()?)));
        let Some((site, last)) = last else {
            return Timestamp::default();
        };
        let next = last.began + interval;
        let is_last =
            |of: &ModelKey, lane: &SiteLane| *of == last.model && lane.endpoint == last.endpoint;
        let mut lanes = site.lanes.iter();
        let mut others_wait = || {
            lanes.any(|(of, lanes)| {
                let mut lanes = lanes.iter();
                lanes.any(|lane| !is_last(of, lane) && lane.gate.has_waiting(next))
            })
        };
        let is_same = last.model == *model && last.endpoint == endpoint;
        match is_same && others_wait() {
            true => next + CLAIM,
            false => next,
        }
    }

    /// True if the gate of a lane may hold up an attempt after the end of a window.
    pub(super) fn may_be_gated(&self, now: Timestamp) -> bool {
        now < self.gated_until
    }

    /// Records that a client waits for its turn at a lane, until about `expected_at`.
    pub(super) fn note_waiting(
        &mut self,
        (route, model, endpoint): (SiteWay, &ModelKey, Endpoint),
        client: u64,
        expected_at: Timestamp,
        now: Timestamp,
    ) {
        self.gated_until = self.gated_until.max(expected_at + 2 * SITE_TRIALS + CLAIM);
        if let Some(lane) = self.lane_mut(route, model, endpoint) {
            lane.gate.note_waiting(client, expected_at, now);
        }
    }

    /// Records the beginning of a trial.
    pub(super) fn begin_trial(&mut self, route: SiteWay, attempt: &Attempt) {
        let gated_until = attempt.began + SITE_TRIALS + 2 * CLAIM;
        self.gated_until = self.gated_until.max(gated_until);
        if let Some(site) = self.sites.get_mut(route.site as usize) {
            site.last_trial = Some(SiteTrial {
                attempt: attempt.number,
                began: attempt.began,
                model: attempt.key.clone(),
                endpoint: attempt.endpoint,
            });
        }
    }

    /// Records that a trial succeeded: the next one need not wait for it.
    pub(super) fn end_trial(&mut self, route: SiteWay, attempt: u64) {
        let site = self.sites.get_mut(route.site as usize);
        if let Some(site) = site.filter(|site| site.is_tried_by(attempt)) {
            site.last_trial = None;
        }
    }

    /// Applies an outcome to the health of a site lane.
    pub(super) fn apply_to_lane(
        &mut self,
        (route, model, endpoint): (SiteWay, &ModelKey, Endpoint),
        step: impl FnOnce(&mut Health) -> Change,
    ) -> Change {
        let health = &mut self.lane_mut(route, model, endpoint)?.health;
        let change = step(health)?;
        self.note(&change);
        Some(change)
    }

    /// Applies an outcome to the health of a way.
    pub(super) fn apply_to_way(
        &mut self,
        route: SiteWay,
        step: impl FnOnce(&mut Health) -> Change,
    ) -> Change {
        let change = step(&mut self.way_mut(route)?.health)?;
        self.note(&change);
        Some(change)
    }

    /// Makes all lanes of a site, and a way, ready.
    pub(super) fn reset(&mut self, route: SiteWay) {
        self.version += 1;
        let lanes = self.sites.get_mut(route.site as usize);
        let lanes = lanes.into_iter().flat_map(|site| &mut site.lanes);
        for lane in lanes.flat_map(|(_, lanes)| lanes) {
            self.troubled -= u32::from(lane.health != Health::Ready);
            *lane = SiteLane::new(lane.endpoint);
        }
        if let Some(way) = self.ways.get_mut(route.way as usize) {
            self.troubled -= u32::from(way.health != Health::Ready);
            *way = Way::default();
        }
    }

    fn note(&mut self, (from, to): &(Health, Health)) {
        self.version += 1;
        self.troubled += u32::from(*from == Health::Ready);
        self.troubled -= u32::from(*to == Health::Ready);
        if let Some(window) = to.window() {
            self.open_until = self.open_until.max(window.until + DUE_MAX);
        }
    }
}

#[cfg(test)]
impl Sites {
    /// Panics unless the summary equals what the site lanes and ways say.
    pub(super) fn audit(&self) {
        let lanes = self.sites.iter().flat_map(Site::all_lanes);
        let lanes = lanes.map(|lane| &lane.health);
        let healths = lanes.chain(self.ways.iter().map(|way| &way.health));
        let troubled: Vec<_> = healths.filter(|health| **health != Health::Ready).collect();
        assert_eq!(self.troubled as usize, troubled.len());
        for window in troubled.iter().filter_map(|health| health.window()) {
            assert!(window.until <= self.open_until);
        }
    }
}

impl Site {
    /// Returns the position of a model, or where it would be.
    fn position(&self, model: &ModelKey) -> Result<usize, usize> {
        self.lanes.binary_search_by(|(key, _)| key.cmp(model))
    }

    fn all_lanes(&self) -> impl Iterator<Item = &SiteLane> {
        self.lanes.iter().flat_map(|(_, lanes)| lanes)
    }

    fn is_tried_by(&self, attempt: u64) -> bool {
        let last = self.last_trial.as_ref();
        last.is_some_and(|last| last.attempt == attempt)
    }

    /// Forgets what has been well and unused for long, such as models that are no longer served.
    fn prune(&mut self, now: Timestamp) {
        for (_, lanes) in &mut self.lanes {
            lanes.retain(|lane| lane.health != Health::Ready || lane.evidence.is_recent(now));
        }
        self.lanes.retain(|(_, lanes)| !lanes.is_empty());
    }
}

impl SiteLane {
    fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            health: Health::Ready,
            evidence: Evidence::default(),
            opened_by: Requester::default(),
            gate: TrialGate::default(),
            regulars: Regulars::default(),
        }
    }
}

impl Way {
    /// Records an attempt that could not be sent. Returns true if the way should cool for it.
    pub(super) fn note_unsent(
        &mut self,
        requester: Requester,
        class: CoolingClass,
        now: Timestamp,
    ) -> bool {
        self.unsent = self.unsent.saturating_add(1);
        self.failing.forget_later(&self.health);
        self.failing.note(requester, class, now);
        self.unsent >= UNSENT_MAX
    }

    /// Records that something was sent and answered.
    pub(super) fn note_response(&mut self) {
        self.unsent = 0;
        self.failing.clear();
    }
}

/// Returns the number of a key, which is added with an empty value if it is new.
fn number<K: Ord, V: Default>(numbers: &mut BTreeMap<K, u32>, all: &mut Vec<V>, key: K) -> u32 {
    *numbers.entry(key).or_insert_with(|| {
        all.push(V::default());
        u32::try_from(all.len() - 1).unwrap_or(u32::MAX)
    })
}

/// Returns scheme, host and port of a base URL.
fn origin(base_url: &Arc<str>) -> Arc<str> {
    let authority = base_url.find("://").map_or(0, |scheme| scheme + 3);
    let path = base_url.get(authority..).and_then(|rest| rest.find('/'));
    match path.and_then(|path| base_url.get(..authority + path)) {
        Some(origin) => Arc::from(origin),
        None => Arc::clone(base_url),
    }
}

/// Attempts in a row that could not be sent, after which a way cools. One or two are a restart or a
/// lost packet.
const UNSENT_MAX: u32 = 3;
