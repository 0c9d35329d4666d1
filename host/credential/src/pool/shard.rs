//! Who serves one name, and who of them is fit right now: an index, derived from health.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::entry::Entries;
use super::{Candidates, Member, Unfit};
use crate::{Availability, ProviderName, Timestamp};

/// Who serves one name.
///
/// Seats are numbered by id. A seat is in its tier's `ready`, or in `waiting`, or its credential is
/// disabled. That is as of the last [`Shard::refresh`]: what changed since is in `stale`, and whose
/// window has ended meanwhile stands at the front of `waiting`.
#[derive(Debug)]
pub(super) struct Shard {
    name: Arc<str>,
    /// Who of the providers serves it with a credential that is enabled; sorted.
    providers: Arc<[ProviderName]>,
    seats: Vec<Seat>,
    /// By priority, the highest first.
    tiers: Vec<Tier>,
    /// Cooling seats by the end of their window.
    waiting: BTreeSet<(Timestamp, u32)>,
    /// Seats whose health changed. At most one each, so it is bounded.
    stale: BTreeSet<u32>,
    disabled: u32,
}

/// One credential, as far as this name is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) member: Member,
    /// An index into the shard's tiers.
    pub(super) tier: u32,
    pub(super) place: Place,
}

/// Where a seat is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Disabled,
    Ready,
    Waiting(Timestamp),
}

/// The fit ones of one priority.
#[derive(Debug)]
struct Tier {
    /// Sorted by seat. Shared with whoever is choosing: changed in place where nobody is.
    ready: Arc<Vec<Member>>,
}

impl Shard {
    /// `seats` in the order of their numbers; where they stand is found by a refresh.
    pub(super) fn new(
        name: Arc<str>,
        providers: Arc<[ProviderName]>,
        seats: Vec<Seat>,
        tiers: usize,
    ) -> Self {
        let disabled = seats
            .iter()
            .filter(|seat| seat.place == Place::Disabled)
            .count();
        let mut shard = Self {
            name,
            providers,
            stale: seats.iter().map(|seat| seat.member.seat).collect(),
            seats,
            tiers: Vec::new(),
            waiting: BTreeSet::new(),
            disabled: count(disabled),
        };
        shard.tiers.resize_with(tiers, || Tier {
            ready: Arc::default(),
        });
        shard.list_all();
        shard
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn providers(&self) -> &Arc<[ProviderName]> {
        &self.providers
    }

    /// Notes that a seat's health changed.
    pub(super) fn touch(&mut self, seat: u32) {
        self.stale.insert(seat);
    }

    /// Brings the index up to date.
    pub(super) fn refresh(&mut self, entries: &Entries, now: Timestamp) {
        let due = self.waiting.first().is_some_and(|&(until, _)| until <= now);
        if self.stale.is_empty() && !due {
            return;
        }
        let mut changed = std::mem::take(&mut self.stale);
        changed.extend(
            self.waiting
                .range(..=(now, u32::MAX))
                .map(|&(_, seat)| seat),
        );
        let one_by_one = changed.len() <= ONE_BY_ONE_MAX;
        for index in changed {
            self.place(index, entries, now, one_by_one);
        }
        if !one_by_one {
            self.list_all();
        }
    }

    /// The fit ones of the highest priority that has any.
    pub(super) fn candidates(&self) -> Result<Candidates, Unfit> {
        let ready = self
            .tiers
            .iter()
            .map(|tier| &tier.ready)
            .find(|ready| !ready.is_empty());
        match ready {
            Some(ready) => Ok(self.offer(Arc::clone(ready))),
            None => Err(self.unfit(&BTreeSet::new())),
        }
    }

    /// The same without some seats. A list is copied only if one of them is in it; as a rule they
    /// cool and are not.
    pub(super) fn candidates_without(&self, tried: &BTreeSet<u32>) -> Result<Candidates, Unfit> {
        for tier in &self.tiers {
            let mut ready = Arc::clone(&tier.ready);
            for &seat in tried {
                if let Ok(index) = find(&ready, seat) {
                    Arc::make_mut(&mut ready).remove(index);
                }
            }
            if !ready.is_empty() {
                return Ok(self.offer(ready));
            }
        }
        Err(self.unfit(tried))
    }

    fn offer(&self, members: Arc<Vec<Member>>) -> Candidates {
        Candidates {
            name: Arc::clone(&self.name),
            members,
        }
    }

    fn unfit(&self, tried: &BTreeSet<u32>) -> Unfit {
        let places = tried
            .iter()
            .filter_map(|&seat| self.seats.get(seat as usize));
        let (mut tried_enabled, mut tried_cooling) = (0, 0);
        for seat in places {
            tried_enabled += u32::from(seat.place != Place::Disabled);
            tried_cooling += u32::from(matches!(seat.place, Place::Waiting(_)));
        }
        let first = self.waiting.iter().find(|(_, seat)| !tried.contains(seat));
        Unfit::NoneFit {
            disabled: self.disabled,
            tried: tried_enabled,
            cooling: count(self.waiting.len()).saturating_sub(tried_cooling),
            retry_at: first.map(|&(until, _)| until),
        }
    }

    /// Finds out where a seat stands, and lists it there if `list` says so.
    fn place(&mut self, index: u32, entries: &Entries, now: Timestamp, list: bool) {
        let Some(seat) = self.seats.get_mut(index as usize) else {
            return;
        };
        let place = seat.standing(entries, now);
        if place == seat.place {
            return;
        }
        if let Place::Waiting(until) = seat.place {
            self.waiting.remove(&(until, index));
        }
        if let Place::Waiting(until) = place {
            self.waiting.insert((until, index));
        }
        seat.place = place;
        let seat = *seat;
        if list {
            self.list(&seat);
        }
    }

    fn list(&mut self, seat: &Seat) {
        let Some(tier) = self.tiers.get_mut(seat.tier as usize) else {
            return;
        };
        match (
            find(&tier.ready, seat.member.seat),
            seat.place == Place::Ready,
        ) {
            (Err(index), true) => Arc::make_mut(&mut tier.ready).insert(index, seat.member),
            (Ok(index), false) => {
                Arc::make_mut(&mut tier.ready).remove(index);
            }
            (Ok(_), true) | (Err(_), false) => {}
        }
    }

    fn list_all(&mut self) {
        let mut lists: Vec<Vec<Member>> = vec![Vec::new(); self.tiers.len()];
        for seat in self.seats.iter().filter(|seat| seat.place == Place::Ready) {
            if let Some(list) = lists.get_mut(seat.tier as usize) {
                list.push(seat.member);
            }
        }
        for (tier, list) in self.tiers.iter_mut().zip(lists) {
            tier.ready = Arc::new(list);
        }
    }
}

impl Seat {
    fn standing(&self, entries: &Entries, now: Timestamp) -> Place {
        let Some(live) = entries.live(self.member.slot) else {
            return Place::Disabled;
        };
        match live.availability(self.member.model, now) {
            _ if !live.credential.enabled => Place::Disabled,
            Availability::Ready => Place::Ready,
            Availability::Cooling { until } => Place::Waiting(until),
        }
    }
}

fn find(members: &[Member], seat: u32) -> Result<usize, usize> {
    members.binary_search_by_key(&seat, |member| member.seat)
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Up to here each change moves its tier's list by one; beyond, as when an outage ends, all lists
/// are made anew, which costs one pass over the seats.
const ONE_BY_ONE_MAX: usize = 32;

#[cfg(test)]
mod audit;
