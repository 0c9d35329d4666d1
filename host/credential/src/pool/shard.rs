//! Who serves one name, and who of them is fit right now: an index, derived from health.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::entry::Entries;
use super::{Candidates, Member, Members, Reasons, Unfit};
use crate::{Availability, ProviderName, Timestamp};

/// Who serves one name.
///
/// Seats are numbered by id. A seat is in its tier's `ready`, or in `waiting` and `ends`, or only
/// counted: disabled, barred, busy. That is as of the last [`Shard::refresh`]: what changed since is in `stale`, and whose
/// window has ended meanwhile stands at the front of `waiting`.
#[derive(Debug)]
pub(super) struct Shard {
    name: Arc<str>,
    /// Who of the providers serves it with a credential that is enabled; sorted.
    providers: Arc<[ProviderName]>,
    seats: Vec<Seat>,
    /// By priority, the highest first.
    tiers: Vec<Tier>,
    /// Cooling seats by when they are to be looked at again: a probe is due, or the window ends.
    waiting: BTreeSet<(Timestamp, u32)>,
    /// Cooling seats by the end of their window.
    ends: BTreeSet<(Timestamp, u32)>,
    /// Seats whose health changed. At most one each, so it is bounded.
    stale: BTreeSet<u32>,
    /// How many seats stand where.
    counts: Counts,
    /// Whether some credential has its own number of rounds.
    own_rounds: bool,
}

/// How many seats are not ready, by the reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    disabled: u32,
    barred: u32,
    busy: u32,
    probing: u32,
}

/// One credential, as far as this name is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) member: Member,
    /// An index into the shard's tiers.
    pub(super) tier: u32,
    pub(super) place: Place,
    /// Its provider, as an index into the pool's.
    pub(super) provider: u32,
    /// The credential's own number of rounds.
    pub(super) rounds: Option<u32>,
}

/// Where a seat is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Disabled,
    Barred,
    Ready,
    Waiting {
        /// When to look again.
        wake: Timestamp,
        /// The end of the window.
        until: Timestamp,
        /// Whether a probe is under way.
        probing: bool,
    },
    /// Healthy, with as many attempts under way as the credential may have.
    Busy,
}

/// What leaves out seats that are ready: a provider without room, or a late round.
pub(super) struct Sieve<'a> {
    /// Providers, by index, that have as many attempts under way as they may.
    pub(super) full: &'a BTreeSet<u32>,
    /// The round, from 1.
    pub(super) round: u32,
    /// How many rounds there are for credentials without a number of their own.
    pub(super) rounds: u32,
}

/// What a sieve says of a seat.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sieved {
    Busy,
    Fit,
    Spent,
}

impl Sieve<'_> {
    fn judge(&self, seat: &Seat) -> Sieved {
        if seat.rounds.unwrap_or(self.rounds) < self.round {
            Sieved::Spent
        } else if self.full.contains(&seat.provider) {
            Sieved::Busy
        } else {
            Sieved::Fit
        }
    }
}

/// The fit ones of one priority.
#[derive(Debug)]
struct Tier {
    /// Sorted by seat. Shared with whoever is choosing: changed in place where nobody is.
    ready: Arc<Members>,
}

impl Shard {
    /// `seats` in the order of their numbers; where they stand is found by a refresh.
    pub(super) fn new(
        name: Arc<str>,
        providers: Arc<[ProviderName]>,
        seats: Vec<Seat>,
        tiers: usize,
    ) -> Self {
        let mut shard = Self {
            name,
            providers,
            stale: seats.iter().map(|seat| seat.member.seat).collect(),
            tiers: Vec::new(),
            waiting: BTreeSet::new(),
            ends: BTreeSet::new(),
            counts: Counts::default(),
            own_rounds: seats.iter().any(|seat| seat.rounds.is_some()),
            seats,
        };
        for seat in &shard.seats {
            shard.counts.add(seat.place);
        }
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
        let few = self.seats.len() / ONE_BY_ONE_OF;
        let one_by_one = changed.len() <= few.max(ONE_BY_ONE_MAX);
        for index in changed {
            self.place(index, entries, now, one_by_one);
        }
        if !one_by_one {
            self.list_all();
        }
    }

    /// Whether a sieve could leave somebody out.
    pub(super) fn needs(&self, sieve: &Sieve<'_>) -> bool {
        sieve.round > sieve.rounds || self.own_rounds || !sieve.full.is_empty()
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
            None => Err(self.unfit(&BTreeSet::new(), None)),
        }
    }

    /// The same without some seats. A list is copied only if one of them is in it; as a rule they
    /// cool and are not. With a sieve it is always copied: providers are seldom full.
    pub(super) fn candidates_without(
        &self,
        tried: &BTreeSet<u32>,
        sieve: Option<&Sieve<'_>>,
    ) -> Result<Candidates, Unfit> {
        for tier in &self.tiers {
            let mut ready = Arc::clone(&tier.ready);
            for &seat in tried.iter().filter(|&&seat| tier.ready.contains(seat)) {
                Arc::make_mut(&mut ready).remove(seat);
            }
            if let Some(sieve) = sieve {
                let fit = |member: &Member| self.sieved(sieve, member) == Sieved::Fit;
                ready = Arc::new(ready.filtered(fit));
            }
            if !ready.is_empty() {
                return Ok(self.offer(ready));
            }
        }
        Err(self.unfit(tried, sieve))
    }

    fn sieved(&self, sieve: &Sieve<'_>, member: &Member) -> Sieved {
        let seat = self.seats.get(member.seat as usize);
        seat.map_or(Sieved::Fit, |seat| sieve.judge(seat))
    }

    fn offer(&self, members: Arc<Members>) -> Candidates {
        Candidates {
            name: Arc::clone(&self.name),
            members,
        }
    }

    fn unfit(&self, tried: &BTreeSet<u32>, sieve: Option<&Sieve<'_>>) -> Unfit {
        let mut counts = self.counts;
        let mut reasons = Reasons {
            cooling: count(self.ends.len()),
            ..Reasons::default()
        };
        for seat in tried
            .iter()
            .filter_map(|&seat| self.seats.get(seat as usize))
        {
            if seat.place == Place::Disabled {
                continue;
            }
            reasons.tried += 1;
            reasons.cooling -= u32::from(matches!(seat.place, Place::Waiting { .. }));
            counts.remove(seat.place);
        }
        if let Some(sieve) = sieve {
            let ready = self.tiers.iter().flat_map(|tier| tier.ready.iter());
            for member in ready.filter(|member| !tried.contains(&member.seat)) {
                match self.sieved(sieve, member) {
                    Sieved::Busy => reasons.busy += 1,
                    Sieved::Spent => reasons.spent += 1,
                    Sieved::Fit => {}
                }
            }
        }
        let first = self.ends.iter().find(|(_, seat)| !tried.contains(seat));
        Unfit::NoneFit(Reasons {
            disabled: counts.disabled,
            barred: counts.barred,
            busy: reasons.busy + counts.busy,
            probing: counts.probing,
            retry_at: first.map(|&(until, _)| until),
            ..reasons
        })
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
        if let Place::Waiting { wake, until, .. } = seat.place {
            self.waiting.remove(&(wake, index));
            self.ends.remove(&(until, index));
        }
        if let Place::Waiting { wake, until, .. } = place {
            self.waiting.insert((wake, index));
            self.ends.insert((until, index));
        }
        self.counts.remove(seat.place);
        self.counts.add(place);
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
            tier.ready.contains(seat.member.seat),
            seat.place == Place::Ready,
        ) {
            (false, true) => Arc::make_mut(&mut tier.ready).insert(seat.member),
            (true, false) => Arc::make_mut(&mut tier.ready).remove(seat.member.seat),
            (true, true) | (false, false) => {}
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
            tier.ready = Arc::new(Members::new(&list));
        }
    }
}

impl Seat {
    fn standing(&self, entries: &Entries, now: Timestamp) -> Place {
        let Some(live) = entries.live(self.member.slot) else {
            return Place::Disabled;
        };
        if !live.credential.enabled {
            return Place::Disabled;
        }
        let availability = live.availability(self.member.model, now);
        match availability {
            Availability::Barred => Place::Barred,
            Availability::Cooling { until } | Availability::Probing { until } => Place::Waiting {
                wake: live.wakes_at(self.member.model, now).unwrap_or(until),
                until,
                probing: matches!(availability, Availability::Probing { .. }),
            },
            Availability::Ready | Availability::Probe if live.is_busy() => Place::Busy,
            Availability::Ready | Availability::Probe => Place::Ready,
        }
    }
}

impl Counts {
    fn add(&mut self, place: Place) {
        if let Some(count) = self.of(place) {
            *count += 1;
        }
    }

    fn remove(&mut self, place: Place) {
        if let Some(count) = self.of(place) {
            *count = count.saturating_sub(1);
        }
    }

    fn of(&mut self, place: Place) -> Option<&mut u32> {
        match place {
            Place::Disabled => Some(&mut self.disabled),
            Place::Barred => Some(&mut self.barred),
            Place::Busy => Some(&mut self.busy),
            Place::Waiting { probing: true, .. } => Some(&mut self.probing),
            Place::Waiting { .. } | Place::Ready => None,
        }
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Up to here, or up to one seat of so many, each change is made in its tier's list; beyond, as when
/// an outage ends, all lists are made anew, which costs one pass over the seats.
const ONE_BY_ONE_MAX: usize = 32;

/// A change costs about as much as to pass some thirty seats.
const ONE_BY_ONE_OF: usize = 32;

#[cfg(test)]
mod audit;
