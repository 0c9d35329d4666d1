//! The available credentials that a call may not use yet: their windows have just ended, and it is the turn of others.

use std::collections::{BTreeMap, BTreeSet};

use super::availability::HealthReader;
use super::gate::{CLAIM, DUE_MAX, SITE_TRIALS};
use super::gated_entry::{Gated, GatedEntry};
use super::index_entry::{CountsFor, IndexEntry};
use super::name_index::{DueGroup, NameIndex};
use super::trial_time::{counting_end, failures_at_site, turn_after_windows};
use super::{CandidateQuery, Pool};
use crate::{CoolingClass, Timestamp};

/// What a call may do with the entries of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GroupTurn {
    /// It may use all of them.
    Open,
    /// None of them before this time.
    Shut(Timestamp, CoolingClass),
    /// They must be looked at one by one.
    Unclear,
}

impl Pool {
    /// Returns the entries whose windows have just ended, and at which it is not the turn of the call.
    ///
    /// In the first attempt of a call, as a rule, the cost does not depend on their number: thousands of
    /// credentials whose windows end together are a few groups.
    pub(super) fn gated(
        &self,
        name_index: &NameIndex,
        query: &CandidateQuery<'_>,
        is_affected: bool,
        now: Timestamp,
    ) -> Gated {
        if !query.requester.is_known() || !self.sites.may_be_gated(now) {
            return Gated::None;
        }
        let health = HealthReader {
            slots: &self.slots,
            sites: &self.sites,
            now,
        };
        let by_group = match query.tried.is_empty() && !is_affected {
            true => gated_by_group(name_index, query, &health),
            false => None,
        };
        by_group.unwrap_or_else(|| gated_by_entry(name_index, query, &health))
    }

    /// Panics unless the groups say the same as their entries. Returns whether all are gated.
    #[cfg(test)]
    pub(super) fn audit_gated(&self, query: &CandidateQuery<'_>, now: Timestamp) -> bool {
        let health = HealthReader {
            slots: &self.slots,
            sites: &self.sites,
            now,
        };
        let index = self.name_index_of(query.name);
        let Some(name_index) = index.and_then(|index| self.name_indexes.get(index as usize)) else {
            return false;
        };
        let by_entry = match gated_by_entry(name_index, query, &health) {
            Gated::Some(entries) => entries,
            _ => BTreeMap::new(),
        };
        let due = name_index.due(query.endpoint);
        match gated_by_group(name_index, query, &health) {
            Some(Gated::All(groups)) => {
                let count = groups
                    .values()
                    .map(|group| group.count as usize)
                    .sum::<usize>();
                assert_eq!(count, by_entry.len());
                assert_eq!(count, due.values().map(BTreeSet::len).sum::<usize>());
                for entries in due.values() {
                    let mut positions = entries.iter().map(|(_, position)| position);
                    let group = positions.clone().find_map(|position| groups.get(position));
                    let group = group.expect("each group is in it");
                    assert!(positions.all(|position| by_entry[position].at == group.at));
                }
                true
            }
            Some(_) => {
                assert_eq!(by_entry, BTreeMap::new());
                false
            }
            None => false,
        }
    }
}

/// Looks at each entry.
fn gated_by_entry(
    name_index: &NameIndex,
    query: &CandidateQuery<'_>,
    health: &HealthReader<'_>,
) -> Gated {
    let gated_of = |entry: &IndexEntry| {
        let live = health.slots.live(entry.member.slot)?;
        let mut first: Option<GatedEntry> = None;
        for model in live.grouped_models(entry.group, entry.member.model) {
            let availability = health.availability(live, model, Some(query.endpoint));
            if !availability.is_available() {
                continue;
            }
            let at = turn_after_windows(live, model, query, health)?;
            if at <= health.now {
                return None;
            }
            if first.is_none_or(|first| at < first.at) {
                first = Some(GatedEntry {
                    model,
                    at,
                    count: 1,
                    class: None,
                });
            }
        }
        first
    };
    let due = name_index.due(query.endpoint).values().flatten();
    let due = due.filter_map(|&(_, position)| name_index.entry(position));
    let gated = due.filter_map(|entry| Some((entry.member.position, gated_of(entry)?)));
    let gated: BTreeMap<u32, GatedEntry> = gated.collect();
    match gated.is_empty() {
        true => Gated::None,
        false => Gated::Some(gated),
    }
}

/// Looks at each group, and returns `None` unless either all are gated or none is.
fn gated_by_group(
    name_index: &NameIndex,
    query: &CandidateQuery<'_>,
    health: &HealthReader<'_>,
) -> Option<Gated> {
    let (mut gated, mut is_open) = (BTreeMap::new(), false);
    for (group, entries) in name_index.due(query.endpoint) {
        match group_turn(name_index, *group, entries, query, health) {
            GroupTurn::Open => is_open = true,
            GroupTurn::Shut(at, class) => {
                let &(_, position) = entries.first()?;
                let of_group = GatedEntry {
                    model: name_index.entry(position)?.member.model,
                    at,
                    count: u32::try_from(entries.len()).unwrap_or(u32::MAX),
                    class: Some(class),
                };
                gated.insert(position, of_group);
            }
            GroupTurn::Unclear => return None,
        }
    }
    match (gated.is_empty(), is_open) {
        (true, _) => Some(Gated::None),
        (false, false) => Some(Gated::All(gated)),
        (false, true) => None,
    }
}

/// Returns what [`turn_after_windows`] says of each entry of a group.
fn group_turn(
    name_index: &NameIndex,
    group: DueGroup,
    entries: &BTreeSet<(Timestamp, u32)>,
    query: &CandidateQuery<'_>,
    health: &HealthReader<'_>,
) -> GroupTurn {
    let (now, client) = (health.now, query.requester.client);
    let ends = entries.first().zip(entries.last());
    let Some((&(first, _), &(last, _))) = ends else {
        return GroupTurn::Open;
    };
    let Some((route, model)) = name_index.lane(group.lane) else {
        return GroupTurn::Unclear;
    };
    let own_counts = match group.counts_for {
        CountsFor::NoClient => false,
        CountsFor::AllClients => true,
        CountsFor::Client(only) => only == client,
        CountsFor::Unclear => return GroupTurn::Unclear,
    };
    let lane_key = (route, model, query.endpoint);
    let Some(lane) = health.sites.lane(route, model, query.endpoint) else {
        return GroupTurn::Open;
    };
    let is_served = |client| lane.regulars.contain(client, now);
    if failures_at_site(route.site, query, health) > 0 && is_served(client) {
        return GroupTurn::Open;
    }
    let shared = || health.shared_layers(route, Some(model), Some(query.endpoint));
    let shared_end = shared().filter_map(|layer| counting_end(&layer, client, now));
    let shared_end = shared_end.max();
    let is_recent = |end: Timestamp| end <= now && now.saturating_since(end) < DUE_MAX;
    let is_over = last <= now && !is_recent(last);
    let (earliest, latest) = match shared_end {
        _ if own_counts && is_recent(first) && is_recent(last) => {
            (shared_end.max(Some(first)), shared_end.max(Some(last)))
        }
        _ if own_counts && !is_over && first <= now => return GroupTurn::Unclear,
        shared_end => (shared_end, shared_end),
    };
    let (Some(earliest), Some(latest)) = (earliest, latest) else {
        return GroupTurn::Open;
    };
    let next = (health.sites).next_trial(lane_key, lane.gate.interval_after_window());
    let (earliest, latest) = (earliest.max(next), latest.max(next));
    if earliest != latest {
        return match latest + CLAIM <= now {
            true => GroupTurn::Open,
            false => GroupTurn::Unclear,
        };
    }
    let at = (lane.gate).turn_of(client, SITE_TRIALS, latest, now, is_served);
    if at <= now {
        return GroupTurn::Open;
    }
    let shared_last = shared().filter_map(|layer| layer.health.ended_guess(now));
    let shared_last = shared_last.max_by_key(|window| window.until);
    let has_own = group.counts_for != CountsFor::NoClient;
    let class = match shared_last {
        Some(window) if !has_own || first > now || last <= window.until => Some(window.class),
        Some(window) if first <= window.until || last > now => None,
        _ => group.class,
    };
    class.map_or(GroupTurn::Unclear, |class| GroupTurn::Shut(at, class))
}
