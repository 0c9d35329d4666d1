//! When a credential that cools may be used again, for calls that wait for it.

use super::availability::HealthReader;
use super::{CandidateQuery, Pool, Slot};
use crate::{Availability, Timestamp};

impl Pool {
    /// Returns when the health of a credential allows an attempt with the queried model: `now`, or the
    /// end of its cooldown. `None` if waiting does not help: it is disabled or barred, has left the pool,
    /// or does not serve the model.
    pub fn available_at(
        &mut self,
        slot: Slot,
        query: &CandidateQuery<'_>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let now = self.advance(now);
        let name_index = self.name_index_of(query.name)?;
        let live = self.slots.live(slot)?;
        let listing = live.listing(name_index)?;
        if !live.credential.enabled {
            return None;
        }
        let health = HealthReader {
            slots: &self.slots,
            sites: &self.sites,
            now,
        };
        match health.availability(live, listing.model, Some(query.endpoint)) {
            Availability::Cooling { until } | Availability::Probing { until } => Some(until),
            Availability::Ready | Availability::Probe => Some(now),
            Availability::Barred => None,
        }
    }
}
