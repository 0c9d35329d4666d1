//! Who serves one name, and who of them is fit right now: an index, derived from health.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::entry::{Entries, Live};
use super::{Candidates, Member, Members, Reasons, Unfit};
use crate::{Availability, Credential, ProviderName, Timestamp};

/// Who serves one name.
///
/// A seat keeps its number as long as its credential is not redefined. It is in `ready`, or in
/// `waiting` and `ends`, or only counted: disabled, barred, busy. That is as of the last
/// [`Shard::refresh`]: what changed since is in `stale`, and whose window has ended meanwhile stands
/// at the front of `waiting`.
#[derive(Debug)]
pub(super) struct Shard {
    name: Arc<str>,
    /// Who of the providers serves it with a credential that is enabled; sorted.
    providers: Arc<[ProviderName]>,
    /// With how many credentials each of them does.
    enabled: BTreeMap<ProviderName, u32>,
    seats: Vec<Option<Seat>>,
    /// Seats that a credential has left.
    vacant: Vec<u32>,
    /// The fit ones by priority, the highest first; none is empty. Shared with whoever is choosing:
    /// changed in place where nobody is.
    ready: BTreeMap<Reverse<i32>, Arc<Members>>,
    /// Cooling seats by when they are to be looked at again: a probe is due, or the window ends.
    waiting: BTreeSet<(Timestamp, u32)>,
    /// Cooling seats by the end of their window.
    ends: BTreeSet<(Timestamp, u32)>,
    /// Seats whose health changed. At most one each, so it is bounded.
    stale: BTreeSet<u32>,
    /// How many seats stand where.
    counts: Counts,
    /// How many seats have their own number of rounds.
    own_rounds: u32,
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
    pub(super) priority: i32,
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

impl Shard {
    /// A name that nobody serves yet.
    pub(super) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            providers: Arc::default(),
            enabled: BTreeMap::new(),
            seats: Vec::new(),
            vacant: Vec::new(),
            ready: BTreeMap::new(),
            waiting: BTreeSet::new(),
            ends: BTreeSet::new(),
            stale: BTreeSet::new(),
            counts: Counts::default(),
            own_rounds: 0,
        }
    }

    /// A name with all who serve it. Each seat's number is its index.
    pub(super) fn of(
        name: Arc<str>,
        seats: Vec<Seat>,
        enabled: BTreeMap<ProviderName, u32>,
    ) -> Self {
        let mut shard = Self {
            providers: enabled.keys().cloned().collect(),
            enabled,
            own_rounds: count(seats.iter().filter(|seat| seat.rounds.is_some()).count()),
            ..Self::new(name)
        };
        for seat in &seats {
            shard.list(seat, false);
        }
        shard.seats = seats.into_iter().map(Some).collect();
        shard.list_all();
        shard
    }

    /// Gives a credential a seat, and answers its number.
    pub(super) fn add(&mut self, mut seat: Seat, credential: &Credential) -> u32 {
        let number = self.vacant.pop().unwrap_or_else(|| count(self.seats.len()));
        seat.member.seat = number;
        self.list(&seat, true);
        self.own_rounds += u32::from(seat.rounds.is_some());
        match self.seats.get_mut(number as usize) {
            Some(place) => *place = Some(seat),
            None => self.seats.push(Some(seat)),
        }
        if credential.enabled {
            let serves = self.enabled.entry(credential.provider.clone()).or_default();
            *serves += 1;
            if *serves == 1 {
                self.providers = self.enabled.keys().cloned().collect();
            }
        }
        number
    }

    /// Takes a seat away. The credential is what it was when the seat was given.
    pub(super) fn remove(&mut self, number: u32, credential: &Credential) {
        let place = self.seats.get_mut(number as usize);
        let Some(seat) = place.and_then(Option::take) else {
            return;
        };
        self.vacant.push(number);
        self.stale.remove(&number);
        self.unlist(&seat, true);
        self.own_rounds -= u32::from(seat.rounds.is_some());
        if !credential.enabled {
            return;
        }
        if let Some(serves) = self.enabled.get_mut(&credential.provider) {
            *serves -= 1;
            if *serves == 0 {
                self.enabled.remove(&credential.provider);
                self.providers = self.enabled.keys().cloned().collect();
            }
        }
    }

    /// Whether nobody serves it.
    pub(super) fn is_empty(&self) -> bool {
        self.seats.len() == self.vacant.len()
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
        sieve.round > sieve.rounds || self.own_rounds > 0 || !sieve.full.is_empty()
    }

    /// The fit ones of the highest priority that has any.
    pub(super) fn candidates(&self) -> Result<Candidates, Unfit> {
        match self.ready.first_key_value() {
            Some((_, ready)) => Ok(self.offer(Arc::clone(ready))),
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
        for all in self.ready.values() {
            let mut ready = Arc::clone(all);
            for seat in tried.iter().filter_map(|&number| self.seat(number)) {
                if all.contains(seat.member.rank) {
                    Arc::make_mut(&mut ready).remove(seat.member.rank);
                }
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
        let seat = self.seat(member.seat);
        seat.map_or(Sieved::Fit, |seat| sieve.judge(seat))
    }

    fn seat(&self, number: u32) -> Option<&Seat> {
        self.seats.get(number as usize)?.as_ref()
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
        for seat in tried.iter().filter_map(|&number| self.seat(number)) {
            if seat.place == Place::Disabled {
                continue;
            }
            reasons.tried += 1;
            reasons.cooling -= u32::from(matches!(seat.place, Place::Waiting { .. }));
            counts.remove(seat.place);
        }
        if let Some(sieve) = sieve {
            let ready = self.ready.values().flat_map(|ready| ready.iter());
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

    /// Finds out where a seat stands, and has it listed there; `lists`: in `ready` as well.
    fn place(&mut self, number: u32, entries: &Entries, now: Timestamp, lists: bool) {
        let Some(&before) = self.seat(number) else {
            return;
        };
        let place = before.standing(entries, now);
        if place == before.place {
            return;
        }
        let after = Seat { place, ..before };
        self.unlist(&before, lists);
        self.list(&after, lists);
        if let Some(seat) = self.seats.get_mut(number as usize) {
            *seat = Some(after);
        }
    }

    fn list(&mut self, seat: &Seat, lists: bool) {
        let Member { seat: number, .. } = seat.member;
        self.counts.add(seat.place);
        match seat.place {
            Place::Ready if lists => {
                let ready = self.ready.entry(Reverse(seat.priority)).or_default();
                Arc::make_mut(ready).insert(seat.member);
            }
            Place::Waiting { wake, until, .. } => {
                self.waiting.insert((wake, number));
                self.ends.insert((until, number));
            }
            Place::Ready | Place::Disabled | Place::Barred | Place::Busy => {}
        }
    }

    fn unlist(&mut self, seat: &Seat, lists: bool) {
        let Member {
            seat: number, rank, ..
        } = seat.member;
        self.counts.remove(seat.place);
        match seat.place {
            Place::Ready if lists => {
                let priority = Reverse(seat.priority);
                let Some(ready) = self.ready.get_mut(&priority) else {
                    return;
                };
                Arc::make_mut(ready).remove(rank);
                if ready.is_empty() {
                    self.ready.remove(&priority);
                }
            }
            Place::Waiting { wake, until, .. } => {
                self.waiting.remove(&(wake, number));
                self.ends.remove(&(until, number));
            }
            Place::Ready | Place::Disabled | Place::Barred | Place::Busy => {}
        }
    }

    /// Makes all of `ready` anew.
    fn list_all(&mut self) {
        let mut lists: BTreeMap<Reverse<i32>, Vec<Member>> = BTreeMap::new();
        let seats = self.seats.iter().flatten();
        for seat in seats.filter(|seat| seat.place == Place::Ready) {
            let list = lists.entry(Reverse(seat.priority)).or_default();
            list.push(seat.member);
        }
        let lists = lists.into_iter().map(|(priority, mut list)| {
            // In order already, but for who came since the pool was made.
            list.sort_by_key(|member| member.rank);
            (priority, Arc::new(Members::new(&list)))
        });
        self.ready = lists.collect();
    }
}

impl Seat {
    fn standing(&self, entries: &Entries, now: Timestamp) -> Place {
        let live = entries.live(self.member.slot);
        live.map_or(Place::Disabled, |live| {
            standing(live, self.member.model, now)
        })
    }
}

/// Where a credential stands with one of its models.
pub(super) fn standing(live: &Live, model: u32, now: Timestamp) -> Place {
    if !live.credential.enabled {
        return Place::Disabled;
    }
    let availability = live.availability(model, now);
    match availability {
        Availability::Barred => Place::Barred,
        Availability::Cooling { until } | Availability::Probing { until } => Place::Waiting {
            wake: live.wakes_at(model, now).unwrap_or(until),
            until,
            probing: matches!(availability, Availability::Probing { .. }),
        },
        Availability::Ready | Availability::Probe if live.is_busy() => Place::Busy,
        Availability::Ready | Availability::Probe => Place::Ready,
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
