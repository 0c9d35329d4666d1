//! When a call may try a credential that cools, or whose windows have just ended.

use std::collections::BTreeSet;
use std::time::Duration;

use super::availability::{HealthReader, Layer};
use super::entry::Live;
use super::gate::{DUE_MAX, SITE_TRIALS, trial_interval};
use super::sites::SiteLane;
use super::{CandidateQuery, HealthPlace, Slot};
use crate::evidence::Others;
use crate::{Availability, CoolingClass, Requester, Timestamp, Window};

/// When a call may try a cooling credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TrialTime {
    pub(super) at: Timestamp,
    /// True if only other trials are in the way.
    pub(super) gated: bool,
    /// False if the attempt only goes on with a call that has opened the window itself.
    pub(super) counts: bool,
    /// Until when the result of another trial is awaited that is in flight.
    pub(super) undecided_until: Option<Timestamp>,
}

impl TrialTime {
    /// The attempt of a call that goes on.
    fn going_on(now: Timestamp) -> Self {
        Self {
            at: now,
            gated: false,
            counts: false,
            undecided_until: None,
        }
    }
}

/// Returns when a call may try a cooling credential; `None` before the end of its window.
///
/// Windows that are hints are obeyed. A request that opened or prolonged a window is never its
/// trial, and its client tries again only after the interval. While all failures behind the windows
/// are one other client's, and no limit, nothing is known against this call: it does not wait for
/// other trials. Otherwise the trials of a site are a second apart, and clients that wait take turns.
/// That holds for refusals too as long as few clients have failed: a call that the provider would serve would
/// otherwise wait half a minute for those that it refuses. It adds no more than three trials, since each client that
/// fails waits half a minute itself, and with the fourth one all do.
/// Once many have failed, a window of a longer interval is tried when as long has passed since it was
/// opened or prolonged, for a client that was served by one that was, and an undecided trial holds up the
/// next one. The window of a site at which the call itself has failed twice, or was refused, is not for this call.
pub(super) fn trial_time(
    live: &Live,
    model: u32,
    query: &CandidateQuery<'_>,
    health: &HealthReader<'_>,
) -> Option<TrialTime> {
    let now = health.now;
    let key = live.model_key(model)?;
    let site_lane = health.sites.lane(live.route, key, query.endpoint);
    let is_exempt = is_past_site(live, query, health, site_lane);
    let exempt = site_lane.filter(|_| is_exempt).map(|lane| &lane.health);
    let is_meant = |layer: &Layer<'_>| !exempt.is_some_and(|site| std::ptr::eq(site, layer.health));
    let layers = health.layers(live, model, Some(query.endpoint));
    let layers: Vec<Layer<'_>> = layers.filter(is_meant).collect();
    let is_available = |layer: &Layer<'_>| layer.health.availability(now).is_available();
    if is_exempt && layers.iter().all(is_available) {
        return Some(TrialTime::going_on(now));
    }
    let Requester { client, .. } = query.requester;
    let is_served = |client| site_lane.is_some_and(|lane| lane.regulars.contain(client, now));
    if !query.requester.is_known() {
        return None;
    }
    let (mut own, mut gate) = (now, Timestamp::default());
    let mut interval = SITE_TRIALS;
    let mut others = Others::One;
    let mut undecided_until = None;
    for layer in layers {
        if layer.health.availability(now) == Availability::Barred {
            return None;
        }
        let Some(window) = layer.health.open_window(now) else {
            others = others.max(others_before_end(&layer, client, now));
            continue;
        };
        // What failed later neither opened the window nor prolonged it.
        let (failing, class, since) = (layer.failing, window.class, window.since);
        if window.hint || failing.contains_of(query.requester, class, since) {
            return None;
        }
        let pause = trial_interval_of(&layer, class, live, health);
        if let Some(failed) = failing.last_of_any(class, since, |one| one == client) {
            own = own.max(failed + pause);
        }
        let of_layer = others_of(&layer, window.class, client);
        others = others.max(of_layer);
        if of_layer == Others::Many && pause > SITE_TRIALS {
            interval = interval.max(pause);
            // A stored window begins in the future if the clock was set back. It must not lock trials out.
            let last = last_trial(&layer, window, client, is_served).filter(|last| *last <= now);
            gate = last.map_or(gate, |last| gate.max(last + pause));
        }
    }
    if others > Others::One {
        let lane = (live.route, key, query.endpoint);
        gate = gate.max(health.sites.next_trial(lane, SITE_TRIALS));
        if let Some(lane) = site_lane {
            undecided_until = lane.gate.undecided_until().filter(|&until| until > now);
            let undecided = undecided_until.filter(|_| others == Others::Many);
            gate = undecided.map_or(gate, |until| gate.max(until));
            gate = lane.gate.turn_of(client, interval, gate, now, is_served);
        }
    }
    Some(TrialTime {
        at: own.max(gate),
        gated: own <= now && gate > now,
        counts: true,
        undecided_until,
    })
}

/// Returns the time between two trials of a window. The window of a site is tried at any of its credentials, so the
/// interval of a refused one is shared: one that works is found no later than if each had a window of its own.
fn trial_interval_of(
    layer: &Layer<'_>,
    class: CoolingClass,
    live: &Live,
    health: &HealthReader<'_>,
) -> Duration {
    let interval = trial_interval(class);
    match layer.place {
        HealthPlace::SiteLane(_) => {
            let shared = interval / health.sites.credentials(live.route);
            shared.max(SITE_TRIALS)
        }
        _ => interval,
    }
}

/// Returns when a call has its turn at an available credential whose windows have just ended; `None` if it
/// need not wait for one.
///
/// The end of a guess says nothing about the provider. So the attempts after it take turns, as trials do, until
/// one is served: many calls that come together would otherwise all go to a provider that still fails, and
/// those of clients whose requests no provider accepts would open the next window before a good one comes.
/// Any request may have a turn, also one that opened the window: it may be the only one. A call that has failed at the
/// site goes on with its other credentials, each once, if its client was served before: the failures of two of them
/// would otherwise open the window of the site again and again, before one that works is tried.
pub(super) fn turn_after_windows(
    live: &Live,
    model: u32,
    query: &CandidateQuery<'_>,
    health: &HealthReader<'_>,
) -> Option<Timestamp> {
    let now = health.now;
    if !query.requester.is_known() || query.only.is_some() {
        return None;
    }
    let client = query.requester.client;
    let layers = health.layers(live, model, Some(query.endpoint));
    let ended = layers.filter_map(|layer| counting_end(&layer, client, now));
    let ended = ended.max()?;
    let key = live.model_key(model)?;
    let lane = health.sites.lane(live.route, key, query.endpoint);
    let Some(lane) = lane else {
        return Some(now);
    };
    let is_served = |client| lane.regulars.contain(client, now);
    if failures_at_site(live.route.site, query, health) > 0 && is_served(client) {
        return None;
    }
    let interval = lane.gate.interval_after_window();
    let next = (health.sites).next_trial((live.route, key, query.endpoint), interval);
    let opens_at = next.max(ended);
    Some((lane.gate).turn_of(client, SITE_TRIALS, opens_at, now, is_served))
}

/// Returns when a window of a guess ended not long ago, if calls of this client take turns after it.
pub(super) fn counting_end(layer: &Layer<'_>, client: u64, now: Timestamp) -> Option<Timestamp> {
    let counts = others_before_end(layer, client, now) > Others::One;
    let window = layer.health.ended_guess(now).filter(|_| counts);
    window.map(|window| window.until)
}

/// Returns how many other clients' requests failed before the end of a window that ended not long ago.
fn others_before_end(layer: &Layer<'_>, client: u64, now: Timestamp) -> Others {
    let window = layer.health.ended_guess(now);
    let window = window.filter(|window| now.saturating_since(window.until) < DUE_MAX);
    window.map_or(Others::One, |window| others_of(layer, window.class, client))
}

/// Returns how many other clients' requests failed. A limit does not depend on whose request met it.
fn others_of(layer: &Layer<'_>, class: CoolingClass, client: u64) -> Others {
    match class {
        CoolingClass::Limit => Others::Many,
        class => layer.failing.others(client, class),
    }
}

/// Returns when a client such as this one opened or prolonged a window last: a request that no provider accepts does
/// not use up the trials of those that were served.
fn last_trial(
    layer: &Layer<'_>,
    window: &Window,
    client: u64,
    is_served: impl Fn(u64) -> bool,
) -> Option<Timestamp> {
    // A limit is of many requests, and those that came after it may have displaced the one that met it first.
    match is_served(client) && window.class != CoolingClass::Limit {
        true => (layer.failing).last_of_any(window.class, window.since, is_served),
        false => Some(window.since),
    }
}

/// True if the window of the site is not for this call: it has failed at two credentials of the site, so that the
/// site's lane cools by its doing; or one has refused it, as the window says of all, and the next one may accept it:
/// a trial would otherwise find out about one credential of many.
fn is_past_site(
    live: &Live,
    query: &CandidateQuery<'_>,
    health: &HealthReader<'_>,
    lane: Option<&SiteLane>,
) -> bool {
    let window = lane.and_then(|lane| lane.health.open_window(health.now));
    let is_refused = window.is_some_and(|window| window.class == CoolingClass::Refused);
    let failures = failures_at_site(live.route.site, query, health);
    failures >= SITE_FAILURES_MAX
        || (is_refused
            && failures > 0
            && (query.failed.iter()).all(|failed| matches!(failed.status, Some(401 | 403))))
}

/// Returns the number of credentials of the site at which this call has failed.
pub(super) fn failures_at_site(
    site: u32,
    query: &CandidateQuery<'_>,
    health: &HealthReader<'_>,
) -> usize {
    if query.failed.is_empty() {
        return 0;
    }
    let slots = query.failed.iter().map(|failure| failure.slot);
    let at_site = slots.filter(|&slot| {
        let other = health.slots.live(slot);
        other.is_some_and(|other| other.route.site == site)
    });
    at_site.collect::<BTreeSet<Slot>>().len()
}

/// Unattributed failures of one call at a provider or site, after which others come first.
pub(super) const SITE_FAILURES_MAX: usize = 2;
