//! A new set of credentials: who stays keeps what was learnt of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::entry::{Live, Load, Route};
use super::shard::{Place, Seat, Shard};
use super::{Member, Pool, PoolOptions, Slot};
use crate::{Credential, CredentialId, ProviderName};

impl Pool {
    /// Adds credentials, or redefines those whose id is there already: these keep their slot, their
    /// health and their attempts in flight. Costs one pass over the pool, however many they are.
    ///
    /// # Errors
    ///
    /// Names every credential that cannot stand in a pool, and why. The pool is then as before.
    pub fn upsert(&mut self, credentials: Vec<Credential>) -> Result<(), PoolError> {
        check(&credentials)?;
        for credential in credentials {
            self.put(credential);
        }
        self.index();
        Ok(())
    }

    /// Forgets credentials; answers those that were there. Their attempts under way end without an
    /// effect.
    pub fn remove(&mut self, ids: &[CredentialId]) -> Vec<CredentialId> {
        let mut removed = Vec::new();
        for id in ids {
            if let Some(slot) = self.by_id.remove(id) {
                self.entries.remove(slot);
                removed.push(id.clone());
            }
        }
        if !removed.is_empty() {
            self.index();
        }
        removed
    }

    /// Puts a credential into use, or takes it out of use. Answers whether that changed anything;
    /// none if there is no such credential.
    pub fn set_enabled(&mut self, id: &str, enabled: bool) -> Option<bool> {
        let changes = self.mark_enabled(id, enabled)?;
        if changes {
            self.index();
        }
        Some(changes)
    }

    /// The same for many, in one pass over the pool. Who is not there is passed over.
    pub fn set_all_enabled<'a>(
        &mut self,
        told: impl IntoIterator<Item = (&'a CredentialId, bool)>,
    ) {
        let mut changes = false;
        for (id, enabled) in told {
            changes |= self.mark_enabled(id.as_str(), enabled) == Some(true);
        }
        if changes {
            self.index();
        }
    }

    /// Leaves the index behind.
    fn mark_enabled(&mut self, id: &str, enabled: bool) -> Option<bool> {
        let live = self.entries.live_mut(self.slot(id)?)?;
        let changes = live.credential.enabled != enabled;
        if changes {
            let mut credential = Credential::clone(&live.credential);
            credential.enabled = enabled;
            live.credential = Arc::new(credential);
        }
        Some(changes)
    }

    fn put(&mut self, credential: Credential) -> Slot {
        let id = credential.id.clone();
        let slot = match self.by_id.get(&id) {
            Some(&slot) => {
                if let Some(live) = self.entries.live_mut(slot) {
                    live.redefine(credential);
                }
                slot
            }
            None => self.entries.insert(Live::new(credential)),
        };
        self.by_id.insert(id, slot);
        slot
    }
}

impl Pool {
    /// Takes these credentials in place of the present ones. Whose id stays keeps its slot, its
    /// health and its attempts in flight; whose id goes is forgotten.
    ///
    /// # Errors
    ///
    /// Names every credential that cannot stand in a pool, and why. The pool is then as before.
    pub fn replace(&mut self, credentials: Vec<Credential>) -> Result<(), PoolError> {
        check(&credentials)?;
        let stay: BTreeSet<&CredentialId> = credentials
            .iter()
            .map(|credential| &credential.id)
            .collect();
        let gone: Vec<CredentialId> = self
            .by_id
            .keys()
            .filter(|id| !stay.contains(id))
            .cloned()
            .collect();
        for id in gone {
            if let Some(slot) = self.by_id.remove(&id) {
                self.entries.remove(slot);
            }
        }
        for credential in credentials {
            self.put(credential);
        }
        self.index();
        Ok(())
    }

    /// The same, going by other options from now on. Windows that are open stay as they are.
    ///
    /// # Errors
    ///
    /// As [`Pool::replace`].
    pub fn reconfigure(
        &mut self,
        credentials: Vec<Credential>,
        options: PoolOptions,
    ) -> Result<(), PoolError> {
        check(&credentials)?;
        self.options = options;
        self.replace(credentials)
    }

    /// Makes the shards, and each credential's routes into them.
    pub(super) fn index(&mut self) {
        self.count_providers();
        let mut drafts: BTreeMap<Arc<str>, Draft> = BTreeMap::new();
        for &slot in self.by_id.values() {
            let Some(live) = self.entries.live(slot) else {
                continue;
            };
            for (name, (served, model)) in models_by_name(live) {
                let draft = drafts.entry(name).or_default();
                draft.seat(slot, served, model, live);
            }
        }
        self.by_name.clear();
        self.shards.clear();
        for &slot in self.by_id.values() {
            if let Some(live) = self.entries.live_mut(slot) {
                live.routes.clear();
            }
        }
        for (index, (name, draft)) in (0..).zip(drafts) {
            for drafted in &draft.seats {
                let Member {
                    slot, seat, model, ..
                } = drafted.member;
                if let Some(live) = self.entries.live_mut(slot) {
                    live.routes.push(Route {
                        shard: index,
                        seat,
                        model,
                        served: drafted.served,
                    });
                }
            }
            self.by_name.insert(Arc::clone(&name), index);
            self.shards.push(draft.finish(name));
        }
    }

    /// Numbers the providers, and counts their attempts under way.
    fn count_providers(&mut self) {
        self.providers.clear();
        self.rounds_max = None;
        let mut numbers: BTreeMap<ProviderName, u32> = BTreeMap::new();
        for &slot in self.by_id.values() {
            let Some(live) = self.entries.live_mut(slot) else {
                continue;
            };
            let name = &live.credential.provider;
            let number = match numbers.get(name) {
                Some(&number) => number,
                None => {
                    let number = u32::try_from(self.providers.len()).unwrap_or(u32::MAX);
                    numbers.insert(name.clone(), number);
                    let most = self.options.provider_in_flight_max.get(name).copied();
                    self.providers.push(Load { in_flight: 0, most });
                    number
                }
            };
            live.provider = number;
            self.rounds_max = self.rounds_max.max(live.credential.rounds);
            if let Some(load) = self.providers.get_mut(number as usize) {
                load.in_flight += live.in_flight;
            }
        }
        self.full = (0..)
            .zip(&self.providers)
            .filter(|(_, load)| load.is_full())
            .map(|(number, _)| number)
            .collect();
    }
}

/// A shard in the making. Seats come in the order of ids.
#[derive(Default)]
struct Draft {
    seats: Vec<Drafted>,
    providers: BTreeSet<ProviderName>,
}

struct Drafted {
    member: Member,
    served: u32,
    priority: i32,
    enabled: bool,
    provider: u32,
    rounds: Option<u32>,
}

impl Draft {
    fn seat(&mut self, slot: Slot, served: u32, model: u32, live: &Live) {
        let credential = &live.credential;
        let seat = u32::try_from(self.seats.len()).unwrap_or(u32::MAX);
        let of = credential.serves.get(served as usize);
        let weight = of.map_or(1, |served| served.weight);
        self.seats.push(Drafted {
            member: Member {
                slot,
                model,
                seat,
                weight: credential.weight.saturating_mul(weight),
            },
            served,
            priority: credential
                .priority
                .saturating_add(of.map_or(0, |served| served.priority)),
            enabled: credential.enabled,
            provider: live.provider,
            rounds: credential.rounds,
        });
        if credential.enabled {
            self.providers.insert(credential.provider.clone());
        }
    }

    fn finish(self, name: Arc<str>) -> Shard {
        let mut priorities: Vec<i32> = self.seats.iter().map(|seat| seat.priority).collect();
        priorities.sort_unstable_by(|one, other| other.cmp(one));
        priorities.dedup();
        let tier = |priority: i32| {
            let found = priorities.binary_search_by(|probe| priority.cmp(probe));
            u32::try_from(found.unwrap_or_else(|index| index)).unwrap_or(u32::MAX)
        };
        let seat = |drafted: Drafted| Seat {
            member: drafted.member,
            tier: tier(drafted.priority),
            place: if drafted.enabled {
                Place::Ready
            } else {
                Place::Disabled
            },
            provider: drafted.provider,
            rounds: drafted.rounds,
        };
        let seats = self.seats.into_iter().map(seat).collect();
        Shard::new(
            name,
            self.providers.into_iter().collect(),
            seats,
            priorities.len(),
        )
    }
}

/// The names a credential serves, each with the first of its `serves` that has it, and the index of
/// that one's model.
fn models_by_name(live: &Live) -> BTreeMap<Arc<str>, (u32, u32)> {
    let models = (0_u32..).zip(&live.models);
    let models: BTreeMap<_, _> = models.map(|(index, model)| (&model.key, index)).collect();
    let mut names = BTreeMap::new();
    for (index, served) in (0..).zip(&live.credential.serves) {
        let Some(&model) = models.get(&served.model) else {
            continue;
        };
        for name in &served.names {
            names.entry(Arc::clone(name)).or_insert((index, model));
        }
    }
    names
}

fn check(credentials: &[Credential]) -> Result<(), PoolError> {
    let mut seen: BTreeMap<&CredentialId, u32> = BTreeMap::new();
    let mut problems = Vec::new();
    for credential in credentials {
        let times = seen.entry(&credential.id).or_default();
        *times += 1;
        if *times == 2 {
            problems.push(Problem::DuplicateId(credential.id.clone()));
        }
        let weightless = credential.serves.iter().any(|served| served.weight == 0);
        if credential.weight == 0 || weightless {
            problems.push(Problem::ZeroWeight(credential.id.clone()));
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(PoolError { problems })
    }
}

/// Why a set of credentials is refused: every problem of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct PoolError {
    /// At least one.
    pub problems: Vec<Problem>,
}

impl fmt::Display for PoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the credentials cannot form a pool: ")?;
        for (index, problem) in self.problems.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

/// Why one credential cannot stand in a pool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Several have this id.
    #[error("several credentials have the id `{0}`; give each its own")]
    DuplicateId(CredentialId),
    /// Its weight is zero.
    #[error("credential `{0}` has the weight 0; give it 1 or more, or disable it")]
    ZeroWeight(CredentialId),
}
