//! Finders: after the end of a window of a site lane or way, one attempt finds out whether it is well, and others prefer
//! other sites meanwhile.

use std::time::Duration;

use super::{SiteWay, Sites};
use crate::{Endpoint, Health, ModelKey, Timestamp};

/// An attempt that finds out.
#[derive(Debug)]
pub(super) struct Finder {
    attempt: u64,
    place: Place,
    until: Timestamp,
}

/// A site lane or a way.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    SiteLane(u32, ModelKey, Endpoint),
    Way(u32),
}

impl Sites {
    /// Makes an attempt the finder of its site lane and way, if they are to be found out about.
    pub(in crate::pool) fn begin_finding(
        &mut self,
        (route, model, endpoint): (SiteWay, &ModelKey, Endpoint),
        attempt: u64,
        now: Timestamp,
    ) {
        if self.troubled == 0 {
            return;
        }
        self.finders.retain(|finder| finder.until > now);
        let ended = |health: &Health| health.window().is_some_and(|window| window.until <= now);
        let lane = self.lane(route, model, endpoint);
        let lane = lane.is_some_and(|lane| ended(&lane.health));
        let way = self.way(route).is_some_and(|way| ended(&way.health));
        let lane = lane.then(|| Place::SiteLane(route.site, model.clone(), endpoint));
        let way = way.then_some(Place::Way(route.way));
        for place in lane.into_iter().chain(way) {
            if self.finders.iter().all(|finder| finder.place != place) {
                self.finders.push(Finder {
                    attempt,
                    place,
                    until: now + FINDING,
                });
            }
        }
    }

    /// Records that an attempt has found out, or has ended.
    pub(in crate::pool) fn end_finding(&mut self, attempt: u64) {
        if !self.finders.is_empty() {
            self.finders.retain(|finder| finder.attempt != attempt);
        }
    }

    /// Forgets finders that take too long, and returns true if there are others.
    pub(in crate::pool) fn has_finders(&mut self, now: Timestamp) -> bool {
        if !self.finders.is_empty() {
            self.finders.retain(|finder| finder.until > now);
        }
        !self.finders.is_empty()
    }

    /// True if an attempt is finding out about the site lane or the way.
    pub(in crate::pool) fn is_being_found(
        &self,
        route: SiteWay,
        model: &ModelKey,
        endpoint: Endpoint,
    ) -> bool {
        self.finders.iter().any(|finder| match &finder.place {
            Place::SiteLane(site, of_model, of) => {
                *site == route.site && of_model == model && *of == endpoint
            }
            Place::Way(way) => *way == route.way,
        })
    }
}

/// How long one attempt may take to find out whether a site or way is well again, while others
/// prefer other sites: longer than most heads take, and short enough to lose little if it hangs.
const FINDING: Duration = Duration::from_secs(5);
