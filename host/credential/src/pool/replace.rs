//! Changes of the set of credentials. Those that stay keep their state.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::entry::Live;
use super::texts::Texts;
use super::{Pool, PoolOptions, Slot};
use crate::{Credential, CredentialId};

impl Pool {
    /// Adds credentials, or redefines those whose id exists: these keep their slot, health and
    /// attempts in flight. A few cost what they serve; many cost one pass over the pool.
    ///
    /// # Errors
    ///
    /// Lists every invalid credential, with the reason. Nothing is changed.
    pub fn upsert(&mut self, credentials: Vec<Credential>) -> Result<(), PoolError> {
        check(&credentials)?;
        let few = self.are_few(credentials.len());
        let mut texts = Texts::default();
        for mut credential in credentials {
            texts.share(&mut credential);
            if few {
                self.put_indexed(credential);
            } else {
                self.put(credential);
            }
        }
        if !few {
            self.rebuild_index();
        }
        Ok(())
    }

    /// Removes credentials, and returns those that existed. Their attempts in flight end without
    /// effect.
    pub fn remove(&mut self, ids: &[CredentialId]) -> Vec<CredentialId> {
        let few = self.are_few(ids.len());
        let mut removed = Vec::new();
        for id in ids {
            if let Some(slot) = self.by_id.remove(id) {
                if few {
                    self.unindex_slot(slot);
                }
                self.slots.remove(slot);
                self.slow.remove(&slot);
                removed.push(id.clone());
            }
        }
        if !few && !removed.is_empty() {
            self.rebuild_index();
        }
        removed
    }

    /// Enables or disables a credential. Returns true if this changed anything, `None` if it does
    /// not exist.
    pub fn set_enabled(&mut self, id: &str, enabled: bool) -> Option<bool> {
        let slot = self.slot(id)?;
        let changes = self.credential(slot)?.enabled != enabled;
        if changes {
            self.mark_enabled(slot, enabled);
            let live = self.slots.live(slot)?;
            for listing in &live.listings {
                if let Some(name_index) = self.name_indexes.get_mut(listing.name_index as usize) {
                    let provider = &live.credential.provider;
                    name_index.set_enabled(listing.position, provider, enabled);
                }
            }
            // A lane may cool of which the index does not know yet.
            self.touch_lanes(slot);
        }
        Some(changes)
    }

    /// The same for several: a few cost what they serve, many cost one pass over the pool. Unknown
    /// ids are ignored.
    pub fn set_all_enabled<'a>(
        &mut self,
        overrides: impl IntoIterator<Item = (&'a CredentialId, bool)>,
    ) {
        let overrides: Vec<(&CredentialId, bool)> = overrides.into_iter().collect();
        let few = self.are_few(overrides.len());
        for (id, enabled) in overrides {
            if few {
                self.set_enabled(id.as_str(), enabled);
            } else if let Some(slot) = self.slot(id.as_str()) {
                self.mark_enabled(slot, enabled);
            }
        }
        if !few {
            self.rebuild_index();
        }
    }

    /// Does not update the index.
    fn mark_enabled(&mut self, slot: Slot, enabled: bool) {
        let Some(live) = self.slots.live_mut(slot) else {
            return;
        };
        if live.credential.enabled != enabled {
            Arc::make_mut(&mut live.credential).enabled = enabled;
        }
    }

    /// Does not update the index.
    fn put(&mut self, credential: Credential) {
        match self.by_id.get(&credential.id) {
            Some(&slot) => {
                if let Some(live) = self.slots.live_mut(slot) {
                    live.redefine(credential);
                }
            }
            None => {
                let id = credential.id.clone();
                let slot = self.slots.insert(Live::new(credential));
                self.by_id.insert(id, slot);
            }
        }
    }

    fn put_indexed(&mut self, credential: Credential) {
        if let Some(&slot) = self.by_id.get(&credential.id) {
            self.unindex_slot(slot);
            self.put(credential);
            self.index_slot(slot);
            return;
        }
        let Some(rank) = self.rank_for(credential.id.as_str()) else {
            self.put(credential);
            self.rebuild_index();
            return;
        };
        let id = credential.id.clone();
        let mut live = Live::new(credential);
        live.rank = rank;
        let slot = self.slots.insert(live);
        self.by_id.insert(id, slot);
        self.index_slot(slot);
    }

    /// True if this many single updates cost less than a rebuild of the index.
    fn are_few(&self, changes: usize) -> bool {
        changes <= ONE_BY_ONE_MAX.max(self.by_id.len() / ONE_BY_ONE_OF)
    }
}

impl Pool {
    /// Replaces all credentials. Those whose id stays keep their slot, health and attempts in
    /// flight. Costs one pass over the pool.
    ///
    /// # Errors
    ///
    /// Lists every invalid credential, with the reason. Nothing is changed.
    pub fn replace(&mut self, credentials: Vec<Credential>) -> Result<(), PoolError> {
        check(&credentials)?;
        let stay: BTreeSet<&CredentialId> = credentials
            .iter()
            .map(|credential| &credential.id)
            .collect();
        let removed: Vec<CredentialId> = self
            .by_id
            .keys()
            .filter(|id| !stay.contains(id))
            .cloned()
            .collect();
        for id in removed {
            if let Some(slot) = self.by_id.remove(&id) {
                self.slots.remove(slot);
                self.slow.remove(&slot);
            }
        }
        let new = credentials.len().saturating_sub(self.by_id.len());
        self.slots.reserve(new);
        let mut texts = Texts::default();
        for mut credential in credentials {
            texts.share(&mut credential);
            self.put(credential);
        }
        self.rebuild_index();
        Ok(())
    }

    /// The same, with new options. Open windows stay as they are.
    ///
    /// # Errors
    ///
    /// As [`Pool::replace`].
    pub fn reconfigure(
        &mut self,
        credentials: Vec<Credential>,
        options: PoolOptions,
    ) -> Result<(), PoolError> {
        // `replace` checks too, but the options must not change if that fails.
        check(&credentials)?;
        self.options = options;
        self.replace(credentials)
    }
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

/// Why a set of credentials is invalid: all its problems.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct PoolError {
    /// At least one problem.
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

/// Why one credential is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Several credentials have this id.
    #[error("several credentials have the id `{0}`; give each its own")]
    DuplicateId(CredentialId),
    /// Its weight is zero.
    #[error("credential `{0}` has the weight 0; give it 1 or more, or disable it")]
    ZeroWeight(CredentialId),
}

/// Up to this number of changes, or one credential in this many, each change updates the index.
/// Above, the index is rebuilt.
const ONE_BY_ONE_MAX: usize = 16;

/// One change costs about as much as a pass over thirty credentials.
const ONE_BY_ONE_OF: usize = 32;
