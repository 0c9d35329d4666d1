//! What the rules say about the cooldowns of a model at a whole site. The credential that always works
//! shares the site of its provider, so it may cool as well.

use super::world::{State, World};
use super::world_setup::STEADY_PROVIDER;

/// The time in which a model may cool at a site. All times are milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct SiteOutage {
    /// The first failure since the site served the model.
    first: u64,
    /// The last one.
    last: u64,
    until: u64,
}

impl SiteOutage {
    /// Records that a call failed at a second credential of the site: that may open a window, or prolong it.
    ///
    /// Windows of outages begin with a second and double, and at most one a second is tried.
    fn fail(before: Option<Self>, now: u64) -> Self {
        let first = before.map_or(now, |before| before.first);
        let doublings = u32::try_from((now - first) / 1_000).unwrap_or(u32::MAX);
        let length = 2_u64.saturating_pow(doublings).saturating_mul(1_000);
        let until = now + length.min(OUTAGE_MAX_MS);
        Self {
            first,
            last: now,
            until: before.map_or(until, |before| before.until.max(until)),
        }
    }
}

impl World {
    /// Records a failure for which the provider blames nothing: the site may cool if the same call failed at
    /// another of its credentials.
    pub(super) fn note_unattributed_failure(&self, number: u64, id: &str, model: usize) {
        let now = self.now();
        let mut state = self.lock();
        let request = state.requests.entry(number).or_default();
        request.failed.insert(id.to_owned());
        let failed = request.failed.clone();
        let provider_of = |id: &str| Some(state.accounts.get(id)?.provider);
        let Some(provider) = provider_of(id) else {
            return;
        };
        let of_site = failed.iter().filter(|id| provider_of(id) == Some(provider));
        if of_site.count() < 2 {
            return;
        }
        let known = state.outages.get(&(provider, model)).copied();
        let outage = SiteOutage::fail(known, now);
        state.outages.insert((provider, model), outage);
    }

    /// Records that the site of an account serves a model: an outage is over, if the request arrived after it.
    pub(super) fn note_site_serves(&self, id: &str, model: usize, arrived: u64) {
        let mut state = self.lock();
        let Some(provider) = state.accounts.get(id).map(|account| account.provider) else {
            return;
        };
        let outage = state.outages.get(&(provider, model));
        if outage.is_some_and(|outage| outage.last < arrived) {
            state.outages.remove(&(provider, model));
        }
    }

    /// True if the credential that always works may cool for a model, with its site.
    pub(super) fn may_all_cool(&self, model: usize) -> bool {
        self.lock().may_all_cool(model, self.now())
    }
}

impl State {
    pub(super) fn may_all_cool(&self, model: usize, now: u64) -> bool {
        let outage = self.outages.get(&(STEADY_PROVIDER, model));
        outage.is_some_and(|outage| now < outage.until)
    }

    /// True if the credential that always works may cool for a model, or if it may be the turn of others there:
    /// after the end of a window, until one is served. Then others that cool may be tried.
    pub(super) fn may_all_cool_or_wait(&self, model: usize, now: u64) -> bool {
        let outage = self.outages.get(&(STEADY_PROVIDER, model));
        outage.is_some_and(|outage| now < outage.until + TURNS_MS)
    }
}

/// How long after the end of a window its attempts take turns.
const TURNS_MS: u64 = 60_000;

/// The longest guess of an outage.
const OUTAGE_MAX_MS: u64 = 60_000;
