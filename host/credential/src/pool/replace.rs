//! A new set of credentials: who stays keeps what was learnt of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::entry::{Live, Route};
use super::shard::{Place, Seat, Shard};
use super::{Member, Pool, Slot};
use crate::{Credential, CredentialId, ProviderName};

impl Pool {
    /// Takes these credentials in place of the present ones. Whose id stays keeps its slot, its
    /// health and its attempts in flight; whose id goes is forgotten.
    ///
    /// # Errors
    ///
    /// Names every credential that cannot stand in a pool, and why. The pool is then as before.
    pub fn replace(&mut self, credentials: Vec<Credential>) -> Result<(), PoolError> {
        check(&credentials)?;
        let mut gone = std::mem::take(&mut self.by_id);
        for credential in credentials {
            let id = credential.id.clone();
            let slot = match gone.remove(&id) {
                Some(slot) => {
                    if let Some(live) = self.entries.live_mut(slot) {
                        live.redefine(credential);
                    }
                    slot
                }
                None => self.entries.insert(Live::new(credential)),
            };
            self.by_id.insert(id, slot);
        }
        for slot in gone.into_values() {
            self.entries.remove(slot);
        }
        self.index();
        Ok(())
    }

    /// Makes the shards, and each credential's routes into them.
    fn index(&mut self) {
        let mut drafts: BTreeMap<Arc<str>, Draft> = BTreeMap::new();
        for &slot in self.by_id.values() {
            let Some(live) = self.entries.live(slot) else {
                continue;
            };
            for (name, model) in models_by_name(live) {
                let draft = drafts.entry(name).or_default();
                draft.seat(slot, model, &live.credential);
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
            for member in draft.members() {
                if let Some(live) = self.entries.live_mut(member.slot) {
                    let Member { seat, model, .. } = member;
                    live.routes.push(Route {
                        shard: index,
                        seat,
                        model,
                    });
                }
            }
            self.by_name.insert(Arc::clone(&name), index);
            self.shards.push(draft.finish(name));
        }
    }
}

/// A shard in the making. Seats come in the order of ids.
#[derive(Default)]
struct Draft {
    seats: Vec<(Member, i32, bool)>,
    providers: BTreeSet<ProviderName>,
}

impl Draft {
    fn seat(&mut self, slot: Slot, model: u32, credential: &Credential) {
        let seat = u32::try_from(self.seats.len()).unwrap_or(u32::MAX);
        let member = Member { slot, model, seat };
        self.seats
            .push((member, credential.priority, credential.enabled));
        if credential.enabled {
            self.providers.insert(credential.provider.clone());
        }
    }

    fn members(&self) -> impl Iterator<Item = Member> {
        self.seats.iter().map(|&(member, ..)| member)
    }

    fn finish(self, name: Arc<str>) -> Shard {
        let mut priorities: Vec<i32> = self
            .seats
            .iter()
            .map(|&(_, priority, _)| priority)
            .collect();
        priorities.sort_unstable_by(|one, other| other.cmp(one));
        priorities.dedup();
        let tier = |priority: i32| {
            let found = priorities.binary_search_by(|probe| priority.cmp(probe));
            u32::try_from(found.unwrap_or_else(|index| index)).unwrap_or(u32::MAX)
        };
        let seat = |(member, priority, enabled): (Member, i32, bool)| Seat {
            member,
            tier: tier(priority),
            place: if enabled {
                Place::Ready
            } else {
                Place::Disabled
            },
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

/// The names a credential serves, each with the index of the first model that has it.
fn models_by_name(live: &Live) -> BTreeMap<Arc<str>, u32> {
    let models = (0_u32..).zip(&live.models);
    let models: BTreeMap<_, _> = models.map(|(index, model)| (&model.key, index)).collect();
    let mut names = BTreeMap::new();
    for served in &live.credential.serves {
        let Some(&model) = models.get(&served.model) else {
            continue;
        };
        for name in &served.names {
            names.entry(Arc::clone(name)).or_insert(model);
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
        if credential.weight == 0 {
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
